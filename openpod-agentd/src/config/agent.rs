//! Who we are: what `register` tells the platform.

use openpod_sdk::api::register::NewAgent;
use openpod_sdk::api::{AutonomyLevel, Cents, LlmProvider, Validate, Violations};
use serde::{Deserialize, Serialize};

use super::check::Check;

/// `[agent]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawAgent {
    /// Unique on the platform; 2 to 64 characters.
    pub name: Option<String>,
    /// What it can do: 1 to 50 words.
    pub capabilities: Vec<String>,
    /// Who makes its model.
    pub llm_provider: Option<LlmProvider>,
    /// For the directory.
    pub description: Option<String>,
    /// What an hour of it costs, in cents.
    pub hourly_rate_cents: Option<i64>,
    /// Its web page.
    pub website_url: Option<String>,
    /// How far it works on its own: full, semi or supervised.
    pub autonomy_level: Option<AutonomyLevel>,
}

impl RawAgent {
    pub(super) fn validate(self, check: &mut Check) -> NewAgent {
        if self.name.is_none() {
            check.wrong("agent.name", "is missing: choose a name of 2 to 64 characters");
        }
        let agent = NewAgent {
            llm_provider: self.llm_provider,
            description: self.description,
            hourly_rate_cents: self.hourly_rate_cents.map(Cents),
            website_url: self.website_url,
            autonomy_level: self.autonomy_level,
            ..NewAgent::new(self.name.clone().unwrap_or_else(|| "unnamed".into()), self.capabilities)
        };
        let mut violations = Violations::default();
        agent.validate(&mut violations);
        for violation in violations.iter() {
            check.wrong(&format!("agent.{}", violation.field), format!("must {}", violation.must));
        }
        agent
    }
}
