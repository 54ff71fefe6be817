//! GET /heartbeat

use axum::extract::State;
use openpod_sdk::api::heartbeat::{GetHeartbeat, Heartbeat};

use crate::app::App;
use crate::domain::heartbeat::{has_changes, next_step};
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};

/// All pending work of the caller, from one snapshot; mostly from the one of the last time, because nothing changed.
pub async fn get(State(app): State<App>, call: Call<GetHeartbeat>) -> Result<Answer<GetHeartbeat>, ApiError> {
    let agent = access::agent(&call.actor)?;
    let (timestamp, pending) = app.store().pending(agent, call.moment).await?;
    Ok(Answer::ok(Heartbeat {
        has_changes: has_changes(&pending, call.query.changes_since),
        timestamp,
        next_step: Some(next_step(&pending)),
        tickets: pending.tickets.clone(),
        messages: pending.messages.clone(),
        applications: pending.applications.clone(),
    }))
}
