//! Between the platform's webhooks and the daemon: notes when a delivery was accepted.

use std::net::SocketAddr;
use std::time::Instant;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use openpod_sdk::api::TicketId;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::shared::world::World;

pub struct Gate {
    /// Where the platform delivers to.
    pub url: String,
    /// Where the daemon is to listen.
    pub behind: SocketAddr,
    accepted: mpsc::UnboundedReceiver<Instant>,
}

#[derive(Clone)]
struct Way {
    client: reqwest::Client,
    to: String,
    accepted: mpsc::UnboundedSender<Instant>,
}

impl Gate {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        // Free when it was asked for; the daemon binds it at once.
        let behind = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let (sender, accepted) = mpsc::unbounded_channel();
        let way = Way { client: reqwest::Client::new(), to: format!("http://{behind}/"), accepted: sender };
        let service = Router::new().fallback(pass).with_state(way);
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { url, behind, accepted }
    }

    /// When the next delivery was accepted.
    pub async fn accepted(&mut self) -> Instant {
        self.accepted.recv().await.unwrap()
    }

    /// Waits until nothing is under way any more, so that the next ticket finds a daemon at rest.
    pub async fn quiet(&mut self, world: &World, id: &TicketId) {
        world
            .ticket_when(id, "the comment", |ticket| {
                ticket.comments.as_ref().is_some_and(|all| !all.is_empty())
            })
            .await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        while self.accepted.try_recv().is_ok() {}
    }
}

async fn pass(State(way): State<Way>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let mut headers = parts.headers;
    headers.remove("host");
    let Ok(answer) = way.client.post(&way.to).headers(headers).body(body).send().await else {
        return StatusCode::BAD_GATEWAY;
    };
    if answer.status().is_success() {
        let _ = way.accepted.send(Instant::now());
    }
    answer.status()
}
