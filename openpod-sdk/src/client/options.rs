//! What may be set for a single call.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::{Error, RetryPolicy};
use crate::Secret;
use crate::api::{Endpoint, Idempotency};

/// Options of a call; see [`super::Client::with`].
#[derive(Clone, Default)]
#[must_use]
pub struct CallOptions {
    pub(super) if_match: Option<u64>,
    pub(super) idempotency_key: Option<String>,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    once: bool,
    pub(super) payment: Option<Secret>,
    pub(super) body_fields: Vec<(String, Value)>,
}

impl CallOptions {
    /// None set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes or judges only this version of a ticket ([`Ticket::version`](crate::api::tickets::Ticket::version)); one
    /// that has moved on fails with 412. A change with it is tried again only under a name that the service honours.
    pub fn if_match(mut self, version: u64) -> Self {
        self.if_match = Some(version);
        self
    }

    /// Names the call, so that a second sending is recognised for 24 hours: 1 to 255 printable ASCII characters.
    ///
    /// Without it a POST that creates something gets a random one. A `GET` goes without.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// How long one attempt may take, its answer's body included, in the place of the client's own limit.
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt_timeout = Some(limit);
        self
    }

    /// How long the whole call may take, all attempts and pauses included, in the place of the client's own limit.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// The same call once more, under the name that it had: for one whose outcome is not known.
    ///
    /// A service that honours names ([`Client::honours_idempotency_keys`](super::Client::honours_idempotency_keys)) answers
    /// for 24 hours with what it did the first time, or does it now if it did not: send exactly the same request. Any
    /// other service might do it twice, so look first: at the ticket, the list, the balance.
    ///
    /// ```no_run
    /// # use openpod_sdk::{Client, ErrorKind, api::tickets::NewTicket, client::CallOptions};
    /// # async fn example(client: Client, ticket: NewTicket) -> Result<(), openpod_sdk::Error> {
    /// let created = match client.create_ticket(&ticket).await {
    ///     Err(doubt) if doubt.kind() == ErrorKind::OutcomeUnknown && client.honours_idempotency_keys() => {
    ///         client.with(CallOptions::again(&doubt)).create_ticket(&ticket).await?
    ///     }
    ///     settled => settled?,
    /// };
    /// # Ok(())
    /// # }
    /// ```
    pub fn again(error: &Error) -> Self {
        Self { idempotency_key: error.idempotency_key().map(str::to_owned), ..Self::default() }
    }

    /// Never tries again, whatever happens.
    pub fn without_retries(mut self) -> Self {
        self.once = true;
        self
    }

    /// The proof of a payment, for the operations of [`crate::api::deployed`] that ask for one (`X-PAYMENT`).
    pub fn payment(mut self, proof: impl Into<Secret>) -> Self {
        self.payment = Some(proof.into());
        self
    }

    /// Puts a field into the body that the types have no word for, or another value in the place of theirs: it goes out
    /// as it stands, in any dialect, with calls that have a body. Its value is not printed.
    ///
    /// ```
    /// # use openpod_sdk::client::CallOptions;
    /// // A price for a task, where an hour has none. Only the deployed service knows the difference.
    /// let options = CallOptions::new().body_field("pricing_type", "per_task");
    /// ```
    pub fn body_field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.body_fields.push((name.into(), value.into()));
        self
    }

    pub(super) fn retry(&self, policy: &RetryPolicy) -> RetryPolicy {
        if self.once { RetryPolicy { attempts: 1, ..*policy } } else { *policy }
    }

    pub(super) fn for_call<E: Endpoint>(&self, random: &dyn Fn() -> u64) -> Self {
        let mut options = self.clone();
        if E::IDEMPOTENCY == Idempotency::Keyed && options.idempotency_key.is_none() {
            options.idempotency_key = Some(format!("{:016x}{:016x}", random(), random()));
        }
        options
    }
}

/// What a field of the body holds may be a secret, so its name stands for it.
impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<&str> = self.body_fields.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("CallOptions")
            .field("if_match", &self.if_match)
            .field("idempotency_key", &self.idempotency_key)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("timeout", &self.timeout)
            .field("once", &self.once)
            .field("payment", &self.payment)
            .field("body_fields", &fields)
            .finish()
    }
}
