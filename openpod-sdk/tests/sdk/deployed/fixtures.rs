//! Every fixture of the deployed dialect is understood, and every request of its is made.

use std::collections::BTreeSet;

use openpod_sdk::api::agents::AgentFilter;
use openpod_sdk::api::applications::NewApplication;
use openpod_sdk::api::deployed::{Delegation, ProfileChange};
use openpod_sdk::api::github::{DeliverableCheck, PullRequestFilter};
use openpod_sdk::api::knowledge::{KnowledgeFilter, NewKnowledge};
use openpod_sdk::api::messages::{MessageFilter, NewMessage};
use openpod_sdk::api::positions::{PositionFilter, PositionSpec};
use openpod_sdk::api::projects::NewProject;
use openpod_sdk::api::register::NewAgent;
use openpod_sdk::api::tickets::{Deliverable, Judgement, NewTicket, TicketFilter, TicketPatch};
use openpod_sdk::api::webhooks::NewWebhook;
use openpod_sdk::api::{Cents, ChannelId, ErrorCode, EventKind, LlmProvider, TicketStatus};
use openpod_sdk::client::CallOptions;
use openpod_sdk::webhook::{Delivery, Event};
use openpod_sdk::{Client, ErrorKind};
use serde_json::{Value, json};

use super::service::{Call, call, deployed, hear, say};

pub(crate) const PROJECT: &str = "d1e2f3a4-b5c6-4d7e-8f90-a1b2c3d4e5f6";
pub(crate) const POSITION: &str = "f5a6b7c8-d9e0-4f1a-9b2c-3d4e5f6a7b8c";
pub(crate) const CHANNEL: &str = "1b2c3d4e-5f6a-4b7c-9d8e-0f1a2b3c4d5e";
pub(crate) const WORKER: &str = "8b1d2c34-5e6f-4a7b-8c9d-0e1f2a3b4c5d";

const TICKET: &str = "2c3d4e5f-6a7b-4c8d-8e9f-1a2b3c4d5e6f";
const HASH: &str = "0ca63b464353b16f082e23790030ffcf22cc9eb1116f3a8cc558a3616b48ec7f";

pub(crate) fn agent() -> NewAgent {
    NewAgent {
        llm_provider: Some(LlmProvider::Anthropic),
        description: Some("A full-stack coding agent".into()),
        hourly_rate_cents: Some(Cents(500)),
        website_url: Some("https://agent.example.com".into()),
        ..NewAgent::new("my-agent", ["code-generation", "testing"])
    }
}

pub(crate) fn ticket() -> NewTicket {
    NewTicket::task(PROJECT.into(), "Implement auth endpoint", "Token login with hashed passwords and tests.")
}

pub(crate) fn message(channel: ChannelId) -> NewMessage {
    NewMessage {
        project_id: PROJECT.into(),
        channel_id: channel,
        content: "Starting work on the auth endpoint".into(),
    }
}

pub(crate) fn application() -> NewApplication {
    NewApplication { position_id: POSITION.into(), cover_letter: "Five years of typed front ends.".into() }
}

pub(crate) fn webhook() -> NewWebhook {
    NewWebhook {
        url: "https://my-agent.com/webhook".into(),
        events: vec![EventKind::TicketAssigned, EventKind::MessageReceived],
        secret: None,
    }
}

fn knowledge() -> NewKnowledge {
    NewKnowledge {
        project_id: PROJECT.into(),
        title: "Database Schema Architecture".into(),
        content: "PostgreSQL with 12 tables, one schema per tenant, nightly dumps.".into(),
        category: None,
        importance: None,
        tags: Vec::new(),
    }
}

fn work() -> TicketPatch {
    let deliverable = Deliverable {
        label: Some("Auth endpoint PR".into()),
        content_hash: Some(HASH.into()),
        ..Deliverable::pull_request("https://github.com/org/repo/pull/42")
    };
    TicketPatch {
        status: Some(TicketStatus::InReview),
        deliverables: Some(vec![deliverable]),
        branch_name: "feature/auth".to_owned().into(),
        ..TicketPatch::default()
    }
}

fn project() -> NewProject {
    NewProject {
        budget_cents: Some(Cents(100_000)),
        positions: vec![PositionSpec {
            description: Some("Owns the HTTP layer.".into()),
            required_capabilities: vec!["backend".into(), "rust".into()],
            budget_cap_cents: Some(Cents(25_000)),
            ..PositionSpec::worker("Backend Developer")
        }],
        ..NewProject::new("Build a REST API", "A small HTTP service with token login.")
    }
}

fn positions() -> PositionFilter {
    PositionFilter { project_id: Some(PROJECT.into()), ..PositionFilter::default() }
}

fn pull_requests() -> PullRequestFilter {
    PullRequestFilter { project_id: PROJECT.into(), state: None }
}

fn check() -> DeliverableCheck {
    DeliverableCheck { project_id: PROJECT.into(), pr_url: "https://github.com/org/repo/pull/42".into() }
}

fn delegation() -> Delegation {
    Delegation {
        target_agent_id: "5d7e2b18-90a4-4f3c-8e61-1c2d3e4f5a6b".into(),
        task: "Review this change".into(),
        project_id: None,
        ticket_id: None,
    }
}

const REGISTER: Call = call!(|c| c.register_agent(&agent()));
const HEARTBEAT: Call = call!(|c| c.heartbeat(None));
const POSITIONS: Call = call!(|c| c.list_positions(&positions()));
const APPLY: Call = call!(|c| c.apply(&application()));
const TICKETS: Call = call!(|c| c.list_tickets(&TicketFilter::of(PROJECT.into())));
const CREATE: Call = call!(|c| c.create_ticket(&ticket()));
const UPDATE: Call = call!(|c| c.update_ticket(&TICKET.into(), &work()));
const APPROVE: Call = call!(|c| c.approve_ticket(&TICKET.into(), &Judgement::approve(Cents(5000))));
const MESSAGES: Call = call!(|c| c.list_messages(&MessageFilter::of(PROJECT.into())));
const WEBHOOK: Call = call!(|c| c.create_webhook(&webhook()));
const TOKEN: Call = call!(|c| c.github_token(&PROJECT.into()));
const PULL_REQUESTS: Call = call!(|c| c.list_pull_requests(&pull_requests()));
const VERIFY: Call = call!(|c| c.verify_deliverable(&check()));
const DELEGATE: Call = call!(|c| c.delegate(&delegation()));
const INVOKE: Call = call!(|c| c.invoke_service("other-agent", "Summarise the schema"));

/// What is understood, by pointer.
type Facts = Vec<(&'static str, Value)>;

/// Fixture, status, call, and facts.
fn answers() -> Vec<(&'static str, u16, Call, Facts)> {
    vec![
        (
            "agents",
            200,
            call!(|c| c.list_agents(&AgentFilter::default())),
            vec![
                ("/data/0/rating", json!(4.8)),
                ("/data/0/total_jobs", json!(0)),
                ("/data/0/website_url", json!("https://agent.example.com")),
                ("/data/0/hourly_rate_cents", Value::Null),
            ],
        ),
        ("apply", 201, APPLY, vec![("/cover_letter", json!("Five years of typed front ends."))]),
        (
            "apply.list",
            200,
            call!(|c| c.list_applications(&Default::default())),
            vec![("/data/0/status", json!("accepted")), ("/data/0/position/status", json!("filled"))],
        ),
        ("delegate", 200, DELEGATE, vec![("/payment/amount_usdc", json!(5.0))]),
        ("github.prs", 200, PULL_REQUESTS, vec![("/pull_requests/0/merged", json!(false))]),
        ("github.prs.failed_upstream", 200, PULL_REQUESTS, vec![("/count", json!(0))]),
        ("github.token", 200, TOKEN, vec![("/repo_full_name", json!("org/repo"))]),
        ("github.verify-deliverable", 200, VERIFY, vec![("/checks_summary", json!("all_passed"))]),
        (
            "github.verify-deliverable.invalid",
            400,
            VERIFY,
            vec![("/valid", json!(false)), ("/reason", json!("pull request belongs to another repository"))],
        ),
        ("github.verify-deliverable.pending", 200, VERIFY, vec![("/checks_detail/pending", json!(1))]),
        ("github.verify-deliverable.skipped", 200, VERIFY, vec![("/checks_detail/total", json!(2))]),
        ("github.verify-deliverable.some_failed", 200, VERIFY, vec![("/checks_detail/failed", json!(1))]),
        ("health", 200, call!(|c| c.health()), vec![("/endpoints", json!(30))]),
        (
            "heartbeat",
            200,
            HEARTBEAT,
            vec![
                ("/tickets/assigned_to_you/0/ticket_number", json!(5)),
                ("/tickets/awaiting_approval/0/approval_status", Value::Null),
                ("/messages/channels/0/channel_id", json!("#general")),
                ("/applications/pending/0/status", json!("pending")),
                ("/applications/pending/0/position/title", json!("Backend Developer")),
            ],
        ),
        ("heartbeat.empty", 200, HEARTBEAT, vec![("/has_changes", json!(false))]),
        ("knowledge.create", 201, call!(|c| c.create_knowledge(&knowledge())), vec![("/version", json!(1))]),
        (
            "knowledge.list",
            200,
            call!(|c| c.search_knowledge(&KnowledgeFilter::of(PROJECT.into()))),
            vec![("/data/0/tags/1", json!("schema"))],
        ),
        (
            "me",
            200,
            call!(|c| c.me()),
            vec![
                ("/agent_key/id", json!(WORKER)),
                ("/registry/rating", json!(4.8)),
                ("/memberships/0/role_level", json!("worker")),
            ],
        ),
        ("me.balance", 200, call!(|c| c.balance()), vec![("/ledger/unsettled_cents", json!(4500))]),
        (
            "me.transactions",
            200,
            call!(|c| c.list_transactions(&Default::default())),
            vec![("/transactions/0/commission_cents", json!(500)), ("/summary/count", json!(1))],
        ),
        (
            "me.update",
            200,
            call!(|c| c.update_me(&ProfileChange::default())),
            vec![("/updated/0", json!("wallet_address"))],
        ),
        (
            "messages.create",
            201,
            call!(|c| c.send_message(&message(ChannelId::named("general")))),
            vec![("/channel_id", json!(CHANNEL))],
        ),
        (
            "messages.list",
            200,
            MESSAGES,
            vec![
                ("/data/0/author_agent_key_id", json!(WORKER)),
                ("/data/1/author_agent_key_id", Value::Null),
            ],
        ),
        (
            "positions",
            200,
            POSITIONS,
            vec![
                ("/data/0/role_level", json!("lead")),
                ("/data/1/budget_cap_cents", json!(25000)),
                ("/data/1/project", json!({"id": PROJECT, "title": "Build a SaaS"})),
            ],
        ),
        (
            "projects.create",
            201,
            call!(|c| c.create_project(&project())),
            vec![
                ("/project/id", json!(PROJECT)),
                ("/channel/id", json!("#general")),
                ("/pm_position", Value::Null),
            ],
        ),
        (
            "projects.list",
            200,
            call!(|c| c.list_projects(&Default::default())),
            vec![("/data/0/positions/0/role_level", json!("pm")), ("/data/0/budget_cents", json!(100_000))],
        ),
        (
            "register",
            201,
            REGISTER,
            vec![
                ("/id", json!("3f0c9a52-7a1e-4c0b-9d55-0b6f6f2f1a10")),
                ("/api_key", json!("openpod_0123456789abcdef0123456789abcdef")),
                ("/name", json!("my-agent")),
            ],
        ),
        ("services.invoke", 200, INVOKE, vec![("/target_agent/slug", json!("other-agent"))]),
        (
            "tickets.approve",
            200,
            APPROVE,
            vec![
                ("/ticket/approval_status", json!("approved")),
                ("/ticket/payout_cents", json!(5000)),
                ("/transaction/commission_cents", json!(500)),
                ("/transaction/id", Value::Null),
            ],
        ),
        (
            "tickets.comments.create",
            201,
            call!(|c| c.add_comment(&TICKET.into(), "Implemented.")),
            vec![("/author_agent_key_id", json!(WORKER))],
        ),
        ("tickets.create", 201, CREATE, vec![("/status", json!("todo")), ("/ticket_number", json!(1))]),
        (
            "tickets.get",
            200,
            call!(|c| c.get_ticket(&TICKET.into())),
            vec![
                ("/branch_name", json!("feature/auth")),
                ("/comments/1/content", json!("Looks fine so far.")),
            ],
        ),
        (
            "tickets.list",
            200,
            TICKETS,
            vec![("/data/1/acceptance_criteria", json!([])), ("/data/1/assignee_agent_key_id", Value::Null)],
        ),
        (
            "tickets.reject",
            200,
            APPROVE,
            vec![("/ticket/approval_status", json!("rejected")), ("/transaction", Value::Null)],
        ),
        ("tickets.revise", 200, APPROVE, vec![("/ticket/approval_status", json!("revision_requested"))]),
        (
            "tickets.update",
            200,
            UPDATE,
            vec![("/branch_name", json!("feature/auth")), ("/deliverables/0/content_hash", json!(HASH))],
        ),
        ("webhooks.create", 201, WEBHOOK, vec![("/secret", json!("whsec_fedcba9876543210fedcba9876543210"))]),
        ("webhooks.delete", 200, call!(|c| c.delete_webhook(&"w".into())), vec![("/deleted", json!(true))]),
        ("webhooks.list", 200, call!(|c| c.list_webhooks()), vec![("/data/0/is_active", json!(true))]),
    ]
}

#[tokio::test]
async fn every_answer_is_understood() {
    for (name, status, call, facts) in answers() {
        let understood =
            hear(call, status, deployed(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        for (pointer, fact) in facts {
            let found = understood.pointer(pointer).cloned().unwrap_or_default();
            assert_eq!(found, fact, "{name}{pointer} in {understood:#}");
        }
    }
}

/// Fixture, call, and the word that it comes to. The status stands in the name.
fn refusals() -> Vec<(&'static str, Call, Option<ErrorCode>)> {
    use ErrorCode::*;
    vec![
        ("400.apply.position_closed", APPLY, Some(InvalidRequest)),
        ("400.heartbeat.bad_date", HEARTBEAT, Some(InvalidRequest)),
        ("400.positions.project_id_missing", POSITIONS, Some(InvalidRequest)),
        ("400.register.pricing_missing", REGISTER, Some(InvalidRequest)),
        ("400.tickets.approve.status", APPROVE, Some(InvalidRequest)),
        ("400.tickets.approve.was_rejected", APPROVE, Some(InvalidRequest)),
        ("400.tickets.create.short_description", CREATE, Some(InvalidRequest)),
        ("400.tickets.update.no_fields", UPDATE, Some(InvalidRequest)),
        ("400.tickets.update.transition", UPDATE, Some(InvalidRequest)),
        ("400.webhooks.bad_event", WEBHOOK, Some(InvalidRequest)),
        ("400.webhooks.bad_url", WEBHOOK, Some(InvalidRequest)),
        ("401.missing_header", TICKETS, Some(Unauthenticated)),
        ("401.unknown_key", TICKETS, Some(Unauthenticated)),
        ("402.delegate", DELEGATE, None),
        ("402.invoke", INVOKE, None),
        ("403.not_member.data_null", TICKETS, Some(Forbidden)),
        ("403.not_member.plain", TOKEN, Some(Forbidden)),
        ("403.tickets.approve.role", APPROVE, Some(Forbidden)),
        ("403.tickets.approve.self", APPROVE, Some(Forbidden)),
        ("403.tickets.create.worker", CREATE, Some(Forbidden)),
        ("403.tickets.update.worker_done", UPDATE, Some(Forbidden)),
        ("403.webhooks.delete", call!(|c| c.delete_webhook(&"w".into())), Some(Forbidden)),
        ("404.apply.position", APPLY, Some(NotFound)),
        ("404.github.no_installation", TOKEN, Some(GithubNotConnected)),
        ("404.messages.channel", MESSAGES, Some(NotFound)),
        ("404.tickets.get", call!(|c| c.get_ticket(&TICKET.into())), Some(NotFound)),
        ("409.apply.duplicate", APPLY, Some(AlreadyApplied)),
        ("409.delegate.replay", DELEGATE, Some(Conflict)),
        ("409.register.name_taken", REGISTER, Some(NameTaken)),
        ("409.tickets.approve", APPROVE, Some(Conflict)),
        ("409.tickets.create.number_clash", CREATE, Some(Conflict)),
        ("429.agent", TICKETS, Some(RateLimited)),
        ("429.register", REGISTER, Some(RateLimited)),
        ("500.register.bad_provider", REGISTER, Some(Internal)),
        ("502.github.token", TOKEN, Some(UpstreamFailed)),
    ]
}

#[tokio::test]
async fn every_refusal_is_understood() {
    for (name, call, code) in refusals() {
        let status: u16 = name[..3].parse().unwrap();
        let text = deployed(&format!("error.{name}"));
        let error = hear(call, status, text.as_str()).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (Some(status), code.as_ref()), "{name}");
        let kind = match status {
            429 => ErrorKind::RateLimited,
            // What failed may have been done in part.
            500.. if error.operation() == "RegisterAgent" => ErrorKind::OutcomeUnknown,
            500.. => ErrorKind::ServiceFailed,
            _ => ErrorKind::Refused,
        };
        assert_eq!(error.kind(), kind, "{name}");
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(error.message(), body["error"].as_str(), "{name}");
    }
}

#[tokio::test]
async fn a_demand_for_payment_says_how_to_pay() {
    for (name, call) in [("402.delegate", DELEGATE), ("402.invoke", INVOKE)] {
        let error = hear(call, 402, deployed(&format!("error.{name}"))).await.unwrap_err();
        assert_eq!(error.details().unwrap()["price"], "5.500000", "{name}");
    }
}

/// Fixture, and the call that sends it.
fn requests() -> Vec<(&'static str, Call)> {
    fn task(c: &Client) -> Client {
        c.with(CallOptions::new().body_field("pricing_type", "per_task"))
    }
    vec![
        ("request.apply", APPLY),
        (
            "request.messages.create",
            call!(|c| c
                .with(CallOptions::new().body_field("mentions", json!([])))
                .send_message(&message(ChannelId::named("general")))),
        ),
        (
            "request.projects.create",
            call!(|c| c
                .with(
                    CallOptions::new()
                        .body_field("deadline", "2026-04-01")
                        .body_field("tags", json!(["backend"]))
                )
                .create_project(&project())),
        ),
        ("request.register", call!(|c| task(c).register_agent(&agent()))),
        ("request.tickets.update", UPDATE),
        ("request.webhooks.create", WEBHOOK),
    ]
}

#[tokio::test]
async fn every_request_is_made_as_it_stands() {
    for (name, call) in requests() {
        let wanted: Value = serde_json::from_str(&deployed(name)).unwrap();
        assert_eq!(say(call).await.1, wanted, "{name}");
    }
}

/// What an event is to its receiver.
type IsSo = fn(Event) -> bool;

/// Fixture and event.
fn events() -> Vec<(&'static str, IsSo)> {
    use Event::*;
    vec![
        (
            "ci_check_completed",
            |e| matches!(e, Unknown { kind, .. } if kind.as_str() == "ci_check_completed"),
        ),
        (
            "deliverable_approved",
            |e| matches!(e, DeliverableApproved(f) if f.earned_cents == Cents(4500) && f.comment.is_some()),
        ),
        ("deliverable_approved.no_comment", |e| matches!(e, DeliverableApproved(f) if f.comment.is_none())),
        ("deliverable_rejected", |e| matches!(e, DeliverableRejected(f) if f.action.as_str() == "rejected")),
        (
            "deliverable_rejected.revise",
            |e| matches!(e, DeliverableRejected(f) if f.action.as_str() == "revision_requested"),
        ),
        ("message_received", |e| matches!(e, MessageReceived(f) if f.author_name == "my-agent")),
        ("message_received.human", |e| matches!(e, MessageReceived(f) if f.author_name == "Dana")),
        ("position_posted", |e| matches!(e, Unknown { kind, .. } if kind.as_str() == "position_posted")),
        (
            "pr_review_submitted",
            |e| matches!(e, Unknown { kind, .. } if kind.as_str() == "pr_review_submitted"),
        ),
        ("ticket_assigned", |e| matches!(e, TicketAssigned(f) if f.priority.is_some())),
        ("ticket_assigned.reassigned", |e| matches!(e, TicketAssigned(f) if f.priority.is_none())),
        (
            "ticket_status_changed",
            |e| matches!(e, TicketUpdated(f) if f.status == TicketStatus::InProgress && f.old_status == Some(TicketStatus::Todo)),
        ),
        ("x402_payment_received.delegate", |e| matches!(e, Unknown { data, .. } if data["amount_usdc"] == 5)),
        (
            "x402_payment_received.invoke",
            |e| matches!(e, Unknown { data, .. } if data["service"] == "invoke"),
        ),
    ]
}

#[test]
fn every_event_is_understood() {
    for (name, is_so) in events() {
        let delivery: Delivery = serde_json::from_str(&deployed(&format!("webhook.{name}"))).unwrap();
        let event = delivery.event();
        assert!(is_so(event.clone()), "{name}: {event:?}");
    }
}

#[test]
fn no_fixture_is_left_out() {
    let directory = format!("{}/tests/fixtures", env!("CARGO_MANIFEST_DIR"));
    let files: BTreeSet<String> = std::fs::read_dir(directory)
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().into_string().unwrap().strip_suffix(".deployed.json").map(Into::into)
        })
        .collect();
    let mut tested: BTreeSet<String> = answers().into_iter().map(|row| row.0.to_owned()).collect();
    tested.extend(requests().into_iter().map(|row| row.0.to_owned()));
    tested.extend(refusals().into_iter().map(|row| format!("error.{}", row.0)));
    tested.extend(events().into_iter().map(|row| format!("webhook.{}", row.0)));
    // The verifier's own test reads the vectors.
    tested.insert("webhook.signature_vectors".to_owned());
    assert_eq!(files, tested);
}
