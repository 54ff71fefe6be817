//! `GET /repos/{owner}/{repo}/branches` and `…/branches/{branch}`

use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::call::Call;
use super::page::Page;
use super::shape;
use crate::git::RefName;
use crate::store::Repository;

/// `GET /repos/{owner}/{repo}/branches`
pub(super) fn list(call: &Call) -> Result<Answer, ApiError> {
    let (repository, bare) = (call.repository()?, call.bare()?);
    let protected = call.forge.inner().store.read(|tx| Repository::protected(tx, repository.id))?;
    let wanted = call.query("protected").map(|text| text == "true");
    let mut branches = bare.refs("refs/heads/")?;
    for (name, ..) in &mut branches {
        *name = name.trim_start_matches("refs/heads/").to_owned();
    }
    branches.retain(|(name, ..)| wanted.is_none_or(|wanted| protected.contains(name) == wanted));
    let page = Page::of(call);
    let (branches, total) = page.cut(branches);
    let full_name = repository.full_name();
    let short = |(name, oid, _): &(String, crate::git::Oid, String)| {
        json!({
            "name": name,
            "commit": {"sha": oid.as_str(), "url": call.forge.api(&format!("/repos/{full_name}/commits/{oid}"))},
            "protected": protected.contains(name),
        })
    };
    let items: Value = branches.iter().map(short).collect();
    page.answer(call, items, total)
}

/// `GET /repos/{owner}/{repo}/branches/{branch}`
pub(super) fn get(call: &Call) -> Result<Answer, ApiError> {
    let (repository, bare, name) = (call.repository()?, call.bare()?, call.segment(0));
    let missing = || ApiError::new(axum::http::StatusCode::NOT_FOUND, "Branch not found");
    let branch = RefName::branch(name).ok_or_else(missing)?;
    let tip = bare.read_ref(&branch)?.ok_or_else(missing)?;
    let protected = call.forge.inner().store.read(|tx| Repository::is_protected(tx, repository.id, name))?;
    let full_name = repository.full_name();
    let url = call.forge.api(&format!("/repos/{full_name}/branches/{name}"));
    Ok(Answer::ok(json!({
        "name": name,
        "commit": shape::commit(&call.forge, repository, &bare.commit(&tip)?),
        "_links": {"self": url, "html": call.forge.web(&format!("/{full_name}/tree/{name}"))},
        "protected": protected,
        "protection": {
            "enabled": protected,
            "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []},
        },
        "protection_url": format!("{url}/protection"),
    })))
}
