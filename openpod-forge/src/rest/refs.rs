//! Refs: `GET …/git/ref/{ref}`, `GET …/git/matching-refs/{ref}`, `POST`, `PATCH`, `DELETE …/git/refs`
//!
//! What git refuses in a push is refused here, too.

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::call::Call;
use super::page::Page;
use crate::auth::Caller;
use crate::git::{Bare, NotMoved, Oid, Pusher, RefName, RefRules};
use crate::store::Repository;

/// `GET /repos/{owner}/{repo}/git/ref/{ref}`
pub(super) fn get(call: &Call) -> Result<Answer, ApiError> {
    let (bare, name) = (call.bare()?, named(call)?);
    // One process tells all; what lies below a name is not the name.
    let mut found = bare.refs(name.as_str())?.into_iter();
    let (_, oid, kind) = found.find(|(found, ..)| found == name.as_str()).ok_or_else(ApiError::not_found)?;
    Ok(Answer::ok(print(call, call.repository()?, name.as_str(), &oid, &kind)))
}

/// `GET /repos/{owner}/{repo}/git/matching-refs/{ref}`
pub(super) fn matching(call: &Call) -> Result<Answer, ApiError> {
    let (repository, bare) = (call.repository()?, call.bare()?);
    let prefix = format!("refs/{}", call.segment(0));
    let mut found = bare.refs("refs/")?;
    found.retain(|(name, ..)| name.starts_with(&prefix) && !name.starts_with("refs/internal/"));
    let page = Page::of(call);
    let (found, total) = page.cut(found);
    let items: Value =
        found.iter().map(|(name, oid, kind)| print(call, repository, name, oid, kind)).collect();
    page.answer(call, items, total)
}

#[derive(Deserialize)]
struct New {
    #[serde(rename = "ref")]
    name: Option<String>,
    sha: Option<String>,
}

/// `POST /repos/{owner}/{repo}/git/refs`
pub(super) fn create(call: &Call) -> Result<Answer, ApiError> {
    let bare = call.bare()?;
    let new: New = call.json()?;
    let (name, sha) = (
        new.name.ok_or_else(|| ApiError::not_supplied("ref"))?,
        new.sha.ok_or_else(|| ApiError::not_supplied("sha"))?,
    );
    let name = RefName::parse(&name).ok_or_else(|| {
        ApiError::unprocessable("Reference name must start with 'refs/' and have at least 2 slashes.")
    })?;
    let target = existing(&bare, &sha)?;
    allowed(call, &name, &Oid::zero(), &target)?;
    bare.move_ref(&name, &target, &Oid::zero()).map_err(|error| match error {
        NotMoved::Changed => ApiError::unprocessable("Reference already exists"),
        NotMoved::Git(error) => error.into(),
    })?;
    call.refs_changed()?;
    Ok(Answer::created(shape(call, &bare, &name, &target)?))
}

#[derive(Deserialize)]
struct Update {
    sha: Option<String>,
    #[serde(default)]
    force: bool,
}

/// `PATCH /repos/{owner}/{repo}/git/refs/{ref}`
pub(super) fn update(call: &Call) -> Result<Answer, ApiError> {
    let (bare, name) = (call.bare()?, named(call)?);
    let update: Update = call.json()?;
    let sha = update.sha.ok_or_else(|| ApiError::not_supplied("sha"))?;
    let missing = || ApiError::unprocessable("Reference does not exist");
    let old = bare.read_ref(&name)?.ok_or_else(missing)?;
    let new = existing(&bare, &sha)?;
    allowed(call, &name, &old, &new)?;
    if !update.force && bare.merge_base(&old, &new)?.as_ref() != Some(&old) {
        return Err(ApiError::unprocessable("Update is not a fast forward"));
    }
    bare.move_ref(&name, &new, &old)?;
    call.refs_changed()?;
    Ok(Answer::ok(shape(call, &bare, &name, &new)?))
}

/// `DELETE /repos/{owner}/{repo}/git/refs/{ref}`
pub(super) fn delete(call: &Call) -> Result<Answer, ApiError> {
    let (bare, name) = (call.bare()?, named(call)?);
    let missing = || ApiError::unprocessable("Reference does not exist");
    let old = bare.read_ref(&name)?.ok_or_else(missing)?;
    allowed(call, &name, &old, &Oid::zero())?;
    bare.delete_ref(&name, &old)?;
    call.refs_changed()?;
    Ok(Answer::no_content())
}

/// The same rules as for a push.
pub(super) fn allowed(call: &Call, name: &RefName, old: &Oid, new: &Oid) -> Result<(), ApiError> {
    let repository = call.repository()?;
    let protected = call.forge.inner().store.read(|tx| Repository::protected(tx, repository.id))?;
    let pusher = if matches!(call.caller, Caller::Person(_)) { Pusher::Person } else { Pusher::App };
    RefRules { protected, pusher }
        .check(name.as_str(), old, new)
        .map_err(|refusal| ApiError::unprocessable(format!("Repository rule violations found\n\n{refusal}")))
}

fn named(call: &Call) -> Result<RefName, ApiError> {
    RefName::parse(&format!("refs/{}", call.segment(0))).ok_or_else(ApiError::not_found)
}

fn existing(bare: &Bare, sha: &str) -> Result<Oid, ApiError> {
    let oid = Oid::parse(sha).ok_or_else(|| ApiError::unprocessable("Object does not exist"))?;
    match bare.kind_of(&oid)?.as_deref() {
        Some("commit" | "tag") => Ok(oid),
        Some(_) => Err(ApiError::unprocessable("Object is not a commit")),
        None => Err(ApiError::unprocessable("Object does not exist")),
    }
}

fn shape(call: &Call, bare: &Bare, name: &RefName, oid: &Oid) -> Result<Value, ApiError> {
    let kind = bare.kind_of(oid)?.ok_or_else(ApiError::not_found)?;
    Ok(print(call, call.repository()?, name.as_str(), oid, &kind))
}

/// `git-ref`.
fn print(call: &Call, repository: &Repository, name: &str, oid: &Oid, kind: &str) -> Value {
    let url = call.forge.api(&format!("/repos/{}/git", repository.full_name()));
    json!({
        "ref": name,
        "node_id": super::shape::node_id("Ref", format!("{}:{name}", repository.id)),
        "url": format!("{url}/{name}"),
        "object": {"type": kind, "sha": oid.as_str(), "url": format!("{url}/{kind}s/{oid}")},
    })
}
