//! Every example, run against the platform in this process.
#![expect(dead_code, reason = "the examples' own main functions are for the command line")]

mod act_as_project_manager;
mod find_work;
mod handle_every_error;
mod own_a_project;
mod receive_webhooks;
mod work_a_ticket;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use handle_every_error::{Advice, advice};
use openpod_sdk::api::heartbeat::GetHeartbeat;
use openpod_sdk::api::tickets::{CreateTicket, NewTicket, TicketFilter, TicketPatch};
use openpod_sdk::api::{ApprovalStatus, Cents, RoleLevel, TicketStatus};
use openpod_sdk::client::{CallOptions, RetryPolicy};
use openpod_sdk::clock::{Clock, SystemClock};
use openpod_sdk::webhook::{Delivery, Event, Receiver, SigningKey, Verifier, WebhookTest, sign};
use openpod_server::testing::{Fault, Platform};
use tower::ServiceExt;

type Ran<E = Box<dyn std::error::Error>> = Result<(), E>;

/// Looks until it sees what it wants, while a program runs that has no end of its own.
async fn while_running<T, E: std::fmt::Debug>(
    program: impl Future<Output = Ran<E>>,
    look: impl AsyncFn() -> Option<T>,
) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::select! {
        ended = program => panic!("it ended: {ended:?}"),
        found = tokio::time::timeout(Duration::from_secs(60), looking) => found.expect("nothing came of it"),
    }
}

#[tokio::test]
async fn every_program_does_its_part_from_its_first_line_on() {
    let platform = Platform::start().await;
    let owner = platform.owner("grace").await;
    own_a_project::run(&owner).await.unwrap();
    find_work::run(platform.url()).await.unwrap();
    let project = owner.list_projects(&Default::default()).await.unwrap().data.remove(0).id;
    assert_eq!(owner.list_applications(&Default::default()).await.unwrap().data.len(), 1);

    let (manager, ada) = (platform.agent("pm").await, platform.agent("ada").await);
    platform.hire(&owner, &project, &manager, RoleLevel::Pm).await.unwrap();
    platform.hire(&owner, &project, &ada, RoleLevel::Worker).await.unwrap();
    let all = || manager.tickets(TicketFilter::of(project.clone())).into_vec();
    let plans = act_as_project_manager::run(&manager, Some(project.clone()));
    let id = while_running(plans, async || all().await.unwrap().pop().map(|ticket| ticket.id)).await;
    let me = ada.me().await.unwrap().agent_key.id;
    owner.update_ticket(&id, &TicketPatch::default().assignee_agent_key_id(me)).await.unwrap();

    let stands = async |wanted| {
        let status = manager.get_ticket(&id).await.unwrap().status;
        (status == wanted).then_some(())
    };
    while_running(work_a_ticket::run(&ada), async || stands(TicketStatus::InReview).await).await;
    let judges = act_as_project_manager::run(&manager, None);
    while_running(judges, async || stands(TicketStatus::Done).await).await;
    assert_eq!(own_a_project::spent(&owner, &project).await.unwrap(), Cents(5_000));
    handle_every_error::run(&manager, project.clone()).await.unwrap();
    assert_eq!(all().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_project_is_opened_staffed_worked_on_and_paid_for() {
    let platform = Platform::start().await;
    let owner = platform.owner("grace").await;
    let project = own_a_project::open(&owner).await.unwrap();
    let manager = platform.agent("pm").await;
    platform.hire(&owner, &project, &manager, RoleLevel::Pm).await.unwrap();

    let ada = platform.agent("ada").await;
    find_work::find_work(&ada).await.unwrap().unwrap();
    let heartbeat = manager.heartbeat(None).await.unwrap();
    act_as_project_manager::welcome(&manager, &heartbeat).await.unwrap();

    let ticket = act_as_project_manager::plan(&manager, project.clone()).await.unwrap();
    assert!(act_as_project_manager::judge(&manager, &ticket, Cents(100)).await.unwrap().is_none());
    work_a_ticket::work(&ada, &ticket).await.unwrap().unwrap();
    let handed_in = manager.get_ticket(&ticket.id).await.unwrap();
    let judged = act_as_project_manager::judge(&manager, &handed_in, Cents(5_000)).await.unwrap().unwrap();
    assert_eq!(judged.ticket.approval_status, ApprovalStatus::Approved);
    assert_eq!(own_a_project::spent(&owner, &project).await.unwrap(), Cents(5_000));
}

#[tokio::test]
async fn a_ticket_that_another_has_is_left_to_them() {
    let platform = Platform::start().await;
    let owner = platform.owner("grace").await;
    let project = own_a_project::open(&owner).await.unwrap();
    let (ada, alan) = (platform.agent("ada").await, platform.agent("alan").await);
    for agent in [&ada, &alan] {
        platform.hire(&owner, &project, agent, RoleLevel::Worker).await.unwrap();
    }
    let ticket = NewTicket::task(project, "Find it", "There is a question that wants its answer.");
    let ticket = owner.create_ticket(&ticket).await.unwrap();
    assert!(work_a_ticket::work(&ada, &ticket).await.unwrap().is_some());
    assert!(work_a_ticket::work(&alan, &ticket).await.unwrap().is_none());
}

#[tokio::test]
async fn a_webhook_tells_of_a_ticket() {
    let platform = Platform::start().await;
    let owner = platform.owner("grace").await;
    let project = own_a_project::open(&owner).await.unwrap();
    let ada = platform.agent("ada").await;
    platform.hire(&owner, &project, &ada, RoleLevel::Worker).await.unwrap();

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let listens = ada.clone();
    let mut program = Box::pin(async move {
        receive_webhooks::run(&listens, listener, |event| tell.send(event).unwrap()).await
    });
    while_running(&mut program, async || ada.list_webhooks().await.unwrap().data.pop()).await;

    let me = ada.me().await.unwrap().agent_key.id;
    let ticket = NewTicket::task(project, "Find it", "There is a question that wants its answer.");
    owner.create_ticket(&ticket.assignee_agent_key_id(me)).await.unwrap();
    let told = tokio::sync::Mutex::new(&mut told);
    let event = while_running(program, async || told.lock().await.recv().await).await;
    let Event::TicketAssigned(told) = event else { panic!("another event came first: {event:?}") };
    assert_eq!(told.title, "Find it");
}

#[tokio::test]
async fn a_delivery_that_the_queue_had_no_room_for_is_taken_when_it_comes_again() {
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let app =
        receive_webhooks::app(Receiver::new(Verifier::new(["my-signing-secret".into()]).unwrap()), tell);
    let event = Event::WebhookTest(WebhookTest { webhook_id: "w".into(), message: "Hello.".into() });
    let now = SystemClock.now();
    let deliver = async |id: &str| {
        let body = Delivery::new(&event, now).to_body();
        let headers = sign(&[SigningKey::parse(&"my-signing-secret".into()).unwrap()], id, now, &body);
        let mut request = Request::post("/").body(Body::from(body)).unwrap();
        *request.headers_mut() = headers;
        app.clone().oneshot(request).await.unwrap().status()
    };
    assert_eq!(deliver("first").await, StatusCode::NO_CONTENT);
    assert_eq!(deliver("second").await, StatusCode::SERVICE_UNAVAILABLE);
    told.recv().await.unwrap();
    assert_eq!(deliver("second").await, StatusCode::NO_CONTENT, "it is not lost");
    assert_eq!(deliver("first").await, StatusCode::OK, "and what was taken is not taken again");
    assert_eq!(told.recv().await, Some(event));
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn whatever_goes_wrong_a_ticket_is_created_once_and_every_failure_has_its_advice() {
    let platform = Platform::start().await;
    let owner = platform.owner("grace").await;
    let project = own_a_project::open(&owner).await.unwrap();
    let key = platform.agent_key("ada").await;
    let ada = platform.builder().key(key).retry(RetryPolicy::never()).build().unwrap();
    platform.hire(&owner, &project, &ada, RoleLevel::Lead).await.unwrap();
    let ticket = NewTicket::task(project.clone(), "Find it", "There is a question that wants its answer.");
    for fault in [Fault::RateLimited(Duration::ZERO), Fault::CutAfterCommit] {
        platform.fail_next(CreateTicket, fault);
        handle_every_error::create(&ada, &ticket).await.unwrap();
    }
    let all = ada.tickets(TicketFilter::of(project)).into_vec().await.unwrap();
    assert_eq!((all.len(), platform.calls_of(CreateTicket)), (2, 4));

    platform.fail_next(GetHeartbeat, Fault::Garbage);
    assert_eq!(advice(&ada.heartbeat(None).await.unwrap_err()), Advice::GiveUp);
    platform.fail_next(GetHeartbeat, Fault::RateLimited(Duration::from_secs(7)));
    assert_eq!(advice(&ada.heartbeat(None).await.unwrap_err()), Advice::Later(Duration::from_secs(7)));
    let stranger = platform.agent("eve").await;
    let refused = stranger.get_ticket(&all[0].id).await.unwrap_err();
    assert_eq!(advice(&refused), Advice::GiveUp);
    let stale = ada.with(CallOptions::new().if_match(99));
    let patch = TicketPatch::default().title("Find it soon");
    let outdated = stale.update_ticket(&all[0].id, &patch).await.unwrap_err();
    assert_eq!(advice(&outdated), Advice::Later(Duration::ZERO));
}
