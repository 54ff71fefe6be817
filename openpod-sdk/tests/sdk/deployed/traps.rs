//! What goes wrong when a client that knows only the API reference speaks to the deployed service: 61 traps, each with
//! a test of its number, or with a sentence that says why there is none.

use std::collections::BTreeMap;
use std::time::Duration;

use openpod_sdk::api::agents::AgentFilter;
use openpod_sdk::api::applications::NewApplication;
use openpod_sdk::api::heartbeat::Heartbeat;
use openpod_sdk::api::knowledge::KnowledgeFilter;
use openpod_sdk::api::messages::MessageFilter;
use openpod_sdk::api::positions::{PositionFilter, PositionSpec};
use openpod_sdk::api::projects::{NewProject, ProjectFilter};
use openpod_sdk::api::register::NewAgent;
use openpod_sdk::api::tickets::{Assignee, Judgement, Ticket, TicketFilter, TicketPatch};
use openpod_sdk::api::webhooks::NewWebhook;
use openpod_sdk::api::{
    Cents, ChannelId, ErrorCode, EventKind, LlmProvider, Patch, RoleLevel, TicketStatus, TicketType,
    Timestamp,
};
use openpod_sdk::client::{CallOptions, RetryPolicy};
use openpod_sdk::webhook::{Delivery, Event, Verifier, header};
use openpod_sdk::{Client, Dialect, ErrorKind, Secret};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::fixtures::{CHANNEL, POSITION, PROJECT, WORKER, agent, application, message, ticket, webhook};
use super::service::{KEY, Service, call, cannot, cannot_say, deployed, hear, say};

/// Traps without a test of their own, and why.
const STATED: [(u8, &str); 6] = [
    (
        13,
        "An owner that is an agent gets 403 until a person accepts it as a member: Error::code says forbidden, and no \
          client can change it.",
    ),
    (
        19,
        "Applications to an agent's project are decided by a person: DecideApplication is refused with that advice; \
          trap 18 has the test of it.",
    ),
    (
        43,
        "Webhooks are best-effort: a fact of the service. The daemon polls and treats a webhook as a hint only.",
    ),
    (
        47,
        "A summary of no_checks does not mean that there are none: the summary travels as it came, and \
          checks_detail beside it; the fixture `skipped` shows both.",
    ),
    (
        48,
        "The token is good for the whole organisation: it is a Secret, which no output shows; nothing else can be \
          done about its reach.",
    ),
    (
        60,
        "What the service would cut is refused where its limits are known (traps 17 and 24 and the table); where they \
          are not, the answer is the truth.",
    ),
];

fn number(name: &str) -> Option<u8> {
    name.strip_prefix("trap_")?.get(..2)?.parse().ok()
}

#[test]
fn every_trap_has_a_test_or_a_sentence() {
    let source = include_str!("traps.rs");
    let tests = source
        .lines()
        .filter_map(|line| number(line.trim().trim_start_matches("async ").strip_prefix("fn ")?));
    let mut covered: BTreeMap<u8, u32> = BTreeMap::new();
    for trap in tests.chain(STATED.iter().map(|(trap, _)| *trap)) {
        *covered.entry(trap).or_default() += 1;
    }
    assert_eq!(covered.keys().copied().collect::<Vec<u8>>(), (1..=61).collect::<Vec<u8>>());
    assert!(covered.values().all(|times| *times == 1), "{covered:?}");
}

fn free(priority: &str, kind: &str) -> Value {
    json!({"id": format!("{priority}-{kind}"), "title": "T", "status": "todo", "priority": priority,
           "ticket_type": kind, "assignee_agent_key_id": null})
}

fn data(value: Value) -> String {
    json!({"data": value}).to_string()
}

fn ids(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn trap_01_a_registration_without_a_price_is_not_sent() {
    assert_eq!(
        cannot_say(call!(|c| c.register_agent(&NewAgent::new("a1", ["rust"])))).await,
        "hourly_rate_cents"
    );
    let (path, body) = say(call!(|c| c.register_agent(&agent()))).await;
    assert_eq!(
        (path.as_str(), &body["pricing_type"], &body["pricing_cents"]),
        ("/register", &json!("hourly"), &json!(500))
    );
}

#[tokio::test]
async fn trap_02_a_price_and_a_web_page_get_their_other_names_and_a_picture_is_refused() {
    let (_, body) = say(call!(|c| c.register_agent(&agent()))).await;
    assert_eq!(body["website"], "https://agent.example.com");
    assert!(body.get("hourly_rate_cents").is_none() && body.get("website_url").is_none());
    let field = cannot_say(call!(
        |c| c.register_agent(&NewAgent { avatar_url: Some("https://a.b/c".into()), ..agent() })
    ));
    assert_eq!(field.await, "avatar_url");
}

#[tokio::test]
async fn trap_03_the_key_of_a_registration_is_not_lost() {
    let service = Service::answering(201, deployed("register")).await;
    let registered = service.client().register_agent(&agent()).await.unwrap();
    assert_eq!((registered.api_key.expose(), registered.name.as_str()), (KEY, "my-agent"));
}

#[tokio::test]
async fn trap_04_the_beginning_of_a_key_is_not_checked() {
    for key in [KEY, "opk_abc", "anything"] {
        let service = Service::answering(200, deployed("me")).await;
        let client = Client::builder(service.address()).key(key).dialect(Dialect::Deployed).build().unwrap();
        client.me().await.unwrap();
        assert_eq!(service.requests().await[0].headers["authorization"], format!("Bearer {key}"));
    }
}

#[tokio::test]
async fn trap_05_the_id_of_a_worker_is_the_one_that_me_tells() {
    let service = Service::answering(200, deployed("me")).await;
    let me = service.client().me().await.unwrap();
    assert_eq!(me.agent_key.id.as_str(), WORKER);
    assert_ne!(me.registry.unwrap().id.as_str(), WORKER, "the directory has another");
}

#[tokio::test]
async fn trap_06_a_name_that_is_taken_is_said_so_and_a_limit_is_not_run_into_again() {
    let taken =
        hear(call!(|c| c.register_agent(&agent())), 409, deployed("error.409.register.name_taken")).await;
    assert!(taken.unwrap_err().is(ErrorCode::NameTaken));
    let limited = ResponseTemplate::new(429).insert_header("retry-after", "3600");
    let service = Service::with(limited.set_body_string(deployed("error.429.register"))).await;
    let client = Client::builder(service.address()).dialect(Dialect::Deployed).build().unwrap();
    let error = client.register_agent(&agent()).await.unwrap_err();
    assert_eq!((error.attempts(), error.retry_after()), (1, Some(Duration::from_secs(3600))));
    assert_eq!(service.requests().await.len(), 1);
}

#[tokio::test]
async fn trap_07_a_provider_that_the_service_would_fail_on_is_not_sent() {
    let field = cannot_say(call!(
        |c| c.register_agent(&NewAgent { llm_provider: Some(LlmProvider::Cohere), ..agent() })
    ));
    assert_eq!(field.await, "llm_provider");
}

#[tokio::test]
async fn trap_08_agents_are_filtered_by_what_the_service_knows_and_by_the_rest_here() {
    let filtered = call!(|c| c.list_agents(&AgentFilter {
        capability: vec!["rust".into(), "go".into()],
        llm_provider: Some(LlmProvider::Google),
        ..AgentFilter::default()
    }));
    assert_eq!(say(filtered).await.0, "/agents?capabilities=rust%2Cgo");
    let page = hear(filtered, 200, deployed("agents")).await.unwrap();
    assert_eq!(page["data"], json!([]), "the one in the fixture is of another provider");
    let comma =
        call!(|c| c.list_agents(&AgentFilter { capability: vec!["a,b".into()], ..AgentFilter::default() }));
    assert_eq!(cannot_say(comma).await, "capability");
}

#[tokio::test]
async fn trap_09_an_agent_of_the_directory_has_our_fields() {
    let service = Service::answering(200, deployed("agents")).await;
    let agent = service.client().list_agents(&AgentFilter::default()).await.unwrap().data.remove(0);
    assert_eq!((agent.rating, agent.total_jobs, agent.is_available), (Some(4.8), 0, None));
    assert_eq!(agent.hourly_rate_cents, None, "it has a price for a task, not for an hour");
    let by_hour = deployed("agents").replace("per_task", "hourly");
    let service = Service::answering(200, by_hour).await;
    let agent = service.client().list_agents(&AgentFilter::default()).await.unwrap().data.remove(0);
    assert_eq!(agent.hourly_rate_cents, Some(Cents(500)));
}

#[tokio::test]
async fn trap_10_projects_are_filtered_here_and_a_short_page_is_not_the_last() {
    let filtered = call!(|c| c.list_projects(&ProjectFilter {
        capability: vec!["Rust".into()],
        min_budget_cents: Some(Cents(5)),
        limit: Some(1),
        ..ProjectFilter::default()
    }));
    assert_eq!(say(filtered).await.0, "/projects?limit=1&min_budget=5");
    let page = hear(filtered, 200, deployed("projects.list")).await.unwrap();
    assert_eq!((ids(&page), page["next_cursor"].as_str()), (vec![PROJECT], Some("offset:1")));
    let page = hear(filtered, 200, deployed("projects.list").replace("\"rust\"", "\"go\"")).await.unwrap();
    assert_eq!(
        (ids(&page), page["next_cursor"].as_str()),
        (vec![], Some("offset:1")),
        "later pages may match"
    );
    let next =
        call!(|c| c
            .list_projects(&ProjectFilter { cursor: Some("offset:40".into()), ..ProjectFilter::default() }));
    assert_eq!(say(next).await.0, "/projects?offset=40");
}

#[tokio::test]
async fn trap_11_a_repository_of_a_project_is_refused() {
    let field = cannot_say(call!(|c| c.create_project(&NewProject {
        github_repo: Some("https://github.com/org/repo".into()),
        ..NewProject::new("A project", "Something to be built.")
    })));
    assert_eq!(field.await, "github_repo");
    let many = cannot_say(call!(|c| c.create_project(&NewProject {
        positions: vec![PositionSpec { max_agents: Some(3), ..PositionSpec::worker("W") }],
        ..NewProject::new("A project", "Something to be built.")
    })));
    assert_eq!(many.await, "positions[].max_agents");
}

#[tokio::test]
async fn trap_12_a_created_project_is_known_by_its_id() {
    let service = Service::answering(201, deployed("projects.create")).await;
    let made =
        service.client().create_project(&NewProject::new("Build a REST API", "Something")).await.unwrap();
    assert_eq!((made.project.id.as_str(), made.pm_position), (PROJECT, None));
    assert_eq!(made.channel.id.name(), Some("general"), "and its channel by its name");
}

#[tokio::test]
async fn trap_14_positions_of_no_project_are_not_asked_for() {
    assert_eq!(cannot_say(call!(|c| c.list_positions(&PositionFilter::default()))).await, "project_id");
    let filtered = call!(|c| c.list_positions(&PositionFilter {
        project_id: Some(PROJECT.into()),
        capability: vec!["react".into()],
        ..PositionFilter::default()
    }));
    assert_eq!(say(filtered).await.0, format!("/positions?project_id={PROJECT}"));
    assert_eq!(ids(&hear(filtered, 200, deployed("positions")).await.unwrap()), [POSITION]);
}

#[tokio::test]
async fn trap_15_a_position_knows_its_project_and_its_budget() {
    let service = Service::answering(200, deployed("positions")).await;
    let filter = PositionFilter { project_id: Some(PROJECT.into()), ..PositionFilter::default() };
    let page = service.client().list_positions(&filter).await.unwrap();
    assert!(page.data.iter().all(|position| position.project.title == "Build a SaaS"));
    assert_eq!(page.data[1].budget_cap_cents, Some(Cents(25_000)));
}

#[tokio::test]
async fn trap_16_the_role_of_a_pm_has_its_other_word() {
    let pm = call!(|c| c.list_positions(&PositionFilter {
        project_id: Some("p".into()),
        role_level: Some(RoleLevel::Pm),
        ..PositionFilter::default()
    }));
    assert_eq!(say(pm).await.0, "/positions?project_id=p&role_level=project_manager");
    let spec = PositionSpec { role_level: Some(RoleLevel::Pm), ..PositionSpec::worker("W") };
    assert_eq!(serde_json::to_value(spec).unwrap()["role_level"], "pm", "ours stays");
    let (_, body) = say(call!(|c| c.create_project(&NewProject {
        positions: vec![PositionSpec { role_level: Some(RoleLevel::Pm), ..PositionSpec::worker("W") }],
        ..NewProject::new("A project", "Something to be built.")
    })))
    .await;
    assert_eq!(body["positions"][0]["role_level"], "project_manager");
}

#[tokio::test]
async fn trap_17_the_letter_of_an_application_arrives() {
    let (_, body) = say(call!(|c| c.apply(&application()))).await;
    assert_eq!(body["cover_message"], "Five years of typed front ends.");
    assert!(body.get("cover_letter").is_none());
    let long = call!(|c| c.apply(&NewApplication { cover_letter: "x".repeat(2001), ..application() }));
    assert_eq!(cannot_say(long).await, "cover_letter", "it would be cut");
    // They count in UTF-16, where this letter is two.
    let wide =
        call!(|c| c.apply(&NewApplication { cover_letter: "\u{1F980}".repeat(1001), ..application() }));
    assert_eq!(cannot_say(wide).await, "cover_letter");
}

#[tokio::test]
async fn trap_18_events_that_never_come_are_not_waited_for() {
    let never = call!(
        |c| c.create_webhook(&NewWebhook { events: vec![EventKind::ApplicationAccepted], ..webhook() })
    );
    let unsupported = cannot(Dialect::Deployed, never).await;
    assert!(unsupported.instead.contains("GET /apply"), "{unsupported}");
    let decide = call!(|c| c.decide_application(
        &"a".into(),
        &openpod_sdk::api::applications::ApplicationDecision {
            decision: openpod_sdk::api::Decision::Accept,
            comment: None
        }
    ));
    let unsupported = cannot(Dialect::Deployed, decide).await;
    assert_eq!((unsupported.operation, unsupported.field), ("DecideApplication", None));
    let listed = hear(call!(|c| c.list_applications(&Default::default())), 200, deployed("apply.list")).await;
    assert_eq!(listed.unwrap()["data"][0]["status"], "accepted");
}

#[tokio::test]
async fn trap_20_tickets_are_filtered_here_and_the_hundredth_is_not_the_end_without_a_word() {
    let filtered = call!(|c| c.list_tickets(&TicketFilter {
        priority: Some(openpod_sdk::api::Priority::High),
        ticket_type: Some(TicketType::Bug),
        assignee: Some(Assignee::Nobody),
        status: Some(TicketStatus::Todo),
        ..TicketFilter::of("p".into())
    }));
    assert_eq!(say(filtered).await.0, "/tickets?project_id=p&status=todo");
    let mut taken = free("high", "bug");
    taken["assignee_agent_key_id"] = json!(WORKER);
    let all = [free("high", "bug"), free("low", "bug"), free("high", "task"), taken];
    assert_eq!(ids(&hear(filtered, 200, data(json!(all))).await.unwrap()), ["high-bug"]);
    let mine =
        call!(|c| c
            .list_tickets(&TicketFilter { assignee: Some(Assignee::Me), ..TicketFilter::of("p".into()) }));
    assert_eq!(say(mine).await.0, "/tickets?assignee=me&project_id=p");

    let hundred: Vec<Value> = (0..100).map(|_| free("low", "task")).collect();
    let everything = call!(|c| c.list_tickets(&TicketFilter::of("p".into())));
    let page = hear(everything, 200, data(json!(hundred))).await.unwrap();
    assert_eq!(page["next_cursor"], "beyond-reach");
    let beyond = call!(|c| c
        .list_tickets(&TicketFilter { cursor: Some("beyond-reach".into()), ..TicketFilter::of("p".into()) }));
    assert_eq!(cannot_say(beyond).await, "cursor");
    let foreign = call!(
        |c| c.list_tickets(&TicketFilter { cursor: Some("eyJh".into()), ..TicketFilter::of("p".into()) })
    );
    assert_eq!(cannot_say(foreign).await, "cursor");
}

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

fn event(fixture: &str) -> Event {
    serde_json::from_str::<Delivery>(&deployed(fixture)).unwrap().event()
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

#[tokio::test]
async fn trap_34_messages_are_read_from_the_channel_that_was_named() {
    let by_id = call!(|c| c
        .list_messages(&MessageFilter { channel_id: Some(CHANNEL.into()), ..MessageFilter::of("p".into()) }));
    assert_eq!(cannot_say(by_id).await, "channel_id");
    let by_name = call!(|c| c.list_messages(&MessageFilter {
        channel_id: Some(ChannelId::named("design")),
        ..MessageFilter::of("p".into())
    }));
    assert_eq!(say(by_name).await.0, "/messages?channel=design&project_id=p");
    assert_eq!(ids(&hear(by_name, 200, deployed("messages.list")).await.unwrap()).len(), 2);
}

#[tokio::test]
async fn trap_35_a_message_never_lands_in_another_channel() {
    assert_eq!(cannot_say(call!(|c| c.send_message(&message(CHANNEL.into())))).await, "channel_id");
    let (_, body) = say(call!(|c| c.send_message(&message(ChannelId::named("design"))))).await;
    assert_eq!(body["channel_name"], "design");
    // What a heartbeat tells leads back to where it came from.
    let beat: Value = hear(call!(|c| c.heartbeat(None)), 200, deployed("heartbeat")).await.unwrap();
    let beat: Heartbeat = serde_json::from_value(beat).unwrap();
    assert_eq!(beat.messages.channels[0].channel_id, Some(ChannelId::named("general")));
}

#[test]
fn trap_36_a_channel_has_the_name_that_it_is_created_with() {
    for (name, normal) in [("Design Talk", "design-talk"), ("#général", "g-n-ral"), ("a_b", "a-b")] {
        assert_eq!(ChannelId::named(name).name(), Some(normal), "{name}");
    }
    assert_eq!(ChannelId::named(&"x".repeat(60)).name().unwrap().len(), 50);
    assert_eq!(ChannelId::from(CHANNEL).name(), None);
}

#[tokio::test]
async fn trap_37_a_search_searches() {
    let search = call!(|c| c
        .search_knowledge(&KnowledgeFilter { q: Some("schema".into()), ..KnowledgeFilter::of("p".into()) }));
    assert_eq!(say(search).await.0, "/knowledge?project_id=p&search=schema");
}

#[tokio::test]
async fn trap_38_the_secret_of_a_webhook_is_the_one_in_the_answer() {
    let chosen =
        call!(|c| c.create_webhook(&NewWebhook { secret: Some("my-signing-secret".into()), ..webhook() }));
    assert_eq!(cannot_say(chosen).await, "secret");
    let service = Service::answering(201, deployed("webhooks.create")).await;
    let made = service.client().create_webhook(&webhook()).await.unwrap();
    assert_eq!(made.secret.unwrap().expose(), "whsec_fedcba9876543210fedcba9876543210");
}

#[tokio::test]
async fn trap_39_events_are_registered_by_the_names_that_the_service_knows() {
    let (_, body) = say(call!(|c| c.create_webhook(&NewWebhook {
        events: vec![EventKind::TicketUpdated, EventKind::PositionOpened, EventKind::TicketAssigned],
        ..webhook()
    })))
    .await;
    assert_eq!(body["events"], json!(["ticket_status_changed", "position_posted", "ticket_assigned"]));
    let all = say(call!(|c| c.create_webhook(&NewWebhook::all_events("https://a.b/c")))).await;
    assert_eq!(all.1["events"], json!(["*"]));
    let there = deployed("webhooks.list").replace("message_received", "ticket_status_changed");
    let page = hear(call!(|c| c.list_webhooks()), 200, there).await.unwrap();
    assert_eq!(page["data"][0]["events"], json!(["ticket_assigned", "ticket_updated"]));
}

#[test]
fn trap_40_the_facts_of_an_event_are_found_in_either_envelope() {
    let deployed_one: Delivery = serde_json::from_str(&deployed("webhook.ticket_assigned")).unwrap();
    let documented = deployed("webhook.ticket_assigned").replace("payload", "data");
    let documented: Delivery = serde_json::from_str(&documented).unwrap();
    assert_eq!(deployed_one, documented);
    assert!(serde_json::from_str::<Delivery>(r#"{"event":"e","timestamp":"2026-03-15T10:05:00Z"}"#).is_err());
}

#[test]
fn trap_41_an_assignment_without_a_priority_is_one() {
    let Event::TicketAssigned(facts) = event("webhook.ticket_assigned.reassigned") else { panic!() };
    assert_eq!(facts.priority, None);
}

/// A request as the service sends it at this time.
fn sent(secret: &str, payload: &Value, time: &str) -> (http::HeaderMap, String) {
    use hmac::{Hmac, KeyInit, Mac};
    let body = json!({"event": "ticket_assigned", "payload": payload, "timestamp": time}).to_string();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let mut headers = http::HeaderMap::new();
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    headers.insert(header::LEGACY_SIGNATURE, signature.parse().unwrap());
    (headers, body)
}

#[test]
fn trap_42_a_redelivery_has_the_id_of_its_first_delivery() {
    let secret = "whsec_fedcba9876543210fedcba9876543210";
    let verifier = Verifier::new([Secret::from(secret)]).unwrap().accept_legacy();
    let verified = |payload: &Value, time: &str| {
        let (headers, body) = sent(secret, payload, time);
        verifier.verify(&headers, body.as_bytes(), time.parse().unwrap()).unwrap().id
    };
    let first = verified(&json!({"ticket_id": "t"}), "2026-03-15T10:05:00.250Z");
    assert_eq!(first, verified(&json!({"ticket_id": "t"}), "2026-03-15T10:06:00.250Z"), "a minute later");
    assert_ne!(first, verified(&json!({"ticket_id": "u"}), "2026-03-15T10:05:00.250Z"), "another ticket");
}

#[tokio::test]
async fn trap_44_a_pull_request_says_whether_it_was_merged() {
    let list = call!(|c| c.list_pull_requests(&openpod_sdk::api::github::PullRequestFilter {
        project_id: "p".into(),
        state: None
    }));
    let open = hear(list, 200, deployed("github.prs")).await.unwrap();
    assert_eq!(open["pull_requests"][0]["merged"], false);
    assert!(open["pull_requests"][0].get("additions").is_none(), "what is not counted is not zero");
    let merged =
        deployed("github.prs").replace("\"merged_at\": null", "\"merged_at\": \"2026-03-15T09:55:21Z\"");
    assert_eq!(hear(list, 200, merged).await.unwrap()["pull_requests"][0]["merged"], true);
}

#[tokio::test]
async fn trap_45_an_empty_list_of_pull_requests_is_an_answer_and_not_a_proof() {
    let list = call!(|c| c.list_pull_requests(&openpod_sdk::api::github::PullRequestFilter {
        project_id: "p".into(),
        state: None
    }));
    let failed = hear(list, 200, deployed("github.prs.failed_upstream")).await.unwrap();
    assert_eq!((&failed["count"], &failed["pull_requests"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn trap_46_a_check_that_says_no_is_an_answer() {
    let check = call!(|c| c.verify_deliverable(&openpod_sdk::api::github::DeliverableCheck {
        project_id: "p".into(),
        pr_url: "https://github.com/org/repo/pull/42/files".into()
    }));
    let no = hear(check, 400, deployed("github.verify-deliverable.invalid")).await.unwrap();
    assert_eq!((&no["valid"], no["reason"].is_string()), (&json!(false), true));
    let wrong = hear(check, 400, r#"{"error":"pr_url is missing"}"#).await.unwrap_err();
    assert!(wrong.is(ErrorCode::InvalidRequest), "a wrong request is no answer");
}

#[tokio::test]
async fn trap_49_any_status_of_success_is_one() {
    for status in [200, 201, 202] {
        hear(call!(|c| c.create_ticket(&ticket())), status, deployed("tickets.create")).await.unwrap();
    }
}

#[tokio::test]
async fn trap_50_every_shape_of_an_error_is_read() {
    for (body, message) in [
        (r#"{"error":"no"}"#, Some("no")),
        (r#"{"data":null,"error":"no"}"#, Some("no")),
        ("<html>Internal Server Error</html>", None),
        ("", None),
    ] {
        let error = hear(call!(|c| c.me()), 500, body).await.unwrap_err();
        assert_eq!((error.status(), error.message()), (Some(500), message), "{body}");
        let error = hear(call!(|c| c.create_ticket(&ticket())), 500, body).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{body}");
    }
}

#[tokio::test]
async fn trap_51_retry_after_is_heeded_and_no_other_header_is_needed() {
    let service = Service::with(
        ResponseTemplate::new(429)
            .insert_header("retry-after", "60")
            .set_body_string(deployed("error.429.agent")),
    )
    .await;
    let error = service.client().me().await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(Duration::from_secs(60))));
}

#[tokio::test]
async fn trap_52_a_refused_call_is_not_repeated_before_its_time() {
    let service = Service::with(ResponseTemplate::new(429).insert_header("retry-after", "60")).await;
    let policy =
        RetryPolicy { base: Duration::ZERO, deadline: Duration::from_secs(59), ..RetryPolicy::default() };
    let client = Client::builder(service.address()).key(KEY).retry(policy).build().unwrap();
    assert_eq!(client.me().await.unwrap_err().attempts(), 1);
    assert_eq!(service.requests().await.len(), 1);
}

#[test]
fn trap_53_times_come_in_three_forms() {
    for text in [
        "2026-03-15T09:30:12.345678+00:00",
        "2026-03-15T09:30:12.345Z",
        "2026-03-15T09:30:12Z",
        "2026-03-15T09:30:12+00:00",
    ] {
        text.parse::<Timestamp>().unwrap();
    }
}

#[tokio::test]
async fn trap_54_what_may_be_null_may_be_null() {
    let ticket = json!({
        "id": "t", "title": "T", "status": "todo", "description": null, "acceptance_criteria": null, "labels": null,
        "deliverables": null, "assignee_agent_key_id": null, "priority": null, "ticket_type": null, "branch": null,
    });
    hear(call!(|c| c.get_ticket(&"t".into())), 200, data(ticket)).await.unwrap();
    let message = json!({"channel": {"id": "c", "name": "general"}, "messages": [
        {"id": "m", "content": "x", "mentions": null, "author_agent_key_id": null, "created_at": "2026-03-15T09:30:12Z"}]});
    hear(call!(|c| c.list_messages(&MessageFilter::of("p".into()))), 200, data(message)).await.unwrap();
    let project = json!([{"id": "p", "title": "P", "status": "open", "description": null, "budget_cents": null,
                          "deadline": null, "tags": null, "positions": []}]);
    hear(call!(|c| c.list_projects(&ProjectFilter::default())), 200, data(project)).await.unwrap();
}

#[tokio::test]
async fn trap_55_what_the_heartbeat_leaves_out_is_found_project_by_project() {
    use wiremock::matchers::{path, query_param};
    let server = wiremock::MockServer::start().await;
    let answer = |name: &str| ResponseTemplate::new(200).set_body_string(deployed(name));
    wiremock::Mock::given(path("/api/agent/v1/me")).respond_with(answer("me")).mount(&server).await;
    wiremock::Mock::given(path("/api/agent/v1/tickets"))
        .and(query_param("assignee", "me"))
        .and(query_param("project_id", PROJECT))
        .respond_with(answer("tickets.list"))
        .mount(&server)
        .await;
    let client = Client::builder(server.uri()).key(KEY).build().unwrap();
    assert_eq!(client.my_tickets().await.unwrap().len(), 2);
}

#[tokio::test]
async fn trap_56_the_next_heartbeat_asks_for_a_minute_more_than_the_last_one_told() {
    let beat = call!(|c| c.heartbeat(Some("2026-03-15T10:05:00.250Z".parse().unwrap())));
    assert_eq!(say(beat).await.0, "/heartbeat?changes_since=2026-03-15T10%3A04%3A00.250000Z");
}

#[tokio::test]
async fn trap_57_applications_of_a_heartbeat_are_those_to_decide() {
    let beat = hear(call!(|c| c.heartbeat(None)), 200, deployed("heartbeat")).await.unwrap();
    let beat: Heartbeat = serde_json::from_value(beat).unwrap();
    let [application] = &beat.applications.pending[..] else { panic!() };
    assert_ne!(application.agent_key_id.as_ref().unwrap().as_str(), WORKER);
    let position = application.position.as_ref().unwrap();
    assert_eq!((position.title.as_str(), position.project_id.as_str()), ("Backend Developer", PROJECT));
}

#[tokio::test]
async fn trap_58_a_ticket_that_waits_for_a_verdict_may_have_none() {
    let beat = hear(call!(|c| c.heartbeat(None)), 200, deployed("heartbeat")).await.unwrap();
    assert_eq!(beat["tickets"]["awaiting_approval"][0]["approval_status"], Value::Null);
    let newer =
        deployed("heartbeat").replace("\"approval_status\": null", "\"approval_status\": \"pending_review\"");
    let beat = hear(call!(|c| c.heartbeat(None)), 200, newer).await.unwrap();
    assert_eq!(beat["tickets"]["awaiting_approval"][0]["approval_status"], "pending");
}

#[tokio::test]
async fn trap_59_a_redirect_does_not_take_the_key_elsewhere() {
    let elsewhere = Service::answering(200, deployed("me")).await;
    let service =
        Service::with(ResponseTemplate::new(307).insert_header("location", elsewhere.address().as_str()))
            .await;
    let error = service.client().me().await.unwrap_err();
    assert_eq!((error.status(), elsewhere.requests().await.len()), (Some(307), 0));
}

#[tokio::test]
async fn trap_61_a_field_of_the_other_dialect_is_never_sent() {
    let ours = [
        "hourly_rate_cents",
        "website_url",
        "avatar_url",
        "cover_letter",
        "branch_name",
        "channel_id",
        "github_repo",
        "budget_cap_cents",
        "max_agents",
        "min_budget_cents",
        "capability=",
        "q=",
        "cursor",
        "secret",
    ];
    let calls = [
        call!(|c| c.register_agent(&agent())),
        call!(|c| c.apply(&application())),
        call!(|c| c.send_message(&message(ChannelId::named("general")))),
        call!(|c| c.list_agents(&AgentFilter { capability: vec!["rust".into()], ..AgentFilter::default() })),
        call!(|c| c
            .search_knowledge(&KnowledgeFilter { q: Some("a".into()), ..KnowledgeFilter::of("p".into()) })),
        call!(|c| c.update_ticket(
            &"t".into(),
            &TicketPatch { branch_name: "b".to_owned().into(), ..TicketPatch::default() }
        )),
        call!(|c| c.create_webhook(&webhook())),
    ];
    for call in calls {
        let (path, body) = say(call).await;
        let query = path.split_once('?').map_or("", |(_, query)| query);
        for field in ours {
            assert!(!query.split('&').any(|pair| pair.starts_with(field)), "{path}");
            assert!(body.get(field).is_none(), "{field} in {body}");
        }
    }
}

#[tokio::test]
async fn what_only_the_deployed_service_has_is_refused_in_the_documented_dialect() {
    let unsupported = cannot(Dialect::Documented, call!(|c| c.invoke_service("a", "b"))).await;
    assert_eq!((unsupported.operation, unsupported.field), ("InvokeService", None));
}

#[tokio::test]
async fn a_service_is_known_by_its_key_or_by_its_health() {
    let detect = async |key: Option<&str>, answer: ResponseTemplate| {
        let service = Service::with(answer).await;
        let builder = Client::builder(service.address());
        let client = match key {
            Some(key) => builder.key(key).build().unwrap(),
            None => builder.build().unwrap(),
        };
        (client.detect().await.unwrap().dialect(), service.requests().await.len())
    };
    let healthy = || ResponseTemplate::new(200).set_body_string(deployed("health"));
    let ours = || healthy().insert_header("idempotency-supported", "true");
    let none = || ResponseTemplate::new(404);
    assert_eq!(detect(Some(KEY), none()).await, (Dialect::Deployed, 0), "a key needs no question");
    assert_eq!(detect(Some("opk_a"), healthy()).await, (Dialect::Documented, 0));
    assert_eq!(detect(None, healthy()).await, (Dialect::Deployed, 1));
    assert_eq!(detect(None, none()).await, (Dialect::Documented, 1));
    assert_eq!(detect(None, ours()).await, (Dialect::Documented, 1), "a server of ours has a health too");
    assert_eq!(detect(Some("another"), healthy()).await, (Dialect::Deployed, 1));
}
