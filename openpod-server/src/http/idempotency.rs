//! `Idempotency-Key`: the same call twice has the effect of once, and gets the same answer.
//!
//! ```text
//!   key unknown                   ─▶ do it, remember the answer          (one transaction)
//!   key known, same call          ─▶ the remembered answer, Idempotency-Replayed: true
//!   key known, anything different ─▶ 422
//! ```
//!
//! Answer and effect are committed together, so there is no moment at which one exists without the other. A refused
//! call had no effect and is not remembered: sent again, it is judged again.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::StatusCode;
use http::request::Parts;
use openpod_sdk::api::{Endpoint, ErrorCode};
use sha2::{Digest, Sha256};

use super::{Answer, ApiError};
use crate::app::App;
use crate::domain::idempotency::Identity;
use crate::store::{Tx, idempotency_keys};

/// How long an answer is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// What tells one call from another, when its caller asked for that. Empty for a call without the header.
#[derive(Debug, Clone, Default)]
pub struct Once(Option<Box<Identity>>);

impl Once {
    /// Reads the header of a call.
    pub(super) fn of<E: Endpoint>(caller: String, parts: &Parts, body: &[u8]) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let key = value.to_str().ok().filter(|key| (1..=255).contains(&key.len())).ok_or_else(|| {
            let sentence = "Idempotency-Key must have 1 to 255 characters of printable ASCII";
            ApiError::new(ErrorCode::InvalidRequest, sentence)
        })?;
        Ok(Self(Some(Box::new(Identity {
            caller,
            key: key.to_owned(),
            operation: E::NAME.to_owned(),
            path: parts.uri.path().to_owned(),
            body_sha256: Sha256::digest(body).to_vec(),
        }))))
    }

    /// Makes a change and remembers its answer, in one transaction; a call that was answered before is answered again.
    pub async fn write<E, S>(self, app: &App, script: S) -> Result<Answer<E>, ApiError>
    where
        E: Endpoint,
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<Answer<E>, ApiError>> + Send + 'static,
    {
        let write = app.store().write(move |tx| {
            Box::pin(async move {
                if let Some(answer) = self.recall(tx).await? {
                    return Ok(answer);
                }
                let answer = script(tx).await?;
                self.remember(tx, &answer).await?;
                Ok(answer)
            })
        });
        write.await
    }

    /// The same for a change whose answer shows a secret and so is not kept. A repeated call is judged again, and finds
    /// its own effect in the way.
    pub async fn write_secret<E, S>(self, app: &App, script: S) -> Result<Answer<E>, ApiError>
    where
        E: Endpoint,
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<Answer<E>, ApiError>> + Send + 'static,
    {
        let write = app.store().write(move |tx| {
            Box::pin(async move {
                self.recall::<E>(tx).await?;
                let answer = script(tx).await?;
                self.remember(tx, &Answer::<E>::replay(answer.status, None, Bytes::new())).await?;
                Ok(answer)
            })
        });
        write.await
    }

    /// The answer that this very call got before.
    async fn recall<E: Endpoint>(&self, tx: &mut Tx<'_>) -> Result<Option<Answer<E>>, ApiError> {
        let Some(asked) = self.0.as_deref() else { return Ok(None) };
        let forgotten = tx.now().minus(REMEMBERED_FOR);
        idempotency_keys::forget_before(tx, forgotten).await?;
        let Some((identity, saved)) = idempotency_keys::find(tx, &asked.caller, &asked.key).await? else {
            return Ok(None);
        };
        if identity != *asked {
            let sentence =
                "this Idempotency-Key was used for another operation, path or body; use a fresh one";
            return Err(ApiError::new(ErrorCode::Unprocessable, sentence));
        }
        let status = StatusCode::from_u16(saved.status).map_err(ApiError::internal)?;
        Ok(Some(Answer::replay(status, saved.version, Bytes::from(saved.body))))
    }

    /// Keeps the answer for the next time.
    async fn remember<E: Endpoint>(&self, tx: &mut Tx<'_>, answer: &Answer<E>) -> Result<(), ApiError> {
        let Some(identity) = self.0.as_deref() else { return Ok(()) };
        let saved = idempotency_keys::SavedAnswer {
            status: answer.status.as_u16(),
            version: answer.version,
            body: answer.body.to_vec(),
        };
        Ok(idempotency_keys::insert(tx, identity, &saved).await?)
    }
}
