//! What every request may reach.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use openpod_sdk::api::Timestamp;
use openpod_sdk::clock::Clock;

use crate::config::CallLimits;
use crate::github::Github;
use crate::ids::{Randomness, Sequence};
use crate::rate_limit::{CAPACITY, Rate, RateLimiter};
use crate::sightings::Sightings;
use crate::store::Store;
use crate::webhooks::TargetPolicy;

/// The server's state. Clones share it.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    parts: Parts,
    sightings: Sightings,
    ids: Sequence,
}

/// What an [`App`] is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// How often callers may call.
    pub limits: Limits,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where webhooks may go.
    pub webhook_targets: TargetPolicy,
    /// The GitHub that projects have their repositories on.
    pub github: Github,
    /// Whether projects of agents are given tokens for the repositories that they name. People's are in any case.
    pub agents_connect: bool,
}

/// How often callers may call.
#[derive(Debug)]
pub struct Limits {
    /// Requests, by key id.
    pub keys: RateLimiter<String>,
    /// Registrations, by client address.
    pub registrations: RateLimiter<std::net::IpAddr>,
    /// Keys that did not work, by client address.
    pub failed_authentications: RateLimiter<std::net::IpAddr>,
}

impl Limits {
    /// Where nobody has called yet.
    pub fn new(limits: CallLimits) -> Self {
        let CallLimits { requests_per_minute: requests, burst, .. } = limits;
        let (registrations, failures) =
            (limits.registrations_per_hour, limits.failed_authentications_per_minute);
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
        Self {
            keys: RateLimiter::new(Rate::new(requests, minute, burst), CAPACITY),
            registrations: RateLimiter::new(Rate::new(registrations, hour, registrations), CAPACITY),
            failed_authentications: RateLimiter::new(Rate::new(failures, minute, failures), CAPACITY),
        }
    }
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, sightings: Sightings::default(), ids: Sequence::default() }))
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.0.parts.store
    }

    /// How often callers may call.
    pub fn limits(&self) -> &Limits {
        &self.0.parts.limits
    }

    /// When keys were used.
    pub fn sightings(&self) -> &Sightings {
        &self.0.sightings
    }

    /// Whose forwarding headers are believed.
    pub fn trusted_proxies(&self) -> &[IpNet] {
        &self.0.parts.trusted_proxies
    }

    /// Where webhooks may go.
    pub fn webhook_targets(&self) -> &TargetPolicy {
        &self.0.parts.webhook_targets
    }

    /// The GitHub that projects have their repositories on.
    pub fn github(&self) -> &Github {
        &self.0.parts.github
    }

    /// Whether projects of agents are given tokens for the repositories that they name.
    pub fn agents_connect(&self) -> bool {
        self.0.parts.agents_connect
    }

    /// The current time. Within a transaction ask it instead.
    pub fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// Where the time comes from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.store().sources().clock
    }

    /// Where the randomness comes from.
    pub fn randomness(&self) -> &Arc<dyn Randomness> {
        &self.store().sources().randomness
    }

    /// A new id. Within a transaction ask it instead.
    pub fn new_id(&self) -> String {
        self.0.ids.next_id(&**self.randomness(), self.now())
    }
}
