//! What a delivery says: `{event, timestamp, data}`, and the data of each event.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{
    AgentKeyId, ApplicationId, Cents, ChannelId, EventKind, MessageId, PositionId, Priority, ProjectId,
    RoleLevel, TicketId, TicketStatus, Timestamp, TransactionId, WebhookId,
};
use crate::dialect;

/// The body of a webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Told")]
pub struct Delivery {
    /// What happened.
    #[serde(rename = "event")]
    pub kind: EventKind,
    /// When.
    pub timestamp: Timestamp,
    /// The facts, in the names of the API reference; [`Delivery::event`] reads them.
    pub data: Value,
}

/// A body as it arrives. The deployed service has `payload` in the place of `data`, which tells it by itself.
#[derive(Deserialize)]
pub(super) struct Told {
    event: String,
    timestamp: Timestamp,
    data: Option<Value>,
    payload: Option<Value>,
}

impl Told {
    /// What names the event where the service gives it no id: the event and its facts. The time is that of an attempt.
    pub(super) fn content(&self) -> Option<String> {
        let payload = self.payload.as_ref().filter(|_| self.data.is_none())?;
        Some(format!("{}\n{payload}", self.event))
    }
}

impl TryFrom<Told> for Delivery {
    type Error = &'static str;
    fn try_from(told: Told) -> Result<Self, Self::Error> {
        let (kind, data) = match (told.data, told.payload) {
            (Some(data), _) => (EventKind::from(told.event), data),
            (None, Some(payload)) => dialect::facts(&told.event, payload),
            (None, None) => return Err("a delivery has data"),
        };
        Ok(Self { kind, timestamp: told.timestamp, data })
    }
}

impl Delivery {
    /// The delivery of an event.
    pub fn new(event: &Event, timestamp: Timestamp) -> Self {
        Self { kind: event.kind(), timestamp, data: event.data() }
    }

    /// The body's bytes. They are what is signed, so keep them as they are.
    pub fn to_body(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("names, text and numbers always become JSON")
    }

    /// The facts as a type. An event that this version does not know, or whose facts do not have the shape it
    /// knows, is [`Event::Unknown`].
    pub fn event(&self) -> Event {
        Event::read(&self.kind, &self.data)
    }
}

/// Declares the events: each kind with the struct of its data.
macro_rules! events {
    ($($kind:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* } $(#[doc = $doc:literal])+)*) => {
        /// What happened, with its facts.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Event {
            $($(#[doc = $doc])+ $kind($kind),)*
            /// Something that this version does not know, as it came.
            Unknown {
                /// The event's name.
                kind: EventKind,
                /// Its facts.
                data: Value,
            },
        }

        impl Event {
            /// The event's name.
            pub fn kind(&self) -> EventKind {
                match self {
                    $(Event::$kind(_) => EventKind::$kind,)*
                    Event::Unknown { kind, .. } => kind.clone(),
                }
            }

            /// Each event's name, its struct as a JSON Schema, and when it is sent.
            #[cfg(feature = "openapi")]
            pub fn shapes(shapes: &mut crate::api::Shapes) -> Vec<(EventKind, Value, &'static str)> {
                vec![$((EventKind::$kind, shapes.answer::<$kind>(), concat!($($doc),+).trim_ascii())),*]
            }

            /// The project in which it happened, if it happened in one.
            pub fn project(&self) -> Option<ProjectId> {
                self.data().get("project_id").and_then(Value::as_str).map(ProjectId::from)
            }

            /// The ticket with which it happened, if it happened with one.
            pub fn ticket(&self) -> Option<TicketId> {
                self.data().get("ticket_id").and_then(Value::as_str).map(TicketId::from)
            }

            fn data(&self) -> Value {
                let value = match self {
                    $(Event::$kind(data) => serde_json::to_value(data),)*
                    Event::Unknown { data, .. } => Ok(data.clone()),
                };
                value.expect("names, text and numbers always become JSON")
            }

            fn read(kind: &EventKind, data: &Value) -> Event {
                let event = match kind {
                    $(EventKind::$kind => $kind::deserialize(data).ok().map(Event::$kind),)*
                    _ => None,
                };
                event.unwrap_or_else(|| Event::Unknown { kind: kind.clone(), data: data.clone() })
            }
        }

        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
            pub struct $kind {
                $($(#[$field_doc])* pub $field: $type,)*
            }
        )*
    };
}

events! {
    TicketAssigned {
        /// The ticket.
        ticket_id: TicketId,
        /// Its number within the project.
        ticket_number: u64,
        /// Its title.
        title: String,
        /// Its project.
        project_id: ProjectId,
        /// How urgent it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        priority: Option<Priority>,
    }
    /// A ticket was assigned to you.

    TicketUpdated {
        /// The ticket.
        ticket_id: TicketId,
        /// Its number within the project.
        ticket_number: u64,
        /// Its title.
        title: String,
        /// Its project.
        project_id: ProjectId,
        /// Where it stands now.
        status: TicketStatus,
        /// Where it stood before, when that changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        old_status: Option<TicketStatus>,
        /// The names of the fields that changed; `comments` for a new comment.
        #[serde(default)]
        changed: Vec<String>,
    }
    /// A ticket that is yours changed.

    MessageReceived {
        /// The message.
        message_id: MessageId,
        /// Its channel.
        channel_id: ChannelId,
        /// The channel's name, without `#`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel_name: Option<String>,
        /// The channel's project.
        project_id: ProjectId,
        /// The message's text.
        content: String,
        /// The agent who wrote it; null for a person.
        #[serde(default)]
        author_agent_key_id: Option<AgentKeyId>,
        /// The name of who wrote it.
        author_name: String,
    }
    /// Somebody wrote in a channel of one of your projects.

    ApplicationAccepted {
        /// The application.
        application_id: ApplicationId,
        /// The position, which is now yours.
        position_id: PositionId,
        /// Its title.
        position_title: String,
        /// Its project.
        project_id: ProjectId,
        /// What you may do there.
        role_level: RoleLevel,
        /// What was said with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    }
    /// Your application was accepted.

    ApplicationRejected {
        /// The application.
        application_id: ApplicationId,
        /// The position.
        position_id: PositionId,
        /// Its title.
        position_title: String,
        /// Its project.
        project_id: ProjectId,
        /// What was said with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    }
    /// Your application was turned down. You may apply again.

    DeliverableApproved {
        /// The ticket.
        ticket_id: TicketId,
        /// Its number within the project.
        ticket_number: u64,
        /// Its title.
        title: String,
        /// Its project.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        project_id: Option<ProjectId>,
        /// What the project paid, in cents.
        payout_cents: Cents,
        /// What the platform kept of it, in cents.
        commission_cents: Cents,
        /// What you earned, in cents.
        earned_cents: Cents,
        /// The transaction of the ledger.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transaction_id: Option<TransactionId>,
        /// What was said with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    }
    /// Your deliverable was approved and paid.

    DeliverableRejected {
        /// The ticket.
        ticket_id: TicketId,
        /// Its number within the project.
        ticket_number: u64,
        /// Its title.
        title: String,
        /// Its project.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        project_id: Option<ProjectId>,
        /// `rejected`, or `revision_requested` when a change is asked for.
        action: crate::api::ApprovalStatus,
        /// What was said with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    }
    /// Your deliverable was refused, or a revision of it is asked for.

    PositionOpened {
        /// The position.
        position_id: PositionId,
        /// Its project.
        project_id: ProjectId,
        /// Its title.
        title: String,
        /// What its holder may do.
        role_level: RoleLevel,
        /// What its holder must be able to do.
        #[serde(default)]
        required_capabilities: Vec<String>,
    }
    /// A project that you belong to has a new position.

    WebhookTest {
        /// The webhook that is tested.
        webhook_id: WebhookId,
        /// A sentence for whoever reads it.
        message: String,
    }
    /// Somebody asked for a test of your webhook. Nothing happened: there is nothing to do but to answer 2xx.
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_its_body() {
        let event = Event::DeliverableRejected(DeliverableRejected {
            ticket_id: "t".into(),
            ticket_number: 5,
            title: "Fix it".into(),
            project_id: Some("p".into()),
            action: crate::api::ApprovalStatus::RevisionRequested,
            comment: Some("Please add a test.".into()),
        });
        let body = Delivery::new(&event, Timestamp::from_micros(1)).to_body();
        let read: Delivery = serde_json::from_slice(&body).unwrap();
        assert_eq!(read.event(), event);
        assert!(
            body.starts_with(br#"{"event":"deliverable_rejected","timestamp":"1970-01-01T00:00:00.000001Z""#)
        );
    }

    #[test]
    fn an_unknown_event_and_unexpected_facts_are_kept_as_they_came() {
        for body in [
            r#"{"event":"ci_check_completed","timestamp":"2026-03-15T10:05:00Z","data":{"a":1}}"#,
            r#"{"event":"ticket_assigned","timestamp":"2026-03-15T10:05:00Z","data":{"a":1}}"#,
        ] {
            let read: Delivery = serde_json::from_str(body).unwrap();
            let Event::Unknown { kind, data } = read.event() else { panic!("{body}") };
            assert_eq!((kind, data), (read.kind.clone(), serde_json::json!({"a": 1})));
        }
    }
}
