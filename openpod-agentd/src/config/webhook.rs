//! How we are woken: where webhooks arrive.

use std::net::SocketAddr;

use openpod_sdk::Secret;
use openpod_sdk::webhook::SigningKey;
use serde::{Deserialize, Serialize};
use url::Url;

use super::check::Check;

/// `[webhook]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawWebhook {
    /// Where to listen, such as `127.0.0.1:8787`. Without it there is no receiver, and the heartbeat does it alone.
    pub listen: Option<String>,
    /// The receiver's address as the platform reaches it. When set, the daemon registers it at its start.
    pub public_url: Option<String>,
    /// The key of the signatures. Without it the daemon makes one and keeps it in the data directory.
    pub secret: Option<Secret>,
}

/// How we are woken.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// What to register.
    pub public_url: Option<Url>,
    /// The key of the signatures, if it was chosen.
    pub secret: Option<Secret>,
}

impl RawWebhook {
    pub(super) fn validate(self, check: &mut Check) -> Option<WebhookSettings> {
        if let Some(secret) = &self.secret
            && let Err(problem) = SigningKey::parse(secret)
        {
            check.wrong("webhook.secret", problem.to_string());
        }
        let public_url = self.public_url.as_ref().and_then(|text| {
            let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            check.require(url.is_some(), "webhook.public_url", "must be an http or https address");
            url
        });
        let Some(listen) = &self.listen else {
            check.require(self.public_url.is_none(), "webhook.public_url", "needs webhook.listen beside it");
            return None;
        };
        let Ok(listen) = listen.parse() else {
            check.wrong("webhook.listen", "must be an address and port, such as 127.0.0.1:8787");
            return None;
        };
        Some(WebhookSettings { listen, public_url, secret: self.secret })
    }
}
