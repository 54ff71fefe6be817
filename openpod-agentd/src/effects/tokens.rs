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
