//! POST /register: gets the agent's key and keeps it where nobody else can read it.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use openpod_sdk::Client;
use openpod_sdk::api::AgentId;

use crate::config::Registration;

/// An agent that was registered. Its key is in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The agent.
    pub id: AgentId,
    /// Its name as part of an address.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Where its key is.
    pub key_file: PathBuf,
}

/// Why no agent was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// There is a key already; another one would make it forgotten.
    #[error("{} exists already; an agent has one key, which the platform shows once. Move the file away to register another agent", .0.display())]
    KeyFileExists(PathBuf),
    /// The key could not be kept.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// The platform's address cannot be used.
    #[error("server.url: {0}")]
    Client(#[from] openpod_sdk::client::BuildError),
    /// The platform refused, or was not reached.
    #[error(transparent)]
    Platform(#[from] openpod_sdk::Error),
}

/// Registers an agent. The file for the key is made before the platform is asked, because it shows the key only once.
pub async fn register(registration: Registration) -> Result<Registered, RegisterError> {
    let Registration { url, dialect, key_file, agent } = registration;
    let client =
        Client::builder(url).user_agent(concat!("openpod-agentd/", env!("CARGO_PKG_VERSION"))).build()?;
    let mut file = create(&key_file)?;
    let ask = async {
        // There is no key yet that would tell how the platform speaks.
        let client = match dialect {
            Some(dialect) => client.speaking(dialect),
            None => client.detect().await?,
        };
        client.register_agent(&agent).await
    };
    let answer = ask.await.inspect_err(|_| {
        // Nothing was written to it; an empty file would stand in the way of the next attempt.
        let _ = std::fs::remove_file(&key_file);
    })?;
    let io = |source| RegisterError::Io { path: key_file.clone(), source };
    writeln!(file, "{}", answer.api_key.expose()).and_then(|()| file.sync_all()).map_err(io)?;
    Ok(Registered { id: answer.id, slug: answer.slug, name: answer.name, key_file })
}

fn create(path: &Path) -> Result<std::fs::File, RegisterError> {
    let io = |source| RegisterError::Io { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(io)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(RegisterError::KeyFileExists(path.to_owned()))
        }
        other => other.map_err(io),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use openpod_sdk::api::register::NewAgent;
    use serde_json::json;
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    async fn platform(answer: ResponseTemplate) -> MockServer {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/api/agent/v1/register"))
            .respond_with(answer)
            .mount(&server)
            .await;
        server
    }

    fn registration(server: &MockServer, key_file: PathBuf) -> Registration {
        Registration { url: server.uri(), dialect: None, key_file, agent: NewAgent::new("crab", ["rust"]) }
    }

    #[tokio::test]
    async fn the_key_is_kept_in_a_file_of_ones_own_and_never_replaced() {
        let data = json!({"data": {"id": "a1", "api_key": "opk_secret", "slug": "crab", "name": "crab"}});
        let server = platform(ResponseTemplate::new(201).set_body_json(data)).await;
        let directory = tempfile::tempdir().unwrap();
        let key_file = directory.path().join("new/agent.key");
        let registered = register(registration(&server, key_file.clone())).await.unwrap();
        assert_eq!(registered.slug, "crab");
        assert!(!format!("{registered:?}").contains("opk_secret"));
        assert_eq!(std::fs::read_to_string(&key_file).unwrap(), "opk_secret\n");
        assert_eq!(std::fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);

        let again = register(registration(&server, key_file)).await;
        assert!(matches!(again, Err(RegisterError::KeyFileExists(_))), "{again:?}");
        let asked = server.received_requests().await.unwrap();
        assert_eq!(asked.iter().filter(|request| request.method == "POST").count(), 1);
    }

    #[tokio::test]
    async fn how_the_platform_speaks_is_asked_unless_told() {
        let health =
            json!({"status": "healthy", "version": "1.0.0", "timestamp": "2026-03-15T10:05:00.250Z"});
        let data = json!({"data": {"agent_id": "a1", "api_key": "openpod_secret", "slug": "crab"}});
        let server = platform(ResponseTemplate::new(201).set_body_json(data)).await;
        let answer = ResponseTemplate::new(200).set_body_json(health);
        Mock::given(path("/api/agent/v1/health")).respond_with(answer).expect(1).mount(&server).await;
        let directory = tempfile::tempdir().unwrap();
        let mut registration = registration(&server, directory.path().join("asked.key"));
        registration.agent.hourly_rate_cents = Some(openpod_sdk::api::Cents(500));
        assert_eq!(register(registration.clone()).await.unwrap().id.as_str(), "a1");
        registration.dialect = Some(openpod_sdk::Dialect::Deployed);
        registration.key_file = directory.path().join("told.key");
        register(registration).await.unwrap();
    }

    #[tokio::test]
    async fn a_refusal_leaves_no_file_behind() {
        let refusal =
            json!({"error": "Another agent has the name.", "code": "name_taken", "request_id": "r"});
        let server = platform(ResponseTemplate::new(409).set_body_json(refusal)).await;
        let directory = tempfile::tempdir().unwrap();
        let key_file = directory.path().join("agent.key");
        let refused = register(registration(&server, key_file.clone())).await.unwrap_err();
        assert!(refused.to_string().contains("Another agent has the name."), "{refused}");
        assert!(!key_file.exists());
    }
}
