//! Traps 49 to 61: statuses, limits, times, nulls, heartbeats and what is cut or ignored.

use std::time::Duration;

use openpod_sdk::api::agents::AgentFilter;
use openpod_sdk::api::heartbeat::Heartbeat;
use openpod_sdk::api::knowledge::KnowledgeFilter;
use openpod_sdk::api::messages::MessageFilter;
use openpod_sdk::api::projects::{NewProject, ProjectFilter};
use openpod_sdk::api::tickets::{Judgement, NewTicket, TicketPatch};
use openpod_sdk::api::{ChannelId, Timestamp};
use openpod_sdk::client::RetryPolicy;
use openpod_sdk::{Client, ErrorKind};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::super::fixtures::{PROJECT, WORKER, agent, application, message, ticket, webhook};
use super::super::service::{KEY, Service, call, cannot_say, data, deployed, hear, say};

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
async fn trap_60_what_the_service_would_cut_without_a_word_is_not_sent() {
    let cut = [
        ("title", call!(|c| c.create_ticket(&NewTicket { title: "x".repeat(501), ..ticket() }))),
        (
            "description",
            call!(|c| c.create_ticket(&NewTicket { description: Some("x".repeat(10_001)), ..ticket() })),
        ),
        ("title", call!(|c| c.create_project(&NewProject::new("x".repeat(201), "Something to be built.")))),
        ("description", call!(|c| c.create_project(&NewProject::new("A project", "x".repeat(5001))))),
        ("content", call!(|c| c.add_comment(&"t".into(), "x".repeat(10_001)))),
        ("comment", call!(|c| c.approve_ticket(&"t".into(), &Judgement::revise("x".repeat(2001))))),
        (
            "acceptance_criteria",
            call!(|c| c.update_ticket(
                &"t".into(),
                &TicketPatch { acceptance_criteria: Some(vec!["x".repeat(1001)]), ..TicketPatch::default() }
            )),
        ),
    ];
    for (field, call) in cut {
        assert_eq!(cannot_say(call).await, field);
    }
    let whole = call!(|c| c.add_comment(&"t".into(), "x".repeat(10_000)));
    assert_eq!(say(whole).await.1["content"].as_str().map(str::len), Some(10_000), "what fits is sent whole");
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
