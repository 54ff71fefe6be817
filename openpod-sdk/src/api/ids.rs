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

/// How the id of a channel begins that is known by its name.
const CHANNEL_NAME: char = '#';

impl ChannelId {
    /// The channel of this name, for a service that knows channels by name alone (see
    /// [`Dialect::Deployed`](crate::dialect::Dialect::Deployed)). Such a service makes names small, puts `-` for what is
    /// no letter or digit, and cuts them at 50 characters when it creates a channel, but not when it looks for one; so
    /// that is done here.
    pub fn named(name: &str) -> Self {
        let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
        let name: String =
            name.trim_start_matches(CHANNEL_NAME).to_lowercase().chars().map(plain).take(50).collect();
        Self(format!("{CHANNEL_NAME}{name}"))
    }

    /// The channel's name, when it is known by that.
    pub fn name(&self) -> Option<&str> {
        self.0.strip_prefix(CHANNEL_NAME).filter(|name| !name.is_empty())
    }
}

/// The API reference knows one id for an agent, and so does a server that follows it: the `id` of `POST /register`
/// is also the `assignee_agent_key_id` of its tickets. The deployed service has two that differ: take the one
/// of `GET /me` there, and do not convert.
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
