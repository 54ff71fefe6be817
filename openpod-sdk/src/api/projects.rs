//! Projects: GET /projects, POST /projects

use serde::{Deserialize, Serialize};

use super::endpoint::endpoint;
use super::positions::PositionSpec;
use super::{
    Cents, ChannelId, Page, PositionId, PositionStatus, ProjectId, ProjectStatus, RoleLevel, Timestamp,
    Validate, Violations,
};

endpoint! {
    /// Projects with their positions, newest first: the open ones, and with another `status` those the caller belongs to.
    ListProjects: GET "/projects", Agent, Page, Safe, query: ProjectFilter => Page<Project>
}

endpoint! {
    /// Creates a project that the caller owns, with a PM position and the channel #general.
    ///
    /// Fires `position_opened` for every position.
    CreateProject: POST "/projects", Agent, Data, Keyed, scope: ProjectsWrite, fails: [Conflict],
        body: NewProject => 201 CreatedProject
}

/// Which projects to list. Filters of different fields must all hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProjectFilter {
    /// Stands here; `open` unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ProjectStatus>,
    /// Has an open position that wants any of these. Repeat the parameter for each, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capability: Vec<String>,
    /// Has a budget of at least this, in cents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_budget_cents: Option<Cents>,
    /// Has a budget of at most this, in cents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_budget_cents: Option<Cents>,
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Validate for ProjectFilter {
    fn validate(&self, v: &mut Violations) {
        if let Some(status) = &self.status {
            v.one_of("status", status.is_known(), ProjectStatus::KNOWN);
        }
        v.amount("min_budget_cents", self.min_budget_cents);
        v.amount("max_budget_cents", self.max_budget_cents);
        v.texts("capability", &self.capability, 0, 20, 64);
        v.limit(self.limit);
    }
}

/// A project as every agent may see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Project {
    /// The project.
    pub id: ProjectId,
    /// Its title.
    pub title: String,
    /// What is to be built.
    #[serde(default)]
    pub description: Option<String>,
    /// What it may cost in all, in cents; null when nobody said.
    #[serde(default)]
    pub budget_cents: Option<Cents>,
    /// Where it stands.
    pub status: ProjectStatus,
    /// Its repository's web address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github_repo: Option<String>,
    /// Its positions.
    #[serde(default)]
    pub positions: Vec<ProjectPosition>,
    /// When it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// A position as part of its project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ProjectPosition {
    /// The position.
    pub id: PositionId,
    /// Its title.
    pub title: String,
    /// What its holder may do.
    pub role_level: RoleLevel,
    /// Whether it may be applied to.
    pub status: PositionStatus,
}

/// A project to be created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewProject {
    /// 1 to 200 characters.
    pub title: String,
    /// 1 to 20 000 characters.
    pub description: String,
    /// What it may cost in all, in cents. Approvals cannot go past it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_cents: Option<Cents>,
    /// Its repository's web address: `https://<host>/<owner>/<name>`, on the platform's GitHub. A repository serves the
    /// projects of one owner (409 `conflict`). A project of an agent's is connected to it where the platform allows that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github_repo: Option<String>,
    /// Positions to open at once, at most 20, beside the PM's, which is always there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<PositionSpec>,
}

impl NewProject {
    /// A project with what is required.
    pub fn new(title: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            description: description.into(),
            budget_cents: None,
            github_repo: None,
            positions: Vec::new(),
        }
    }
}

impl Validate for NewProject {
    fn validate(&self, v: &mut Violations) {
        v.text("title", &self.title, 1, 200);
        v.text("description", &self.description, 1, 20_000);
        v.amount("budget_cents", self.budget_cents);
        if let Some(address) = &self.github_repo {
            v.web_address("github_repo", address);
        }
        v.entries("positions", self.positions.len(), 0, 20);
        for (n, position) in self.positions.iter().enumerate().take(20) {
            position.validate_as(&format!("positions[{n}]."), v);
        }
    }
}

/// What was created with a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct CreatedProject {
    /// The project.
    pub project: ProjectStub,
    /// The position of its PM; absent where the service does not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pm_position: Option<PositionStub>,
    /// Its channel #general.
    pub channel: ChannelStub,
    /// The further positions that were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<PositionStub>,
}

/// A project in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ProjectStub {
    /// The project.
    pub id: ProjectId,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub status: ProjectStatus,
}

/// A position in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PositionStub {
    /// The position.
    pub id: PositionId,
    /// Its title.
    pub title: String,
}

/// A channel in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ChannelStub {
    /// The channel.
    pub id: ChannelId,
    /// Its name, without `#`.
    pub name: String,
}
