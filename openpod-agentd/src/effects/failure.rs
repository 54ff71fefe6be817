//! From errors of the ports to what follows from them. Decided by kinds and codes, never by sentences.

use openpod_sdk::ErrorKind;
use openpod_sdk::api::ErrorCode;

use crate::credentials::TokenError;
use crate::git::{GitError, GitErrorKind};
use crate::job::{Class, Failure};
use crate::shim::ShimError;
use crate::workspace::WorkspaceError;

/// What follows from a call to the platform that did not succeed.
pub fn failure_of(error: &openpod_sdk::Error) -> Failure {
    let class = match error.kind() {
        ErrorKind::InvalidRequest => Class::Final,
        // The key may be replaced, and a proxy on the way may come to its senses.
        ErrorKind::Refused if matches!(error.status(), Some(401 | 408 | 421 | 425)) => Class::Passing,
        ErrorKind::Refused => Class::Final,
        _ => Class::Passing,
    };
    Failure { class, reason: error.to_string(), retry_after: error.retry_after() }
}

/// Whether the platform refused for a reason that the ticket itself explains: it moved on, or is not ours.
pub(super) fn is_about_the_ticket(error: &openpod_sdk::Error) -> bool {
    matches!(error.status(), Some(403 | 404 | 409 | 412)) && !error.is(ErrorCode::GithubNotConnected)
}

pub(super) fn of_token(error: &TokenError) -> Failure {
    match error.cause().downcast_ref::<openpod_sdk::Error>() {
        Some(error) => failure_of(error),
        None => Failure::new(Class::Final, error.to_string()),
    }
}

pub(super) fn of_workspace(error: &WorkspaceError) -> Failure {
    match error {
        WorkspaceError::Git(error) => of_git(error),
        WorkspaceError::Token(error) => of_token(error),
        WorkspaceError::Refused { .. } | WorkspaceError::NotPrepared { .. } => {
            Failure::new(Class::Worker, error.to_string())
        }
        WorkspaceError::Io { .. } => Failure::new(Class::Passing, error.to_string()),
        _ => Failure::new(Class::Final, error.to_string()),
    }
}

/// What may end up in a comment speaks of the repository, not of this machine's directories.
fn of_git(error: &GitError) -> Failure {
    tracing::debug!(%error, "git failed");
    match error.kind() {
        GitErrorKind::Rejected { reason } => {
            Failure::new(Class::Final, format!("the repository refused the branch: {reason}"))
        }
        GitErrorKind::StaleLease => {
            Failure::new(Class::Final, "somebody else pushed to the branch, and that is not overwritten")
        }
        // A repository that was just connected may not be visible yet.
        GitErrorKind::NotFound => Failure::new(Class::Unproven, "the repository was not found"),
        _ => Failure::new(Class::Passing, error.to_string()),
    }
}

/// What stops a run from being started or followed lies on this machine, and may be mended.
pub(super) fn of_shim(error: &ShimError) -> Failure {
    Failure::new(Class::Passing, error.to_string())
}
