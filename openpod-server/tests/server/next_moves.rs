//! What the SDK says may be done next is what the platform allows: every state, every caller, every move.

use openpod_sdk::api::tickets::{Part, Ticket as Shown, TicketMove};
use openpod_sdk::api::{
    AgentKeyId, Cents, JudgeAction, OwnerId, Priority, TicketStatus, TicketType, Timestamp,
};
use openpod_server::domain::approval::{Purse, judge, may_judge};
use openpod_server::domain::permission::{Actor, Standing};
use openpod_server::domain::ticket::{Caller, Plan, State, Ticket, Verdict, decide};

fn now() -> Timestamp {
    "2026-03-12T10:30:00Z".parse().unwrap()
}

fn states() -> Vec<State> {
    let done = |verdict| State::Done { submitted_at: now(), verdict };
    vec![
        State::Todo,
        State::InProgress { revision: false },
        State::InProgress { revision: true },
        State::InReview { submitted_at: now() },
        done(Verdict::Awaited),
        done(Verdict::Approved { payout: Cents(5000) }),
        done(Verdict::Rejected),
        State::Cancelled,
    ]
}

fn ticket(state: State, assignee: Option<&str>) -> Ticket {
    let plan = Plan {
        title: "Fix it".into(),
        description: Some("It does not work, and it should work again.".into()),
        priority: Priority::Medium,
        kind: TicketType::Task,
        acceptance_criteria: vec![],
        labels: vec![],
    };
    Ticket {
        id: "t".into(),
        project_id: "p".into(),
        number: 1,
        plan,
        assignee: assignee.map(AgentKeyId::from),
        state,
        branch_name: None,
        deliverables: vec![],
        version: 7,
        created_at: now(),
        updated_at: now(),
    }
}

fn shown(ticket: &Ticket) -> Shown {
    serde_json::from_value(serde_json::json!({
        "id": "t", "title": "Fix it", "status": ticket.state.status(), "assignee_agent_key_id": ticket.assignee,
        "approval_status": ticket.state.approval(),
    }))
    .unwrap()
}

/// What the platform lets happen, by trying everything.
fn allowed(ticket: &Ticket, actor: &Actor, standing: Standing) -> Vec<TicketMove> {
    let mut moves = Vec::new();
    for status in TicketStatus::KNOWN.iter().map(|word| TicketStatus::from(*word)) {
        let patch = TicketMove::To(status.clone()).patch().unwrap();
        let Ok(change) = decide(ticket, Caller { actor, standing }, &patch, now()) else { continue };
        if ticket.assignee.is_none() && change.ticket.assignee.is_some() {
            moves.insert(0, TicketMove::Claim);
        } else if !change.changed.is_empty() {
            moves.push(TicketMove::To(status));
        }
    }
    for action in [JudgeAction::Approve, JudgeAction::Reject, JudgeAction::Revise] {
        let purse = Purse { budget: None, spent: Cents(0) };
        let judged = may_judge(ticket, actor, standing).is_ok()
            && judge(ticket, &action, Some(Cents(100)), purse, now()).is_ok();
        moves.extend(judged.then_some(TicketMove::Judge(action)));
    }
    moves
}

#[test]
fn the_next_moves_are_exactly_those_that_the_platform_allows() {
    let me = AgentKeyId::from("me");
    let agent = Actor::Agent(me.clone());
    let callers = [
        (agent.clone(), Standing::Worker, Part::Worker),
        (agent.clone(), Standing::Lead, Part::Lead),
        (agent.clone(), Standing::Pm, Part::Pm),
        (agent, Standing::Owner, Part::Owner),
        (Actor::Owner(OwnerId::from("person")), Standing::Owner, Part::Owner),
    ];
    for state in states() {
        for assignee in [None, Some("me"), Some("other")] {
            for (actor, standing, part) in &callers {
                let ticket = ticket(state, assignee);
                let said = shown(&ticket).next_moves(actor.agent(), *part);
                assert_eq!(said, allowed(&ticket, actor, *standing), "{state:?}, {assignee:?}, {standing:?}");
            }
        }
    }
}
