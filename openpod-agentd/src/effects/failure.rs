//! From errors of the ports to what follows from them. Decided by kinds and codes, never by sentences.

use openpod_sdk::ErrorKind;
use openpod_sdk::api::ErrorCode;

use crate::credentials::TokenError;
use crate::git::{GitError, GitErrorKind};
use crate::job::{Class, Failure, Outlook};
use crate::shim::ShimError;
use crate::workspace::WorkspaceError;

/// What follows from a call to the platform that did not succeed.
pub fn failure_of(error: &openpod_sdk::Error) -> Failure {
    let (class, outlook) = match (error.kind(), error.status()) {
        (ErrorKind::InvalidRequest | ErrorKind::Unsupported, _) => (Class::Platform, Outlook::Lasting),
        // The key may be replaced.
        (ErrorKind::Refused, Some(401)) => (Class::Credentials, Outlook::Passing),
        // A proxy on the way may come to its senses.
        (ErrorKind::Refused, Some(408 | 421 | 425)) => (Class::Network, Outlook::Passing),
        (ErrorKind::Refused, _) if !error.is_from_service() => (Class::Network, Outlook::Passing),
        (ErrorKind::Refused, _) => (Class::Platform, Outlook::Lasting),
        (ErrorKind::Unreachable | ErrorKind::Interrupted, _) => (Class::Network, Outlook::Passing),
        _ => (Class::Platform, Outlook::Passing),
    };
    Failure { class, outlook, reason: error.to_string(), retry_after: error.retry_after() }
}

/// Whether the platform refused for a reason that the ticket itself explains: it moved on, or is not ours.
pub(super) fn is_about_the_ticket(error: &openpod_sdk::Error) -> bool {
    let moved_on = is_out_of_sight(error) || matches!(error.status(), Some(409 | 412));
    moved_on && error.is_from_service() && !error.is(ErrorCode::GithubNotConnected)
}

/// Whether the platform says that this is not there, or not for us.
pub(super) fn is_out_of_sight(error: &openpod_sdk::Error) -> bool {
    matches!(error.status(), Some(403 | 404)) && error.is_from_service()
}

pub(super) fn of_token(error: &TokenError) -> Failure {
    match error.cause().downcast_ref::<openpod_sdk::Error>() {
        Some(error) => failure_of(error),
        None => Failure::lasting(Class::Credentials, error.to_string()),
    }
}

pub(super) fn of_workspace(error: &WorkspaceError) -> Failure {
    match error {
        WorkspaceError::Git(error) => of_git(error),
        WorkspaceError::Token(error) => of_token(error),
        WorkspaceError::Refused { .. } | WorkspaceError::NotPrepared { .. } => {
            Failure::passing(Class::Worker, error.to_string())
        }
        // A proxy's page looks to git like a repository without a branch.
        WorkspaceError::NoBranch { .. } => Failure::doubted(Class::Git, error.to_string()),
        WorkspaceError::Io { .. } => Failure::passing(Class::Disk, error.to_string()),
        _ => Failure::lasting(Class::Git, error.to_string()),
    }
}

/// What may end up in a comment speaks of the repository, not of this machine's directories.
fn of_git(error: &GitError) -> Failure {
    tracing::debug!(%error, "git failed");
    match error.kind() {
        GitErrorKind::Rejected { reason } => {
            Failure::lasting(Class::Git, format!("the repository refused the branch: {reason}"))
        }
        GitErrorKind::StaleLease => {
            Failure::lasting(Class::Git, "somebody else pushed to the branch, and that is not overwritten")
        }
        // A repository that was just connected may not be visible yet.
        GitErrorKind::NotFound => Failure::doubted(Class::Git, "the repository was not found"),
        GitErrorKind::Auth => Failure::passing(Class::Credentials, error.to_string()),
        GitErrorKind::Network | GitErrorKind::Timeout => Failure::passing(Class::Network, error.to_string()),
        GitErrorKind::Missing => Failure::passing(Class::Program, error.to_string()),
        GitErrorKind::NoSpace => Failure::passing(Class::Disk, error.to_string()),
        GitErrorKind::Local => Failure::passing(Class::Git, error.to_string()),
    }
}

/// What stops a run from being started or followed lies on this machine, and may be mended.
pub(super) fn of_shim(error: &ShimError) -> Failure {
    let class = match error {
        ShimError::Spawn { .. } => Class::Program,
        _ => Class::Disk,
    };
    Failure::passing(class, error.to_string())
}
