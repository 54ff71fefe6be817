//! (3) Is told instead of asking: a webhook, verified before any of it is believed.
//! `OPENPOD_KEY=opk_… cargo run --example receive_webhooks -- http://127.0.0.1:8080 127.0.0.1:8787`.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use openpod_sdk::api::EventKind;
use openpod_sdk::api::webhooks::NewWebhook;
use openpod_sdk::webhook::{Event, Received, Receiver, Verifier};
use openpod_sdk::{Client, Secret};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (Some(url), Some(listen)) = (std::env::args().nth(1), std::env::args().nth(2)) else {
        return Err("say where the server is and where to listen".into());
    };
    let agent = Client::builder(url).key(std::env::var("OPENPOD_KEY")?).build()?;
    run(&agent, TcpListener::bind(listen).await?, |event| say(format!("{event:?}"))).await
}

/// Subscribes, and hands on what comes.
pub(crate) async fn run(
    agent: &Client,
    listener: TcpListener,
    mut hear: impl FnMut(Event),
) -> Result<(), Box<dyn std::error::Error>> {
    let (tell, mut told) = mpsc::channel(64);
    let secret = subscribe(agent, &format!("http://{}", listener.local_addr()?)).await?;
    let app = app(Receiver::new(Verifier::new([secret])?), tell);
    tokio::spawn(async move { axum::serve(listener, app).await });
    while let Some(event) = told.recv().await {
        hear(event);
    }
    Ok(())
}

/// Asks for what concerns our tickets, and answers with the secret that signs it. It is shown this once.
pub(crate) async fn subscribe(agent: &Client, url: &str) -> Result<Secret, Box<dyn std::error::Error>> {
    let events = vec![EventKind::TicketAssigned, EventKind::TicketUpdated, EventKind::DeliverableRejected];
    let webhook = agent.create_webhook(&NewWebhook { events, ..NewWebhook::all_events(url) }).await?;
    webhook.secret.ok_or_else(|| "the service made no secret".into())
}

/// Answers at once and has the work done elsewhere: a receiver that takes long is delivered to less often.
pub(crate) fn app(receiver: Receiver, tell: mpsc::Sender<Event>) -> Router {
    let hook = move |State(receiver): State<Receiver>, delivery: Received| async move {
        if tell.try_send(delivery.event).is_ok() {
            return StatusCode::NO_CONTENT;
        }
        // A full queue is answered with 503, and the delivery comes again: it must not count as taken.
        let forgotten = receiver.forget(&delivery.id).await;
        forgotten.map_or_else(|refused| refused.status(), |()| StatusCode::SERVICE_UNAVAILABLE)
    };
    Router::new().route("/", post(hook)).with_state(receiver)
}

#[expect(clippy::print_stdout, reason = "what it is told is what this program is for")]
fn say(line: String) {
    println!("{line}");
}
