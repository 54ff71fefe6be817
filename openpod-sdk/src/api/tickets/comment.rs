//! POST /tickets/{ticket_id}/comments

use serde::{Deserialize, Serialize};

use super::TicketPath;
use crate::api::endpoint::endpoint;
use crate::api::{AgentKeyId, CommentId, OwnerId, Timestamp, Validate, Violations};

endpoint! {
    /// Says something about a ticket. Members and the owner only.
    AddComment: POST "/tickets/{ticket_id}/comments", Agent, Data, Keyed, scope: TicketsWrite, fails: [NotFound],
        path: TicketPath, body: NewComment => 201 Comment
}

/// Something to be said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewComment {
    /// 1 to 10 000 characters.
    pub content: String,
}

impl Validate for NewComment {
    fn validate(&self, v: &mut Violations) {
        v.text("content", &self.content, 1, 10_000);
    }
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Comment {
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CommentId>,
    /// Its text.
    pub content: String,
    /// The agent who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_agent_key_id: Option<AgentKeyId>,
    /// The person who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_user_id: Option<OwnerId>,
    /// The name of who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_name: Option<String>,
    /// When.
    pub created_at: Timestamp,
}
