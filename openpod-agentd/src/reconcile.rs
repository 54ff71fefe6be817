//! The difference between the journal and what a heartbeat tells. Pure.
//!
//! | the journal says | the heartbeat says | so |
//! |---|---|---|
//! | nothing | ours, and to be worked on | a new job |
//! | a job | ours, whatever its status | the job hears what was seen |
//! | an open job, not just being claimed | nothing | look at the ticket itself: done, reassigned, cancelled or gone |

use std::collections::{BTreeMap, BTreeSet};

use openpod_sdk::api::heartbeat::PendingTicket;
use openpod_sdk::api::{ApprovalStatus, TicketId, TicketStatus};

use crate::job::{Candidate, Job, Me, Standing, State, policy, standing_of};

/// One thing that journal and heartbeat do not agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A ticket of ours that no job knows.
    New(Candidate),
    /// A job's ticket was seen.
    Seen(TicketId, Standing),
    /// Only the ticket itself can tell.
    LookAt(TicketId),
}

/// Compares. New tickets come most urgent first. `adopt_started`: whether a ticket of ours that is in progress, and
/// that no job knows, is taken up.
pub fn reconcile(
    me: &Me,
    jobs: &BTreeMap<TicketId, Job>,
    assigned: &[PendingTicket],
    adopt_started: bool,
) -> Vec<Difference> {
    let mut tickets: Vec<&PendingTicket> = assigned.iter().collect();
    tickets.sort_by_key(|ticket| {
        (std::cmp::Reverse(policy::urgency(ticket.priority.as_ref())), ticket.ticket_number)
    });
    let mut differences: Vec<Difference> = tickets
        .iter()
        .filter_map(|ticket| difference(me, jobs.get(&ticket.id), ticket, adopt_started))
        .collect();
    let told: BTreeSet<&TicketId> = assigned.iter().map(|ticket| &ticket.id).collect();
    let missing = jobs.values().filter(|job| {
        job.is_open() && !matches!(job.state, State::Wanted { .. }) && !told.contains(&job.ticket)
    });
    differences.extend(missing.map(|job| Difference::LookAt(job.ticket.clone())));
    differences
}

fn difference(me: &Me, job: Option<&Job>, ticket: &PendingTicket, adopt_started: bool) -> Option<Difference> {
    if job.is_some() {
        let assignee = ticket.assignee_agent_key_id.as_ref().unwrap_or(&me.id);
        let standing = standing_of(
            &me.id,
            Some(assignee),
            &ticket.status,
            ticket.approval_status.as_ref(),
            ticket.version,
        );
        return Some(Difference::Seen(ticket.id.clone(), standing));
    }
    let revision = ticket.approval_status == Some(ApprovalStatus::RevisionRequested);
    let to_do = match ticket.status {
        TicketStatus::Todo => true,
        TicketStatus::InProgress => adopt_started || revision,
        _ => false,
    };
    if !to_do {
        return None;
    }
    let Some(project) = ticket.project_id.clone() else {
        return Some(Difference::LookAt(ticket.id.clone()));
    };
    Some(Difference::New(Candidate {
        ticket: ticket.id.clone(),
        project,
        number: ticket.ticket_number.unwrap_or(0),
        title: ticket.title.clone(),
        version: ticket.version,
        untouched: ticket.status == TicketStatus::Todo,
        free: false,
    }))
}

#[cfg(test)]
mod tests {
    use openpod_sdk::api::Timestamp;
    use serde_json::json;

    use super::*;

    fn me() -> Me {
        Me { id: "me".into(), name: "crab".into(), capabilities: Vec::new() }
    }

    fn pending(id: &str, status: &str, approval: Option<&str>, priority: &str) -> PendingTicket {
        serde_json::from_value(json!({
            "id": id, "ticket_number": 5, "title": "T", "status": status, "priority": priority,
            "project_id": "p", "approval_status": approval, "version": 4,
        }))
        .unwrap()
    }

    fn job(id: &str, state: State) -> (TicketId, Job) {
        let candidate = Candidate { number: 5, version: Some(3), ..Candidate::of_tests(id) };
        let mut job = Job::new(candidate, "openpod/", Timestamp::from_micros(0));
        job.state = state;
        (id.into(), job)
    }

    fn told(jobs: &[(TicketId, Job)], assigned: &[PendingTicket], adopt: bool) -> Vec<String> {
        let jobs = jobs.iter().cloned().collect();
        reconcile(&me(), &jobs, assigned, adopt)
            .into_iter()
            .map(|difference| match difference {
                Difference::New(candidate) => format!("new {}", candidate.ticket),
                Difference::Seen(ticket, standing) => format!("seen {ticket} {standing:?}"),
                Difference::LookAt(ticket) => format!("look {ticket}"),
            })
            .collect()
    }

    #[test]
    fn tickets_to_work_on_become_candidates_the_most_urgent_first() {
        let assigned = [
            pending("a", "todo", None, "low"),
            pending("b", "in_progress", None, "high"),
            pending("c", "in_progress", Some("revision_requested"), "medium"),
            pending("d", "in_review", Some("pending"), "urgent"),
            pending("e", "paused", None, "urgent"),
        ];
        assert_eq!(told(&[], &assigned, true), ["new b", "new c", "new a"]);
        assert_eq!(told(&[], &assigned, false), ["new c", "new a"]);
    }

    #[test]
    fn a_ticket_of_unknown_project_is_looked_at() {
        let mut ticket = pending("a", "todo", None, "low");
        ticket.project_id = None;
        assert_eq!(told(&[], &[ticket], true), ["look a"]);
    }

    #[test]
    fn a_known_ticket_is_told_to_its_job() {
        let jobs = [job("a", State::Delivered { summary: None, said: true })];
        let assigned = [pending("a", "in_progress", Some("revision_requested"), "low")];
        assert_eq!(told(&jobs, &assigned, true), ["seen a Open { revision: true, version: Some(4) }"]);
    }

    #[test]
    fn an_open_job_that_the_heartbeat_does_not_know_is_looked_at() {
        let jobs = [
            job("a", State::Prepared),
            job("b", State::Delivered { summary: None, said: true }),
            job("c", State::Wanted { untouched: true, free: false }),
            job("d", State::Lost { cleaned: true }),
            job("e", State::Revised),
        ];
        assert_eq!(told(&jobs, &[], true), ["look a", "look b", "look e"]);
    }
}
