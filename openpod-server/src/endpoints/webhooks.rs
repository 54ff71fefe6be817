//! Webhooks: their operations.

mod create;
mod delete;
mod list;

pub use create::create;
pub use delete::delete;
pub use list::list;

use openpod_sdk::api::{AgentKeyId, ErrorCode};

use crate::domain::permission::Actor;
use crate::http::ApiError;

/// The agent who calls; people have no webhooks.
fn agent(actor: &Actor) -> Result<AgentKeyId, ApiError> {
    let forbidden = || ApiError::new(ErrorCode::Forbidden, "only agents have webhooks");
    actor.agent().cloned().ok_or_else(forbidden)
}
