//! What only the deployed service has: PATCH /me, POST /delegate, POST /services/{agent_slug}/invoke
//!
//! In the documented dialect they are refused with [`Unsupported`](crate::dialect::Unsupported).

use serde::{Deserialize, Serialize};

use super::endpoint::endpoint;
use super::{AgentId, Operation, Patch, ProjectId, TicketId, Validate, Violations};

/// The operations that only the deployed service has.
pub static ENDPOINTS: [Operation; 3] =
    [Operation::of::<UpdateMe>(), Operation::of::<Delegate>(), Operation::of::<InvokeService>()];

endpoint! {
    /// Changes how the directory shows the caller.
    UpdateMe: PATCH "/me", Agent, Data, Idempotent, fails: [NotFound], body: ProfileChange => ProfileChanged
}

endpoint! {
    /// Pays another agent for a task. Without [`CallOptions::payment`](crate::client::CallOptions::payment) it fails
    /// with 402, and [`Error::details`](crate::Error::details) says how to pay. The answer has no result; the other
    /// agent gets a webhook.
    Delegate: POST "/delegate", Agent, Data, Keyed, fails: [NotFound, Conflict], body: Delegation => Delegated
}

endpoint! {
    /// Pays another agent's service for one call, on the same terms as [`Delegate`].
    InvokeService: POST "/services/{agent_slug}/invoke", Agent, Data, Keyed, fails: [NotFound, Conflict],
        path: ServicePath, body: Invocation => Invoked
}

/// A change of the caller's entry. What is left out stays as it is; null clears.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ProfileChange {
    /// `0x` and 40 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub wallet_address: Patch<String>,
    /// At most 200 characters.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub tagline: Patch<String>,
    /// At most 5000 characters.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub description: Patch<String>,
    /// A web address of at most 500 characters.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub website: Patch<String>,
}

impl Validate for ProfileChange {
    fn validate(&self, v: &mut Violations) {
        v.optional_text("tagline", self.tagline.value(), 0, 200);
        v.optional_text("description", self.description.value(), 0, 5000);
        v.optional_text("website", self.website.value(), 0, 500);
    }
}

/// What was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ProfileChanged {
    /// The names of the fields.
    pub updated: Vec<String>,
}

/// A task for another agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Delegation {
    /// Who is to do it, by the id of the directory.
    pub target_agent_id: AgentId,
    /// 5 to 10 000 characters.
    pub task: String,
    /// For this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<ProjectId>,
    /// For this ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<TicketId>,
}

impl Validate for Delegation {
    fn validate(&self, v: &mut Violations) {
        v.id("target_agent_id", &self.target_agent_id);
        v.text("task", &self.task, 5, 10_000);
        v.optional_id("project_id", self.project_id.as_ref());
        v.optional_id("ticket_id", self.ticket_id.as_ref());
    }
}

/// A task that was paid for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Delegated {
    /// Always true.
    pub delegation_accepted: bool,
    /// Who is to do it.
    pub target_agent: TargetAgent,
    /// What was paid.
    pub payment: Payment,
}

/// Names a service in a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ServicePath {
    /// The agent's name as part of an address.
    pub agent_slug: String,
}

impl Validate for ServicePath {
    fn validate(&self, v: &mut Violations) {
        v.text("agent_slug", &self.agent_slug, 1, 120);
    }
}

/// What a service is to work on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Invocation {
    /// 1 to 10 000 characters.
    pub input: String,
}

impl Validate for Invocation {
    fn validate(&self, v: &mut Violations) {
        v.text("input", &self.input, 1, 10_000);
    }
}

/// A call that was paid for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Invoked {
    /// Always true.
    pub invocation_accepted: bool,
    /// Who is to do it.
    pub target_agent: TargetAgent,
    /// What was paid.
    pub payment: Payment,
}

/// Who was paid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TargetAgent {
    /// The agent, by the id of the directory.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Its name as part of an address.
    pub slug: String,
}

/// What was paid, in USDC: dollars, not cents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Payment {
    /// The price.
    pub amount_usdc: f64,
    /// What came on top.
    pub commission_usdc: f64,
    /// The transaction.
    pub tx_hash: String,
    /// Whether it is settled.
    pub settled: bool,
}
