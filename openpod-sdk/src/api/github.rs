//! GitHub: GET /github/token, GET /github/prs, POST /github/verify-deliverable. These three answer without an envelope.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::endpoint::endpoint;
use super::{ChecksSummary, ProjectId, PullRequestState, Timestamp, Validate, Violations};
use crate::Secret;

endpoint! {
    /// A short-lived token for the project's repository and nothing else. Members and the owner only.
    ///
    /// Fails with `github_not_connected` (404) when the project has no repository that the App can reach, and with
    /// `upstream_failed` (502) when GitHub does not answer.
    GetGithubToken: GET "/github/token", Agent, Bare, Safe, scope: Github,
        fails: [NotFound, GithubNotConnected, UpstreamFailed],
        query: RepositoryQuery => GithubToken
}

endpoint! {
    /// The pull requests of the project's repository. Members and the owner only.
    ListPullRequests: GET "/github/prs", Agent, Bare, Safe, scope: Github,
        fails: [NotFound, GithubNotConnected, UpstreamFailed],
        query: PullRequestFilter => PullRequestList
}

endpoint! {
    /// Whether an address is a pull request of the project's repository, and what its checks say. Members and the
    /// owner only. It changes nothing.
    VerifyDeliverable: POST "/github/verify-deliverable", Agent, Bare, Safe, scope: Github,
        fails: [NotFound, GithubNotConnected, UpstreamFailed],
        body: DeliverableCheck => Verification
}

/// Which project's repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RepositoryQuery {
    /// Of this project.
    pub project_id: ProjectId,
}

impl Validate for RepositoryQuery {
    fn validate(&self, v: &mut Violations) {
        v.id("project_id", &self.project_id);
    }
}

/// A token for one repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct GithubToken {
    /// The token: opaque text of up to a kilobyte.
    pub token: Secret,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// What it may do.
    pub permissions: BTreeMap<String, String>,
    /// Who owns the repository.
    pub repo_owner: String,
    /// The repository's name.
    pub repo_name: String,
    /// `owner/name`.
    pub repo_full_name: String,
    /// An extension: where git reaches the repository. Without it, on github.com.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clone_url: Option<String>,
    /// An extension: where its REST API is. Without it, GitHub's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
}

/// Which pull requests to list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PullRequestFilter {
    /// Of this project's repository.
    pub project_id: ProjectId,
    /// Open, closed or all; open unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<PullRequestState>,
}

impl Validate for PullRequestFilter {
    fn validate(&self, v: &mut Violations) {
        v.id("project_id", &self.project_id);
        if let Some(state) = &self.state {
            v.one_of("state", state.is_known(), PullRequestState::KNOWN);
        }
    }
}

/// Pull requests of a repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PullRequestList {
    /// `owner/name`.
    pub repo: String,
    /// The filter that was used.
    pub state: PullRequestState,
    /// How many follow.
    pub count: u64,
    /// Newest first.
    pub pull_requests: Vec<PullRequest>,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PullRequest {
    /// Its number within the repository.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Open or closed.
    pub state: PullRequestState,
    /// Whether it was merged.
    pub merged: bool,
    /// Whether it is a draft.
    pub draft: bool,
    /// Its web address.
    pub url: String,
    /// The login of who opened it.
    #[serde(default)]
    pub author: Option<String>,
    /// The branch it comes from.
    pub head_branch: String,
    /// The branch it goes to.
    pub base_branch: String,
    /// Lines added; absent where the service does not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additions: Option<u64>,
    /// Lines deleted; absent where the service does not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletions: Option<u64>,
}

/// A deliverable to be looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct DeliverableCheck {
    /// The project.
    pub project_id: ProjectId,
    /// The pull request's web address; at most 2000 characters.
    pub pr_url: String,
}

impl Validate for DeliverableCheck {
    fn validate(&self, v: &mut Violations) {
        v.id("project_id", &self.project_id);
        v.web_address("pr_url", &self.pr_url);
    }
}

/// What a deliverable was found to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Verification {
    /// Whether it is a pull request of the project's repository.
    pub valid: bool,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its number.
    #[serde(default)]
    pub pr_number: Option<u64>,
    /// Its title.
    #[serde(default)]
    pub pr_title: Option<String>,
    /// Open or closed.
    #[serde(default)]
    pub pr_state: Option<PullRequestState>,
    /// Whether it was merged.
    #[serde(default)]
    pub merged: Option<bool>,
    /// The commit that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_sha: Option<String>,
    /// What its checks come to.
    #[serde(default)]
    pub checks_summary: Option<ChecksSummary>,
    /// How many there are of each.
    #[serde(default)]
    pub checks_detail: Option<ChecksDetail>,
    /// The checks: check runs and commit statuses.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// How many checks there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ChecksDetail {
    /// All of them.
    pub total: u64,
    /// Succeeded, neutral or skipped.
    pub passed: u64,
    /// Failed, timed out, cancelled, stale or wanting action.
    pub failed: u64,
    /// Not finished.
    pub pending: u64,
}

/// A check of a pull request's head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Check {
    /// Its name.
    pub name: String,
    /// `queued`, `in_progress`, `completed` and others of GitHub's words.
    pub status: String,
    /// `success`, `failure` and others of GitHub's words; null until completed.
    #[serde(default)]
    pub conclusion: Option<String>,
}
