//! `GET /app` and what an App does as itself: find its installations, and make tokens for them.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::call::Call;
use super::page::Page;
use super::shape;
use crate::auth::{self, Caller, Minted};
use crate::permission::Level;
use crate::store::{Account, App, Installation, IssuedToken, Repository};

/// How long an installation token lives, in seconds.
const LIFETIME: i64 = 3600;
/// How many repositories one token may be limited to.
const MAX_REPOSITORIES: usize = 500;

pub(super) fn get(call: &Call) -> Result<Answer, ApiError> {
    Ok(Answer::ok(shape::integration(&call.forge, app(call)?)))
}

pub(super) fn installations(call: &Call) -> Result<Answer, ApiError> {
    let app = app(call)?;
    let page = Page::of(call);
    let (found, total) = page.cut(call.forge.inner().store.read(|tx| Installation::of_app(tx, app.id))?);
    let items: Value = found.iter().map(|one| shape::installation(&call.forge, app, one)).collect();
    page.answer(call, items, total)
}

pub(super) fn installation(call: &Call) -> Result<Answer, ApiError> {
    let (app, found) = own_installation(call)?;
    Ok(Answer::ok(shape::installation(&call.forge, app, &found)))
}

/// `GET /repos/{owner}/{repo}/installation`
pub(super) fn of_repository(call: &Call) -> Result<Answer, ApiError> {
    at(call, call.repository()?.owner.id)
}

/// `GET /orgs/{org}/installation` and `GET /users/{username}/installation`
pub(super) fn of_account(call: &Call) -> Result<Answer, ApiError> {
    let found = call.forge.inner().store.read(|tx| Account::by_login(tx, call.segment(0)))?;
    at(call, found.ok_or_else(ApiError::not_found)?.id)
}

#[derive(Deserialize)]
struct Scope {
    repositories: Option<Vec<String>>,
    repository_ids: Option<Vec<i64>>,
    permissions: Option<BTreeMap<String, Level>>,
}

/// `POST /app/installations/{installation_id}/access_tokens`
pub(super) fn create_token(call: &Call) -> Result<Answer, ApiError> {
    let (app, installation) = own_installation(call)?;
    let scope: Scope = call.json()?;
    let repositories = chosen(call, &installation, &scope)?;
    let permissions = match scope.permissions {
        None => installation.permissions.clone(),
        Some(wanted) => installation.permissions.narrow(wanted).ok_or_else(|| {
            ApiError::unprocessable("The permissions requested are not granted to this installation.")
        })?,
    };
    let form = form(call, app);
    let token = auth::mint(form)
        .map_err(|_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "No server is currently available"))?;
    let hash = auth::hash(&token);
    let repository_ids = repositories.as_ref().map(|found| found.iter().map(|one| one.id).collect());
    let expires_at = call.now + LIFETIME;
    let issued = IssuedToken { installation_id: installation.id, permissions, repository_ids, expires_at };
    call.forge.inner().store.write(|tx| Ok::<_, ApiError>(issued.save(tx, &hash, call.now)?))?;
    call.forge.faults().minted(&hash);
    let mut body = json!({
        "token": token,
        "expires_at": shape::time(expires_at),
        "permissions": issued.permissions,
        "repository_selection": if repositories.is_some() { "selected" } else { "all" },
    });
    if let Some(found) = repositories {
        body["repositories"] =
            found.iter().map(|one| shape::repository(&call.forge, one, &call.caller)).collect();
    }
    Ok(Answer { status: StatusCode::CREATED, ..Answer::ok(body) })
}

/// The long or the short form. A client may choose with GitHub's header for that.
fn form(call: &Call, app: &App) -> Minted {
    let chosen = call.headers.get("x-github-stateless-s2s-token").and_then(|value| value.to_str().ok());
    let long = match chosen {
        Some("enabled") => true,
        Some("disabled") => false,
        _ => call.forge.long_tokens(),
    };
    if long { Minted::LongInstallation { app_id: app.id } } else { Minted::Installation }
}

/// The repositories that the token shall be limited to, if it shall.
fn chosen(
    call: &Call,
    installation: &Installation,
    scope: &Scope,
) -> Result<Option<Vec<Repository>>, ApiError> {
    let names = scope.repositories.as_deref().unwrap_or_default();
    let ids = scope.repository_ids.as_deref().unwrap_or_default();
    if names.is_empty() && ids.is_empty() {
        return Ok(None);
    }
    if names.len() + ids.len() > MAX_REPOSITORIES {
        return Err(ApiError::unprocessable(format!(
            "At most {MAX_REPOSITORIES} repositories can be selected."
        )));
    }
    let all = call.forge.inner().store.read(|tx| Repository::of_owner(tx, installation.account.id))?;
    let by_name = |name: &String| all.iter().find(|one| one.name.eq_ignore_ascii_case(name));
    let by_id = |id: &i64| all.iter().find(|one| one.id == *id);
    let found: Option<Vec<Repository>> =
        names.iter().map(by_name).chain(ids.iter().map(by_id)).map(Option::<&_>::cloned).collect();
    let mut found = found.ok_or_else(|| {
        ApiError::unprocessable(
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
        )
    })?;
    found.sort_by_key(|one| one.id);
    found.dedup_by_key(|one| one.id);
    Ok(Some(found))
}

fn app(call: &Call) -> Result<&App, ApiError> {
    match &call.caller {
        Caller::App(app) => Ok(app),
        _ => Err(ApiError::not_found()),
    }
}

fn at(call: &Call, account: i64) -> Result<Answer, ApiError> {
    let app = app(call)?;
    let found = call.forge.inner().store.read(|tx| Installation::at_account(tx, app.id, account))?;
    let found = found.ok_or_else(ApiError::not_found)?;
    Ok(Answer::ok(shape::installation(&call.forge, app, &found)))
}

fn own_installation(call: &Call) -> Result<(&App, Installation), ApiError> {
    let (app, id) = (app(call)?, call.number(0)?);
    let found = call.forge.inner().store.read(|tx| Installation::by_id(tx, id))?;
    let found = found.filter(|found| found.app_id == app.id).ok_or_else(ApiError::not_found)?;
    Ok((app, found))
}
