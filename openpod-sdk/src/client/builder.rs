//! From settings to a client.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use url::{Host, Url};

use super::request;
use super::retry::{Budget, RetryPolicy};
use super::transport::{self, Transport};
use super::{CallOptions, Client, Middleware, OwnerClient, Shared, SystemTimer, Timer};
use crate::Secret;
use crate::dialect::Dialect;

/// Settings of a client.
#[must_use]
pub struct ClientBuilder {
    address: String,
    key: Option<Secret>,
    dialect: Option<Dialect>,
    retry: RetryPolicy,
    connect_timeout: Duration,
    attempt_timeout: Duration,
    body_limit: usize,
    user_agent: String,
    requests_per_minute: Option<usize>,
    random: Arc<dyn Fn() -> u64 + Send + Sync>,
    timer: Option<Arc<dyn Timer>>,
    stall_timeout: Duration,
    operation_timeout: Duration,
    middleware: Vec<Box<dyn Middleware>>,
    transport: Option<Transport>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The address is no address of a service: `http` or `https`, without a name or password, a query or a fragment.
    #[error("{address:?} is not the http or https address of a service, such as https://openpod.work")]
    Address {
        /// What was given; `…` where it may hold a password.
        address: String,
    },
    /// The key would travel in the clear.
    #[error(
        "refusing to send a key over plain http to {host}; use https (plain http is for loopback addresses only)"
    )]
    PlainHttp {
        /// Where to.
        host: String,
    },
    /// The key has characters that no header can carry.
    #[error("the key contains characters that cannot be sent; check for line breaks and spaces")]
    Key,
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ClientBuilder {
    pub(super) fn new(address: String) -> Self {
        Self {
            address,
            key: None,
            dialect: None,
            retry: RetryPolicy::default(),
            connect_timeout: Duration::from_secs(10),
            attempt_timeout: Duration::from_secs(30),
            body_limit: 16 << 20,
            user_agent: concat!("openpod-sdk/", env!("CARGO_PKG_VERSION")).to_owned(),
            requests_per_minute: None,
            random: Arc::new(|| getrandom::u64().unwrap_or(u64::MAX)),
            timer: None,
            stall_timeout: Duration::from_secs(20),
            operation_timeout: Duration::from_secs(150),
            middleware: Vec::new(),
            transport: None,
        }
    }

    /// How the service speaks. Unless told, as its key says ([`Dialect::of_key`]), and without a key as the API reference
    /// does; [`Client::detect`] asks the service.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// The key: `opk_…` of an agent, `opo_…` of an owner, `openpod_…` of the deployed service. Its beginning is not
    /// checked. It is sent to this address only.
    pub fn key(mut self, key: impl Into<Secret>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// When and how often to try again.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How long connecting may take: 10 s unless told.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long one attempt may take, its answer's body included: 30 s unless told.
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt_timeout = limit;
        self
    }

    /// How long an answer that has begun may stand still before it is given up: 20 s unless told.
    pub fn stall_timeout(mut self, limit: Duration) -> Self {
        self.stall_timeout = limit;
        self
    }

    /// How long a whole call may take, all attempts, pauses and turns included: 150 s unless told.
    pub fn operation_timeout(mut self, limit: Duration) -> Self {
        self.operation_timeout = limit;
        self
    }

    /// How large an answer may be, in bytes: 16 MiB unless told.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// How many calls may begin within a minute, for all clones together; further ones wait their turn, as long as the
    /// retry policy's deadline allows, and then fail with [`ErrorKind::RateLimited`](super::ErrorKind::RateLimited).
    /// 60 in the deployed dialect unless told, which is what that service allows; no limit in the documented one.
    pub fn requests_per_minute(mut self, most: u32) -> Self {
        self.requests_per_minute = Some(usize::try_from(most).unwrap_or(usize::MAX));
        self
    }

    /// What to call oneself.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Where random bits for jitter and idempotency keys come from: the operating system unless told.
    pub fn random(mut self, source: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.random = Arc::new(source);
        self
    }

    /// What measures and waits: between attempts, for a turn below the limit, between heartbeats. The tokio runtime, or
    /// the browser, unless told. Time-outs of a connection or attempt are the HTTP library's own.
    pub fn timer(mut self, timer: impl Timer) -> Self {
        self.timer = Some(Arc::new(timer));
        self
    }

    /// Shows every attempt to this, and sends what it adds. Several are asked in the order in which they were given.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.middleware.push(Box::new(middleware));
        self
    }

    /// Uses the connections of another client, with its time-outs, its limit for answers and its name. For several keys in
    /// one process: the key is still sent to this client's own address only.
    pub fn connections_of(mut self, other: &Client) -> Self {
        self.transport = Some(other.shared.transport.clone());
        self
    }

    /// A client for agents. Fails where the address is none, and where the key cannot be sent or would travel in the clear;
    /// nothing is sent yet.
    pub fn build(self) -> Result<Client, BuildError> {
        let base = parse_address(&self.address)?;
        if self.key.is_some() && base.scheme() == "http" && !is_loopback(&base) {
            return Err(BuildError::PlainHttp { host: base.host_str().unwrap_or_default().to_owned() });
        }
        let authorization = self.key.as_ref().map(request::authorization).transpose();
        let authorization = authorization.map_err(|_| BuildError::Key)?;
        let of_key = || self.key.as_ref().and_then(|key| Dialect::of_key(key.expose()));
        let dialect = self.dialect.or_else(of_key).unwrap_or_default();
        let transport = match self.transport {
            Some(transport) => transport,
            None => {
                let limits = transport::Limits {
                    connect: self.connect_timeout,
                    attempt: self.attempt_timeout,
                    stall: self.stall_timeout,
                    body: self.body_limit,
                };
                Transport::new(&self.user_agent, limits)
                    .map_err(|source| BuildError::Transport(source.into()))?
            }
        };
        let shared = Shared {
            base,
            key: self.key,
            authorization,
            transport,
            budget: Budget::new(self.retry.budget),
            limiter: super::Limiter::default(),
            requests_per_minute: self.requests_per_minute,
            retry: self.retry,
            random: self.random,
            timer: self.timer.unwrap_or_else(|| Arc::new(SystemTimer::default())),
            operation_timeout: self.operation_timeout,
            middleware: self.middleware,
            honours_keys: AtomicBool::new(false),
        };
        Ok(Client { shared: Arc::new(shared), options: CallOptions::new(), dialect })
    }

    /// A client for the owner surface. Fails as [`ClientBuilder::build`] does.
    pub fn build_owner(self) -> Result<OwnerClient, BuildError> {
        self.build().map(OwnerClient)
    }
}

fn parse_address(address: &str) -> Result<Url, BuildError> {
    // Before an @ there may stand a password or key, so such an address is not repeated.
    let shown = if address.contains('@') { "…" } else { address };
    let wrong = || BuildError::Address { address: shown.to_owned() };
    let mut base = Url::parse(address).map_err(|_| wrong())?;
    let has_credentials = !base.username().is_empty() || base.password().is_some();
    let goes_on = base.query().is_some() || base.fragment().is_some();
    if !matches!(base.scheme(), "http" | "https") || has_credentials || goes_on {
        return Err(wrong());
    }
    let path = base.path().trim_end_matches('/').to_owned();
    base.set_path(&path);
    Ok(base)
}

fn is_loopback(base: &Url) -> bool {
    match base.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_sent_in_the_clear_over_a_network() {
        let build = |address: &str| Client::builder(address).key("opk_a").build();
        assert!(matches!(build("http://openpod.work"), Err(BuildError::PlainHttp { .. })));
        for address in
            ["https://openpod.work", "http://127.0.0.1:4000", "http://[::1]:4000", "http://localhost"]
        {
            assert!(build(address).is_ok(), "{address}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_repeating_a_password() {
        for address in ["openpod.work", "ftp://openpod.work", "https://openpod.work/?a=b"] {
            assert!(matches!(Client::builder(address).build(), Err(BuildError::Address { .. })), "{address}");
        }
        for address in
            ["https://me:hunter2@openpod.work", "https://hunter2@openpod.work", "https://me:hunter2@[x"]
        {
            let refused = Client::builder(address).build().unwrap_err();
            assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{address}");
        }
    }
}
