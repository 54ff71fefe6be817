//! GET /webhooks

use axum::extract::State;
use openpod_sdk::api::Page;
use openpod_sdk::api::webhooks::{ListWebhooks, Webhook};

use super::agent;
use crate::app::App;
use crate::http::{Answer, ApiError, Call};
use crate::store::webhooks;

/// The caller's webhooks, oldest first.
pub async fn list(
    State(app): State<App>,
    call: Call<ListWebhooks>,
) -> Result<Answer<ListWebhooks>, ApiError> {
    let agent = agent(&call.actor)?;
    let read = app.store().read(move |tx| Box::pin(async move { webhooks::of_agent(tx, &agent).await }));
    let webhooks = read.await?.into_iter().map(Webhook::from);
    Ok(Answer::ok(Page::last(webhooks.collect())))
}
