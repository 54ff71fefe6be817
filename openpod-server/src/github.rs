//! The platform as a GitHub App: tokens for one repository each, pull requests, and what their checks say.
//!
//! ```text
//!   app            signs as the App, finds the installation, mints a token for one repository
//!   installation   keeps tokens until shortly before they expire; reads with them
//!   pull_requests  the list, with what GitHub's own list leaves out
//!   verify         one pull request, its check runs and its commit statuses
//!   transport      requests with a deadline; statuses become errors
//! ```
//!
//! Two addresses configure it, one for the API and one for people and git; any server that speaks the same API will do.
//! Nothing that goes wrong up there looks like an empty answer down here.

mod app;
mod installation;
mod pull_requests;
mod transport;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::Secret;
use openpod_sdk::clock::Clock;
use url::Url;

pub use app::PERMISSIONS;
pub use installation::Minted;
pub use verify::Evidence;

use crate::domain::repository::Repository;
use app::App;
use installation::Tokens;
use pull_requests::Details;
use transport::Transport;

/// How long GitHub may take for one answer.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Which GitHub, and which App there.
#[derive(Debug, Clone)]
pub struct GithubSettings {
    /// Where the REST API is.
    pub api_url: Url,
    /// Where people and git find repositories.
    pub web_url: Url,
    /// The App's number.
    pub app_id: u64,
    /// Its private key, an RSA key in PEM form.
    pub private_key_pem: Secret,
}

/// Settings that no connection can be made with.
#[derive(Debug, thiserror::Error)]
pub enum GithubSetupError {
    /// The address of the API cannot be used.
    #[error(
        "the address of GitHub's API, {0}, must be an http or https address without credentials, query or fragment, and its path must not be the beginning of /repos or /app"
    )]
    ApiUrl(Url),
    /// The address for people cannot be used.
    #[error(
        "the address of GitHub, {0}, must be an http or https address without credentials, query or fragment"
    )]
    WebUrl(Url),
    /// The key cannot sign.
    #[error("the private key of the GitHub App is not an RSA key in PEM form")]
    PrivateKey,
    /// The client cannot be made.
    #[error("the client for GitHub cannot be made: {0}")]
    Client(String),
}

/// Why GitHub could not be asked, or did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GithubError {
    /// The App cannot reach the repository.
    #[error("{0}")]
    NotConnected(Obstacle),
    /// GitHub did not answer, or not as it should.
    #[error("GitHub {why} when asked for {what}")]
    Upstream {
        /// What it was asked for.
        what: &'static str,
        /// What it did.
        why: String,
    },
}

/// What keeps the App from a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The platform has no App.
    #[error("this platform is not connected to GitHub; its operator has to configure a GitHub App")]
    NoApp,
    /// The project has no repository.
    #[error("the project has no GitHub repository")]
    NoRepository,
    /// The App is not installed there, or the repository is not there.
    #[error(
        "the platform's GitHub App is not installed on the project's repository; its owner has to install it"
    )]
    NotInstalled,
    /// The installation is suspended.
    #[error(
        "the installation of the platform's GitHub App is suspended; the repository's owner has to resume it"
    )]
    Suspended,
    /// The installation does not grant what is asked for.
    #[error(
        "the installation of the platform's GitHub App does not reach the repository with the permissions it needs; \
         the repository's owner has to accept them"
    )]
    NotGranted,
}

impl From<Obstacle> for GithubError {
    fn from(obstacle: Obstacle) -> Self {
        GithubError::NotConnected(obstacle)
    }
}

/// The GitHub that projects have their repositories on, or none. Clones share it.
#[derive(Clone)]
pub struct Github(Option<Arc<Connected>>);

struct Connected {
    web_url: Url,
    api_url: Url,
    transport: Transport,
    tokens: Tokens,
    details: Details,
}

impl Github {
    /// No GitHub: whatever needs one is refused.
    pub fn disconnected() -> Self {
        Self(None)
    }

    /// A GitHub, as one of its Apps. Nothing is sent yet. Call it within a tokio runtime.
    pub fn connect(settings: GithubSettings, clock: Arc<dyn Clock>) -> Result<Self, GithubSetupError> {
        Self::connect_within(DEADLINE, settings, clock)
    }

    /// [`Github::connect`], with another limit than [`DEADLINE`] for one answer.
    pub fn connect_within(
        deadline: Duration,
        settings: GithubSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, GithubSetupError> {
        let GithubSettings { api_url, web_url, app_id, private_key_pem } = settings;
        if !is_plain(&web_url) {
            return Err(GithubSetupError::WebUrl(web_url));
        }
        // The client joins paths by comparing their beginnings, and would lose such a path.
        let path = api_url.path().trim_end_matches('/');
        if !is_plain(&api_url)
            || (!path.is_empty() && ["/repos", "/app"].iter().any(|own| own.starts_with(path)))
        {
            return Err(GithubSetupError::ApiUrl(api_url));
        }
        let transport = Transport::new(&api_url, deadline)?;
        let app = App::new(&api_url, app_id, &private_key_pem, deadline)?;
        let tokens = Tokens::new(app, clock);
        let details = Details::default();
        Ok(Self(Some(Arc::new(Connected { web_url, api_url, transport, tokens, details }))))
    }

    /// Where people and git find repositories.
    pub fn web_url(&self) -> Option<&Url> {
        self.0.as_ref().map(|connected| &connected.web_url)
    }

    /// Where the REST API is, without a slash at its end.
    pub fn api_url(&self) -> Option<&str> {
        self.0.as_ref().map(|connected| connected.api_url.as_str().trim_end_matches('/'))
    }

    /// Where git reaches a repository.
    pub fn clone_url(&self, repository: &Repository) -> Option<String> {
        let web = self.web_url()?.as_str().trim_end_matches('/');
        Some(format!("{web}/{}.git", full_name(repository)))
    }

    /// A token for this repository alone, good for five minutes at least.
    pub async fn token(&self, repository: &Repository) -> Result<Arc<Minted>, GithubError> {
        self.connected()?.tokens.get(repository).await
    }

    fn connected(&self) -> Result<&Connected, GithubError> {
        self.0.as_deref().ok_or(GithubError::NotConnected(Obstacle::NoApp))
    }
}

/// `owner/name`.
pub fn full_name(repository: &Repository) -> String {
    format!("{}/{}", repository.owner, repository.name)
}

fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}
