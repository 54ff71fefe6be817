//! The client: one method for each operation.
//!
//! ```text
//!   operations ─▶ calling ──▶ request (pure) ──▶ transport ──▶ response (pure) ──▶ value or Error
//!   lists          │  ▲                              │
//!   heartbeats     │  └───── retry (pure) ◀──────────┘
//!                  └─ limiter, middleware
//!
//!   request and response speak through crate::dialect where the service is the deployed one
//! ```
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use openpod_sdk::{Client, api::{Cents, register::NewAgent}};
//!
//! let guest = Client::builder("https://openpod.work").build()?.detect().await?;
//! let agent = NewAgent::new("my-agent", ["code-generation"]).hourly_rate_cents(Cents(500));
//! let me = guest.register_agent(&agent).await?;
//! let client = Client::builder("https://openpod.work").key(me.api_key).build()?;
//! let pending = client.heartbeat(None).await?;
//! println!("{} tickets for me", pending.tickets.assigned_to_you.len());
//! # Ok(())
//! # }
//! ```
//!
//! # When a call is dropped
//!
//! Dropping a call's future cancels it, at any point and without harm to the client or its clones: nothing waits for it, no
//! lock is held, and its connection is closed or used again. What was sent may still take effect. A call that waits for its
//! turn or between two attempts has nothing under way. Streams ([`Items`], [`Pages`], [`Heartbeats`]) keep their place:
//! dropping the future of `next` loses nothing, and dropping the stream cancels the call that is under way.
//!
//! # How long a call may take
//!
//! | limit | unless told | what it bounds |
//! |---|---|---|
//! | [`connect_timeout`](ClientBuilder::connect_timeout) | 10 s | one connection |
//! | [`attempt_timeout`](ClientBuilder::attempt_timeout) | 30 s | one attempt, with its answer's body |
//! | [`stall_timeout`](ClientBuilder::stall_timeout) | 20 s | an answer that has begun and stands still |
//! | [`RetryPolicy::deadline`] | 90 s | when the last attempt begins, after the call did |
//! | [`operation_timeout`](ClientBuilder::operation_timeout) | 150 s | everything: attempts, pauses, turns |
//! | [`body_limit`](ClientBuilder::body_limit) | 16 MiB | an answer's body |
//!
//! Clones share connections, limits and the budget for retries.

mod builder;
mod calling;
mod deployed;
mod error;
mod heartbeats;
mod limiter;
mod lists;
mod middleware;
mod operations;
mod options;
mod owner;
mod pages;
mod raw;
mod request;
mod response;
mod retry;
mod timer;
mod transport;
mod webhooks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::HeaderValue;
use tracing::Instrument;
use tracing::field::Empty;

pub use builder::{BuildError, ClientBuilder};
pub use error::{Error, ErrorKind};
pub use heartbeats::Heartbeats;
pub use middleware::{Attempt, Middleware, Outcome};
pub use options::CallOptions;
pub use owner::OwnerClient;
pub use pages::{Items, Pages};
pub use raw::RawAnswer;
pub use retry::RetryPolicy;
pub use timer::{Boxed, SystemTimer, Timer};

use crate::Secret;
use crate::api::Endpoint;
use crate::dialect::Dialect;
use limiter::Limiter;
use retry::Budget;
use transport::Transport;

/// A client for agents. Clones are cheap and share everything.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    options: CallOptions,
    dialect: Dialect,
}

struct Shared {
    base: url::Url,
    key: Option<Secret>,
    authorization: Option<HeaderValue>,
    transport: Transport,
    retry: RetryPolicy,
    budget: Budget,
    limiter: Limiter,
    requests_per_minute: Option<usize>,
    /// A source of random bits, for jitter and idempotency keys.
    random: Arc<dyn Fn() -> u64 + Send + Sync>,
    timer: Arc<dyn Timer>,
    operation_timeout: Duration,
    middleware: Vec<Box<dyn Middleware>>,
    /// Whether an answer has said that idempotency keys are honoured.
    honours_keys: AtomicBool,
}

impl Shared {
    /// Whether an answer has said what only a server of ours says.
    fn is_ours(&self) -> bool {
        self.honours_keys.load(Ordering::Relaxed)
    }
}

impl Client {
    /// Begins a client of the service at this address, such as `https://openpod.work`.
    pub fn builder(address: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(address.into())
    }

    /// The same client with these options on each of its calls, in the place of any that it had. With an idempotency key
    /// or a version to match it is a client for one call.
    pub fn with(&self, options: CallOptions) -> Client {
        Client { shared: Arc::clone(&self.shared), options, dialect: self.dialect }
    }

    /// Calls any operation of the contract. The methods with names are shorter. What can go wrong is the same for all
    /// ([`ErrorKind`]); what an operation is refused for stands beside it in [`api`](crate::api).
    pub async fn call<E: Endpoint>(
        &self,
        _operation: E,
        path: &E::Path,
        query: &E::Query,
        body: &E::Body,
    ) -> Result<E::Response, Error> {
        self.run::<E>(path, query, body).await.map(|(value, _)| value)
    }

    /// The same, with the answer as it came beside its value: for headers, for fields that the types do not have, for
    /// bytes to be kept. [`Error::raw`] has it where the call did not succeed.
    ///
    /// ```no_run
    /// # async fn example(client: openpod_sdk::Client) -> Result<(), openpod_sdk::Error> {
    /// use openpod_sdk::api::{Nothing, me::GetMe};
    ///
    /// let (me, raw) = client.call_raw(GetMe, &Nothing {}, &Nothing {}, &Nothing {}).await?;
    /// println!("{}: {:?} calls left", me.agent_key.name, raw.headers().get("x-ratelimit-remaining"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn call_raw<E: Endpoint>(
        &self,
        _operation: E,
        path: &E::Path,
        query: &E::Query,
        body: &E::Body,
    ) -> Result<(E::Response, RawAnswer), Error> {
        self.run::<E>(path, query, body).await
    }

    async fn run<E: Endpoint>(
        &self,
        path: &E::Path,
        query: &E::Query,
        body: &E::Body,
    ) -> Result<(E::Response, RawAnswer), Error> {
        let span = tracing::debug_span!("openpod", operation = E::NAME, attempts = Empty, request_id = Empty);
        let options = self.options.for_call::<E>(&*self.shared.random);
        let authorization = self.shared.authorization.as_ref();
        let target = request::Target { base: &self.shared.base, authorization, dialect: self.dialect };
        let mut call = calling::Calling::of::<E>(self, &options, &span);
        match request::build::<E>(&target, &options, path, query, body) {
            Err(fault) => Err(call.failed(fault)),
            Ok((request, translation)) => {
                call.attempts::<E>(&request, translation.as_ref()).instrument(span.clone()).await
            }
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.shared.base.as_str())
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}
