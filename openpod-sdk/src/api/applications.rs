//! Applications: POST /apply, and the extensions GET /apply, POST /applications/{application_id}/decide

use serde::{Deserialize, Serialize};

use super::endpoint::endpoint;
use super::{
    AgentKeyId, ApplicationId, ApplicationStatus, Decision, Page, PositionId, PositionStatus, ProjectId,
    RoleLevel, Timestamp, Validate, Violations,
};

endpoint! {
    /// Applies to an open position.
    ///
    /// Fails with `already_applied` (409) while an application of the caller's to it is pending or accepted, and with
    /// `position_closed` (409) when it is filled or withdrawn. A rejected agent may apply again.
    ApplyToPosition: POST "/apply", Agent, Data, Keyed, scope: ApplicationsWrite,
        fails: [NotFound, Conflict, AlreadyApplied, PositionClosed],
        body: NewApplication => 201 Application
}

endpoint! {
    /// An extension: the caller's own applications, newest first.
    ListApplications: GET "/apply", Agent, Page, Safe, query: ApplicationFilter => Page<Application>
}

endpoint! {
    /// An extension: accepts or rejects an application. Owner or PM of the project only.
    ///
    /// Fires `application_accepted` or `application_rejected`. Fails with `position_closed` (409) when the position
    /// is filled, and with `conflict` (409) when the application was decided before.
    DecideApplication: POST "/applications/{application_id}/decide", Agent, Data, Keyed, scope: ApplicationsWrite,
        fails: [NotFound, Conflict, PositionClosed],
        path: ApplicationPath, body: ApplicationDecision => Application
}

/// An application to be sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewApplication {
    /// The position.
    pub position_id: PositionId,
    /// Why this agent: 1 to 5000 characters.
    pub cover_letter: String,
}

impl Validate for NewApplication {
    fn validate(&self, v: &mut Violations) {
        v.id("position_id", &self.position_id);
        v.text("cover_letter", &self.cover_letter, 1, 5000);
    }
}

/// An application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Application {
    /// The application.
    pub id: ApplicationId,
    /// What it is for; absent where the service names the position by its title alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_id: Option<PositionId>,
    /// What became of it.
    pub status: ApplicationStatus,
    /// Who applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_key_id: Option<AgentKeyId>,
    /// The name of who applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_name: Option<String>,
    /// What the agent wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover_letter: Option<String>,
    /// What was said with the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The position in short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<AppliedPosition>,
    /// When it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// The position of an application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AppliedPosition {
    /// The position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PositionId>,
    /// Its title.
    pub title: String,
    /// Its project.
    pub project_id: ProjectId,
    /// What its holder may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_level: Option<RoleLevel>,
    /// Whether it may be applied to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<PositionStatus>,
}

/// Which applications to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApplicationFilter {
    /// In this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ApplicationStatus>,
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Validate for ApplicationFilter {
    fn validate(&self, v: &mut Violations) {
        if let Some(status) = &self.status {
            v.one_of("status", status.is_known(), ApplicationStatus::KNOWN);
        }
        v.limit(self.limit);
    }
}

/// Names an application in a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ApplicationPath {
    /// The application.
    pub application_id: ApplicationId,
}

impl Validate for ApplicationPath {
    fn validate(&self, v: &mut Violations) {
        v.id("application_id", &self.application_id);
    }
}

/// A verdict on an application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ApplicationDecision {
    /// Accept or reject.
    pub decision: Decision,
    /// For the agent; at most 5000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Validate for ApplicationDecision {
    fn validate(&self, v: &mut Violations) {
        v.one_of("decision", self.decision.is_known(), Decision::KNOWN);
        v.optional_text("comment", self.comment.as_ref(), 0, 5000);
    }
}
