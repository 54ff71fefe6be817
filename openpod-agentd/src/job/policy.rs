//! Which work to take, by what the configuration says.

use std::collections::BTreeSet;
use std::time::Duration;

use openpod_sdk::api::applications::Application;
use openpod_sdk::api::me::Membership;
use openpod_sdk::api::positions::Position;
use openpod_sdk::api::tickets::Ticket;
use openpod_sdk::api::{
    ApplicationStatus, PositionId, Priority, ProjectStatus, RoleLevel, TicketStatus, TicketType,
};

use super::{Candidate, Me, OnGiveUp};

/// What the configuration says about taking work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Which positions to apply to.
    pub apply: ApplyPolicy,
    /// Which tickets to take.
    pub tickets: TicketPolicy,
}

/// Which positions to apply to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyPolicy {
    /// Whether to apply at all.
    pub enabled: bool,
    /// A position may require these and no others; those of the agent when empty.
    pub capabilities: Vec<String>,
    /// Only these roles.
    pub role_levels: Vec<RoleLevel>,
    /// How many applications may wait for an answer.
    pub max_open_applications: usize,
    /// The letter, with `{agent}`, `{position}`, `{project}` and `{capabilities}`.
    pub cover_letter: String,
}

/// Which tickets to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketPolicy {
    /// Whether to claim tickets that are nobody's.
    pub claim_unassigned: bool,
    /// Whether to take up tickets of ours that are in progress and that the journal does not know. Not good when several
    /// daemons share one key.
    pub adopt_started: bool,
    /// Of those that are nobody's, only these; all when empty.
    pub priorities: Vec<Priority>,
    /// Of those that are nobody's, only these kinds; all but epics when empty.
    pub ticket_types: Vec<TicketType>,
    /// How many tickets to work on at a time.
    pub max_concurrent: usize,
    /// How often the worker may fail in one round.
    pub max_attempts: u32,
    /// What becomes of a ticket that is given up.
    pub on_give_up: OnGiveUp,
    /// How long the workspace of a ticket that was refused is kept.
    pub keep_rejected: Duration,
    /// Where a ticket goes when it is handed in: in_review or done.
    pub finish_as: TicketStatus,
}

impl ApplyPolicy {
    /// The positions to apply to now, in the order they were given. Never one that was applied to before: whoever
    /// refused us once is not asked again.
    pub fn choose(
        &self,
        me: &Me,
        positions: &[Position],
        applications: &[Application],
        memberships: &[Membership],
        applied: &BTreeSet<PositionId>,
    ) -> Vec<Position> {
        if !self.enabled {
            return Vec::new();
        }
        let waiting = applications
            .iter()
            .filter(|application| application.status == ApplicationStatus::Pending)
            .count();
        let asked: BTreeSet<&PositionId> = applications
            .iter()
            .filter_map(|application| application.position_id.as_ref())
            .chain(applied)
            .collect();
        let member = |position: &Position| {
            memberships.iter().any(|membership| membership.project_id == position.project.id)
        };
        positions
            .iter()
            .filter(|position| self.suits(me, position) && !asked.contains(&position.id) && !member(position))
            .take(self.max_open_applications.saturating_sub(waiting))
            .cloned()
            .collect()
    }

    fn suits(&self, me: &Me, position: &Position) -> bool {
        let able = if self.capabilities.is_empty() { &me.capabilities } else { &self.capabilities };
        let can = |wanted: &String| able.iter().any(|word| word.eq_ignore_ascii_case(wanted));
        self.role_levels.contains(&position.role_level) && position.required_capabilities.iter().all(can)
    }
}

impl TicketPolicy {
    /// The projects whose free tickets are worth a look.
    pub fn looks_at(&self, membership: &Membership) -> bool {
        let under_way = matches!(membership.project_status, ProjectStatus::Open | ProjectStatus::InProgress);
        // An owner judges what is handed in, and may not judge its own work.
        self.claim_unassigned && under_way && !membership.is_owner
    }

    /// The free tickets to claim, most urgent first.
    pub fn choose(&self, tickets: &[Ticket]) -> Vec<Candidate> {
        if !self.claim_unassigned {
            return Vec::new();
        }
        let mut wanted: Vec<&Ticket> = tickets.iter().filter(|ticket| self.wants(ticket)).collect();
        wanted.sort_by_key(|ticket| {
            (std::cmp::Reverse(urgency(ticket.priority.as_ref())), ticket.ticket_number)
        });
        wanted.into_iter().filter_map(candidate_of).collect()
    }

    fn wants(&self, ticket: &Ticket) -> bool {
        let kind = ticket.ticket_type.clone().unwrap_or(TicketType::Task);
        let priority = ticket.priority.clone().unwrap_or(Priority::Medium);
        let of_a_kind = match &self.ticket_types[..] {
            [] => kind != TicketType::Epic,
            kinds => kinds.contains(&kind),
        };
        ticket.status == TicketStatus::Todo
            && ticket.assignee_agent_key_id.is_none()
            && of_a_kind
            && (self.priorities.is_empty() || self.priorities.contains(&priority))
    }
}

/// A ticket as a candidate; `None` when the platform does not say which project it belongs to.
pub fn candidate_of(ticket: &Ticket) -> Option<Candidate> {
    Some(Candidate {
        ticket: ticket.id.clone(),
        project: ticket.project_id.clone()?,
        number: ticket.ticket_number.unwrap_or(0),
        title: ticket.title.clone(),
        version: ticket.version,
        untouched: ticket.status == TicketStatus::Todo,
        free: ticket.assignee_agent_key_id.is_none(),
    })
}

/// How urgent a ticket is, for sorting. What we do not know is as urgent as the usual.
pub fn urgency(priority: Option<&Priority>) -> u8 {
    match priority {
        Some(Priority::Urgent) => 3,
        Some(Priority::High) => 2,
        Some(Priority::Low) => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn me() -> Me {
        Me { id: "me".into(), name: "crab".into(), capabilities: vec!["rust".into(), "shell".into()] }
    }

    fn apply() -> ApplyPolicy {
        ApplyPolicy {
            enabled: true,
            capabilities: Vec::new(),
            role_levels: vec![RoleLevel::Worker],
            max_open_applications: 2,
            cover_letter: "Hello".into(),
        }
    }

    fn position(id: &str, role: &str, wants: &[&str]) -> Position {
        serde_json::from_value(json!({
            "id": id, "title": id, "role_level": role, "required_capabilities": wants,
            "project": {"id": format!("project of {id}"), "title": "P"},
        }))
        .unwrap()
    }

    fn application(position: &str, status: &str) -> Application {
        serde_json::from_value(json!({"id": "a", "position_id": position, "status": status})).unwrap()
    }

    fn chosen(policy: &ApplyPolicy, positions: &[Position], applications: &[Application]) -> Vec<String> {
        let chosen = policy.choose(&me(), positions, applications, &[], &BTreeSet::new());
        chosen.iter().map(|position| position.id.to_string()).collect()
    }

    #[test]
    fn applies_where_role_and_capabilities_fit() {
        let positions = [
            position("a", "worker", &["rust"]),
            position("b", "pm", &["rust"]),
            position("c", "worker", &["Rust", "SHELL"]),
            position("d", "worker", &["rust", "design"]),
        ];
        assert_eq!(chosen(&apply(), &positions, &[]), ["a", "c"]);
        let narrow = ApplyPolicy { capabilities: vec!["design".into(), "rust".into()], ..apply() };
        assert_eq!(chosen(&narrow, &positions, &[]), ["a", "d"]);
        assert_eq!(chosen(&ApplyPolicy { enabled: false, ..apply() }, &positions, &[]), [""; 0]);
    }

    #[test]
    fn applies_once_to_each_and_to_no_more_than_may_wait() {
        let positions = ["a", "b", "c", "d"].map(|id| position(id, "worker", &[]));
        assert_eq!(chosen(&apply(), &positions, &[application("a", "rejected")]), ["b", "c"]);
        assert_eq!(chosen(&apply(), &positions, &[application("b", "pending")]), ["a"]);
        let applied = BTreeSet::from([PositionId::from("a")]);
        let again = apply().choose(&me(), &positions[..1], &[], &[], &applied);
        assert!(again.is_empty());
    }

    #[test]
    fn does_not_apply_where_it_is_a_member() {
        let membership: Membership = serde_json::from_value(json!({
            "project_id": "project of a", "project_title": "P", "project_status": "open",
        }))
        .unwrap();
        let again =
            apply().choose(&me(), &[position("a", "worker", &[])], &[], &[membership], &BTreeSet::new());
        assert!(again.is_empty());
    }

    fn tickets() -> TicketPolicy {
        TicketPolicy {
            claim_unassigned: true,
            adopt_started: true,
            priorities: Vec::new(),
            ticket_types: Vec::new(),
            max_concurrent: 1,
            max_attempts: 3,
            on_give_up: OnGiveUp::Release,
            keep_rejected: Duration::ZERO,
            finish_as: TicketStatus::InReview,
        }
    }

    fn ticket(number: u64, status: &str, priority: &str, kind: &str, assignee: Option<&str>) -> Ticket {
        serde_json::from_value(json!({
            "id": format!("t{number}"), "project_id": "p", "ticket_number": number, "title": "T", "status": status,
            "priority": priority, "ticket_type": kind, "assignee_agent_key_id": assignee, "version": 1,
        }))
        .unwrap()
    }

    #[test]
    fn claims_free_tickets_the_most_urgent_first() {
        let all = [
            ticket(1, "todo", "low", "task", None),
            ticket(2, "todo", "medium", "bug", None),
            ticket(3, "todo", "urgent", "task", None),
            ticket(4, "todo", "urgent", "epic", None),
            ticket(5, "in_progress", "urgent", "task", None),
            ticket(6, "todo", "urgent", "task", Some("somebody")),
            ticket(7, "todo", "medium", "task", None),
        ];
        let numbers = |policy: &TicketPolicy| -> Vec<u64> {
            policy.choose(&all).iter().map(|candidate| candidate.number).collect()
        };
        assert_eq!(numbers(&tickets()), [3, 2, 7, 1]);
        assert_eq!(numbers(&TicketPolicy { priorities: vec![Priority::Low], ..tickets() }), [1]);
        assert_eq!(numbers(&TicketPolicy { ticket_types: vec![TicketType::Bug], ..tickets() }), [2]);
        assert_eq!(numbers(&TicketPolicy { claim_unassigned: false, ..tickets() }), [0; 0]);
    }
}
