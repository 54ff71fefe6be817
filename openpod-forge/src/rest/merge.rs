//! `GET` and `PUT /repos/{owner}/{repo}/pulls/{number}/merge`

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, ApiError};
use super::call::Call;
use super::pull_views;
use crate::forge::person;
use crate::git::{Bare, Commit, Merged, NotMoved, Oid, Person, RefName};
use crate::store::{Pull, StoreError};

/// `GET /repos/{owner}/{repo}/pulls/{number}/merge`: 204 when it is merged, 404 when it is not
pub(super) fn is_merged(call: &Call) -> Result<Answer, ApiError> {
    match pull_views::find(call)?.merged_at {
        Some(_) => Ok(Answer::no_content()),
        None => Err(ApiError::not_found()),
    }
}

#[derive(Deserialize)]
struct Wish {
    commit_title: Option<String>,
    commit_message: Option<String>,
    /// Where the head must be.
    sha: Option<String>,
    merge_method: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Merge,
    Squash,
}

/// `PUT /repos/{owner}/{repo}/pulls/{number}/merge`. A protected base is no obstacle: this is the way in.
pub(super) fn merge(call: &Call) -> Result<Answer, ApiError> {
    let (repository, bare, number) = (call.repository()?, call.bare()?, call.number(0)?);
    let wish: Wish = call.json()?;
    let method = method(wish.merge_method.as_deref())?;
    let author = person(call.account()?, call.forge.inner().clock.now());
    call.forge.follow_refs(repository)?;
    let commit = call.forge.inner().store.write(|tx| {
        let pull = Pull::by_number(tx, repository.id, number)?;
        let mut pull = pull.ok_or_else(ApiError::not_found)?;
        let plan = plan(&bare, &pull, &wish)?;
        let commit = write(call, &bare, &pull, &wish, method, &plan, &author)?;
        pull.open = false;
        pull.base_sha = plan.base.to_string();
        pull.updated_at = call.now;
        (pull.closed_at, pull.merged_at) = (Some(call.now), Some(call.now));
        pull.merged_by = Some(call.account()?.clone());
        pull.merge_commit_sha = Some(commit.to_string());
        pull.save(tx).map_err(StoreError::from)?;
        // Last, so that nothing but the commit of this transaction can keep ref and record apart.
        bare.move_ref(&plan.branch, &commit, &plan.base).map_err(|error| match error {
            NotMoved::Changed => conflict("Base branch was modified. Review and try the merge again."),
            NotMoved::Git(error) => error.into(),
        })?;
        Ok::<_, ApiError>(commit)
    })?;
    call.refs_changed()?;
    Ok(Answer::ok(json!({
        "sha": commit.as_str(), "merged": true, "message": "Pull Request successfully merged",
    })))
}

struct Plan {
    branch: RefName,
    base: Oid,
    head: Oid,
    tree: Oid,
}

/// Everything that can stand in the way of a merge.
fn plan(bare: &Bare, pull: &Pull, wish: &Wish) -> Result<Plan, ApiError> {
    let not_mergeable = || not_allowed("Pull Request is not mergeable");
    if !pull.open {
        return Err(not_mergeable());
    }
    if pull.draft {
        return Err(not_allowed("Pull Request is still a draft"));
    }
    if wish.sha.as_ref().is_some_and(|sha| *sha != pull.head_sha) {
        return Err(conflict("Head branch was modified. Review and try the merge again."));
    }
    let branch = RefName::branch(&pull.base_ref).ok_or_else(not_mergeable)?;
    let base = bare.read_ref(&branch)?.ok_or_else(not_mergeable)?;
    let head = Oid::parse(&pull.head_sha).ok_or_else(not_mergeable)?;
    match bare.merge_trees(&base, &head)? {
        Merged::Clean(tree) => Ok(Plan { branch, base, head, tree }),
        Merged::Conflict => Err(not_mergeable()),
    }
}

fn write(
    call: &Call,
    bare: &Bare,
    pull: &Pull,
    wish: &Wish,
    method: Method,
    plan: &Plan,
    own: &Person,
) -> Result<Oid, ApiError> {
    let repository = call.repository()?;
    let commits = bare.commits_between(&plan.base, &plan.head)?;
    let (title, text) = match method {
        Method::Merge => (
            format!("Merge pull request #{} from {}/{}", pull.number, repository.owner.login, pull.head_ref),
            pull.title.clone(),
        ),
        Method::Squash => (format!("{} (#{})", pull.title, pull.number), squashed(&commits)),
    };
    let title = wish.commit_title.clone().unwrap_or(title);
    let text = wish.commit_message.clone().unwrap_or(text);
    let message = if text.is_empty() { title } else { format!("{title}\n\n{text}") };
    Ok(match method {
        Method::Merge => bare.write_commit(&plan.tree, &[&plan.base, &plan.head], own, own, &message)?,
        Method::Squash => {
            let first = commits.first().map(|commit| Person { at: own.at, ..commit.author.clone() });
            bare.write_commit(&plan.tree, &[&plan.base], first.as_ref().unwrap_or(own), own, &message)?
        }
    })
}

/// What a squashed commit says of the commits that went into it.
fn squashed(commits: &[Commit]) -> String {
    match commits {
        [_] | [] => String::new(),
        many => many.iter().map(|commit| format!("* {}\n", commit.message)).collect::<Vec<_>>().join("\n"),
    }
}

fn method(name: Option<&str>) -> Result<Method, ApiError> {
    match name {
        None | Some("merge") => Ok(Method::Merge),
        Some("squash") => Ok(Method::Squash),
        Some("rebase") => Err(not_allowed("Rebase merges are not allowed on this repository.")),
        Some(_) => Err(ApiError::invalid("PullRequest", "merge_method", "invalid")),
    }
}

fn not_allowed(message: &str) -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, message)
}

fn conflict(message: &str) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, message)
}
