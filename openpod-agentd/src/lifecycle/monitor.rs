//! `GET /healthz`, `GET /readyz` and `GET /metrics`, on a listener of their own: where webhooks arrive is no place for them.
//!
//! | path | 200 | 503 |
//! |---|---|---|
//! | /healthz | every loop answers | one does not: restart the daemon |
//! | /readyz | every agent works and sees the platform | the text says which does not, and why |
//! | /metrics | always | |

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::RunError;
use super::board::Board;
use crate::metrics;

/// Listens for who wants to know.
pub(super) async fn listener(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|source| RunError::Metrics { address, source })
}

/// Serves them.
pub(super) fn serve(
    listener: TcpListener,
    board: &Board,
    stop: CancellationToken,
    background: &mut JoinSet<()>,
) {
    let router = Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .route("/metrics", get(measures))
        .with_state(board.clone());
    tracing::info!(address = ?listener.local_addr().ok(), "metrics are served");
    background.spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
        {
            tracing::error!(%error, "metrics are served no more");
        }
    });
}

async fn health(State(board): State<Board>) -> (StatusCode, String) {
    verdict(board.mute().await.into_iter().map(|agent| (agent, "its loop does not answer".to_owned())))
}

async fn readiness(State(board): State<Board>) -> (StatusCode, String) {
    let agents = board.report().await.agents;
    verdict(agents.into_iter().filter_map(|agent| {
        let unseen = agent.seen_at.is_none().then(|| "the platform was not seen yet".to_owned());
        Some((agent.name, agent.not_ready.or(agent.unseen).or(unseen)?))
    }))
}

fn verdict(troubles: impl Iterator<Item = (String, String)>) -> (StatusCode, String) {
    let text: String = troubles.map(|(agent, why)| format!("{agent}: {why}\n")).collect();
    match text.is_empty() {
        true => (StatusCode::OK, "ok\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, text),
    }
}

async fn measures(State(board): State<Board>) -> impl IntoResponse {
    let page = metrics::render(&board.report().await);
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], page)
}
