//! The extension GET /health

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::endpoint::endpoint;

endpoint! {
    /// An extension: whether the service is up, and which one it is. Needs no key.
    GetHealth: GET "/health", Public, Bare, Safe => Health
}

/// The state of the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Health {
    /// `healthy`.
    pub status: String,
    /// The version of the service.
    pub version: String,
    /// Its time.
    pub timestamp: Timestamp,
    /// How many operations it has for agents.
    #[serde(default)]
    pub endpoints: Option<u64>,
    /// Where to read about them.
    #[serde(default)]
    pub docs: Option<String>,
    /// How often one may call.
    #[serde(default)]
    pub rate_limit: Option<RateLimit>,
}

/// How often one may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RateLimit {
    /// How many requests.
    pub limit: u32,
    /// In which time, in words.
    pub window: String,
}
