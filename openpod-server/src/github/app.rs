//! The App itself: finds its installation on a repository and mints tokens for that repository alone.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use octocrab::Octocrab;
use octocrab::models::AppId;
use openpod_sdk::Secret;
use openpod_sdk::api::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::transport::{Reply, builder, text, within};
use super::{GithubError, GithubSetupError, Obstacle, full_name};
use crate::domain::repository::Repository;

/// What a token may do, and nothing wider: what an agent needs to push and propose, and what the platform needs to see
/// the checks.
pub const PERMISSIONS: [(&str, &str); 5] = [
    ("checks", "read"),
    ("contents", "write"),
    ("metadata", "read"),
    ("pull_requests", "write"),
    ("statuses", "read"),
];

/// The App, signed in by its key.
pub(super) struct App {
    client: Octocrab,
    deadline: Duration,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
    #[serde(default)]
    suspended_at: Option<String>,
}

#[derive(Serialize)]
struct Wish<'r> {
    repositories: [&'r str; 1],
    permissions: BTreeMap<&'static str, &'static str>,
}

/// A token as GitHub answers it.
#[derive(Deserialize)]
pub(super) struct Granted {
    pub(super) token: Secret,
    pub(super) expires_at: Timestamp,
    #[serde(default)]
    pub(super) permissions: BTreeMap<String, String>,
}

impl App {
    pub(super) fn new(
        api_url: &Url,
        id: u64,
        pem: &Secret,
        deadline: Duration,
    ) -> Result<Self, GithubSetupError> {
        let builder = builder(api_url, deadline)?;
        let builder = builder.app_from_rsa_pem(AppId(id), pem.expose());
        let client = builder.map_err(|_| GithubSetupError::PrivateKey)?.build();
        Ok(Self { client: client.map_err(|error| GithubSetupError::Client(text(&error)))?, deadline })
    }

    /// A new token for this repository.
    pub(super) async fn mint(&self, repository: &Repository) -> Result<Granted, GithubError> {
        let installation = self.installation(repository).await?;
        if installation.suspended_at.is_some() {
            return Err(Obstacle::Suspended.into());
        }
        let wish = Wish { repositories: [&repository.name], permissions: PERMISSIONS.into() };
        let path = format!("/app/installations/{}/access_tokens", installation.id);
        let reply = within(self.deadline, "a token", self.client._post(path, Some(&wish))).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Err(Obstacle::NotInstalled.into()),
            StatusCode::UNPROCESSABLE_ENTITY => Err(Obstacle::NotGranted.into()),
            _ => reply.read(),
        }
    }

    async fn installation(&self, repository: &Repository) -> Result<Installation, GithubError> {
        let path = format!("/repos/{}/installation", full_name(repository));
        let reply: Reply = within(self.deadline, "the App's installation", self.client._get(path)).await?;
        match reply.status {
            // A repository that moved is one that the project must be told about, not one to follow.
            StatusCode::NOT_FOUND | StatusCode::MOVED_PERMANENTLY => Err(Obstacle::NotInstalled.into()),
            _ => reply.read(),
        }
    }
}
