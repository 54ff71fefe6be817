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
use openpod_sdk::client::CallOptions;
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

/// How long one call about a webhook may take: an agent that starts may wait for it.
const PATIENCE: Duration = Duration::from_secs(30);

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
    /// Begins to receive, and registers the receiver when its public address is known. Returns the secret in use, if
    /// there is one.
    pub(super) async fn open(self, background: &mut JoinSet<()>) -> Result<Option<Secret>, RunError> {
        let theirs = self.client.dialect() == Dialect::Deployed && self.settings.secret.is_none();
        if theirs { self.open_with_their_secret().await } else { self.open_with_ours(background).map(Some) }
    }

    /// We choose the secret, or somebody did who registered the receiver by hand.
    fn open_with_ours(self, background: &mut JoinSet<()>) -> Result<Secret, RunError> {
        let secret = secret(self.settings, &self.secret_file(), self.tools)?;
        self.receive(&secret)?;
        if self.client.dialect() == Dialect::Documented
            && let Some(registration) = self.registration(Some(secret.clone()))
        {
            background.spawn(registration.keep_trying(self.stop.clone()));
        }
        Ok(secret)
    }

    /// The deployed service chooses the secret and shows it once. It is asked now, because whatever is read of the worker
    /// from now on must be read without that secret.
    async fn open_with_their_secret(self) -> Result<Option<Secret>, RunError> {
        let Some(registration) = self.registration(None) else {
            tracing::warn!(
                "this platform chooses the secrets of webhooks: set webhook.public_url, so that it is asked"
            );
            return Ok(None);
        };
        let registered = tokio::select! {
            () = self.stop.cancelled() => return Ok(None),
            registered = registration.register() => registered,
        };
        match registered {
            Ok(Some(secret)) => self.receive(&secret).map(|()| Some(secret)),
            Ok(None) => {
                tracing::warn!("the platform did not tell the webhook's secret; the heartbeat goes on alone");
                Ok(None)
            }
            Err(error) => {
                let reason = failure_of(&error).reason;
                tracing::warn!(
                    reason,
                    "the webhook is not registered; the heartbeat goes on alone until the next start"
                );
                Ok(None)
            }
        }
    }

    fn secret_file(&self) -> PathBuf {
        self.agent.directory.join("webhook.secret")
    }

    /// Opens the door to what is signed with this.
    fn receive(&self, secret: &Secret) -> Result<(), RunError> {
        let bad = |source| RunError::Secret { path: self.secret_file(), source };
        let verifier = Verifier::new([secret.clone()]).map_err(bad)?;
        // The deployed service signs in the older way alone.
        let is_deployed = self.client.dialect() == Dialect::Deployed;
        let verifier = if is_deployed { verifier.accept_legacy() } else { verifier };
        let receiver = Receiver::new(verifier, Arc::clone(&self.tools.clock), self.events.clone());
        self.doors.open(self.agent.name.as_deref(), receiver);
        Ok(())
    }

    fn registration(&self, secret: Option<Secret>) -> Option<Registration> {
        let public_url = self.settings.public_url.as_ref()?;
        Some(Registration {
            client: self.client.with(CallOptions::new().timeout(PATIENCE)),
            url: address(public_url, self.agent.name.as_deref()),
            secret,
            secret_file: self.secret_file(),
            note: self.agent.directory.join("webhook.json"),
        })
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
    keep(&secret, path).map_err(io)?;
    Ok(secret)
}

/// The registration of a receiver on the platform.
struct Registration {
    client: Client,
    url: String,
    /// The one that we chose; where the platform does, it is in the file once it was told.
    secret: Option<Secret>,
    secret_file: PathBuf,
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
                    Ok(_) => return,
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
    /// is kept only when our note says that it has ours. Returns the secret, where it is known.
    async fn register(&self) -> Result<Option<Secret>, Error> {
        let known = self.secret.clone().or_else(|| read(&self.secret_file));
        let noted: Option<Note> =
            std::fs::read(&self.note).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let is_ours = |webhook: &Webhook| {
            let has_it =
                |note: &Note| known.as_ref().is_some_and(|secret| note.secret_sha256 == hash(secret));
            noted.as_ref().is_some_and(|note| note.id == webhook.id && note.url == self.url && has_it(note))
        };
        let there = self.client.list_webhooks().await?.data;
        let kept =
            there.iter().find(|webhook| webhook.is_active && webhook.url == self.url && is_ours(webhook));
        let (id, secret) = match kept {
            Some(webhook) => (webhook.id.clone(), known),
            None => self.create().await?,
        };
        let secret_sha256 = secret.as_ref().map(hash).unwrap_or_default();
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
        Ok(secret)
    }

    /// A new one, and its secret: ours, or the one that the platform made and that is kept here.
    async fn create(&self) -> Result<(WebhookId, Option<Secret>), Error> {
        let webhook = NewWebhook { secret: self.secret.clone(), ..NewWebhook::all_events(&self.url) };
        let made = self.client.create_webhook(&webhook).await?;
        crash::point("webhook/registered");
        if self.secret.is_some() {
            return Ok((made.id, self.secret.clone()));
        }
        if let Some(Err(error)) = made.secret.as_ref().map(|secret| keep(secret, &self.secret_file)) {
            let file = self.secret_file.display();
            tracing::warn!(%file, %error, "the secret cannot be kept; the next start will register the webhook again");
        }
        Ok((made.id, made.secret))
    }
}

fn hash(secret: &Secret) -> String {
    hex::encode(Sha256::digest(secret.expose().as_bytes()))
}

fn read(path: &Path) -> Option<Secret> {
    std::fs::read_to_string(path).ok().map(|text| Secret::new(text.trim()))
}

/// Writes a secret where nobody else reads it, in the place of an earlier one.
fn keep(secret: &Secret, path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", secret.expose()).and_then(|()| file.sync_all())
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
            secret: Some(Secret::new(secret)),
            secret_file: note.with_extension("secret"),
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

    #[tokio::test]
    async fn a_secret_that_the_platform_chose_is_kept_and_its_webhook_with_it() {
        use std::os::unix::fs::PermissionsExt;
        let server = MockServer::start().await;
        let chosen = "whsec_fedcba9876543210fedcba9876543210";
        let made = json!({"data": {"id": "new", "url": "https://d/hook", "events": ["*"], "secret": chosen}});
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": []})))
            .up_to_n_times(1)
            .mount(&server)
            .await;
        let there = json!({"data": [webhook("new", "https://d/hook")]});
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(200).set_body_json(there))
            .mount(&server)
            .await;
        let once = ResponseTemplate::new(201).set_body_json(made);
        Mock::given(method("POST")).respond_with(once).expect(1).mount(&server).await;

        let directory = tempfile::tempdir().unwrap();
        let registration = Registration {
            client: Client::builder(server.uri()).key("openpod_a").build().unwrap(),
            url: "https://d/hook".into(),
            secret: None,
            secret_file: directory.path().join("webhook.secret"),
            note: directory.path().join("webhook.json"),
        };
        for _ in ["registered", "kept"] {
            let secret = registration.register().await.unwrap().unwrap();
            assert_eq!(secret.expose(), chosen);
        }
        let file = registration.secret_file.metadata().unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        let requests = server.received_requests().await.unwrap();
        let sent = requests.iter().find(|request| request.method == "POST").unwrap();
        let sent: serde_json::Value = sent.body_json().unwrap();
        assert_eq!(sent, json!({"url": "https://d/hook", "events": ["*"]}), "no secret of ours");
    }
}
