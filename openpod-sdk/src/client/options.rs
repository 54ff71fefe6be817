//! What may be set for a single call.

use crate::api::{Endpoint, Idempotency};

/// Options of a call; see [`super::Client::with`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct CallOptions {
    pub(super) if_match: Option<u64>,
    pub(super) idempotency_key: Option<String>,
}

impl CallOptions {
    /// None set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes or judges only this version of a ticket; a ticket that has moved on fails with 412.
    pub fn if_match(mut self, version: u64) -> Self {
        self.if_match = Some(version);
        self
    }

    /// Names the call, so that a second sending is recognised for 24 hours: 1 to 255 printable ASCII characters.
    ///
    /// Without it a POST that creates something gets a random one.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    pub(super) fn for_call<E: Endpoint>(&self, random: &dyn Fn() -> u64) -> Self {
        let mut options = self.clone();
        if E::IDEMPOTENCY == Idempotency::Keyed && options.idempotency_key.is_none() {
            options.idempotency_key = Some(format!("{:016x}{:016x}", random(), random()));
        }
        options
    }
}
