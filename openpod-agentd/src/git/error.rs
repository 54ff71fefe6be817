//! What goes wrong with git: the kind is for decisions, the rest for people.

use std::fmt;

/// What a failure means for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitErrorKind {
    /// The program cannot be started.
    Missing,
    /// 401 or 403, or no token was to be had. Right after minting it may pass by itself.
    Auth,
    /// The remote repository is not there, or the token cannot see it.
    NotFound,
    /// The remote refused the push, in its own words.
    Rejected { reason: String },
    /// The remote branch is not where it was expected to be.
    StaleLease,
    /// The remote was not reached, or the connection broke.
    Network,
    /// It took longer than it may.
    Timeout,
    /// The disk is full.
    NoSpace,
    /// Anything else that concerns this machine.
    Local,
}

/// A git command that failed. It says the command, its exit status and git's own words; no secret is in any of them.
#[derive(Debug)]
pub struct GitError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: GitErrorKind,
    command: String,
    status: Option<i32>,
    stderr: String,
}

impl GitError {
    pub(super) fn new(kind: GitErrorKind, command: String, status: Option<i32>, stderr: String) -> Self {
        Self(Box::new(Inner { kind, command, status, stderr }))
    }

    pub(super) fn with_stderr(mut self, stderr: String) -> Self {
        self.0.stderr = stderr;
        self
    }

    /// The same failure, of which more is known.
    pub(crate) fn of_kind(mut self, kind: GitErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// What the failure means.
    pub fn kind(&self) -> &GitErrorKind {
        &self.0.kind
    }

    /// The exit status, when git ended by itself.
    pub fn status(&self) -> Option<i32> {
        self.0.status
    }

    /// Which object fsck refused and why, if that is what failed.
    pub fn fsck(&self) -> Option<&str> {
        let line = self.stderr().lines().find(|line| line.contains("error: object"));
        line.or_else(|| self.stderr().lines().find(|line| line.contains("fsck error")))
    }

    /// What git wrote about it.
    pub fn stderr(&self) -> &str {
        &self.0.stderr
    }
}

impl fmt::Display for GitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, command, status, stderr } = &*self.0;
        write!(f, "`{command}` ")?;
        match (kind, status) {
            (GitErrorKind::Missing, _) => f.write_str("could not be started")?,
            (GitErrorKind::Timeout, _) => f.write_str("took too long and was stopped")?,
            (_, Some(status)) => write!(f, "failed with exit status {status}")?,
            (_, None) => f.write_str("failed")?,
        }
        match stderr.trim() {
            "" => Ok(()),
            words => write!(f, ": {words}"),
        }
    }
}

impl std::error::Error for GitError {}
