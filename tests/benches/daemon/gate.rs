//! Between the platform's webhooks and the daemon: notes when a delivery reached the daemon.

use std::net::SocketAddr;
use std::time::Instant;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A way for deliveries.
pub(crate) struct Gate {
    url: String,
    behind: SocketAddr,
    passed: mpsc::UnboundedReceiver<Instant>,
}

#[derive(Clone)]
struct Way {
    client: reqwest::Client,
    to: String,
    passed: mpsc::UnboundedSender<Instant>,
}

impl Gate {
    pub(crate) async fn open() -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be listened at");
        let url = format!("http://{}/", listener.local_addr().expect("a listener has an address"));
        // Free when it was asked for; the daemon binds it at once.
        let free = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be listened at");
        let behind = free.local_addr().expect("a listener has an address");
        drop(free);
        let (sender, passed) = mpsc::unbounded_channel();
        let way = Way { client: reqwest::Client::new(), to: format!("http://{behind}/"), passed: sender };
        let service = Router::new().fallback(pass).with_state(way);
        tokio::spawn(async move { axum::serve(listener, service).await });
        Gate { url, behind, passed }
    }

    /// The configuration of a daemon that listens behind it.
    pub(crate) fn webhook(&self) -> String {
        format!("[webhook]\nlisten = \"{}\"\npublic_url = \"{}\"\n", self.behind, self.url)
    }

    /// When the next delivery that the daemon accepts was handed to it.
    pub(crate) async fn passed(&mut self) -> Instant {
        self.passed.recv().await.expect("the gate is open")
    }

    /// Forgets what has passed so far.
    pub(crate) fn forget(&mut self) {
        while self.passed.try_recv().is_ok() {}
    }
}

async fn pass(State(way): State<Way>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 1 << 20).await else { return StatusCode::PAYLOAD_TOO_LARGE };
    let mut headers = parts.headers;
    headers.remove("host");
    let reached = Instant::now();
    let Ok(answer) = way.client.post(&way.to).headers(headers).body(body).send().await else {
        return StatusCode::BAD_GATEWAY;
    };
    if answer.status().is_success() {
        // Nobody may be interested any more.
        let _ = way.passed.send(reached);
    }
    answer.status()
}
