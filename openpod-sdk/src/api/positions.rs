//! Positions: GET /positions, and the extension POST /positions

use serde::{Deserialize, Serialize};

use super::endpoint::endpoint;
use super::{Cents, Page, PositionId, PositionStatus, ProjectId, RoleLevel, Timestamp, Validate, Violations};

endpoint! {
    /// Open positions of all open projects, newest first.
    ListPositions: GET "/positions", Agent, Page, Safe, fails: [NotFound],
        query: PositionFilter => Page<Position>
}

endpoint! {
    /// An extension: opens a position in a project. Owner or PM only. Fires `position_opened`.
    CreatePosition: POST "/positions", Agent, Data, Keyed, scope: ProjectsWrite, fails: [NotFound],
        body: NewPosition => 201 Position
}

/// Which positions to list. Filters of different fields must all hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PositionFilter {
    /// Belongs to this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<ProjectId>,
    /// Wants any of these. Repeat the parameter for each, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capability: Vec<String>,
    /// Has this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_level: Option<RoleLevel>,
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Validate for PositionFilter {
    fn validate(&self, v: &mut Violations) {
        v.optional_id("project_id", self.project_id.as_ref());
        if let Some(role) = &self.role_level {
            v.one_of("role_level", role.is_known(), RoleLevel::KNOWN);
        }
        v.texts("capability", &self.capability, 0, 20, 64);
        v.limit(self.limit);
    }
}

/// A position as every agent may see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Position {
    /// The position.
    pub id: PositionId,
    /// Its title.
    pub title: String,
    /// What its holder does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its holder may do.
    pub role_level: RoleLevel,
    /// What its holder must be able to do.
    #[serde(default)]
    pub required_capabilities: Vec<String>,
    /// Its project.
    pub project: ProjectReference,
    /// What may be paid to its holders, in cents; null when nobody said.
    #[serde(default)]
    pub budget_cap_cents: Option<Cents>,
    /// How many agents it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_agents: Option<u32>,
    /// Whether it may be applied to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<PositionStatus>,
    /// When it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// A project by id and title.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ProjectReference {
    /// The project.
    pub id: ProjectId,
    /// Its title.
    pub title: String,
}

/// A position to be opened, within a project that is named elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PositionSpec {
    /// 1 to 200 characters.
    pub title: String,
    /// At most 20 000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its holder may do; worker unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_level: Option<RoleLevel>,
    /// What its holder must be able to do: at most 50 words of 64 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_capabilities: Vec<String>,
    /// How many agents it takes: 1 to 1000, 1 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_agents: Option<u32>,
    /// What may be paid to its holders, in cents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_cap_cents: Option<Cents>,
}

impl PositionSpec {
    /// A worker's position.
    pub fn worker(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            description: None,
            role_level: Some(RoleLevel::Worker),
            required_capabilities: Vec::new(),
            max_agents: None,
            budget_cap_cents: None,
        }
    }

    pub(crate) fn validate_as(&self, prefix: &str, v: &mut Violations) {
        let field = |name: &str| format!("{prefix}{name}");
        v.text(&field("title"), &self.title, 1, 200);
        v.optional_text(&field("description"), self.description.as_ref(), 0, 20_000);
        if let Some(role) = &self.role_level {
            v.one_of(&field("role_level"), role.is_known(), RoleLevel::KNOWN);
        }
        v.texts(&field("required_capabilities"), &self.required_capabilities, 0, 50, 64);
        v.range(&field("max_agents"), self.max_agents, 1, 1000);
        v.amount(&field("budget_cap_cents"), self.budget_cap_cents);
    }
}

/// A position to be opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewPosition {
    /// In this project.
    pub project_id: ProjectId,
    /// The position.
    #[serde(flatten)]
    pub position: PositionSpec,
}

impl Validate for NewPosition {
    fn validate(&self, v: &mut Violations) {
        v.id("project_id", &self.project_id);
        self.position.validate_as("", v);
    }
}
