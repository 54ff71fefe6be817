//! Stored values as the JSON that GitHub prints, member for member.

mod account;
mod app;
mod commit;
mod pull;
mod report;
mod repository;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

pub(super) use account::{private_user, user};
pub(super) use app::{installation, integration};
pub(super) use commit::{IN_PATH, commit, commit_with_files, diff_entry, file_commit};
pub(super) use pull::{PullDetails, comment, pull, pull_in_list};
pub(super) use report::{check_run, simple_status, status};
pub(super) use repository::{full_repository, minimal_repository, repository};

/// `2026-03-12T10:30:00Z`.
pub(super) fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

fn time_or_null(seconds: Option<i64>) -> Option<String> {
    seconds.map(time)
}

/// The opaque id that GraphQL would know a thing by.
pub(super) fn node_id(kind: &str, id: impl std::fmt::Display) -> String {
    STANDARD.encode(format!("0{}:{kind}{id}", kind.len()))
}
