//! What may be done with a ticket next, and by whom. Pure; the rules are those of the operations.

use super::{Ticket, TicketPatch};
use crate::api::me::Membership;
use crate::api::{AgentKeyId, ApprovalStatus, JudgeAction, RoleLevel, TicketStatus};

/// What somebody is in a ticket's project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Owns it.
    Owner,
    /// Runs it in the owner's name.
    Pm,
    /// Plans and assigns.
    Lead,
    /// Works on tickets.
    Worker,
}

impl Part {
    /// The part of a member with this role. A role that this version does not know counts as the least of them.
    pub fn of(role: &RoleLevel) -> Part {
        match role {
            RoleLevel::Pm => Part::Pm,
            RoleLevel::Lead => Part::Lead,
            _ => Part::Worker,
        }
    }
}

impl Membership {
    /// What the caller is in this project.
    pub fn part(&self) -> Part {
        match &self.role_level {
            _ if self.is_owner => Part::Owner,
            Some(role) => Part::of(role),
            None => Part::Owner,
        }
    }
}

/// Something that may be done with a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TicketMove {
    /// Take a free ticket: `PATCH` with `in_progress`, or
    /// [`Client::claim_ticket`](../../struct.Client.html#method.claim_ticket), which does it in either dialect.
    Claim,
    /// Change where it stands: `PATCH` with this status.
    To(TicketStatus),
    /// Say what is thought of it: `POST /tickets/{ticket_id}/approve` with this action.
    Judge(JudgeAction),
}

impl TicketMove {
    /// The change of the ticket that it is; `None` for a verdict, which is another operation.
    pub fn patch(&self) -> Option<TicketPatch> {
        match self {
            TicketMove::Claim => Some(TicketPatch::status(TicketStatus::InProgress)),
            TicketMove::To(status) => Some(TicketPatch::status(status.clone())),
            TicketMove::Judge(_) => None,
        }
    }
}

const STATUSES: [TicketStatus; 5] = [
    TicketStatus::Todo,
    TicketStatus::InProgress,
    TicketStatus::InReview,
    TicketStatus::Done,
    TicketStatus::Cancelled,
];
const VERDICTS: [JudgeAction; 3] = [JudgeAction::Approve, JudgeAction::Reject, JudgeAction::Revise];

impl Ticket {
    /// What may be done next by somebody who is this in its project: the agent `me`, or a person without. In the order of
    /// the statuses; a claim comes first, verdicts come last.
    ///
    /// ```text
    ///              worker, own or free              lead                   owner, pm
    ///   claim      free, in todo or in_progress     the same               the same; a person claims nothing
    ///   move       own, as the picture leads,       as the picture leads   as the picture leads
    ///              but not to cancelled,
    ///              and not out of done, cancelled
    ///   judge                                                              handed in, undecided, another agent's
    ///
    ///   Once approved, nothing moves. The picture is that of TicketStatus::may_become.
    /// ```
    ///
    /// It is what the ticket allows as it was read: somebody else may be faster, and a verdict may be refused for the
    /// project's budget. The deployed service lets workers end in `in_review`; there a move to `done` is
    /// [`Unsupported`](crate::dialect::Unsupported).
    pub fn next_moves(&self, me: Option<&AgentKeyId>, part: Part) -> Vec<TicketMove> {
        if self.approval_status == Some(ApprovalStatus::Approved) {
            return Vec::new();
        }
        let claims = me.is_some()
            && self.assignee_agent_key_id.is_none()
            && matches!(self.status, TicketStatus::Todo | TicketStatus::InProgress);
        let is_own = me.is_some() && self.assignee_agent_key_id.as_ref() == me;
        let moves = STATUSES.into_iter().filter(|to| {
            let taken_as_claim = claims && *to == TicketStatus::InProgress;
            *to != self.status && !taken_as_claim && self.may_go(to, is_own, part)
        });
        let judges = matches!(part, Part::Owner | Part::Pm) && !is_own && self.is_undecided();
        claims
            .then_some(TicketMove::Claim)
            .into_iter()
            .chain(moves.map(TicketMove::To))
            .chain(VERDICTS.into_iter().filter(|_| judges).map(TicketMove::Judge))
            .collect()
    }

    fn may_go(&self, to: &TicketStatus, is_own: bool, part: Part) -> bool {
        let is_over = matches!(self.status, TicketStatus::Done | TicketStatus::Cancelled);
        let may = part != Part::Worker || (is_own && !is_over && *to != TicketStatus::Cancelled);
        may && self.status.may_become(to)
    }

    fn is_undecided(&self) -> bool {
        self.status.is_handed_in()
            && self.assignee_agent_key_id.is_some()
            && self.approval_status != Some(ApprovalStatus::Rejected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(status: &str, assignee: Option<&str>) -> Ticket {
        let text = serde_json::json!({
            "id": "t", "title": "A ticket", "status": status, "assignee_agent_key_id": assignee,
        });
        serde_json::from_value(text).unwrap()
    }

    fn words(ticket: &Ticket, me: Option<&str>, part: Part) -> String {
        let me = me.map(AgentKeyId::from);
        let word = |next: TicketMove| match next {
            TicketMove::Claim => "claim".to_owned(),
            TicketMove::To(status) => status.to_string(),
            TicketMove::Judge(action) => action.to_string(),
        };
        ticket.next_moves(me.as_ref(), part).into_iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_worker_claims_what_is_free_and_hands_in_what_is_its_own() {
        assert_eq!(words(&ticket("todo", None), Some("me"), Part::Worker), "claim");
        assert_eq!(words(&ticket("todo", Some("other")), Some("me"), Part::Worker), "");
        assert_eq!(
            words(&ticket("in_progress", Some("me")), Some("me"), Part::Worker),
            "todo in_review done"
        );
        assert_eq!(words(&ticket("in_review", Some("me")), Some("me"), Part::Worker), "in_progress done");
        assert_eq!(words(&ticket("done", Some("me")), Some("me"), Part::Worker), "");
    }

    #[test]
    fn who_decides_judges_the_work_of_others_once() {
        let done = ticket("done", Some("ada"));
        assert_eq!(words(&done, None, Part::Owner), "in_progress in_review approve reject revise");
        assert_eq!(words(&done, Some("ada"), Part::Pm), "in_progress in_review");
        assert_eq!(words(&done, Some("lead"), Part::Lead), "in_progress in_review");
        let approved = Ticket { approval_status: Some(ApprovalStatus::Approved), ..done.clone() };
        assert_eq!(words(&approved, None, Part::Owner), "");
        let rejected = Ticket { approval_status: Some(ApprovalStatus::Rejected), ..done };
        assert_eq!(words(&rejected, None, Part::Owner), "in_progress in_review");
    }

    #[test]
    fn a_claim_is_the_change_that_it_names() {
        assert_eq!(TicketMove::Claim.patch(), Some(TicketPatch::status(TicketStatus::InProgress)));
        assert_eq!(TicketMove::Judge(JudgeAction::Approve).patch(), None);
    }
}
