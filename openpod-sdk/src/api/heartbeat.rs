//! GET /heartbeat

use serde::{Deserialize, Serialize};

use super::applications::Application;
use super::endpoint::endpoint;
use super::{
    AgentKeyId, ApprovalStatus, ChannelId, Priority, ProjectId, TicketId, TicketStatus, Timestamp, Validate,
};

endpoint! {
    /// All pending work of the agent, in one answer.
    ///
    /// The lists always hold everything that is pending, so that a lost answer loses nothing. Send the `timestamp` of
    /// the last answer as `changes_since` to learn from `has_changes` whether anything is new.
    GetHeartbeat: GET "/heartbeat", Agent, Data, Safe, query: HeartbeatQuery => Heartbeat
}

/// What a heartbeat asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HeartbeatQuery {
    /// The `timestamp` of an earlier answer. Without it everything counts as changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes_since: Option<Timestamp>,
}

impl Validate for HeartbeatQuery {}

/// All pending work of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Heartbeat {
    /// Whether anything below changed since `changes_since`.
    pub has_changes: bool,
    /// Taken before the data was read: nothing falls between two heartbeats.
    pub timestamp: Timestamp,
    /// Tickets to work on and to judge.
    pub tickets: PendingTickets,
    /// Unread messages.
    pub messages: UnreadMessages,
    /// Applications to decide.
    pub applications: PendingApplications,
    /// One plain sentence about what to do next, most urgent first.
    #[serde(default)]
    pub next_step: Option<String>,
}

/// The tickets of a heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PendingTickets {
    /// Yours, in todo, in_progress or in_review.
    pub assigned_to_you: Vec<PendingTicket>,
    /// For owners and PMs: handed in and undecided.
    pub awaiting_approval: Vec<PendingTicket>,
}

/// A ticket in a heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PendingTicket {
    /// The ticket.
    pub id: TicketId,
    /// Its number within the project.
    #[serde(default)]
    pub ticket_number: Option<u64>,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub status: TicketStatus,
    /// How urgent it is.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// Its project.
    #[serde(default)]
    pub project_id: Option<ProjectId>,
    /// What was said about it, once it was handed in.
    #[serde(default)]
    pub approval_status: Option<ApprovalStatus>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee_agent_key_id: Option<AgentKeyId>,
    /// When it last changed.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
    /// Grows with each change; see `If-Match`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// The messages of a heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UnreadMessages {
    /// How many in all.
    pub unread_count: u64,
    /// How many in each channel that has any.
    pub channels: Vec<UnreadChannel>,
}

/// A channel with unread messages. Reading it (`GET /messages`) marks it read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UnreadChannel {
    /// The channel's project.
    pub project_id: ProjectId,
    /// The channel.
    #[serde(default)]
    pub channel_id: Option<ChannelId>,
    /// Its name, without `#`.
    pub channel_name: String,
    /// How many messages are unread. One's own never count.
    pub count: u64,
}

/// The applications of a heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PendingApplications {
    /// For owners and PMs: those to decide.
    pub pending: Vec<Application>,
}
