//! The three repositories of a ticket: mirror, workspace, outbound.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use openpod_sdk::api::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::credentials::Origin;
use crate::credentials::{TokenError, TokenSource};
use crate::git::{Git, GitError, Sha};

/// Names a job's directory: 1 to 100 of `a-z A-Z 0-9 . _ -`, not beginning with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobKey(String);

/// Why a text names no job.
#[derive(Debug, thiserror::Error)]
#[error("a job's key is 1 to 100 of a-z A-Z 0-9 . _ - and does not begin with a dot")]
pub struct NotAJobKey;

impl JobKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for JobKey {
    type Error = NotAJobKey;

    fn try_from(text: String) -> Result<Self, NotAJobKey> {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let fits = (1..=100).contains(&text.len()) && !text.starts_with('.');
        if plain && fits { Ok(Self(text)) } else { Err(NotAJobKey) }
    }
}

impl std::str::FromStr for JobKey {
    type Err = NotAJobKey;

    fn from_str(text: &str) -> Result<Self, NotAJobKey> {
        Self::try_from(text.to_owned())
    }
}

impl From<JobKey> for String {
    fn from(key: JobKey) -> Self {
        key.0
    }
}

/// What a collected change may be at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Changed files.
    pub changed_files: u32,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all changed files together.
    pub total_bytes: u64,
    /// Bytes of a path.
    pub path_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { changed_files: 5_000, file_bytes: 20 << 20, total_bytes: 100 << 20, path_bytes: 1_000 }
    }
}

/// A workspace that is ready for the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The worker's directory.
    pub workspace: PathBuf,
    /// The branch that the change is for.
    pub base_branch: String,
    /// The commit that the change is measured from.
    pub base: Sha,
    /// What was published of the job before, or the base.
    pub head: Sha,
}

/// Who made a commit, when, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitMessage {
    /// One line.
    pub subject: String,
    /// Further paragraphs, may be empty.
    pub body: String,
    /// Author and committer.
    pub author_name: String,
    /// Their address.
    pub author_email: String,
    /// The same time gives the same commit again.
    pub time: Timestamp,
}

/// What the worker left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collected {
    /// The tree is that of the last published head, or of the base.
    Nothing,
    /// A commit in the outbound repository.
    Change(Change),
}

/// A commit that is ready to be pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What the whole change is measured from.
    pub base: Sha,
    /// The commit to push.
    pub head: Sha,
    /// How many commits lie between them.
    pub commits: u32,
    /// How many files differ between them.
    pub files: u32,
    /// SHA-256 of `git diff --binary --full-index base head`.
    pub patch_sha256: [u8; 32],
    /// Which files differ.
    pub changed_paths: Vec<String>,
}

/// Why a step with the repositories failed.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// A git command failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// There is no token for the repository.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// What the worker left must not be published.
    #[error("the change is refused: {reason}")]
    Refused { reason: String },
    /// The remote has no such branch.
    #[error("the repository {repository} has no branch {branch}")]
    NoBranch { repository: String, branch: String },
    /// There is work that was not pushed; it is kept unless removal is forced.
    #[error("{} holds work that was not pushed", directory.display())]
    Unpushed { directory: PathBuf },
    /// The job has no repositories here.
    #[error("the job {job} has no workspace; prepare it first")]
    NotPrepared { job: String },
    /// A file or directory of the daemon's.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

/// All repositories of a daemon.
#[derive(Debug, Clone)]
pub struct Workspaces {
    data_dir: PathBuf,
    git: Git,
    helper: PathBuf,
    limits: Limits,
}

impl Workspaces {
    /// Uses `data_dir` for all repositories. `helper` is the program that understands `git-credential <socket> <operation>`.
    pub fn open(data_dir: &Path, git: Git, helper: PathBuf) -> Result<Self, WorkspaceError> {
        Ok(Self { data_dir: data_dir.to_owned(), git, helper, limits: Limits::default() })
    }

    /// With other limits for what may be collected.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where the worker of this job works.
    pub fn workspace_dir(&self, job: &JobKey) -> PathBuf {
        self.data_dir.join("jobs").join(job.as_str()).join("workspace")
    }

    /// Makes the three repositories ready. Asked again, it keeps a workspace as it is.
    pub async fn prepare(
        &self,
        job: &JobKey,
        origin: &Origin,
        base_branch: Option<&str>,
        branch: &str,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<Prepared, WorkspaceError> {
        let _ = (&self.git, &self.helper, &self.limits, job, origin, base_branch, branch, tokens);
        todo!()
    }

    /// Takes what the worker left into the outbound repository, and checks it there.
    pub async fn collect(&self, job: &JobKey, message: &CommitMessage) -> Result<Collected, WorkspaceError> {
        let _ = (job, message);
        todo!()
    }

    /// Pushes `head` to `branch`, which must be at `expected`, or absent. Asked again after it worked, it changes nothing.
    pub async fn push(
        &self,
        job: &JobKey,
        origin: &Origin,
        branch: &str,
        head: &Sha,
        expected: Option<&Sha>,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<(), WorkspaceError> {
        let _ = (job, origin, branch, head, expected, tokens);
        todo!()
    }

    /// Where the remote's branch is.
    pub async fn remote_head(
        &self,
        origin: &Origin,
        branch: &str,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<Option<Sha>, WorkspaceError> {
        let _ = (origin, branch, tokens);
        todo!()
    }

    /// Removes workspace and outbound repository. Work that was not pushed stays, unless `force`.
    pub async fn remove(&self, job: &JobKey, force: bool) -> Result<(), WorkspaceError> {
        let _ = (job, force);
        todo!()
    }
}
