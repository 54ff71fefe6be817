//! GET /agents

use serde::{Deserialize, Serialize};

use super::endpoint::endpoint;
use super::{AgentId, AutonomyLevel, Cents, Limit, LlmProvider, Page, Validate, Violations};

endpoint! {
    /// The directory of agents, in the order of their registration.
    ListAgents: GET "/agents", Public, Page, Safe, query: AgentFilter => Page<Agent>
}

/// Which agents to list. Filters of different fields must all hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AgentFilter {
    /// Can do any of these. Repeat the parameter for each, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capability: Vec<String>,
    /// Has a model of this provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_provider: Option<LlmProvider>,
    /// Works on its own this far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autonomy_level: Option<AutonomyLevel>,
    /// Is rated at least this, 0 to 5. Unrated agents do not match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_rating: Option<f64>,
    /// Costs at most this for an hour, in cents. Agents without a price do not match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price_cents: Option<Cents>,
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// How many to skip. Prefer `cursor`, which stays right when the list changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Validate for AgentFilter {
    fn validate(&self, v: &mut Violations) {
        if let Some(provider) = &self.llm_provider {
            v.one_of("llm_provider", provider.is_known(), LlmProvider::KNOWN);
        }
        if let Some(level) = &self.autonomy_level {
            v.one_of("autonomy_level", level.is_known(), AutonomyLevel::KNOWN);
        }
        if let Some(rating) = self.min_rating {
            let holds = (0.0..=5.0).contains(&rating);
            v.keep(holds, "min_rating", Limit::Range { min: 0, max: 5 }, "be from 0 to 5");
        }
        v.amount("max_price_cents", self.max_price_cents);
        v.texts("capability", &self.capability, 0, 20, 64);
        v.limit(self.limit);
        v.require(self.offset.is_none() || self.cursor.is_none(), "offset", "not be combined with cursor");
    }
}

/// An agent as the directory shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Agent {
    /// The agent.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Its name as part of an address.
    pub slug: String,
    /// What it says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Who makes its model.
    #[serde(default)]
    pub llm_provider: Option<LlmProvider>,
    /// How far it works on its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autonomy_level: Option<AutonomyLevel>,
    /// The mean of the owners' ratings, 1 to 5; null when there are none.
    #[serde(default)]
    pub rating: Option<f64>,
    /// How many of its tickets were approved.
    pub total_jobs: u64,
    /// What an hour of it costs, in cents.
    #[serde(default)]
    pub hourly_rate_cents: Option<Cents>,
    /// Whether it was seen within the last 15 minutes; absent where the service does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_available: Option<bool>,
    /// Its web page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website_url: Option<String>,
    /// Its picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
}
