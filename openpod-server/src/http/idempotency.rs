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
//!
//! Here too, and nowhere else, the changes of a call enter the audit log, in the same transaction.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::StatusCode;
use http::request::Parts;
use openpod_sdk::api::{Endpoint, ErrorCode};
use sha2::{Digest, Sha256};

use super::{Answer, ApiError};
use crate::app::App;
use crate::domain::audit::Author;
use crate::domain::idempotency::Identity;
use crate::store::{Tx, audit, dialect, idempotency_keys};

/// How long an answer is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Who makes a change, and what tells their call from another, if they asked for that with the header.
#[derive(Debug, Clone)]
pub struct Once {
    author: Author,
    identity: Option<Box<Identity>>,
}

impl Once {
    /// Reads the header of a call. `caller` tells one caller's keys from another's.
    pub(super) fn of<E: Endpoint>(
        caller: impl FnOnce() -> String,
        author: Author,
        parts: &Parts,
        body: &[u8],
    ) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(Self { author, identity: None });
        };
        let key = value.to_str().ok().filter(|key| (1..=255).contains(&key.len())).ok_or_else(|| {
            let sentence = "Idempotency-Key must have 1 to 255 characters of printable ASCII";
            ApiError::new(ErrorCode::InvalidRequest, sentence)
        })?;
        let identity = Identity {
            caller: caller(),
            key: key.to_owned(),
            operation: E::NAME.to_owned(),
            path: parts.uri.path().to_owned(),
            body_sha256: Sha256::digest(body).to_vec(),
        };
        Ok(Self { author, identity: Some(Box::new(identity)) })
    }

    /// Makes a change and remembers its answer, in one transaction; a call that was answered before is answered again.
    pub async fn write<E, S>(self, app: &App, script: S) -> Result<Answer<E>, ApiError>
    where
        E: Endpoint,
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<Answer<E>, ApiError>>
            + Clone
            + Send
            + 'static,
    {
        let write = app.store().write(move |tx| {
            Box::pin(async move {
                if let Some(answer) = self.recall(tx).await? {
                    return Ok(answer);
                }
                let answer = script(tx).await?;
                self.note(tx, &answer).await?;
                self.remember(tx, &answer).await?;
                Ok(answer)
            })
        });
        write.await
    }

    /// The same for a change that only appends. What a call with a key left behind must be looked for under a hold, so that
    /// is a write like others.
    pub async fn append<E, S>(self, app: &App, script: S) -> Result<Answer<E>, ApiError>
    where
        E: Endpoint,
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<Answer<E>, ApiError>>
            + Clone
            + Send
            + 'static,
    {
        if self.identity.is_some() {
            return self.write(app, script).await;
        }
        let append = app.store().append(move |tx| {
            Box::pin(async move {
                let answer = script(tx).await?;
                self.note(tx, &answer).await?;
                Ok(answer)
            })
        });
        append.await
    }

    /// The same for a change whose answer shows a secret and so is not kept. A repeated call is judged again, finds its
    /// own effect in the way, and is told so: its refusal reads `own` and has `replayed` among its details.
    pub async fn write_secret<E, S>(
        self,
        app: &App,
        own: &'static str,
        script: S,
    ) -> Result<Answer<E>, ApiError>
    where
        E: Endpoint,
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<Answer<E>, ApiError>>
            + Clone
            + Send
            + 'static,
    {
        let write = app.store().write(move |tx| {
            Box::pin(async move {
                let is_repeated = self.recall::<E>(tx).await?.is_some();
                let answer = script(tx).await.map_err(|refusal| {
                    if is_repeated { refusal.saying(own).detail("replayed", true) } else { refusal }
                })?;
                self.note(tx, &answer).await?;
                self.remember(tx, &Answer::<E>::replay(answer.status, None, Bytes::new())).await?;
                Ok(answer)
            })
        });
        write.await
    }

    /// The same for something that is shown once and can be made again: a repeated call is refused, because its answer
    /// was not kept and a second one of the thing is not what its caller wants.
    pub async fn write_shown_once<E, S>(self, app: &App, what: &str, script: S) -> Result<Answer<E>, ApiError>
    where
        E: Endpoint,
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<Answer<E>, ApiError>>
            + Clone
            + Send
            + 'static,
    {
        let sentence =
            format!("this very call made a {what} before, and showed it then; it cannot be shown again");
        let write = app.store().write(move |tx| {
            Box::pin(async move {
                if self.recall::<E>(tx).await?.is_some() {
                    return Err(ApiError::new(ErrorCode::Conflict, sentence));
                }
                let answer = script(tx).await?;
                self.note(tx, &answer).await?;
                self.remember(tx, &Answer::<E>::replay(answer.status, None, Bytes::new())).await?;
                Ok(answer)
            })
        });
        write.await
    }

    /// Writes into the audit log what was changed. A change of which nobody knows is not made.
    async fn note<E: Endpoint>(&self, tx: &mut Tx<'_>, answer: &Answer<E>) -> Result<(), ApiError> {
        let unsaid = || ApiError::internal(format!("{} does not say what it changed", E::NAME));
        for change in answer.changes.as_ref().ok_or_else(unsaid)? {
            audit::insert(tx, &self.author, E::NAME, change).await?;
        }
        Ok(())
    }

    /// The answer that this very call got before.
    async fn recall<E: Endpoint>(&self, tx: &mut Tx<'_>) -> Result<Option<Answer<E>>, ApiError> {
        let Some(asked) = self.identity.as_deref() else { return Ok(None) };
        dialect::hold_name(tx, "call", &format!("{} {}", asked.caller, asked.key)).await?;
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
        let Some(identity) = self.identity.as_deref() else { return Ok(()) };
        let saved = idempotency_keys::SavedAnswer {
            status: answer.status.as_u16(),
            version: answer.version,
            body: answer.body.to_vec(),
        };
        Ok(idempotency_keys::insert(tx, identity, &saved).await?)
    }
}
