//! Pull requests: `GET`, `POST /repos/{owner}/{repo}/pulls` and `PATCH …/pulls/{number}`

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::answer::{Answer, ApiError};
use super::call::Call;
use super::page::Page;
use super::pull_views;
use super::shape;
use crate::forge::pull_ref;
use crate::git::{Bare, Oid, RefName};
use crate::store::{NewPull, Pull, PullFilter, PullSort, PullState, Repository, StoreError};

/// GitHub's limits.
const MAX_TITLE: usize = 256;
const MAX_BODY: usize = 65_536;

/// `GET /repos/{owner}/{repo}/pulls`
pub(super) fn list(call: &Call) -> Result<Answer, ApiError> {
    let repository = call.repository()?;
    let page = Page::of(call);
    let filter = filter(call);
    let (limit, offset) = (page.size as i64, page.offset() as i64);
    let (found, total) =
        call.forge.inner().store.read(|tx| Pull::list(tx, repository.id, &filter, limit, offset))?;
    let items: Value =
        found.iter().map(|pull| shape::pull_in_list(&call.forge, repository, pull, &call.caller)).collect();
    page.answer(call, items, usize::try_from(total).unwrap_or(0))
}

fn filter(call: &Call) -> PullFilter {
    let state = match call.query("state") {
        Some("closed") => PullState::Closed,
        Some("all") => PullState::All,
        _ => PullState::Open,
    };
    let sort = match call.query("sort") {
        Some("updated" | "long-running") => PullSort::Updated,
        Some("popularity") => PullSort::Popularity,
        _ => PullSort::Created,
    };
    let descending = match call.query("direction") {
        Some(direction) => direction != "asc",
        None => sort == PullSort::Created && call.query("sort").is_none_or(|sort| sort == "created"),
    };
    // Without a colon GitHub ignores the filter. With another owner it finds nothing, because there are no forks here.
    let head_ref = call.query("head").and_then(|head| head.split_once(':')).map(|(owner, branch)| {
        let ours = call.repository.as_ref().is_some_and(|one| one.owner.login.eq_ignore_ascii_case(owner));
        if ours { branch.to_owned() } else { String::new() }
    });
    PullFilter { state, head_ref, base_ref: call.query("base").map(str::to_owned), sort, descending }
}

#[derive(Deserialize)]
struct New {
    title: Option<String>,
    head: Option<String>,
    base: Option<String>,
    body: Option<String>,
    draft: Option<bool>,
    maintainer_can_modify: Option<bool>,
}

/// `POST /repos/{owner}/{repo}/pulls`
pub(super) fn create(call: &Call) -> Result<Answer, ApiError> {
    let (repository, bare) = (call.repository()?, call.bare()?);
    let new: New = call.json()?;
    let missing = |field| ApiError::invalid("PullRequest", field, "missing_field");
    let title = new.title.filter(|title| !title.trim().is_empty()).ok_or_else(|| missing("title"))?;
    let head = new.head.ok_or_else(|| missing("head"))?;
    let base_ref = new.base.ok_or_else(|| missing("base"))?;
    check_lengths(Some(&title), new.body.as_deref())?;
    let head_ref = own_branch(repository, head)?;
    let base_sha = tip(&bare, &base_ref, "base")?;
    let head_sha = tip(&bare, &head_ref, "head")?;
    if bare.count_between(&base_sha, &head_sha)? == 0 {
        let text = format!("No commits between {base_ref} and {head_ref}");
        return Err(ApiError::custom("PullRequest", text));
    }
    let pull = call.forge.inner().store.write(|tx| {
        if Pull::open_between(tx, repository.id, &head_ref, &base_ref)?.is_some() {
            let text = format!("A pull request already exists for {}:{head_ref}.", repository.owner.login);
            return Err(ApiError::custom("PullRequest", text));
        }
        let new = NewPull {
            title: &title,
            body: new.body.as_deref(),
            draft: new.draft.unwrap_or(false),
            maintainer_can_modify: new.maintainer_can_modify.unwrap_or(false),
            head_ref: &head_ref,
            head_sha: head_sha.as_str(),
            base_ref: &base_ref,
            base_sha: base_sha.as_str(),
        };
        let pull = Pull::create(tx, repository.id, call.account()?, &new, call.now)?;
        bare.set_ref(&pull_ref(pull.number)?, &head_sha)?;
        Ok(pull)
    })?;
    // The branch may have moved between the look and the entry.
    call.forge.follow_refs(repository)?;
    Ok(Answer::created(pull_views::full(call, &pull)?))
}

/// A branch, which may be written with its owner: there are no forks, so it must be this repository's.
fn own_branch(repository: &Repository, head: String) -> Result<String, ApiError> {
    match head.split_once(':') {
        Some((owner, branch)) if owner.eq_ignore_ascii_case(&repository.owner.login) => Ok(branch.to_owned()),
        Some(_) => Err(ApiError::invalid("PullRequest", "head", "invalid")),
        None => Ok(head),
    }
}

/// Where a branch is that the body names in `field`.
fn tip(bare: &Bare, branch: &str, field: &str) -> Result<Oid, ApiError> {
    let found = RefName::branch(branch).map(|name| bare.read_ref(&name)).transpose()?.flatten();
    found.ok_or_else(|| ApiError::invalid("PullRequest", field, "invalid"))
}

/// A change of a pull request. A body of null clears it; a body that is absent stays.
#[derive(Deserialize)]
struct Patch {
    title: Option<String>,
    #[serde(default, deserialize_with = "present")]
    body: Option<Option<String>>,
    state: Option<String>,
    base: Option<String>,
    maintainer_can_modify: Option<bool>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// `PATCH /repos/{owner}/{repo}/pulls/{number}`
pub(super) fn update(call: &Call) -> Result<Answer, ApiError> {
    let (repository, bare, number) = (call.repository()?, call.bare()?, call.number(0)?);
    let patch: Patch = call.json()?;
    check_lengths(patch.title.as_deref(), patch.body.as_ref().and_then(Option::as_deref))?;
    let pull = call.forge.inner().store.write(|tx| {
        let found = Pull::by_number(tx, repository.id, number)?;
        let mut pull = found.ok_or_else(ApiError::not_found)?;
        if let Some(base) = patch.base {
            let tip = tip(&bare, &base, "base")?;
            (pull.base_ref, pull.base_sha) = (base, tip.to_string());
        }
        match patch.state.as_deref() {
            None => {}
            Some("closed") => {
                pull.closed_at = pull.closed_at.or(Some(call.now));
                pull.open = false;
            }
            Some("open") => reopen(&mut pull, &bare)?,
            Some(_) => return Err(ApiError::invalid("PullRequest", "state", "invalid")),
        }
        pull.title = patch.title.unwrap_or(pull.title);
        pull.body = patch.body.unwrap_or(pull.body);
        pull.maintainer_can_modify = patch.maintainer_can_modify.unwrap_or(pull.maintainer_can_modify);
        pull.updated_at = call.now;
        pull.save(tx).map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => {
                let text = format!(
                    "A pull request already exists for {}:{}.",
                    repository.owner.login, pull.head_ref
                );
                ApiError::custom("PullRequest", text)
            }
            _ => StoreError::from(error).into(),
        })?;
        Ok(pull)
    })?;
    call.forge.follow_refs(repository)?;
    Ok(Answer::ok(pull_views::full(call, &pull)?))
}

/// A merged pull request stays closed, and so does one whose branch is gone.
fn reopen(pull: &mut Pull, bare: &Bare) -> Result<(), ApiError> {
    if pull.open {
        return Ok(());
    }
    let head = RefName::branch(&pull.head_ref).map(|name| bare.read_ref(&name)).transpose()?.flatten();
    if pull.merged_at.is_some() || head.is_none() {
        return Err(ApiError::custom(
            "PullRequest",
            "state cannot be changed. The pull request cannot be reopened.",
        ));
    }
    pull.open = true;
    pull.closed_at = None;
    Ok(())
}

fn check_lengths(title: Option<&str>, body: Option<&str>) -> Result<(), ApiError> {
    let long = |field: &str, limit: usize| {
        Err(ApiError::custom("PullRequest", format!("{field} is too long (maximum is {limit} characters)")))
    };
    if title.is_some_and(|text| text.chars().count() > MAX_TITLE) {
        return long("title", MAX_TITLE);
    }
    if body.is_some_and(|text| text.chars().count() > MAX_BODY) {
        return long("body", MAX_BODY);
    }
    Ok(())
}
