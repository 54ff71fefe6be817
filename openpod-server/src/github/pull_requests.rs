//! The pull requests of a repository, with the facts that GitHub's list leaves out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt, TryStreamExt, stream};
use openpod_sdk::api::PullRequestState;
use openpod_sdk::api::github::PullRequest;
use serde::Deserialize;

use super::{Connected, Github, GithubError, full_name};
use crate::domain::repository::Repository;

/// How many pull requests a page of GitHub's list has, and how many pages are read: the newest 300.
const PER_PAGE: usize = 100;
const MOST_PAGES: usize = 3;

/// How many are asked for at once.
const AT_ONCE: usize = 8;

/// How many are remembered.
const CAPACITY: usize = 20_000;

/// A pull request as GitHub tells it, in the list or alone.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Told {
    pub(super) number: u64,
    #[serde(default)]
    pub(super) title: String,
    pub(super) state: PullRequestState,
    #[serde(default)]
    merged: Option<bool>,
    #[serde(default)]
    merged_at: Option<String>,
    #[serde(default)]
    draft: Option<bool>,
    #[serde(default)]
    html_url: Option<String>,
    #[serde(default)]
    user: Option<User>,
    pub(super) head: Branch,
    base: Branch,
    #[serde(default)]
    updated_at: Option<String>,
    #[serde(default)]
    additions: Option<u64>,
    #[serde(default)]
    deletions: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
struct User {
    login: String,
}

/// One end of a pull request.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Branch {
    #[serde(rename = "ref")]
    name: String,
    pub(super) sha: String,
}

impl Told {
    pub(super) fn is_merged(&self) -> bool {
        self.merged.unwrap_or(self.merged_at.is_some())
    }

    fn shown(self, detail: Detail, web: &str, repository: &Repository) -> PullRequest {
        let address = || format!("{web}/{}/pull/{}", full_name(repository), self.number);
        PullRequest {
            merged: self.is_merged(),
            url: self.html_url.clone().unwrap_or_else(address),
            number: self.number,
            title: self.title,
            state: self.state,
            draft: self.draft.unwrap_or_default(),
            author: self.user.map(|user| user.login),
            head_branch: self.head.name,
            base_branch: self.base.name,
            additions: Some(detail.additions),
            deletions: Some(detail.deletions),
        }
    }
}

/// What only the pull request itself tells.
#[derive(Debug, Clone, Copy)]
struct Detail {
    additions: u64,
    deletions: u64,
}

/// What pull requests told, for as long as they stay as they are.
#[derive(Default)]
pub(super) struct Details(Mutex<HashMap<(String, u64), (Version, Detail)>>);

/// A pull request with the same head and time of change has the same facts.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    head: String,
    updated_at: Option<String>,
}

impl Version {
    fn of(told: &Told) -> Self {
        Self { head: told.head.sha.clone(), updated_at: told.updated_at.clone() }
    }
}

impl Details {
    fn recall(&self, repository: &Repository, told: &Told) -> Option<Detail> {
        let details = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (version, detail) = details.get(&(full_name(repository), told.number))?;
        (*version == Version::of(told)).then_some(*detail)
    }

    fn remember(&self, repository: &Repository, told: &Told, detail: Detail) {
        let mut details = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if details.len() >= CAPACITY {
            details.clear();
        }
        details.insert((full_name(repository), told.number), (Version::of(told), detail));
    }
}

impl Github {
    /// The newest pull requests in this state, at most 300, newest first.
    pub async fn pull_requests(
        &self,
        repository: &Repository,
        state: &PullRequestState,
    ) -> Result<Vec<PullRequest>, GithubError> {
        let connected = self.connected()?;
        let web = connected.web_url.as_str().trim_end_matches('/');
        let listed = connected.listed(repository, state).await?;
        let detailed = stream::iter(listed).map(async |told| {
            let detail = connected.detail(repository, &told).await?;
            Ok(told.shown(detail, web, repository))
        });
        detailed.buffered(AT_ONCE).try_collect().await
    }
}

impl Connected {
    async fn listed(
        &self,
        repository: &Repository,
        state: &PullRequestState,
    ) -> Result<Vec<Told>, GithubError> {
        let mut listed: Vec<Told> = Vec::new();
        for page in 1..=MOST_PAGES {
            let path = format!(
                "/repos/{}/pulls?state={}&sort=created&direction=desc&per_page={PER_PAGE}&page={page}",
                full_name(repository),
                state.as_str()
            );
            let reply = self.read(repository, "the pull requests", &path).await?;
            listed.extend(reply.read::<Vec<Told>>()?);
            if !reply.has_next() {
                break;
            }
        }
        Ok(listed)
    }

    async fn detail(&self, repository: &Repository, told: &Told) -> Result<Detail, GithubError> {
        if let Some(detail) = self.details.recall(repository, told) {
            return Ok(detail);
        }
        let path = format!("/repos/{}/pulls/{}", full_name(repository), told.number);
        let alone: Told = self.read(repository, "a pull request", &path).await?.read()?;
        let detail = Detail {
            additions: alone.additions.unwrap_or_default(),
            deletions: alone.deletions.unwrap_or_default(),
        };
        self.details.remember(repository, &alone, detail);
        Ok(detail)
    }
}
