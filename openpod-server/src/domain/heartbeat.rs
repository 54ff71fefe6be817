//! What a heartbeat makes of the work that is pending: whether anything is new, and what to do next.

use openpod_sdk::api::heartbeat::{PendingApplications, PendingTicket, PendingTickets, UnreadMessages};
use openpod_sdk::api::{ApprovalStatus, TicketStatus, Timestamp};

/// All that an agent has pending, as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// Tickets to work on and to judge.
    pub tickets: PendingTickets,
    /// Unread messages.
    pub messages: UnreadMessages,
    /// Applications to decide.
    pub applications: PendingApplications,
    /// When anything of the agent's concern last changed, what is no longer pending included.
    pub last_change: Option<Timestamp>,
}

impl Pending {
    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        let parts = (&self.tickets, &self.messages, &self.applications);
        serde_json::to_vec(&parts).map_or(0, |text| 2 * text.len())
    }
}

/// Whether anything changed since the agent last asked. Without a time everything is new. A change in the very
/// microsecond of the last answer counts, because it may have come after the data was read.
pub fn has_changes(pending: &Pending, since: Option<Timestamp>) -> bool {
    match (since, pending.last_change) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(since), Some(change)) => change >= since,
    }
}

/// One plain sentence about what to do next, most urgent first: what somebody sent back, what somebody waits for,
/// what was begun, what was assigned, then what was said and who applied.
pub fn next_step(pending: &Pending) -> String {
    let mine = &pending.tickets.assigned_to_you;
    let sent_back = |t: &&PendingTicket| t.approval_status == Some(ApprovalStatus::RevisionRequested);
    let standing = |status: TicketStatus| mine.iter().find(move |ticket| ticket.status == status);
    if let Some(ticket) = mine.iter().find(sent_back) {
        return format!("Revise {}: read its comments and hand it in again.", name(ticket));
    }
    if let Some(ticket) = pending.tickets.awaiting_approval.first() {
        return format!("Judge {}: it was handed in and awaits approval.", name(ticket));
    }
    if let Some(ticket) = standing(TicketStatus::InProgress) {
        return format!("Continue with {}.", name(ticket));
    }
    if let Some(ticket) = standing(TicketStatus::Todo) {
        return format!("Start {}: set its status to in_progress.", name(ticket));
    }
    match (pending.messages.unread_count, pending.applications.pending.len()) {
        (0, 0) => {}
        (0, 1) => return "Decide the application that is pending.".to_owned(),
        (0, n) => return format!("Decide the {n} applications that are pending."),
        (1, _) => return "Read the message that is unread.".to_owned(),
        (n, _) => return format!("Read the {n} messages that are unread."),
    }
    if let Some(ticket) = standing(TicketStatus::InReview) {
        return format!("Nothing to do: {} is in review.", name(ticket));
    }
    "Nothing to do: look for a free ticket or an open position.".to_owned()
}

fn name(ticket: &PendingTicket) -> String {
    match ticket.ticket_number {
        Some(number) => format!("ticket #{number} \"{}\"", ticket.title),
        None => format!("ticket \"{}\"", ticket.title),
    }
}

#[cfg(test)]
mod tests {
    use openpod_sdk::api::applications::Application;

    use super::*;

    fn ticket(number: u64, status: TicketStatus) -> PendingTicket {
        PendingTicket {
            id: "t".into(),
            ticket_number: Some(number),
            title: "Fix it".into(),
            status,
            priority: None,
            project_id: None,
            approval_status: None,
            assignee_agent_key_id: None,
            updated_at: None,
            version: None,
        }
    }

    fn nothing() -> Pending {
        Pending {
            tickets: PendingTickets::default(),
            messages: UnreadMessages::default(),
            applications: PendingApplications::default(),
            last_change: None,
        }
    }

    fn application() -> Application {
        let facts = serde_json::json!({"id": "a", "position_id": "p", "status": "pending"});
        serde_json::from_value(facts).unwrap()
    }

    #[test]
    fn the_most_urgent_thing_is_named_first() {
        let mut pending = nothing();
        let mut steps = vec![next_step(&pending)];
        pending.tickets.assigned_to_you.push(ticket(1, TicketStatus::InReview));
        steps.push(next_step(&pending));
        pending.applications.pending = vec![application(), application()];
        steps.push(next_step(&pending));
        pending.messages.unread_count = 1;
        steps.push(next_step(&pending));
        pending.tickets.assigned_to_you.push(ticket(2, TicketStatus::Todo));
        steps.push(next_step(&pending));
        pending.tickets.assigned_to_you.push(ticket(3, TicketStatus::InProgress));
        steps.push(next_step(&pending));
        pending.tickets.awaiting_approval.push(ticket(4, TicketStatus::Done));
        steps.push(next_step(&pending));
        let revision = Some(ApprovalStatus::RevisionRequested);
        let back = PendingTicket { approval_status: revision, ..ticket(5, TicketStatus::InProgress) };
        pending.tickets.assigned_to_you.push(back);
        steps.push(next_step(&pending));
        assert_eq!(
            steps,
            [
                "Nothing to do: look for a free ticket or an open position.",
                "Nothing to do: ticket #1 \"Fix it\" is in review.",
                "Decide the 2 applications that are pending.",
                "Read the message that is unread.",
                "Start ticket #2 \"Fix it\": set its status to in_progress.",
                "Continue with ticket #3 \"Fix it\".",
                "Judge ticket #4 \"Fix it\": it was handed in and awaits approval.",
                "Revise ticket #5 \"Fix it\": read its comments and hand it in again.",
            ]
        );
    }

    #[test]
    fn a_change_in_the_moment_of_the_last_answer_is_told_again_rather_than_lost() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let pending = Pending { last_change: Some(at("2026-03-12T10:30:00Z")), ..nothing() };
        assert!(has_changes(&pending, None));
        assert!(has_changes(&pending, Some(at("2026-03-12T10:29:59Z"))));
        assert!(has_changes(&pending, Some(at("2026-03-12T10:30:00Z"))));
        assert!(!has_changes(&pending, Some(at("2026-03-12T10:30:00.000001Z"))));
        assert!(!has_changes(&nothing(), Some(at("2026-03-12T10:30:00Z"))));
    }
}
