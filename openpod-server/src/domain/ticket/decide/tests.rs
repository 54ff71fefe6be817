use openpod_sdk::api::tickets::Deliverable;
use openpod_sdk::api::{Cents, OwnerId, Priority, TicketType};

use super::*;
use crate::domain::ticket::{Plan, Verdict};

fn now() -> Timestamp {
    "2026-03-12T10:30:00Z".parse().unwrap()
}

fn later() -> Timestamp {
    now().plus(std::time::Duration::from_secs(60))
}

fn me() -> AgentKeyId {
    AgentKeyId::from("me")
}

fn ticket(state: State, assignee: Option<&str>) -> Ticket {
    Ticket {
        id: "t".into(),
        project_id: "p".into(),
        number: 1,
        plan: Plan {
            title: "Fix it".into(),
            description: Some("It does not work, and it should work again.".into()),
            priority: Priority::Medium,
            kind: TicketType::Task,
            acceptance_criteria: vec![],
            labels: vec![],
        },
        assignee: assignee.map(AgentKeyId::from),
        state,
        branch_name: None,
        deliverables: vec![],
        version: 7,
        created_at: now(),
        updated_at: now(),
    }
}

const STATUSES: [&str; 5] = ["todo", "in_progress", "in_review", "done", "cancelled"];

fn state(status: &str) -> State {
    match status {
        "todo" => State::Todo,
        "in_progress" => State::InProgress { revision: false },
        "in_review" => State::InReview { submitted_at: now() },
        "done" => State::Done { submitted_at: now(), verdict: Verdict::Awaited },
        "approved" => State::Done { submitted_at: now(), verdict: Verdict::Approved { payout: Cents(5000) } },
        "rejected" => State::Done { submitted_at: now(), verdict: Verdict::Rejected },
        _ => State::Cancelled,
    }
}

/// What a change of the status alone comes to, in two or three letters.
fn outcome(ticket: &Ticket, actor: &Actor, standing: Standing, to: &str) -> &'static str {
    let patch = TicketPatch::status(TicketStatus::from(to));
    match decide(ticket, Caller { actor, standing }, &patch, later()) {
        Ok(change) if change.changed.is_empty() => "=",
        Ok(change) => {
            assert_eq!(change.ticket.state.status().as_str(), to);
            assert_eq!(change.ticket.version, ticket.version + 1);
            "ok"
        }
        Err(Refusal::Forbidden(_)) => "403",
        Err(Refusal::AlreadyClaimed) => "held",
        Err(Refusal::IllegalTransition { .. }) => "409",
        Err(other) => panic!("{other}"),
    }
}

fn walk(assignee: Option<&str>, actor: &Actor, standings: &[Standing], froms: &[&str], table: &[[&str; 5]]) {
    for standing in standings {
        for (from, row) in froms.iter().zip(table) {
            for (to, expected) in STATUSES.iter().zip(row) {
                let found = outcome(&ticket(state(from), assignee), actor, *standing, to);
                assert_eq!(found, *expected, "{standing:?}: {from} to {to}, assigned to {assignee:?}");
            }
        }
    }
}

const ALL: [&str; 7] = ["todo", "in_progress", "in_review", "done", "cancelled", "approved", "rejected"];
const PLANNERS: [Standing; 3] = [Standing::Lead, Standing::Pm, Standing::Owner];

#[test]
fn a_worker_moves_its_own_ticket_forward_back_and_out_but_never_cancels_or_reopens() {
    walk(
        Some("me"),
        &Actor::Agent(me()),
        &[Standing::Worker],
        &ALL,
        &[
            // todo   in_progress in_review done cancelled
            ["=", "ok", "ok", "ok", "403"],
            ["ok", "=", "ok", "ok", "403"],
            ["409", "ok", "=", "ok", "403"],
            ["403", "403", "403", "=", "403"],
            ["403", "403", "403", "403", "="],
            ["403", "403", "403", "=", "403"],
            ["403", "403", "403", "=", "403"],
        ],
    );
}

#[test]
fn a_worker_gets_nothing_of_anothers_ticket() {
    walk(
        Some("other"),
        &Actor::Agent(me()),
        &[Standing::Worker],
        &ALL,
        &[
            ["403", "held", "403", "403", "403"],
            ["403", "held", "403", "403", "403"],
            ["403", "held", "403", "403", "403"],
            ["403", "held", "403", "403", "403"],
            ["403", "held", "403", "403", "403"],
            ["403", "held", "403", "403", "403"],
            ["403", "held", "403", "403", "403"],
        ],
    );
}

#[test]
fn a_worker_may_only_claim_a_free_ticket() {
    walk(
        None,
        &Actor::Agent(me()),
        &[Standing::Worker],
        &ALL,
        &[
            ["403", "ok", "403", "403", "403"],
            ["403", "ok", "403", "403", "403"],
            ["403", "403", "403", "403", "403"],
            ["403", "403", "403", "403", "403"],
            ["403", "403", "403", "403", "403"],
            ["403", "403", "403", "403", "403"],
            ["403", "403", "403", "403", "403"],
        ],
    );
}

#[test]
fn leads_pms_and_owners_make_every_move_of_the_picture_and_no_other() {
    let table = [
        ["=", "ok", "ok", "ok", "ok"],
        ["ok", "=", "ok", "ok", "ok"],
        ["409", "ok", "=", "ok", "ok"],
        ["409", "ok", "ok", "=", "409"],
        ["ok", "409", "409", "409", "="],
        ["409", "409", "409", "=", "409"],
        ["409", "ok", "ok", "=", "409"],
    ];
    walk(Some("other"), &Actor::Agent(me()), &PLANNERS, &ALL, &table);
    walk(Some("me"), &Actor::Agent(me()), &PLANNERS, &ALL, &table);
    walk(Some("other"), &Actor::Owner(OwnerId::from("o")), &[Standing::Owner], &ALL, &table);
}

#[test]
fn a_stranger_changes_nothing() {
    walk(None, &Actor::Agent(me()), &[Standing::Stranger], &ALL, &[["403"; 5]; 7]);
}

fn change(ticket: &Ticket, standing: Standing, patch: &TicketPatch) -> Result<Change, Refusal> {
    decide(ticket, Caller { actor: &Actor::Agent(me()), standing }, patch, later())
}

#[test]
fn claiming_assigns_the_caller_and_a_person_assigns_nobody() {
    let claim = TicketPatch::status(TicketStatus::InProgress);
    let claimed = change(&ticket(State::Todo, None), Standing::Worker, &claim).unwrap();
    assert_eq!(claimed.ticket.assignee, Some(me()));
    assert_eq!(claimed.changed, ["status", "assignee_agent_key_id"]);
    assert_eq!(claimed.old_assignee, Some(None));

    let person = Actor::Owner(OwnerId::from("o"));
    let caller = Caller { actor: &person, standing: Standing::Owner };
    let begun = decide(&ticket(State::Todo, None), caller, &claim, later()).unwrap();
    assert_eq!(begun.ticket.assignee, None);
}

#[test]
fn a_lead_who_names_an_assignee_claims_nothing() {
    let patch = TicketPatch {
        assignee_agent_key_id: Patch::Value("other".into()),
        ..TicketPatch::status(TicketStatus::InProgress)
    };
    let after = change(&ticket(State::Todo, None), Standing::Lead, &patch).unwrap().ticket;
    assert_eq!(after.assignee, Some("other".into()));
}

#[test]
fn a_released_ticket_is_nobodys() {
    let running = ticket(State::InProgress { revision: true }, Some("me"));
    let released = change(&running, Standing::Worker, &TicketPatch::status(TicketStatus::Todo)).unwrap();
    assert_eq!((released.ticket.assignee, released.ticket.state), (None, State::Todo));
    assert_eq!(released.old_assignee, Some(Some(me())));
}

#[test]
fn handing_in_awaits_a_verdict_and_reopening_clears_it() {
    for (from, to, approval) in [
        ("todo", "done", Some("pending")),
        ("in_progress", "in_review", Some("pending")),
        ("in_review", "done", Some("pending")),
        ("in_review", "in_progress", None),
        ("rejected", "in_progress", None),
        ("rejected", "in_review", Some("pending")),
        ("in_review", "cancelled", None),
        ("cancelled", "todo", None),
    ] {
        let patch = TicketPatch::status(TicketStatus::from(to));
        let after = change(&ticket(state(from), Some("me")), Standing::Pm, &patch).unwrap().ticket;
        let found = after.state.approval();
        assert_eq!(found.as_ref().map(|word| word.as_str()), approval, "{from} to {to}");
    }
}

#[test]
fn a_worker_fills_in_its_own_ticket_and_plans_nothing() {
    let own = ticket(State::InProgress { revision: false }, Some("me"));
    let work = TicketPatch {
        deliverables: Some(vec![Deliverable::pull_request("https://example.com/pull/1")]),
        branch_name: Patch::Value("ticket-1".into()),
        ..TicketPatch::default()
    };
    assert_eq!(change(&own, Standing::Worker, &work).unwrap().changed, ["branch_name", "deliverables"]);
    for plan in [
        TicketPatch { title: Some("Other".into()), ..TicketPatch::default() },
        TicketPatch { priority: Some(Priority::Low), ..TicketPatch::default() },
        TicketPatch { labels: Some(vec![]), ..TicketPatch::default() },
        TicketPatch { assignee_agent_key_id: Patch::Null, ..TicketPatch::default() },
    ] {
        assert!(matches!(change(&own, Standing::Worker, &plan), Err(Refusal::Forbidden(_))), "{plan:?}");
        assert!(change(&own, Standing::Lead, &plan).is_ok(), "{plan:?}");
    }
}

#[test]
fn what_was_paid_for_stays_as_it_was() {
    let paid = ticket(state("approved"), Some("me"));
    let swap = TicketPatch {
        deliverables: Some(vec![Deliverable::pull_request("https://x.example")]),
        ..TicketPatch::default()
    };
    assert_eq!(change(&paid, Standing::Worker, &swap), Err(Refusal::AlreadyApproved));
    let rename = TicketPatch { title: Some("Other".into()), ..TicketPatch::default() };
    assert_eq!(change(&paid, Standing::Owner, &rename), Err(Refusal::AlreadyApproved));
    let same = TicketPatch { title: Some("Fix it".into()), ..TicketPatch::status(TicketStatus::Done) };
    assert!(change(&paid, Standing::Owner, &same).unwrap().changed.is_empty());
}

#[test]
fn texts_must_suffice_for_the_kind_after_the_change() {
    let plain = ticket(State::Todo, None);
    let story = TicketPatch { ticket_type: Some(TicketType::Story), ..TicketPatch::default() };
    assert!(matches!(change(&plain, Standing::Lead, &story), Err(Refusal::Texts(_))));
    let with_criteria = TicketPatch { acceptance_criteria: Some(vec!["It works".into()]), ..story };
    assert!(change(&plain, Standing::Lead, &with_criteria).is_ok());
    let short = TicketPatch { description: Some("Too short".into()), ..TicketPatch::default() };
    assert!(matches!(change(&plain, Standing::Lead, &short), Err(Refusal::Texts(_))));
}
