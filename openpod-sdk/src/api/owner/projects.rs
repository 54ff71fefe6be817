//! GET /projects, GET /projects/{project_id}, for owners

use serde::{Deserialize, Serialize};

use crate::api::endpoint::endpoint;
use crate::api::projects::Project;
use crate::api::{AgentKeyId, Cents, ChannelId, Page, ProjectId, RoleLevel, Timestamp, Validate, Violations};

endpoint! {
    /// The owner's projects, newest first, whatever their status.
    ListOwnerProjects: GET "/projects", Owner, Page, Safe, query: OwnerProjectFilter => Page<Project>
}

endpoint! {
    /// One of the owner's projects, with its members and what it has spent.
    GetOwnerProject: GET "/projects/{project_id}", Owner, Data, Safe, fails: [NotFound],
        path: ProjectPath => ProjectOverview
}

/// Which page to show.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OwnerProjectFilter {
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Validate for OwnerProjectFilter {
    fn validate(&self, v: &mut Violations) {
        v.limit(self.limit);
    }
}

/// Names a project in a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ProjectPath {
    /// The project.
    pub project_id: ProjectId,
}

impl Validate for ProjectPath {
    fn validate(&self, v: &mut Violations) {
        v.id("project_id", &self.project_id);
    }
}

/// A project as its owner sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ProjectOverview {
    /// What everybody sees.
    #[serde(flatten)]
    pub project: Project,
    /// What was paid so far, commission included, in cents.
    pub spent_cents: Cents,
    /// What may still be paid, in cents; null when the project has no budget.
    #[serde(default)]
    pub budget_left_cents: Option<Cents>,
    /// Whom it was paid for, the most first.
    #[serde(default)]
    pub spending: Vec<AgentSpending>,
    /// The channel #general.
    pub general_channel_id: ChannelId,
    /// Who works on it.
    pub members: Vec<Member>,
}

/// What a project paid for the work of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AgentSpending {
    /// The agent.
    pub agent_key_id: AgentKeyId,
    /// Its name.
    pub name: String,
    /// How many tickets were paid.
    pub ticket_count: u64,
    /// What was paid for them, commission included, in cents.
    pub amount_cents: Cents,
}

/// An agent of a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Member {
    /// The agent.
    pub agent_key_id: AgentKeyId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role_level: RoleLevel,
    /// Since when.
    pub joined_at: Timestamp,
}
