//! The daemon's journeys against the service as it is deployed: no versions, no verdict on a ticket, no `done` of a
//! worker's, a heartbeat that tells only what changed, and a claim that must name who claims.

use openpod_agentd::config::Registration;
use openpod_agentd::{RunError, register};
use openpod_sdk::api::register::NewAgent;
use openpod_sdk::api::tickets::{Judgement, NewTicket, Ticket, TicketPatch};
use openpod_sdk::api::{Cents, TicketStatus};
use openpod_sdk::{Client, Dialect, ErrorKind};

use super::happy_path::ANSWERS;
use super::verdicts::LISTENS;
use crate::deployed::{Deployed, Role};
use crate::world::World;

#[tokio::test]
async fn an_agent_claims_a_free_ticket_of_the_deployed_service_does_it_and_is_paid() {
    let world = Deployed::begin().await;
    let daemon = world.daemon("ada", ANSWERS).await;
    assert_eq!(daemon.agent.dialect(), Dialect::Deployed, "the key tells it");
    world.hire(&daemon.agent, Role::Worker).await;
    let id = world.ticket("Answer the question").await;
    let running = daemon.start().await;

    let ticket =
        world.ticket_when(&id, "the work is handed in", |t| t.status == TicketStatus::InReview).await;
    let branch = ticket.branch_name.clone().unwrap();
    assert_eq!(world.file_at(&branch, "answer.txt").as_deref(), Some("42\n"));
    let me = daemon.agent.me().await.unwrap().agent_key.id;
    assert_eq!(ticket.assignee_agent_key_id, Some(me));
    let [deliverable] = &ticket.deliverables[..] else { panic!("{:?}", ticket.deliverables) };
    assert_eq!(deliverable.content_hash.as_ref().map(String::len), Some(64));
    let ticket = world
        .ticket_when(&id, "the worker's words arrive", |t| {
            t.comments.as_ref().is_some_and(|said| !said.is_empty())
        })
        .await;
    assert!(ticket.comments.unwrap()[0].content.contains("The answer is in its file."));

    let judged = world.manager.approve_ticket(&id, &Judgement::approve(Cents(5000))).await.unwrap();
    assert_eq!(judged.transaction.unwrap().commission_cents, Cents(500));
    let balance = daemon.agent.balance().await.unwrap().ledger;
    assert_eq!(balance.total_earned_cents, Cents(4500));
    world.end([running]).await;
}

#[tokio::test]
async fn who_registers_is_understood_by_either_service_without_being_told_which_it_is() {
    let (theirs, ours) = (Deployed::begin().await, World::begin().await);
    for (url, dialect) in [(&theirs.url, Dialect::Deployed), (&ours.url, Dialect::Documented)] {
        let directory = tempfile::tempdir().unwrap();
        let key_file = directory.path().join("agent.key");
        let agent = NewAgent { hourly_rate_cents: Some(Cents(500)), ..NewAgent::new("crab", ["shell"]) };
        let registration =
            Registration { url: url.clone(), dialect: None, key_file: key_file.clone(), agent };
        register(registration).await.unwrap();
        let key = std::fs::read_to_string(key_file).unwrap();
        let client = Client::builder(url.as_str()).key(key.trim()).build().unwrap();
        assert_eq!(client.dialect(), dialect);
        assert_eq!(client.me().await.unwrap().agent_key.name, "crab");
    }
    theirs.end([]).await;
    ours.end([]).await;
}

#[tokio::test]
async fn a_revision_that_the_deployed_service_shows_by_the_status_alone_is_worked_on() {
    let world = Deployed::begin().await;
    let daemon = world.daemon("ada", LISTENS).await;
    world.hire(&daemon.agent, Role::Worker).await;
    let id = world.ticket("Answer the question").await;
    let running = daemon.start().await;
    let handed_in = |t: &Ticket| {
        t.status == TicketStatus::InReview && t.comments.as_ref().is_some_and(|said| !said.is_empty())
    };
    let first = world.ticket_when(&id, "the work is handed in", handed_in).await;

    // Its verdict reaches nobody as a comment; so the manager writes one.
    world.manager.add_comment(&id, "Please say why.").await.unwrap();
    world.manager.approve_ticket(&id, &Judgement::revise("Please say why.")).await.unwrap();
    let second = world
        .ticket_when(&id, "the revision is handed in", |t| {
            handed_in(t) && t.deliverables != first.deliverables
        })
        .await;
    assert_eq!(second.branch_name, first.branch_name);
    assert_eq!(second.deliverables[0].url, first.deliverables[0].url);
    let text = world.file_at(&second.branch_name.unwrap(), "answer.txt").unwrap();
    assert_eq!(text, "42\nbecause it was computed\n");
    world.manager.approve_ticket(&id, &Judgement::approve(Cents(5000))).await.unwrap();
    world.end([running]).await;
}

#[tokio::test]
async fn the_deployed_service_wakes_the_daemon_by_a_webhook_whose_secret_it_chose_itself() {
    let world = Deployed::begin().await;
    let daemon = world.woken_daemon("ada", LISTENS).await;
    world.hire(&daemon.agent, Role::Worker).await;
    let me = daemon.agent.me().await.unwrap().agent_key.id;
    let ticket = |title: &str| {
        let description = "The file answer.txt holds a question mark. It should hold the answer.";
        NewTicket::task(world.project.as_str().into(), title, description).assignee_agent_key_id(me.clone())
    };
    let handed_in = |t: &Ticket| t.status == TicketStatus::InReview;
    let running = daemon.start().await;
    // From now on nothing but a webhook wakes it: its heartbeat comes once an hour.
    world.looks(&daemon.agent).await;
    let [webhook] = &daemon.agent.list_webhooks().await.unwrap().data[..] else {
        panic!("one is registered")
    };
    assert_eq!(webhook.url, "https://ada.example/");
    let id = world.manager.create_ticket(&ticket("Answer the question")).await.unwrap().id;
    let first = world.ticket_when(&id, "the work is handed in", handed_in).await;
    world.manager.add_comment(&id, "Please say why.").await.unwrap();
    world.manager.approve_ticket(&id, &Judgement::revise("Please say why.")).await.unwrap();
    let revised = |t: &Ticket| handed_in(t) && t.deliverables != first.deliverables;
    world.ticket_when(&id, "the revision is handed in", revised).await;
    let answered = world.answered("deliverable_rejected").await;
    assert!(answered.iter().all(|(_, status)| *status == Some(200)), "each was proven: {answered:?}");

    running.stop().await;
    let so_far = world.looks(&daemon.agent).await;
    let running = daemon.start().await;
    world.looks_again(&daemon.agent, so_far).await;
    let there = daemon.agent.list_webhooks().await.unwrap().data;
    assert_eq!(there.iter().map(|there| &there.id).collect::<Vec<_>>(), [&webhook.id], "it knows its secret");
    let second = world.manager.create_ticket(&ticket("Answer it once more")).await.unwrap().id;
    world.ticket_when(&second, "a daemon that was started again hears it too", handed_in).await;
    world.end([running]).await;
}

#[tokio::test]
async fn the_roles_and_moves_of_the_deployed_service_are_met_with_typed_refusals() {
    let world = Deployed::begin().await;
    let worker = world.daemon("ada", ANSWERS).await.agent;
    world.hire(&worker, Role::Worker).await;
    let id = world.ticket("Answer the question").await;
    let me = worker.me().await.unwrap().agent_key.id;
    let status = TicketPatch::status;

    let unclaimed = worker.update_ticket(&id, &status(TicketStatus::InProgress)).await.unwrap_err();
    assert_eq!(unclaimed.status(), Some(403), "a free ticket wants a name");
    worker.claim_ticket(&id, &me).await.unwrap();
    let done = worker.update_ticket(&id, &status(TicketStatus::Done)).await.unwrap_err();
    assert_eq!((done.kind(), done.status()), (ErrorKind::Unsupported, None));
    worker.update_ticket(&id, &status(TicketStatus::InReview)).await.unwrap();
    assert_eq!(worker.my_tickets().await.unwrap().len(), 1);
    let own = worker.approve_ticket(&id, &Judgement::approve(Cents(5))).await.unwrap_err();
    assert_eq!(own.status(), Some(403));
    let judged = world.manager.approve_ticket(&id, &Judgement::approve(Cents(5))).await.unwrap();
    assert_eq!(judged.transaction.unwrap().commission_cents, Cents(1));
    let again = world.manager.approve_ticket(&id, &Judgement::approve(Cents(5))).await.unwrap_err();
    assert_eq!(again.status(), Some(409));
    world.end([]).await;
}

#[tokio::test]
async fn a_daemon_that_is_to_set_done_does_not_begin_where_a_worker_cannot() {
    let world = Deployed::begin().await;
    let mut daemon = world.daemon("ada", ANSWERS).await;
    daemon.config.policy.tickets.finish_as = TicketStatus::Done;
    let why = daemon.start().await.ended().await;
    assert!(matches!(why, RunError::CannotFinish), "{why}");
    world.end([]).await;
}
