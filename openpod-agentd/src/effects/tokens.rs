//! `GET /github/token`: a token for a project's repository, kept until it is about to expire.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use openpod_sdk::Client;
use openpod_sdk::api::ProjectId;
use openpod_sdk::api::github::GithubToken;
use openpod_sdk::clock::Clock;
use tokio::sync::Mutex;
use url::Url;

use crate::config::GitSettings;
use crate::credentials::{ScopedToken, TokenError, TokenSource};

/// A token that expires sooner is not handed out. The platform itself renews five minutes before.
const MARGIN: Duration = Duration::from_secs(120);

/// The token sources of all projects.
pub(super) struct Tokens {
    client: Client,
    git: GitSettings,
    clock: Arc<dyn Clock>,
    sources: StdMutex<HashMap<ProjectId, Arc<ProjectTokens>>>,
}

impl Tokens {
    pub(super) fn new(client: Client, git: GitSettings, clock: Arc<dyn Clock>) -> Self {
        Self { client, git, clock, sources: StdMutex::default() }
    }

    /// The source of one project. The same for all its tickets, so they share the token.
    pub(super) fn of(&self, project: &ProjectId) -> Arc<ProjectTokens> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let source = sources.entry(project.clone()).or_insert_with(|| {
            Arc::new(ProjectTokens {
                client: self.client.clone(),
                git: self.git.clone(),
                clock: Arc::clone(&self.clock),
                project: project.clone(),
                kept: Mutex::new(None),
            })
        });
        Arc::clone(source)
    }
}

/// The tokens of one project.
pub(super) struct ProjectTokens {
    client: Client,
    git: GitSettings,
    clock: Arc<dyn Clock>,
    project: ProjectId,
    kept: Mutex<Option<ScopedToken>>,
}

impl TokenSource for ProjectTokens {
    fn token(&self, fresh: bool) -> BoxFuture<'_, Result<ScopedToken, TokenError>> {
        Box::pin(async move {
            let mut kept = self.kept.lock().await;
            let good_until = self.clock.now().plus(MARGIN);
            if let Some(token) = kept.as_ref().filter(|token| !fresh && token.expires_at > good_until) {
                return Ok(token.clone());
            }
            let answer = self.client.github_token(&self.project).await.map_err(TokenError::new)?;
            let token = scoped(answer, &self.git).map_err(TokenError::new)?;
            *kept = Some(token.clone());
            Ok(token)
        })
    }
}

/// The platform's answer with the addresses that it may leave out.
fn scoped(answer: GithubToken, git: &GitSettings) -> Result<ScopedToken, url::ParseError> {
    let GithubToken { token, expires_at, repo_owner: owner, repo_name: name, clone_url, api_url, .. } =
        answer;
    let clone_url = match clone_url {
        Some(url) => Url::parse(&url)?,
        None => {
            let base = git.web_url.as_str().trim_end_matches('/');
            Url::parse(&format!("{base}/{owner}/{name}.git"))?
        }
    };
    let api_url = api_url.map_or_else(|| Ok(git.api_url.clone()), |url| Url::parse(&url))?;
    Ok(ScopedToken { token, expires_at, clone_url, api_url, owner, name })
}

#[cfg(test)]
mod tests {
    use openpod_sdk::api::Timestamp;
    use openpod_sdk::clock::ManualClock;
    use serde_json::json;
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, MockServer, Request, ResponseTemplate};

    use super::*;
    use crate::config::RawConfig;

    const HOUR: Duration = Duration::from_secs(3600);

    /// A platform whose tokens work for an hour and are numbered.
    async fn platform(clock: &ManualClock) -> MockServer {
        let server = MockServer::start().await;
        let (clock, number) = (clock.clone(), std::sync::atomic::AtomicU32::new(0));
        let answer = move |_: &Request| {
            let number = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            ResponseTemplate::new(200).set_body_json(json!({
                "token": format!("ghs_{number}"), "expires_at": clock.now().plus(HOUR), "permissions": {},
                "repo_owner": "acme", "repo_name": "shop", "repo_full_name": "acme/shop",
            }))
        };
        Mock::given(method("GET"))
            .and(path("/api/agent/v1/github/token"))
            .respond_with(answer)
            .mount(&server)
            .await;
        server
    }

    fn tokens(server: &MockServer, clock: &ManualClock) -> Tokens {
        let client = Client::builder(server.uri()).key(openpod_sdk::Secret::new("opk_test")).build().unwrap();
        let mut raw = RawConfig { data_dir: Some("/nowhere".into()), ..RawConfig::default() };
        raw.server.url = Some(server.uri());
        raw.executor.command = vec!["worker".into()];
        Tokens::new(client, raw.validate().unwrap().git, Arc::new(clock.clone()))
    }

    #[tokio::test]
    async fn a_token_is_shared_until_it_is_about_to_expire_and_then_a_fresh_one_is_asked_for() {
        let begin = Timestamp::from_micros(1_700_000_000_000_000);
        let clock = ManualClock::new(begin);
        let server = platform(&clock).await;
        let tokens = tokens(&server, &clock);
        let (first, same) = (tokens.of(&"p1".into()), tokens.of(&"p1".into()));
        let given = async |source: &ProjectTokens, fresh| {
            let token = source.token(fresh).await.unwrap();
            assert!(token.expires_at.since(clock.now()) > MARGIN, "it works long enough for what it is for");
            token.token.expose().to_owned()
        };
        assert_eq!(given(&first, false).await, "ghs_1");
        clock.set(begin.plus(HOUR - MARGIN - Duration::from_secs(1)));
        assert_eq!(given(&same, false).await, "ghs_1", "it is good for a while");
        clock.set(begin.plus(HOUR - MARGIN));
        assert_eq!(given(&first, false).await, "ghs_2", "it is near its end");
        assert_eq!(given(&same, false).await, "ghs_2", "and the fresh one is kept for all");
        clock.set(begin.plus(HOUR * 5));
        assert_eq!(given(&same, false).await, "ghs_3", "long after");
        assert_eq!(given(&same, true).await, "ghs_4", "or when it was refused");
        assert_eq!(given(&tokens.of(&"p2".into()), false).await, "ghs_5", "each project has its own");
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_renewed_is_not_used_beyond_its_end() {
        let begin = Timestamp::from_micros(1_700_000_000_000_000);
        let clock = ManualClock::new(begin);
        let server = platform(&clock).await;
        let source = tokens(&server, &clock).of(&"p1".into());
        source.token(false).await.unwrap();
        server.reset().await;
        clock.set(begin.plus(HOUR));
        assert!(source.token(false).await.is_err());
    }
}
