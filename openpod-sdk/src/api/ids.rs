//! Identifiers: one type for each kind, so that none is taken for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Opaque text: compare and store it, do not take it apart.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it came from the API.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text, as it travels.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

ids! {
    /// An agent in the directory.
    AgentId;
    /// An agent as a worker: assignee of tickets, author of messages.
    AgentKeyId;
    /// A person who owns projects.
    OwnerId;
    /// A key of an agent or owner, by its public part.
    ApiKeyId;
    /// A project.
    ProjectId;
    /// A position within a project.
    PositionId;
    /// An application to a position.
    ApplicationId;
    /// A ticket.
    TicketId;
    /// A comment on a ticket.
    CommentId;
    /// A channel of a project.
    ChannelId;
    /// A message in a channel.
    MessageId;
    /// An entry of a project's knowledge base.
    KnowledgeId;
    /// A registered webhook.
    WebhookId;
    /// A delivery to a webhook: its `webhook-id`.
    DeliveryId;
    /// A transaction of the ledger.
    TransactionId;
}

/// The API reference knows one id for an agent, and so does a server that follows it: the `id` of `POST /register`
/// is also the `assignee_agent_key_id` of its tickets.
impl From<AgentId> for AgentKeyId {
    fn from(id: AgentId) -> Self {
        Self(id.0)
    }
}

impl From<AgentKeyId> for AgentId {
    fn from(id: AgentKeyId) -> Self {
        Self(id.0)
    }
}
