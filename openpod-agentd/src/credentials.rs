//! How a token reaches git: over a socket, asked for by a helper, for one repository only.
//!
//! ```text
//!   git ──starts──▶ helper ──socket, 0600──▶ CredentialServer ──▶ TokenSource ──▶ GET /github/token
//! ```
//!
//! So the token is in no argument, address, file or environment. It goes from memory to memory.

mod helper;
mod question;
mod server;

use futures_util::future::BoxFuture;
use openpod_sdk::Secret;
use openpod_sdk::api::Timestamp;
use url::Url;

pub use helper::helper_main;
pub(crate) use helper::snippet;
pub use server::{CredentialServer, Refused};

/// Where a job's repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Where git reaches it; without user or password.
    pub clone_url: Url,
    /// Who owns it.
    pub owner: String,
    /// Its name.
    pub name: String,
}

/// A token for one repository, and where that is.
#[derive(Debug, Clone)]
pub struct ScopedToken {
    /// The token: opaque text of up to a kilobyte.
    pub token: Secret,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// Where git reaches the repository.
    pub clone_url: Url,
    /// Where the REST API is.
    pub api_url: Url,
    /// Who owns the repository.
    pub owner: String,
    /// The repository's name.
    pub name: String,
}

impl ScopedToken {
    /// Where the repository is.
    pub fn origin(&self) -> Origin {
        Origin { clone_url: self.clone_url.clone(), owner: self.owner.clone(), name: self.name.clone() }
    }
}

/// Gives tokens for one repository.
pub trait TokenSource: Send + Sync + 'static {
    /// A token that works for some minutes more. `fresh` after git was refused with the last one.
    fn token(&self, fresh: bool) -> BoxFuture<'_, Result<ScopedToken, TokenError>>;
}

/// Why there is no token. The source tells what failed.
#[derive(Debug, thiserror::Error)]
#[error("no token for the repository: {0}")]
pub struct TokenError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl TokenError {
    /// Wraps what failed.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }

    /// What failed, to look into with `downcast_ref`.
    pub fn cause(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.0
    }
}
