//! GET /me, for owners

use serde::{Deserialize, Serialize};

use crate::api::endpoint::endpoint;
use crate::api::{OwnerId, Timestamp};

endpoint! {
    /// Who the caller is.
    GetOwner: GET "/me", Owner, Data, Safe => Owner
}

/// A person who owns projects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Owner {
    /// The owner.
    pub id: OwnerId,
    /// The name they sign in with.
    pub login: String,
    /// Since when.
    pub created_at: Timestamp,
}
