//! The webhook receiver: its secret, its listener, its registration on the platform.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::api::WebhookId;
use openpod_sdk::api::webhooks::{NewWebhook, Webhook};
use openpod_sdk::webhook::{SigningKey, Verifier};
use openpod_sdk::{Client, Dialect, Error, Secret};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::RunError;
use super::agent::Tools;
use crate::config::{AgentSettings, WebhookSettings};
use crate::crash;
use crate::effects::failure_of;
use crate::event::Event;
use crate::sources::webhook::{Doors, Receiver};

/// Listens for webhooks.
pub(super) async fn listener(
    address: SocketAddr,
    given: Option<TcpListener>,
) -> Result<TcpListener, RunError> {
    match given {
        Some(listener) => Ok(listener),
        None => TcpListener::bind(address).await.map_err(|source| RunError::Listen { address, source }),
    }
}

/// Receives for all agents. Nothing is received before an agent opens its door.
pub(super) fn serve(
    listener: TcpListener,
    doors: &Doors,
    stop: CancellationToken,
    background: &mut JoinSet<()>,
) {
    tracing::info!(address = ?listener.local_addr().ok(), "webhooks are received");
    let router = doors.router();
    background.spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
        {
            tracing::error!(%error, "the webhook receiver has ended; the heartbeat goes on alone");
        }
    });
}

/// What the receiver of one agent is made of.
pub(super) struct Door<'a> {
    pub(super) settings: &'a WebhookSettings,
    pub(super) agent: &'a AgentSettings,
    pub(super) client: &'a Client,
    pub(super) events: &'a mpsc::Sender<Event>,
    pub(super) tools: &'a Tools,
    pub(super) doors: &'a Doors,
    pub(super) stop: &'a CancellationToken,
}

impl Door<'_> {
    /// Begins to receive, and registers the receiver when its public address is known. Returns the secret in use.
    pub(super) fn open(self, background: &mut JoinSet<()>) -> Result<Secret, RunError> {
        let Door { settings, agent, client, events, tools, doors, stop } = self;
        let path = agent.directory.join("webhook.secret");
        let secret = secret(settings, &path, tools)?;
        let verifier = Verifier::new([secret.clone()]).map_err(|source| RunError::Secret { path, source })?;
        // The deployed service signs in the older way alone, with a secret of its own.
        let is_deployed = client.dialect() == Dialect::Deployed;
        let verifier = if is_deployed { verifier.accept_legacy() } else { verifier };
        let receiver = Receiver::new(verifier, Arc::clone(&tools.clock), events.clone());
        doors.open(agent.name.as_deref(), receiver);
        if is_deployed && settings.public_url.is_some() {
            tracing::warn!(
                "this platform chooses the secrets of webhooks: register the address yourself, and set webhook.secret \
                 to what it answers; until then the heartbeat finds everything"
            );
        } else if let Some(public_url) = &settings.public_url {
            let registration = Registration {
                client: client.clone(),
                url: address(public_url, agent.name.as_deref()),
                secret: secret.clone(),
                note: agent.directory.join("webhook.json"),
            };
            background.spawn(registration.keep_trying(stop.clone()));
        }
        Ok(secret)
    }
}

/// Where an agent is reached: what was configured, with its name at the end if it has one.
pub(super) fn address(public_url: &Url, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{}/{name}", public_url.as_str().trim_end_matches('/')),
        None => public_url.to_string(),
    }
}

/// The configured secret, or the one in the file, or a new one.
fn secret(settings: &WebhookSettings, path: &Path, tools: &Tools) -> Result<Secret, RunError> {
    if let Some(secret) = &settings.secret {
        return Ok(secret.clone());
    }
    let io = |source| RunError::Io { path: path.to_owned(), source };
    match std::fs::read_to_string(path) {
        Ok(text) => return Ok(Secret::new(text.trim())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(io(error)),
    }
    let mut random = [0; 32];
    for chunk in random.chunks_exact_mut(8) {
        chunk.copy_from_slice(&(tools.randomness)().to_ne_bytes());
    }
    let secret = SigningKey::generate(random);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    writeln!(file, "{}", secret.expose()).and_then(|()| file.sync_all()).map_err(io)?;
    Ok(secret)
}

/// The registration of a receiver on the platform.
struct Registration {
    client: Client,
    url: String,
    secret: Secret,
    /// Where it is noted which webhook is ours.
    note: PathBuf,
}

/// Which webhook is ours, and which secret it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    id: WebhookId,
    url: String,
    secret_sha256: String,
}

impl Registration {
    /// Tries until it is registered. Meanwhile the heartbeat finds everything.
    async fn keep_trying(self, stop: CancellationToken) {
        let mut pause = Duration::from_secs(1);
        loop {
            let failure = tokio::select! {
                () = stop.cancelled() => return,
                result = self.register() => match result {
                    Ok(()) => return,
                    Err(error) => failure_of(&error),
                }
            };
            tracing::warn!(
                url = self.url,
                reason = failure.reason,
                "the webhook is not registered; trying again"
            );
            let wait = pause.max(failure.retry_after.unwrap_or_default());
            pause = (pause * 2).min(Duration::from_secs(300));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One webhook for this address, active, with this secret. The platform does not show secrets, so one that is there
    /// is kept only when our note says that it has ours.
    async fn register(&self) -> Result<(), Error> {
        let secret_sha256 = hex::encode(Sha256::digest(self.secret.expose().as_bytes()));
        let noted: Option<Note> =
            std::fs::read(&self.note).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let is_ours = |webhook: &Webhook| {
            noted.as_ref().is_some_and(|note| {
                note.id == webhook.id && note.url == self.url && note.secret_sha256 == secret_sha256
            })
        };
        let there = self.client.list_webhooks().await?.data;
        let kept =
            there.iter().find(|webhook| webhook.is_active && webhook.url == self.url && is_ours(webhook));
        let id = match kept {
            Some(webhook) => webhook.id.clone(),
            None => {
                let webhook =
                    NewWebhook { secret: Some(self.secret.clone()), ..NewWebhook::all_events(&self.url) };
                let id = self.client.create_webhook(&webhook).await?.id;
                crash::point("webhook/registered");
                id
            }
        };
        let note = Note { id: id.clone(), url: self.url.clone(), secret_sha256 };
        if let Err(error) = std::fs::write(&self.note, serde_json::to_vec(&note).unwrap_or_default()) {
            tracing::warn!(note = %self.note.display(), %error, "the next start will register the webhook again");
        }
        crash::point("webhook/noted");
        let before = noted.map(|note| note.id);
        for stale in there {
            if stale.id != id && (stale.url == self.url || Some(&stale.id) == before.as_ref()) {
                self.client.delete_webhook(&stale.id).await?;
            }
        }
        tracing::info!(url = self.url, %id, "the webhook is registered");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::matchers::method;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    async fn platform(there: serde_json::Value) -> MockServer {
        let server = MockServer::start().await;
        let mocks = [
            ("GET", ResponseTemplate::new(200).set_body_json(json!({"data": there}))),
            (
                "POST",
                ResponseTemplate::new(201)
                    .set_body_json(json!({"data": {"id": "new", "url": "http://d/hook", "events": ["*"]}})),
            ),
            ("DELETE", ResponseTemplate::new(200).set_body_json(json!({"data": {"deleted": true}}))),
        ];
        for (verb, answer) in mocks {
            Mock::given(method(verb)).respond_with(answer).mount(&server).await;
        }
        server
    }

    async fn register(server: &MockServer, note: &Path, secret: &str) -> Vec<String> {
        let client = Client::builder(server.uri()).key("opk_a").build().unwrap();
        let registration = Registration {
            client,
            url: "http://d/hook".into(),
            secret: Secret::new(secret),
            note: note.to_owned(),
        };
        registration.register().await.unwrap();
        let calls = server.received_requests().await.unwrap();
        server.reset().await;
        calls
            .iter()
            .map(|call| format!("{} {}", call.method, call.url.path().rsplit('/').next().unwrap()))
            .collect()
    }

    fn webhook(id: &str, url: &str) -> serde_json::Value {
        json!({"id": id, "url": url, "events": ["*"], "is_active": true})
    }

    #[tokio::test]
    async fn what_is_registered_with_our_secret_is_kept_and_everything_stale_goes() {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("webhook.json");
        let server =
            platform(json!([webhook("old", "http://d/hook"), webhook("other", "http://e/hook")])).await;
        let first = register(&server, &note, "first secret").await;
        assert_eq!(first, ["GET webhooks", "POST webhooks", "DELETE old"]);

        let server =
            platform(json!([webhook("new", "http://d/hook"), webhook("other", "http://e/hook")])).await;
        assert_eq!(register(&server, &note, "first secret").await, ["GET webhooks"]);

        let server =
            platform(json!([webhook("elder", "http://d/hook"), webhook("gone", "http://d/hook")])).await;
        let changed = register(&server, &note, "another secret").await;
        assert_eq!(changed, ["GET webhooks", "POST webhooks", "DELETE elder", "DELETE gone"]);
    }
}
