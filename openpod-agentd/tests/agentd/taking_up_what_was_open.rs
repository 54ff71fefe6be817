//! A daemon that died between an effect and its note: the next one looks before it does it again.

use std::time::Duration;

use openpod_agentd::job::{Candidate, Change, Class, Job, Published, State};
use openpod_agentd::journal::{Entry, Journal, decisions};
use openpod_sdk::api::{ChecksSummary, Timestamp};
use openpod_sdk::clock::{Clock, SystemClock};
use serde_json::json;

use super::working_a_ticket::{GREETER, Home};

fn job(state: State) -> Job {
    let candidate = Candidate {
        ticket: "t1".into(),
        project: "p1".into(),
        number: 7,
        title: "Greet the world".into(),
        version: Some(1),
        untouched: true,
        free: false,
    };
    let mut job = Job::new(candidate, "openpod/", Timestamp::from_micros(0));
    job.state = state;
    job
}

fn pull_request() -> Published {
    Published { number: 1, url: "http://127.0.0.1:9/pull/1".into(), head: "ab".repeat(20) }
}

fn change() -> Change {
    serde_json::from_value(json!({
        "base": "cd".repeat(20), "head": "ab".repeat(20), "commits": 1, "files": 1, "patch_sha256": "ef".repeat(32),
    }))
    .unwrap()
}

fn verified() -> State {
    let summary = Some("I did it.".to_owned());
    let pull_request = pull_request();
    State::Verified { change: change(), summary, pull_request, checks: ChecksSummary::NoChecks }
}

/// A data directory as a daemon leaves it that dies right after it began the job's pending effect.
async fn died(home: &Home, job: &Job) {
    std::fs::create_dir_all(home.path("data")).unwrap();
    let (journal, _) = Journal::open(&home.path("data/journal.db")).unwrap();
    let at = SystemClock.now();
    let begun = job.intent().map(|intent| Entry::Opened(intent, at));
    let entries = std::iter::once(Entry::Job(Box::new(job.clone()), at)).chain(begun);
    journal.write(entries.collect()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_got_through_is_not_made_again() {
    let home = Home::new().await;
    died(&home, &job(State::Wanted { untouched: true, free: false })).await;
    home.platform.world().change_ticket(json!({"status": "in_progress"}));
    let running = home.start(home.config(GREETER));
    home.until_delivered().await;
    running.stop().await;
    assert_eq!(home.platform.world().count("PATCH /tickets/t1"), 1, "the delivery alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_another_daemon_won_is_let_go() {
    let home = Home::new().await;
    died(&home, &job(State::Wanted { untouched: true, free: false })).await;
    home.platform
        .world()
        .change_ticket(json!({"status": "in_progress", "assignee_agent_key_id": "somebody"}));
    let running = home.start(home.config(GREETER));
    home.until_job_is("lost").await;
    running.stop().await;
    assert!(home.platform.world().ticket["comments"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deliverable_that_is_filed_is_not_filed_again() {
    let home = Home::new().await;
    died(&home, &job(verified())).await;
    home.platform.world().change_ticket(json!({
        "status": "in_review", "approval_status": "pending",
        "deliverables": [{"type": "pull_request", "url": pull_request().url, "content_hash": "ef".repeat(32)}],
    }));
    let running = home.start(home.config(GREETER));
    home.until_delivered().await;
    running.stop().await;
    assert_eq!(home.platform.world().count("PATCH /tickets/t1"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deliverable_that_did_not_get_through_is_filed() {
    let home = Home::new().await;
    died(&home, &job(verified())).await;
    home.platform.world().change_ticket(json!({"status": "in_progress"}));
    let running = home.start(home.config(GREETER));
    home.until_delivered().await;
    running.stop().await;
    let world = home.platform.world();
    assert_eq!(world.count("PATCH /tickets/t1"), 1);
    assert_eq!(world.ticket["deliverables"][0]["content_hash"], "ef".repeat(32));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_that_is_there_is_not_made_again() {
    let home = Home::new().await;
    let mut delivered = job(State::Delivered { summary: Some("I did it.".into()), said: false });
    delivered.published = Some(pull_request());
    died(&home, &delivered).await;
    {
        let mut world = home.platform.world();
        world.change_ticket(json!({"status": "in_review", "approval_status": "pending"}));
        world.comment("me", "I did it.\n\nPull request 1: http://127.0.0.1:9/pull/1");
    }
    let running = home.start(home.config(GREETER));
    home.platform.until("it looked", |world| world.count("GET /tickets/t1") > 0).await;
    home.platform.until("it went on", |world| world.count("GET /heartbeat") > 3).await;
    running.stop().await;
    assert_eq!(home.platform.world().count("POST /tickets/t1/comments"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_journal_from_before_a_change_was_asked_for_the_change_is_made() {
    let pushed = State::Pushed { change: change(), summary: Some("I did it.".into()) };
    for state in [pushed, verified()] {
        let home = Home::new().await;
        died(&home, &job(state)).await;
        {
            let mut world = home.platform.world();
            world.change_ticket(json!({
                "status": "in_progress", "approval_status": "revision_requested",
                "deliverables": [{"type": "pull_request", "url": pull_request().url, "content_hash": "ef".repeat(32)}],
            }));
            world.comment("me", "I did it.\n\nPull request 1: http://127.0.0.1:9/pull/1");
            world.comment("owner", "Louder, please.");
        }
        let running = home.start(home.config(GREETER));
        home.until_delivered().await;
        running.stop().await;
        let world = home.platform.world();
        let filed = world.ticket["deliverables"].as_array().unwrap();
        assert_eq!(filed.len(), 1);
        assert_ne!(filed[0]["content_hash"], "ef".repeat(32));
        let said = world.ticket["comments"].as_array().unwrap();
        assert!(said.len() == 3 && said[2]["content"].as_str().unwrap().ends_with("(round 2)"), "{said:?}");
        assert_eq!(world.count("PATCH /tickets/t1"), 2, "it is claimed and handed in");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_is_handed_in_is_not_handed_back() {
    let home = Home::new().await;
    let (class, reason) = (Class::Worker, "no".to_owned());
    let gave_up = State::GaveUp { class, reason, leave: false, said: true, released: false, cleaned: false };
    died(&home, &job(gave_up)).await;
    home.platform.world().change_ticket(json!({"status": "in_review", "approval_status": "pending"}));
    let running = home.start(home.config(GREETER));
    home.platform.until("it looked", |world| world.count("GET /tickets/t1") > 0).await;
    home.platform.until("it went on", |world| world.count("GET /heartbeat") > 3).await;
    running.stop().await;
    assert_eq!(home.platform.world().count("PATCH /tickets/t1"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_ours_is_not_claimed_again_before_somebody_assigns_it() {
    for was_ours in [true, false] {
        let home = Home::new().await;
        let mut lost = job(State::Lost { cleaned: true });
        lost.claimed = was_ours;
        died(&home, &lost).await;
        home.platform.world().change_ticket(json!({"assignee_agent_key_id": null}));
        let mut raw = home.config(GREETER);
        raw.policy.tickets.claim_unassigned = true;
        let running = home.start(raw);
        if was_ours {
            home.platform.until("it looked around", |world| world.count("GET /tickets") > 3).await;
        } else {
            home.until_delivered().await;
        }
        running.stop().await;
        let is_ours = home.platform.world().ticket["assignee_agent_key_id"] == "me";
        assert_ne!(is_ours, was_ours);
    }
}

const HANDED_BACK: &str = "I hand this ticket back after 2 attempts: it cannot be done.";

/// A platform with a ticket that is nobody's, and about which this was said so many days ago.
async fn free_ticket(author: &str, text: &str, days: u64) -> Home {
    let home = Home::new().await;
    let at = SystemClock.now().minus(Duration::from_secs(days * 86_400));
    let mut world = home.platform.world();
    world.comment(author, text);
    world.ticket["comments"][0]["created_at"] = json!(at);
    world.change_ticket(json!({"status": "todo", "assignee_agent_key_id": null}));
    drop(world);
    home
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_handed_back_is_not_claimed_by_a_daemon_that_does_not_know_it() {
    let report = "I hand in.\n\nPull request 1: http://127.0.0.1:9/pull/1";
    let table = [
        ("me", HANDED_BACK, 2, 3.0, false),
        ("me", HANDED_BACK, 2, 1.0, true),
        ("somebody", HANDED_BACK, 2, 3.0, true),
        ("me", report, 2, 3.0, true),
    ];
    for (author, text, days, given_up_days, is_claimed) in table {
        let home = free_ticket(author, text, days).await;
        let mut raw = home.config(GREETER);
        raw.policy.tickets.claim_unassigned = true;
        raw.retention.given_up_days = given_up_days;
        let running = home.start(raw);
        match is_claimed {
            true => home.until_delivered().await,
            false => {
                home.until_job_is("gave_up").await;
                let looked = home.platform.world().count("GET /tickets");
                home.platform
                    .until("it looked around", |world| world.count("GET /tickets") > looked + 2)
                    .await;
            }
        }
        running.stop().await;
        let world = home.platform.world();
        assert_eq!(world.count("PATCH /tickets/t1") > 0, is_claimed, "{author}: {text}");
        let why = decisions(&home.path("data/journal.db"), &"t1".into()).unwrap();
        let told = why.iter().any(|told| told.news.starts_with("the ticket says: handed back on "));
        assert_eq!(told, !is_claimed, "{why:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_handed_back_is_tried_again_when_its_time_is_over_or_somebody_assigns_it() {
    for is_assigned in [false, true] {
        let home = free_ticket("me", HANDED_BACK, 2).await;
        let mut raw = home.config(GREETER);
        raw.policy.tickets.claim_unassigned = true;
        let running = home.start(raw.clone());
        home.until_job_is("gave_up").await;
        running.stop().await;
        match is_assigned {
            true => home.platform.world().change_ticket(json!({"assignee_agent_key_id": "me"})),
            false => raw.retention.given_up_days = 1.0,
        }
        let running = home.start(raw);
        home.platform.until("it is handed in", |world| world.status() == "in_review").await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_handed_back_is_not_claimed_by_whoever_knows_of_a_time_before_that() {
    for before in [State::Lost { cleaned: true }, State::Wanted { untouched: true, free: false }] {
        let home = free_ticket("me", HANDED_BACK, 2).await;
        died(&home, &job(before)).await;
        let mut raw = home.config(GREETER);
        raw.policy.tickets.claim_unassigned = true;
        let running = home.start(raw);
        home.until_job_is("gave_up").await;
        running.stop().await;
        assert_eq!(home.platform.world().count("PATCH /tickets/t1"), 0);
    }
}
