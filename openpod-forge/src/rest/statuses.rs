//! Commit statuses: `POST …/statuses/{sha}`, `GET …/commits/{ref}/statuses`, `GET …/commits/{ref}/status`

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::call::Call;
use super::page::Page;
use super::shape;
use crate::store::Status;

const STATES: [&str; 4] = ["error", "failure", "pending", "success"];
const MAX_DESCRIPTION: usize = 140;

#[derive(Deserialize)]
struct New {
    state: Option<String>,
    target_url: Option<String>,
    description: Option<String>,
    context: Option<String>,
}

/// `POST /repos/{owner}/{repo}/statuses/{sha}`
pub(super) fn create(call: &Call) -> Result<Answer, ApiError> {
    let (repository, bare) = (call.repository()?, call.bare()?);
    let new: New = call.json()?;
    let sha = call.commit(&bare, call.segment(0))?;
    let state = new.state.filter(|state| STATES.contains(&state.as_str()));
    let state = state.ok_or_else(|| ApiError::custom("Status", "State is not included in the list"))?;
    if new.description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION) {
        let text = format!("description is too long (maximum is {MAX_DESCRIPTION} characters)");
        return Err(ApiError::custom("Status", text));
    }
    let mut status = Status {
        id: 0,
        repository_id: repository.id,
        sha: sha.to_string(),
        state,
        target_url: new.target_url.filter(|url| !url.is_empty()),
        description: new.description,
        context: new.context.unwrap_or_else(|| "default".to_owned()),
        creator: call.account()?.clone(),
        created_at: call.now,
    };
    status.id = call.forge.inner().store.write(|tx| Ok::<_, ApiError>(status.insert(tx)?))?;
    Ok(Answer::created(shape::status(&call.forge, repository, &status)))
}

/// `GET /repos/{owner}/{repo}/commits/{ref}/statuses`
pub(super) fn list(call: &Call) -> Result<Answer, ApiError> {
    let (repository, page) = (call.repository()?, Page::of(call));
    let (_, all) = on_commit(call)?;
    let (found, total) = page.cut(all);
    let items: Value = found.iter().map(|one| shape::status(&call.forge, repository, one)).collect();
    page.answer(call, items, total)
}

/// `GET /repos/{owner}/{repo}/commits/{ref}/status`
pub(super) fn combined(call: &Call) -> Result<Answer, ApiError> {
    let (repository, page) = (call.repository()?, Page::of(call));
    let (sha, mut latest) = on_commit(call)?;
    let mut seen = HashSet::new();
    latest.retain(|status| seen.insert(status.context.clone()));
    let state = verdict(latest.iter().map(|status| status.state.as_str()));
    let (found, total) = page.cut(latest);
    let url = call.forge.api(&format!("/repos/{}/commits/{sha}", repository.full_name()));
    let statuses: Value =
        found.iter().map(|one| shape::simple_status(&call.forge, repository, one)).collect();
    let body = json!({
        "state": state,
        "statuses": statuses,
        "sha": sha,
        "total_count": total,
        "repository": shape::minimal_repository(&call.forge, repository),
        "commit_url": url,
        "url": format!("{url}/status"),
    });
    page.answer(call, body, total)
}

fn on_commit(call: &Call) -> Result<(String, Vec<Status>), ApiError> {
    let (repository, bare) = (call.repository()?, call.bare()?);
    let sha = call.commit(&bare, call.segment(0))?.to_string();
    let found = call.forge.inner().store.read(|tx| Status::on_commit(tx, repository.id, &sha))?;
    Ok((sha, found))
}

/// One bad state spoils all; nothing at all is pending.
fn verdict<'s>(states: impl Iterator<Item = &'s str>) -> &'static str {
    let states: Vec<&str> = states.collect();
    if states.iter().any(|state| ["error", "failure"].contains(state)) {
        "failure"
    } else if states.is_empty() || states.contains(&"pending") {
        "pending"
    } else {
        "success"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_combined_state_is_the_worst_one_and_nothing_is_pending() {
        for (states, expected) in [
            (&[][..], "pending"),
            (&["success"], "success"),
            (&["success", "pending"], "pending"),
            (&["pending", "failure"], "failure"),
            (&["success", "error"], "failure"),
        ] {
            assert_eq!(verdict(states.iter().copied()), expected, "{states:?}");
        }
    }
}
