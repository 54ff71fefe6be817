//! What goes wrong with the repositories.

use std::io;
use std::path::{Path, PathBuf};

use crate::credentials::TokenError;
use crate::git::GitError;

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
    /// What the remote holds must not be checked out.
    #[error("the repository is refused: {reason}")]
    Unsound { reason: String },
    /// The remote has no such branch.
    #[error("the repository {repository} has no branch {branch}")]
    NoBranch { repository: String, branch: String },
    /// The platform names a place that no token may be sent to.
    #[error("{url} is no address for a repository: {reason}")]
    Address { url: String, reason: &'static str },
    /// There is work that was not pushed; it is kept unless removal is forced.
    #[error("{} holds work that was not pushed", directory.display())]
    Unpushed { directory: PathBuf },
    /// The job has no repositories here.
    #[error("the job {job} has no workspace; prepare it first")]
    NotPrepared { job: String },
    /// Only what was collected can be pushed.
    #[error("{head} was not collected, so it is not pushed")]
    NotCollected { head: String },
    /// A file or directory of the daemon's.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl WorkspaceError {
    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }
}

/// Names the file in an I/O error.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> WorkspaceError {
    let path = path.to_owned();
    move |source| WorkspaceError::Io { path, source }
}
