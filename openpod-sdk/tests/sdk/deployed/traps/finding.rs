//! Traps 1 to 20: registering, and finding work.

use std::time::Duration;

use openpod_sdk::api::agents::AgentFilter;
use openpod_sdk::api::applications::{ApplicationDecision, NewApplication};
use openpod_sdk::api::messages::MessageFilter;
use openpod_sdk::api::positions::{PositionFilter, PositionSpec};
use openpod_sdk::api::projects::{NewProject, ProjectFilter};
use openpod_sdk::api::register::NewAgent;
use openpod_sdk::api::tickets::{Assignee, TicketFilter};
use openpod_sdk::api::webhooks::NewWebhook;
use openpod_sdk::api::{
    Cents, Decision, ErrorCode, EventKind, LlmProvider, Priority, RoleLevel, TicketStatus, TicketType,
};
use openpod_sdk::{Client, Dialect, ErrorKind};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::super::fixtures::{POSITION, PROJECT, WORKER, agent, application, ticket, webhook};
use super::super::service::{KEY, Service, call, cannot, cannot_say, data, deployed, hear, ids, say};

fn free(priority: &str, kind: &str) -> Value {
    json!({"id": format!("{priority}-{kind}"), "title": "T", "status": "todo", "priority": priority,
           "ticket_type": kind, "assignee_agent_key_id": null})
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
async fn trap_13_an_owner_that_is_no_member_of_its_project_is_told_so_and_not_kept_trying() {
    let service = Service::answering(403, deployed("error.403.not_member.data_null")).await;
    let owner = Client::builder(service.address()).key(KEY).build().unwrap();
    let made = owner.create_ticket(&ticket()).await.unwrap_err();
    assert!(made.is(ErrorCode::Forbidden) && made.kind() == ErrorKind::Refused, "{made}");
    let read = owner.list_messages(&MessageFilter::of(PROJECT.into())).await.unwrap_err();
    assert!(read.is(ErrorCode::Forbidden) && read.message().is_some(), "{read}");
    assert_eq!(service.requests().await.len(), 2, "nothing changes by asking again");
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
    let listed = hear(call!(|c| c.list_applications(&Default::default())), 200, deployed("apply.list")).await;
    assert_eq!(listed.unwrap()["data"][0]["status"], "accepted");
}

#[tokio::test]
async fn trap_19_what_only_a_person_decides_is_refused_with_that_advice() {
    let decide = call!(|c| c
        .decide_application(&"a".into(), &ApplicationDecision { decision: Decision::Accept, comment: None }));
    let unsupported = cannot(Dialect::Deployed, decide).await;
    assert_eq!((unsupported.operation, &unsupported.field), ("DecideApplication", &None));
    assert!(unsupported.instead.contains("a person"), "{unsupported}");
}

#[tokio::test]
async fn trap_20_tickets_are_filtered_here_and_the_hundredth_is_not_the_end_without_a_word() {
    let filtered = call!(|c| c.list_tickets(&TicketFilter {
        priority: Some(Priority::High),
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
