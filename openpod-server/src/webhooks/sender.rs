//! One attempt: one request, to an address that was checked, within one deadline.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, header};
use openpod_sdk::api::{EventKind, Timestamp};
use openpod_sdk::webhook::header::LEGACY_EVENT;
use openpod_sdk::webhook::{BadSecret, SigningKey, sign};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, redirect};
use url::Url;

use super::target::{TargetPolicy, TargetRefused};
use crate::domain::delivery::Outcome;
use crate::store::deliveries::{Due, Leased};

/// How long an attempt may take, from the name's look-up to the end of the answer.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// How long a connection is kept for the next delivery.
const IDLE: Duration = Duration::from_secs(30);

/// How much of an answer is read. Only its status counts, but a receiver may want to see it taken.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Looks names up. Passed in, so that tests can say where a name leads.
pub trait Names: Send + Sync + 'static {
    /// The addresses of a name.
    fn look_up(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>>;
}

/// The machine's own way to look names up.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
        })
    }
}

/// Why an attempt got no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The target is not allowed.
    #[error("the address must {0}")]
    Target(#[from] TargetRefused),
    /// The secret cannot sign.
    #[error(transparent)]
    Secret(#[from] BadSecret),
    /// It took too long.
    #[error("the receiver did not answer in full within {} s", .0.as_secs_f32())]
    Deadline(Duration),
    /// The connection failed.
    #[error("{0}")]
    Connection(String),
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// What it makes of the attempt.
    pub outcome: Outcome,
}

/// Sends deliveries.
#[derive(Clone)]
pub struct Sender {
    policy: TargetPolicy,
    deadline: Duration,
    secure: Client,
    plain: Client,
}

/// How a sender goes about it.
pub struct Means {
    /// Where it may go.
    pub policy: TargetPolicy,
    /// How names are looked up.
    pub names: Arc<dyn Names>,
    /// How long an attempt may take.
    pub deadline: Duration,
    /// Certificate authorities that it trusts beside those of the machine.
    pub extra_ca: Vec<Certificate>,
}

impl Means {
    /// What `policy` allows, by the machine's names, within [`DEADLINE`].
    pub fn of(policy: TargetPolicy) -> Self {
        Self { policy, names: Arc::new(SystemNames), deadline: DEADLINE, extra_ca: Vec::new() }
    }
}

impl Sender {
    /// A sender by these means.
    pub fn new(means: Means) -> Result<Self, reqwest::Error> {
        let Means { policy, names, deadline, extra_ca } = means;
        let client = |plain| {
            let guard = Guard { policy: policy.clone(), names: Arc::clone(&names), plain };
            // A proxy would connect to whatever it likes, and a redirect lead where nobody looked.
            let builder = Client::builder()
                .user_agent(concat!("openpod-server/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .referer(false)
                .pool_idle_timeout(IDLE)
                .dns_resolver(guard);
            // Asked for none, the platform's own verifier is used as it is.
            if extra_ca.is_empty() { builder } else { builder.tls_certs_merge(extra_ca.clone()) }.build()
        };
        Ok(Self { secure: client(false)?, plain: client(true)?, policy, deadline })
    }

    /// How long an attempt may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The way to a webhook, if one may go there.
    pub(super) fn route(&self, leased: &Leased) -> Result<Route<'_>, SendError> {
        let url = self.policy.check(&leased.url)?;
        let client = if url.scheme() == "http" { &self.plain } else { &self.secure };
        let keys = leased.secrets.iter().map(SigningKey::parse).collect::<Result<_, _>>()?;
        Ok(Route { client, url, keys, deadline: self.deadline })
    }
}

/// The way to a webhook: judged once for each turn, walked once for each delivery.
pub(super) struct Route<'s> {
    client: &'s Client,
    url: Url,
    keys: Vec<SigningKey>,
    deadline: Duration,
}

impl Route<'_> {
    /// Attempts a delivery at `now`.
    pub(super) async fn send(&self, due: &Due, now: Timestamp) -> Result<Reply, SendError> {
        let exchange = async {
            let request = self.client.post(self.url.clone()).headers(self.headers(due, now));
            let mut answer = request.body(due.body.clone()).send().await.map_err(of_reqwest)?;
            let reply = reply(answer.status().as_u16(), answer.headers(), now);
            let mut read = 0;
            while read < MAX_ANSWER_BYTES
                && let Some(chunk) = answer.chunk().await.map_err(of_reqwest)?
            {
                read += chunk.len();
            }
            Ok(reply)
        };
        tokio::time::timeout(self.deadline, exchange).await.unwrap_or(Err(SendError::Deadline(self.deadline)))
    }

    fn headers(&self, due: &Due, now: Timestamp) -> HeaderMap {
        let mut headers = sign(&self.keys, due.id.as_str(), now, &due.body);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(LEGACY_EVENT, event_name(&due.event));
        headers
    }
}

fn event_name(event: &EventKind) -> HeaderValue {
    HeaderValue::from_str(event.as_str()).unwrap_or(HeaderValue::from_static("unknown"))
}

fn reply(status: u16, headers: &HeaderMap, now: Timestamp) -> Reply {
    Reply { status, outcome: Outcome::of_status(status, retry_after(headers, now)) }
}

/// `Retry-After` in either of its forms: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp::from(date).since(now))
}

/// The error with its causes, in one line and without the address, which may hold a secret.
fn of_reqwest(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<TargetRefused>() {
            return SendError::Target(refused.clone());
        }
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    SendError::Connection(text)
}

/// Looks names up and hands out only addresses that were judged, so the connection is made to one of them.
struct Guard {
    policy: TargetPolicy,
    names: Arc<dyn Names>,
    plain: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, plain) = (self.policy.clone(), self.plain);
        let found = self.names.look_up(name.as_str().to_owned());
        Box::pin(async move {
            let found = found.await?;
            policy.check_all(found.iter().copied(), plain)?;
            let addresses: Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_by_a_date() {
        let now: Timestamp = "2015-10-21T07:28:00Z".parse().unwrap();
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers, now).map(|pause| pause.as_secs())
        };
        assert_eq!(read("120"), Some(120));
        assert_eq!(read("Wed, 21 Oct 2015 07:30:00 GMT"), Some(120));
        assert_eq!(read("Wed, 21 Oct 2015 07:00:00 GMT"), Some(0));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-5"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
