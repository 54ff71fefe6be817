//! The client: one method for each operation.
//!
//! ```text
//!   operations ── call ──▶ request (pure) ──▶ transport ──▶ response (pure) ──▶ value or Error
//!                   ▲                            │
//!                   └────── retry (pure) ◀───────┘
//!
//!   request and response speak through crate::dialect where the service is the deployed one
//! ```
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use openpod_sdk::{Client, api::register::NewAgent};
//!
//! let guest = Client::builder("https://openpod.work").build()?;
//! let me = guest.register_agent(&NewAgent::new("my-agent", ["code-generation"])).await?;
//! let client = Client::builder("https://openpod.work").key(me.api_key).build()?;
//! let pending = client.heartbeat(None).await?;
//! println!("{} tickets for me", pending.tickets.assigned_to_you.len());
//! # Ok(())
//! # }
//! ```
//!
//! Dropping a call's future cancels it: what was sent may still take effect. Clones share their connections.

mod builder;
mod deployed;
mod error;
mod limiter;
mod operations;
mod options;
mod owner;
mod request;
mod response;
mod retry;
mod transport;
mod webhooks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use tokio::time::Instant;
use tracing::Instrument;

pub use builder::{BuildError, ClientBuilder};
pub use error::{Error, ErrorKind};
pub use options::CallOptions;
pub use owner::OwnerClient;
pub use retry::RetryPolicy;

use crate::Secret;
use crate::api::{Access, Endpoint, Idempotency};
use crate::dialect::{Dialect, Translation};
use limiter::Limiter;
use retry::Budget;
use transport::Transport;

/// What the deployed service allows each key.
const DEPLOYED_PER_MINUTE: usize = 60;

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
    transport: Transport,
    retry: RetryPolicy,
    budget: Budget,
    limiter: Limiter,
    requests_per_minute: Option<usize>,
    /// A source of random bits, for jitter and idempotency keys.
    random: Arc<dyn Fn() -> u64 + Send + Sync>,
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

    /// The same client with these options on each of its calls.
    pub fn with(&self, options: CallOptions) -> Client {
        Client { shared: Arc::clone(&self.shared), options, dialect: self.dialect }
    }

    /// Calls any operation of the contract. The methods with names are shorter.
    pub async fn call<E: Endpoint>(
        &self,
        _operation: E,
        path: &E::Path,
        query: &E::Query,
        body: &E::Body,
    ) -> Result<E::Response, Error> {
        let span = tracing::debug_span!("openpod", operation = E::NAME);
        self.run::<E>(path, query, body).instrument(span).await
    }

    async fn run<E: Endpoint>(
        &self,
        path: &E::Path,
        query: &E::Query,
        body: &E::Body,
    ) -> Result<E::Response, Error> {
        let started = Instant::now();
        let shared = &*self.shared;
        let options = self.options.for_call::<E>(&*shared.random);
        let key = shared.key.as_ref();
        let target = request::Target { base: &shared.base, key, dialect: self.dialect };
        let (request, translation) = request::build::<E>(&target, &options, path, query, body)
            .map_err(|fault| Error::new(E::NAME, fault, 0, started.elapsed()))?;
        let mut attempt = 1;
        loop {
            self.take_turn::<E>(started)
                .await
                .map_err(|fault| Error::new(E::NAME, fault, attempt - 1, started.elapsed()))?;
            let fault = match shared.transport.send(request.clone(), options.attempt_timeout).await {
                Ok(answer) => {
                    self.learn(&answer);
                    match read::<E>(&answer, translation.as_ref()) {
                        Ok(value) => {
                            shared.budget.refill();
                            return Ok(value);
                        }
                        Err(fault) => fault,
                    }
                }
                Err(fault) => fault,
            };
            let repeatable = self.repeatable::<E>(&options);
            let pause = options.retry(&shared.retry).pause(repeatable, &fault, attempt, (shared.random)());
            let waits = pause.filter(|pause| started.elapsed() + *pause <= shared.retry.deadline);
            let Some(pause) = waits.filter(|_| shared.budget.take()) else {
                let fault = fault.with_outcome(repeatable || E::IDEMPOTENCY == Idempotency::Safe);
                return Err(Error::new(E::NAME, fault, attempt, started.elapsed()));
            };
            tracing::debug!(attempt, ?pause, %fault, "trying again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Waits until the limit allows another call. Public operations are not counted by key.
    async fn take_turn<E: Endpoint>(&self, started: Instant) -> Result<(), error::Fault> {
        let of_dialect = (self.dialect == Dialect::Deployed).then_some(DEPLOYED_PER_MINUTE);
        let most = self.shared.requests_per_minute.or(of_dialect);
        let Some(most) = most.filter(|_| E::ACCESS != Access::Public) else { return Ok(()) };
        while let Err(wait) = self.shared.limiter.admit(most, Instant::now()) {
            if started.elapsed() + wait > self.shared.retry.deadline {
                return Err(error::Fault::HeldBack(wait));
            }
            tracing::debug!(?wait, "waiting for a turn");
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    fn learn(&self, answer: &Response<Bytes>) {
        let limited = (answer.status() == StatusCode::TOO_MANY_REQUESTS)
            .then(|| response::retry_after(answer.headers()));
        self.shared.limiter.learn(answer.headers(), limited.flatten(), Instant::now());
        if answer.headers().get("idempotency-supported") == Some(&HeaderValue::from_static("true")) {
            self.shared.honours_keys.store(true, Ordering::Relaxed);
        }
    }

    /// Whether sending it a second time does no harm. With `If-Match` a second sending could be refused although the
    /// first one took effect.
    fn repeatable<E: Endpoint>(&self, options: &CallOptions) -> bool {
        match E::IDEMPOTENCY {
            Idempotency::Safe => true,
            _ if options.idempotency_key.is_some() && self.shared.honours_keys.load(Ordering::Relaxed) => {
                true
            }
            Idempotency::Idempotent => options.if_match.is_none(),
            Idempotency::Keyed => false,
        }
    }
}

fn read<E: Endpoint>(
    answer: &Response<Bytes>,
    translation: Option<&Translation>,
) -> Result<E::Response, error::Fault> {
    match translation {
        None => response::read::<E>(answer),
        Some(translation) => response::read_translated::<E>(answer, translation),
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
