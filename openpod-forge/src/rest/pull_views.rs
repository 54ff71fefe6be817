//! What a pull request shows: `GET …/pulls/{number}`, `…/files`, `…/commits`

use serde_json::Value;

use super::answer::{Answer, ApiError};
use super::call::{Call, Media};
use super::page::Page;
use super::shape::{self, PullDetails};
use crate::git::{Bare, GitError, Merged, Oid, RefName};
use crate::store::Pull;

/// GitHub's limit for the list of a pull request's commits.
const MAX_COMMITS: usize = 250;
/// GitHub's limit for the list of its files.
const MAX_FILES: usize = 3000;

/// `GET /repos/{owner}/{repo}/pulls/{number}`, also as diff and as patch
pub(super) fn get(call: &Call) -> Result<Answer, ApiError> {
    let pull = find(call)?;
    let bare = call.bare()?;
    let (from, head) = span(&bare, &pull)?;
    match call.media() {
        Media::Diff => {
            Ok(Answer::raw("application/vnd.github.diff; charset=utf-8", bare.diff_text(Some(&from), &head)?))
        }
        Media::Patch => {
            Ok(Answer::raw("application/vnd.github.patch; charset=utf-8", bare.mails(&from, &head)?))
        }
        _ => Ok(Answer::ok(full(call, &pull)?)),
    }
}

/// `GET /repos/{owner}/{repo}/pulls/{number}/files`
pub(super) fn files(call: &Call) -> Result<Answer, ApiError> {
    let (pull, bare, repository) = (find(call)?, call.bare()?, call.repository()?);
    let (from, head) = span(&bare, &pull)?;
    let mut files = bare.changed_files(Some(&from), &head)?;
    files.truncate(MAX_FILES);
    let page = Page::of(call);
    let (files, total) = page.cut(files);
    let items: Value =
        files.iter().map(|file| shape::diff_entry(&call.forge, repository, &head, file)).collect();
    page.answer(call, items, total)
}

/// `GET /repos/{owner}/{repo}/pulls/{number}/commits`
pub(super) fn commits(call: &Call) -> Result<Answer, ApiError> {
    let (pull, bare, repository) = (find(call)?, call.bare()?, call.repository()?);
    let (from, head) = span(&bare, &pull)?;
    let mut commits = bare.commits_between(&from, &head)?;
    commits.truncate(MAX_COMMITS);
    let page = Page::of(call);
    let (commits, total) = page.cut(commits);
    let items: Value = commits.iter().map(|one| shape::commit(&call.forge, repository, one)).collect();
    page.answer(call, items, total)
}

/// The pull request of the path.
pub(super) fn find(call: &Call) -> Result<Pull, ApiError> {
    let (repository, number) = (call.repository()?.id, call.number(0)?);
    let found = call.forge.inner().store.read(|tx| Pull::by_number(tx, repository, number))?;
    found.ok_or_else(ApiError::not_found)
}

/// The single view, as it is now.
pub(super) fn full(call: &Call, pull: &Pull) -> Result<Value, ApiError> {
    let repository = call.repository()?;
    let pull = call.forge.inner().store.read(|tx| Pull::by_number(tx, repository.id, pull.number))?;
    let pull = pull.ok_or_else(ApiError::not_found)?;
    let details = details(call, &pull)?;
    Ok(shape::pull(&call.forge, repository, &pull, &call.caller, &details))
}

fn details(call: &Call, pull: &Pull) -> Result<PullDetails, ApiError> {
    let bare = call.bare()?;
    let (from, head) = span(&bare, pull)?;
    let mergeable =
        match RefName::branch(&pull.base_ref).map(|name| bare.read_ref(&name)).transpose()?.flatten() {
            Some(base) if pull.open && !call.forge.faults().mergeability_is_unknown() => {
                Some(bare.merge_trees(&base, &head)? != Merged::Conflict)
            }
            _ => None,
        };
    let (changed_files, additions, deletions) = bare.diff_size(&from, &head)?;
    let commits = bare.count_between(&from, &head)?;
    Ok(PullDetails { mergeable, commits, changed_files, additions, deletions })
}

/// From where the pull request's branch left its base, to its head.
pub(super) fn span(bare: &Bare, pull: &Pull) -> Result<(Oid, Oid), GitError> {
    bare.span(pull.open, &pull.base_ref, &pull.base_sha, &pull.head_sha)
}
