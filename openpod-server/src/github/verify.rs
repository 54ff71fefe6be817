//! One pull request and all that was reported about its head: check runs and commit statuses.

use http::StatusCode;
use openpod_sdk::api::PullRequestState;
use openpod_sdk::api::github::Check;
use serde::Deserialize;

use super::pull_requests::Told;
use super::transport::{Reply, upstream};
use super::{Connected, Github, GithubError, full_name};
use crate::domain::checks;
use crate::domain::repository::Repository;

/// How many pages of 100 checks are read. A verdict on a part would be none.
const MOST_PAGES: usize = 10;

/// What was found of a pull request.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Open or closed.
    pub state: PullRequestState,
    /// Whether it was merged.
    pub merged: bool,
    /// The commit that the checks are about.
    pub head_sha: String,
    /// Check runs, then commit statuses.
    pub checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Runs {
    check_runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    name: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    conclusion: Option<String>,
}

#[derive(Deserialize)]
struct Statuses {
    statuses: Vec<Status>,
}

#[derive(Deserialize)]
struct Status {
    context: String,
    state: String,
}

impl Github {
    /// The pull request with this number; `None` when there is none.
    pub async fn evidence(
        &self,
        repository: &Repository,
        number: u64,
    ) -> Result<Option<Evidence>, GithubError> {
        let connected = self.connected()?;
        let path = format!("/repos/{}/pulls/{number}", full_name(repository));
        let reply = connected.read(repository, "a pull request", &path).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let told: Told = reply.read()?;
        let sha = &told.head.sha;
        let (mut checks, statuses) =
            tokio::try_join!(connected.runs(repository, sha), connected.statuses(repository, sha))?;
        checks.extend(statuses);
        Ok(Some(Evidence {
            number: told.number,
            merged: told.is_merged(),
            title: told.title,
            state: told.state,
            head_sha: told.head.sha,
            checks,
        }))
    }
}

impl Connected {
    async fn runs(&self, repository: &Repository, sha: &str) -> Result<Vec<Check>, GithubError> {
        let shown = |run: Run| Check {
            name: run.name,
            // What says nothing of its state has not said that it is done.
            status: run.status.unwrap_or_else(|| "queued".to_owned()),
            conclusion: run.conclusion,
        };
        let read = |reply: &Reply| Ok(reply.read::<Runs>()?.check_runs.into_iter().map(shown).collect());
        self.pages(repository, "the check runs", &format!("commits/{sha}/check-runs"), read).await
    }

    async fn statuses(&self, repository: &Repository, sha: &str) -> Result<Vec<Check>, GithubError> {
        let shown = |status: Status| checks::of_status(status.context, &status.state);
        let read = |reply: &Reply| Ok(reply.read::<Statuses>()?.statuses.into_iter().map(shown).collect());
        self.pages(repository, "the commit statuses", &format!("commits/{sha}/status"), read).await
    }

    async fn pages(
        &self,
        repository: &Repository,
        what: &'static str,
        below: &str,
        read: impl Fn(&Reply) -> Result<Vec<Check>, GithubError>,
    ) -> Result<Vec<Check>, GithubError> {
        let mut found = Vec::new();
        for page in 1..=MOST_PAGES {
            let path = format!("/repos/{}/{below}?per_page=100&page={page}", full_name(repository));
            let reply = self.read(repository, what, &path).await?;
            found.extend(read(&reply)?);
            if !reply.has_next() {
                return Ok(found);
            }
        }
        Err(upstream(what, format!("has more than {} of them", MOST_PAGES * 100)))
    }
}
