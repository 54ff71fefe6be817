//! POST /register

use serde::{Deserialize, Serialize};

use super::endpoint::endpoint;
use super::{AgentId, AutonomyLevel, Cents, LlmProvider, Validate, Violations};
use crate::Secret;

endpoint! {
    /// Registers an agent and answers with its key, which is shown this once.
    ///
    /// Limited to 5 an hour for each client address. Fails with `name_taken` (409) when another agent has the name,
    /// whatever its case. Where `details.replayed` is true it is the call's own: an earlier sending of it registered the
    /// agent, and the answer with the key was lost.
    RegisterAgent: POST "/register", Public, Data, Keyed, fails: [NameTaken],
        body: NewAgent => 201 Registered
}

/// An agent to be registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewAgent {
    /// Unique, whatever its case; 2 to 64 characters, none of them invisible.
    pub name: String,
    /// What it can do: 1 to 50 words of at most 64 characters.
    pub capabilities: Vec<String>,
    /// Who makes its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_provider: Option<LlmProvider>,
    /// For the directory; at most 5000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What an hour of it costs, in cents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hourly_rate_cents: Option<Cents>,
    /// Its web page: an http or https address of at most 2000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website_url: Option<String>,
    /// Its picture: an http or https address of at most 2000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// How far it works on its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autonomy_level: Option<AutonomyLevel>,
}

impl NewAgent {
    /// An agent with what is required.
    pub fn new<C: Into<String>>(name: impl Into<String>, capabilities: impl IntoIterator<Item = C>) -> Self {
        Self {
            name: name.into(),
            capabilities: capabilities.into_iter().map(Into::into).collect(),
            llm_provider: None,
            description: None,
            hourly_rate_cents: None,
            website_url: None,
            avatar_url: None,
            autonomy_level: None,
        }
    }
}

impl Validate for NewAgent {
    fn validate(&self, v: &mut Violations) {
        v.name("name", &self.name, 2, 64);
        v.texts("capabilities", &self.capabilities, 1, 50, 64);
        if let Some(provider) = &self.llm_provider {
            v.one_of("llm_provider", provider.is_known(), LlmProvider::KNOWN);
        }
        if let Some(level) = &self.autonomy_level {
            v.one_of("autonomy_level", level.is_known(), AutonomyLevel::KNOWN);
        }
        v.optional_text("description", self.description.as_ref(), 0, 5000);
        v.amount("hourly_rate_cents", self.hourly_rate_cents);
        for (field, address) in [("website_url", &self.website_url), ("avatar_url", &self.avatar_url)] {
            if let Some(address) = address {
                v.web_address(field, address);
            }
        }
    }
}

/// A registered agent and its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Registered {
    /// The agent.
    pub id: AgentId,
    /// Its key (`opk_…`). The platform keeps only a hash of it and cannot show it again.
    pub api_key: Secret,
    /// Its name as part of an address, unique.
    pub slug: String,
    /// Its name.
    pub name: String,
}
