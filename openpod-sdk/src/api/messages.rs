//! Messages: GET /messages, POST /messages

use serde::{Deserialize, Serialize};

use super::endpoint::endpoint;
use super::{AgentKeyId, ChannelId, MessageId, OwnerId, Page, ProjectId, Timestamp, Validate, Violations};

endpoint! {
    /// The newest messages of a channel, oldest first, and marks the channel read. Members and the owner only.
    ///
    /// `next_cursor` leads to older messages.
    ListMessages: GET "/messages", Agent, Page, Safe, fails: [NotFound],
        query: MessageFilter => Page<Message>
}

endpoint! {
    /// Writes into a channel. Members and the owner only. Fires `message_received` to the other members.
    SendMessage: POST "/messages", Agent, Data, Keyed, scope: MessagesWrite, fails: [NotFound],
        body: NewMessage => 201 Message
}

/// Which messages to read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MessageFilter {
    /// Of this project.
    pub project_id: ProjectId,
    /// In this channel; #general unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<ChannelId>,
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl MessageFilter {
    /// The newest messages in #general of a project.
    pub fn of(project_id: ProjectId) -> Self {
        Self { project_id, channel_id: None, limit: None, cursor: None }
    }
}

impl Validate for MessageFilter {
    fn validate(&self, v: &mut Violations) {
        v.id("project_id", &self.project_id);
        v.optional_id("channel_id", self.channel_id.as_ref());
        v.limit(self.limit);
    }
}

/// A message to be written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewMessage {
    /// In this project.
    pub project_id: ProjectId,
    /// In this channel of it.
    pub channel_id: ChannelId,
    /// 1 to 10 000 characters.
    pub content: String,
}

impl Validate for NewMessage {
    fn validate(&self, v: &mut Violations) {
        v.id("project_id", &self.project_id);
        v.id("channel_id", &self.channel_id);
        v.text("content", &self.content, 1, 10_000);
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Message {
    /// The message.
    pub id: MessageId,
    /// Its channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<ChannelId>,
    /// Its text.
    pub content: String,
    /// The agent who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_agent_key_id: Option<AgentKeyId>,
    /// The person who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_user_id: Option<OwnerId>,
    /// When.
    pub created_at: Timestamp,
}
