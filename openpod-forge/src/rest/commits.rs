//! Commits: `GET …/commits`, `GET …/commits/{ref}`, `GET …/compare/{base}...{head}`

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::call::{Call, Media};
use super::page::Page;
use super::shape;
use crate::git::{Bare, Oid};

const DIFF: &str = "application/vnd.github.diff; charset=utf-8";
const PATCH: &str = "application/vnd.github.patch; charset=utf-8";

/// `GET /repos/{owner}/{repo}/commits`
pub(super) fn list(call: &Call) -> Result<Answer, ApiError> {
    let (repository, bare) = (call.repository()?, call.bare()?);
    let from = call.query("sha").unwrap_or(&repository.default_branch);
    let head = bare.commit_named(from)?.ok_or_else(ApiError::not_found)?;
    let page = Page::of(call);
    let (commits, total) = bare.commits(&head, call.query("path"), page.offset(), page.size)?;
    let items: Value = commits.iter().map(|one| shape::commit(&call.forge, repository, one)).collect();
    page.answer(call, items, total)
}

/// `GET /repos/{owner}/{repo}/commits/{ref}`, also as diff and as patch
pub(super) fn get(call: &Call) -> Result<Answer, ApiError> {
    let (repository, bare) = (call.repository()?, call.bare()?);
    let oid = call.commit(&bare, call.segment(0))?;
    let commit = bare.commit(&oid)?;
    let parent = commit.parents.first();
    match (call.media(), parent) {
        (Media::Diff, _) => Ok(Answer::raw(DIFF, bare.diff_text(parent, &oid)?)),
        (Media::Patch, Some(parent)) => Ok(Answer::raw(PATCH, bare.mails(parent, &oid)?)),
        _ => {
            let files = bare.changed_files(parent, &oid)?;
            Ok(Answer::ok(shape::commit_with_files(&call.forge, repository, &commit, &files)))
        }
    }
}

/// `GET /repos/{owner}/{repo}/compare/{basehead}`, also as diff and as patch
pub(super) fn compare(call: &Call) -> Result<Answer, ApiError> {
    let (repository, bare) = (call.repository()?, call.bare()?);
    let (base_name, head_name) = call.segment(0).split_once("...").ok_or_else(ApiError::not_found)?;
    let (base, head) = (side(call, &bare, base_name)?, side(call, &bare, head_name)?);
    let unrelated = || {
        let text = format!("No common ancestor between {base_name} and {head_name}.");
        ApiError::new(StatusCode::NOT_FOUND, text)
    };
    let merge_base = bare.merge_base(&base, &head)?.ok_or_else(unrelated)?;
    match call.media() {
        Media::Diff => return Ok(Answer::raw(DIFF, bare.diff_text(Some(&merge_base), &head)?)),
        Media::Patch => return Ok(Answer::raw(PATCH, bare.mails(&merge_base, &head)?)),
        _ => {}
    }
    let commits = bare.commits_between(&base, &head)?;
    let behind = bare.count_between(&head, &base)?;
    let page = Page::of(call);
    let (shown, ahead) = page.cut(commits);
    let name = repository.full_name();
    let url = call.forge.api(&format!("/repos/{name}/compare/{base_name}...{head_name}"));
    let html = call.forge.web(&format!("/{name}/compare/{base_name}...{head_name}"));
    let print = |oid: &Oid| -> Result<Value, ApiError> {
        Ok(shape::commit(&call.forge, repository, &bare.commit(oid)?))
    };
    let files = bare.changed_files(Some(&merge_base), &head)?;
    let body = json!({
        "url": url,
        "html_url": html,
        "permalink_url": call.forge.web(&format!("/{name}/compare/{base}...{head}")),
        "diff_url": format!("{html}.diff"),
        "patch_url": format!("{html}.patch"),
        "base_commit": print(&base)?,
        "merge_base_commit": print(&merge_base)?,
        "status": relation(ahead, behind),
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": shown.iter().map(|one| shape::commit(&call.forge, repository, one)).collect::<Value>(),
        "files": files.iter().map(|file| shape::diff_entry(&call.forge, repository, &head, file)).collect::<Value>(),
    });
    page.answer(call, body, ahead)
}

fn relation(ahead: usize, behind: u64) -> &'static str {
    match (ahead, behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    }
}

/// One side of a comparison, which may be written with the owner: there are no forks, so it must be this one.
fn side(call: &Call, bare: &Bare, name: &str) -> Result<Oid, ApiError> {
    let owner = &call.repository()?.owner.login;
    let name = match name.split_once(':') {
        Some((named, branch)) if named.eq_ignore_ascii_case(owner) => branch,
        Some(_) => return Err(ApiError::not_found()),
        None => name,
    };
    bare.commit_named(name)?.ok_or_else(ApiError::not_found)
}
