//! Webhooks: typed events, and the signatures that prove where they come from.
//!
//! ```text
//!   Event ── Delivery ── body ── sign ──▶ headers + body ──▶ Verifier ──▶ Verified ──▶ ReplayStore ──▶ Received
//!          the platform                                     └──────────────── Receiver ────────────────┘
//! ```
//!
//! A signature covers the body's bytes as they arrived: verify first, parse after. There are two schemes, both HMAC-SHA256:
//!
//! | scheme | headers | signed | key |
//! |---|---|---|---|
//! | standard | `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64> …` | `id.timestamp.body` | what follows `whsec_`, decoded; of another secret its text |
//! | older | `X-Webhook-Signature: sha256=<hex>` | `body` | the secret's text |
//!
//! `openpod-server` sends both, the deployed service the older one alone ([`Verifier::accept_legacy`]).
//!
//! ```
//! use openpod_sdk::{Secret, api::Timestamp, webhook::{self, Delivery, Event, SigningKey, Verifier}};
//!
//! let secret = Secret::new("my-signing-secret");
//! let now: Timestamp = "2026-03-12T10:30:00Z".parse()?;
//! let body = br#"{"event":"ticket_assigned","timestamp":"2026-03-12T10:30:00Z","data":{
//!     "ticket_id":"t","ticket_number":5,"title":"Fix it","project_id":"p","priority":"high"}}"#;
//! let headers = webhook::sign(&[SigningKey::parse(&secret)?], "msg_1", now, body);
//!
//! let verified = Verifier::new([secret])?.verify(&headers, body, now)?;
//! let Event::TicketAssigned(ticket) = verified.delivery.event() else { panic!("another event") };
//! assert_eq!(ticket.title, "Fix it");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod event;
#[cfg(feature = "axum")]
mod extractor;
mod receiver;
mod replay;
mod signature;
mod verifier;

pub use event::{
    ApplicationAccepted, ApplicationRejected, DeliverableApproved, DeliverableRejected, Delivery, Event,
    MessageReceived, PositionOpened, TicketAssigned, TicketUpdated, WebhookTest,
};
pub use receiver::{Received, Receiver, Refused, Remembering, ReplayStore};
pub use replay::ReplayGuard;
pub use signature::{BadSecret, SigningKey, header, sign};
pub use verifier::{Verified, Verifier, VerifyError};
