//! Who may come in: the key is proven and good for the operation, the limits are counted, and the handler finds the
//! caller in the request.

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, header};
use openpod_sdk::api::{Access, Endpoint, ErrorCode, Scope};

use super::{ApiError, ClientAddress, limit};
use crate::app::App;
use crate::domain::api_key::{KeyKind, PresentedKey};
use crate::domain::key_grant::CallerKey;
use crate::domain::permission::Actor;
use crate::rate_limit::Budget;
use crate::store::{Glance, Moment};

/// Somebody who has proven who they are, and the key that proves it.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) actor: Actor,
    pub(super) key: CallerKey,
    pub(super) moment: Moment,
}

/// Admits a request to `E` and has it answered, or answers in its place.
pub async fn admit<E: Endpoint, T>(app: App, request: Request, handler: impl Handler<T, App>) -> Response {
    let (mut parts, body) = request.into_parts();
    let client = ClientAddress::of(&parts, app.trusted_proxies());
    parts.extensions.insert(client);
    let mut budget = None;
    let admitted = match E::ACCESS {
        Access::Public => admit_stranger::<E>(&app, client),
        Access::Agent => {
            prove(&app, KeyKind::Agent, client, &parts.headers, &mut budget).await.and_then(suits::<E>)
        }
        Access::Owner => {
            prove(&app, KeyKind::Owner, client, &parts.headers, &mut budget).await.and_then(suits::<E>)
        }
    };
    let mut response = match admitted {
        Ok(caller) => {
            if let Some(caller) = caller {
                parts.extensions.insert(caller);
            }
            handler.call(Request::from_parts(parts, body), app).await
        }
        Err(refusal) => refusal.into_response(),
    };
    if let Some(budget) = budget {
        limit::write_headers(&budget, &mut response);
    }
    response
}

/// Reading what is public is free; making something without a key is limited by address.
fn admit_stranger<E: Endpoint>(app: &App, client: ClientAddress) -> Result<Option<Caller>, ApiError> {
    if E::METHOD == Method::POST {
        limit::check(
            &app.limits().registrations.take(&client.limited(), app.now()),
            "registrations from this address",
        )?;
    }
    Ok(None)
}

async fn prove(
    app: &App,
    kind: KeyKind,
    client: ClientAddress,
    headers: &HeaderMap,
    budget: &mut Option<Budget>,
) -> Result<Caller, ApiError> {
    let now = app.now();
    let failures = &app.limits().failed_authentications;
    limit::check(
        &failures.look(&client.limited(), now),
        "requests with keys that do not work from this address",
    )?;
    let refuse = |refusal: ApiError| {
        failures.take(&client.limited(), now);
        refusal
    };
    let key = presented(headers, kind).map_err(refuse)?;
    let Glance { key: found, moment } = app.store().look(&key.key_id).await?;
    let found = found.filter(|found| found.holder_kind() == kind && key.opens(&found.stored, now));
    let Some(found) = found else { return Err(refuse(unknown_key())) };

    let left = budget.insert(app.limits().keys.take(&key.key_id, now));
    limit::check(left, "requests with this key")?;
    app.sightings().note(app.store(), &found, now);
    Ok(Caller { key: found.caller(), actor: found.actor.clone(), moment })
}

/// Lets a caller through whose key is good for the operation.
fn suits<E: Endpoint>(caller: Caller) -> Result<Option<Caller>, ApiError> {
    match E::SCOPE {
        Some(scope) if !caller.key.grant.covers(&scope) => Err(too_narrow(&scope)),
        _ => Ok(Some(caller)),
    }
}

fn too_narrow(scope: &Scope) -> ApiError {
    let sentence = format!("this key is not good for {scope}, which the operation asks for");
    ApiError::new(ErrorCode::Forbidden, sentence).detail("scope", scope.as_str())
}

fn presented(headers: &HeaderMap, kind: KeyKind) -> Result<PresentedKey, ApiError> {
    let refuse = |sentence: String| ApiError::new(ErrorCode::Unauthenticated, sentence);
    let prefix = kind.prefix();
    let value = headers.get(header::AUTHORIZATION).ok_or_else(|| {
        refuse(format!("a key is needed: send the header `Authorization: Bearer {prefix}_…`"))
    })?;
    let text = value.to_str().unwrap_or_default();
    let (scheme, credentials) = text.split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refuse(format!("the header must read `Authorization: Bearer {prefix}_…`")));
    }
    let key = PresentedKey::parse(credentials.trim()).ok_or_else(unknown_key)?;
    if key.kind != kind {
        return Err(refuse(format!(
            "this surface takes keys that begin with {prefix}_, not {}_",
            key.kind.prefix()
        )));
    }
    Ok(key)
}

fn unknown_key() -> ApiError {
    ApiError::new(ErrorCode::Unauthenticated, "the key is unknown, expired or revoked")
}
