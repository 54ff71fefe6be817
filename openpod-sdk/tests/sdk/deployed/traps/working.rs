//! Traps 21 to 33: work on a ticket, its verdict, and its money.

use openpod_sdk::api::tickets::{Judgement, Ticket, TicketFilter, TicketPatch};
use openpod_sdk::api::{Cents, ErrorCode, Patch, TicketStatus};
use openpod_sdk::client::CallOptions;
use openpod_sdk::webhook::Event;
use openpod_sdk::{Client, Dialect, ErrorKind};
use serde_json::{Value, json};

use super::super::fixtures::WORKER;
use super::super::service::{KEY, Service, call, cannot, cannot_say, deployed, event, hear, say};

#[tokio::test]
async fn trap_21_a_branch_has_its_other_name_both_ways() {
    let patch = call!(|c| c.update_ticket(
        &"t".into(),
        &TicketPatch { branch_name: "b".to_owned().into(), ..TicketPatch::default() }
    ));
    assert_eq!(say(patch).await.1, json!({"branch": "b"}));
    let clear =
        call!(|c| c
            .update_ticket(&"t".into(), &TicketPatch { branch_name: Patch::Null, ..TicketPatch::default() }));
    assert_eq!(say(clear).await.1, json!({"branch": null}));
    assert_eq!(hear(patch, 200, deployed("tickets.update")).await.unwrap()["branch_name"], "feature/auth");
}

#[tokio::test]
async fn trap_22_done_is_not_sent_unless_one_insists() {
    let done = call!(|c| c.update_ticket(&"t".into(), &TicketPatch::status(TicketStatus::Done)));
    let unsupported = cannot(Dialect::Deployed, done).await;
    assert_eq!(unsupported.field.as_deref(), Some("status"));
    assert!(unsupported.instead.contains("in_review"), "{unsupported}");
    let by_a_pm = call!(|c| c
        .with(CallOptions::new().body_field("status", "done"))
        .update_ticket(&"t".into(), &TicketPatch::default()));
    assert_eq!(say(by_a_pm).await.1, json!({"status": "done"}));
}

#[tokio::test]
async fn trap_23_a_claim_names_who_claims() {
    let claim = call!(|c| c.claim_ticket(&"t".into(), &WORKER.into()));
    assert_eq!(say(claim).await.1, json!({"status": "in_progress", "assignee_agent_key_id": WORKER}));
    let service = Service::answering(200, deployed("tickets.update")).await;
    service.client().speaking(Dialect::Documented).claim_ticket(&"t".into(), &WORKER.into()).await.unwrap();
    let body: Value = service.requests().await[0].body_json().unwrap();
    assert_eq!(body, json!({"status": "in_progress"}), "the documented service knows who asks");
}

#[tokio::test]
async fn trap_24_a_change_that_a_worker_may_not_make_is_refused_as_a_whole_and_sends_nothing_unasked() {
    let work = call!(|c| c.update_ticket(&"t".into(), &TicketPatch::status(TicketStatus::InReview)));
    assert_eq!(
        say(work).await.1,
        json!({"status": "in_review"}),
        "no field beside the one that was asked for"
    );
    let refused = hear(work, 403, deployed("error.403.tickets.update.worker_done")).await.unwrap_err();
    assert!(refused.is(ErrorCode::Forbidden) && refused.kind() == ErrorKind::Refused);
    let long = call!(|c| c.update_ticket(
        &"t".into(),
        &TicketPatch { labels: Some(vec!["l".into(); 21]), ..TicketPatch::default() }
    ));
    assert_eq!(cannot_say(long).await, "labels", "it would be cut");
}

#[tokio::test]
async fn trap_25_a_move_that_skips_a_step_comes_back_as_an_invalid_request_and_is_not_repeated() {
    let service = Service::answering(400, deployed("error.400.tickets.update.transition")).await;
    let client = Client::builder(service.address()).key(KEY).build().unwrap();
    let error =
        client.update_ticket(&"t".into(), &TicketPatch::status(TicketStatus::InReview)).await.unwrap_err();
    assert!(error.is(ErrorCode::InvalidRequest));
    assert_eq!(service.requests().await.len(), 1);
}

#[tokio::test]
async fn trap_26_deliverables_are_replaced_and_the_answer_says_what_is_there() {
    let patch = call!(|c| c.update_ticket(
        &"t".into(),
        &TicketPatch { deliverables: Some(Vec::new()), ..TicketPatch::default() }
    ));
    assert_eq!(
        say(patch).await.1,
        json!({"deliverables": []}),
        "the list goes out as it is, also when empty"
    );
    let answer = hear(patch, 200, deployed("tickets.update")).await.unwrap();
    assert_eq!(answer["deliverables"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn trap_27_a_verdict_has_a_ticket_and_its_money() {
    let service = Service::answering(200, deployed("tickets.approve")).await;
    let judged =
        service.client().approve_ticket(&"t".into(), &Judgement::approve(Cents(5000))).await.unwrap();
    let paid = judged.transaction.unwrap();
    assert_eq!((paid.amount_cents, paid.commission_cents, paid.id), (Cents(5000), Cents(500), None));
    assert_eq!(judged.ticket.payout_cents, Some(Cents(5000)));
    let absurd = json!({"data": {"ticket_id": "t", "action": "approved", "payout_cents": i64::MAX}});
    let judge = call!(|c| c.approve_ticket(&"t".into(), &Judgement::approve(Cents(5000))));
    hear(judge, 200, absurd.to_string()).await.unwrap();
}

#[tokio::test]
async fn trap_28_a_payout_out_of_bounds_is_not_sent() {
    let zero = call!(|c| c.approve_ticket(&"t".into(), &Judgement::approve(Cents(0))));
    let much = call!(|c| c.approve_ticket(&"t".into(), &Judgement::approve(Cents(10_000_001))));
    for call in [zero, much] {
        assert_eq!(cannot_say(call).await, "payout_cents");
    }
    say(call!(|c| c.approve_ticket(&"t".into(), &Judgement::approve(Cents(10_000_000))))).await;
}

#[tokio::test]
async fn trap_29_a_verdict_that_one_may_not_give_is_forbidden() {
    for fixture in ["error.403.tickets.approve.self", "error.403.tickets.approve.role"] {
        let judge = call!(|c| c.approve_ticket(&"t".into(), &Judgement::approve(Cents(1))));
        assert!(hear(judge, 403, deployed(fixture)).await.unwrap_err().is(ErrorCode::Forbidden), "{fixture}");
    }
}

#[tokio::test]
async fn trap_30_a_conflict_of_an_approval_is_not_taken_for_paid() {
    let judge = call!(|c| c.approve_ticket(&"t".into(), &Judgement::approve(Cents(1))));
    let error = hear(judge, 409, deployed("error.409.tickets.approve")).await.unwrap_err();
    assert!(error.is(ErrorCode::Conflict) && !error.is(ErrorCode::AlreadyApproved));
}

#[tokio::test]
async fn trap_31_a_rejected_ticket_cannot_be_approved_and_says_so_as_an_invalid_request() {
    let judge = call!(|c| c.approve_ticket(&"t".into(), &Judgement::approve(Cents(1))));
    let error = hear(judge, 400, deployed("error.400.tickets.approve.was_rejected")).await.unwrap_err();
    assert!(error.is(ErrorCode::InvalidRequest));
    let revise = call!(|c| c.approve_ticket(&"t".into(), &Judgement::revise("Again.")));
    assert_eq!(say(revise).await.1, json!({"action": "revise", "comment": "Again."}), "the way out");
}

#[tokio::test]
async fn trap_32_what_a_ticket_does_not_tell_is_unknown_and_not_pending() {
    let tickets =
        hear(call!(|c| c.list_tickets(&TicketFilter::of("p".into()))), 200, deployed("tickets.list")).await;
    let tickets: Vec<Ticket> = serde_json::from_value(tickets.unwrap()["data"].take()).unwrap();
    assert!(
        tickets
            .iter()
            .all(|t| t.approval_status.is_none() && t.payout_cents.is_none() && t.version.is_none())
    );
    let paid =
        hear(call!(|c| c.list_transactions(&Default::default())), 200, deployed("me.transactions")).await;
    assert_eq!(paid.unwrap()["transactions"][0]["type"], "deliverable_approved", "money tells it");
    let matching =
        call!(|c| c.with(CallOptions::new().if_match(3)).update_ticket(&"t".into(), &TicketPatch::default()));
    assert_eq!(cannot_say(matching).await, "If-Match", "nor has it a version to match");
}

#[test]
fn trap_33_a_revision_is_told_from_a_rejection() {
    for (fixture, action) in [
        ("webhook.deliverable_rejected", "rejected"),
        ("webhook.deliverable_rejected.revise", "revision_requested"),
    ] {
        let Event::DeliverableRejected(facts) = event(fixture) else { panic!("{fixture}") };
        assert_eq!(facts.action.as_str(), action);
    }
}
