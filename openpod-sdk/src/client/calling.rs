//! One call: its attempts, one after the other, until one is good or none may follow.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::error::Fault;
use super::middleware::{self, Attempt, Outcome};
use super::request::Outgoing;
use super::{CallOptions, Client, Error, RawAnswer, response};
use crate::api::{Access, Endpoint, Idempotency};
use crate::dialect::{Dialect, Translation};

/// What the deployed service allows each key.
const DEPLOYED_PER_MINUTE: usize = 60;

/// A call under way.
pub(super) struct Calling<'a> {
    client: &'a Client,
    options: &'a CallOptions,
    span: &'a Span,
    operation: &'static str,
    started: Duration,
    /// How many attempts have begun.
    begun: u32,
    /// What came last, to be looked at where the call fails.
    last: Option<RawAnswer>,
}

impl<'a> Calling<'a> {
    pub(super) fn of<E: Endpoint>(client: &'a Client, options: &'a CallOptions, span: &'a Span) -> Self {
        let started = client.shared.timer.now();
        Self { client, options, span, operation: E::NAME, started, begun: 0, last: None }
    }

    /// All attempts, within the time that the whole call has: no attempt takes longer than is left of it, and no pause
    /// begins that would end after it.
    pub(super) async fn attempts<E: Endpoint>(
        &mut self,
        request: &Outgoing,
        translation: Option<&Translation>,
    ) -> Result<(E::Response, RawAnswer), Error> {
        let answer = self.until_settled::<E>(request, translation).await;
        self.span.record("attempts", self.begun);
        answer.map_err(|fault| self.failed(fault))
    }

    /// How much is left of the time that the whole call has.
    fn left(&self) -> Duration {
        let limit = self.options.timeout.unwrap_or(self.client.shared.operation_timeout);
        limit.saturating_sub(self.elapsed())
    }

    pub(super) fn failed(&mut self, fault: Fault) -> Error {
        let error = Error::new(self.operation, fault, self.begun, self.elapsed());
        error.with_raw(self.last.take()).with_key(self.options.idempotency_key.clone())
    }

    async fn until_settled<E: Endpoint>(
        &mut self,
        request: &Outgoing,
        translation: Option<&Translation>,
    ) -> Result<(E::Response, RawAnswer), Fault> {
        let shared = &*self.client.shared;
        loop {
            self.take_turn::<E>().await?;
            self.begun += 1;
            let fault = match self.attempt::<E>(request, translation).await {
                Ok(answer) => {
                    shared.budget.refill();
                    return Ok(answer);
                }
                Err(fault) => fault,
            };
            let policy = self.options.retry(&shared.retry);
            let pause = policy.pause(self.is_repeatable::<E>(), &fault, self.begun, (shared.random)());
            let fits = |pause: &Duration| {
                self.elapsed().saturating_add(*pause) <= policy.deadline && *pause < self.left()
            };
            let waits = pause.filter(fits);
            let Some(pause) = waits.filter(|_| shared.budget.take()) else {
                return Err(fault.with_outcome(self.is_harmless::<E>()));
            };
            tracing::debug!(attempt = self.begun, ?pause, %fault, "trying again");
            shared.timer.sleep(pause).await;
        }
    }

    async fn attempt<E: Endpoint>(
        &mut self,
        request: &Outgoing,
        translation: Option<&Translation>,
    ) -> Result<(E::Response, RawAnswer), Fault> {
        let shared = &*self.client.shared;
        let span = tracing::debug_span!("attempt", number = self.begun, status = Empty, request_id = Empty);
        let mut request = request.clone();
        let attempt = (!shared.middleware.is_empty()).then(|| self.announced::<E>(&mut request.headers));
        let sent = shared.timer.now();
        let answer = shared
            .transport
            .send(request, self.options.attempt_timeout, self.left(), &*shared.timer)
            .instrument(span.clone())
            .await;
        if let Ok(answer) = &answer {
            if !span.is_disabled() {
                let id = response::request_id(answer);
                span.record("status", answer.status().as_u16());
                span.record("request_id", id);
                self.span.record("request_id", id);
            }
            self.learn(answer);
        }
        let (value, raw) = match answer {
            Err(fault) => (Err(fault), None),
            Ok(answer) => {
                let value = match translation {
                    None => response::read::<E>(&answer),
                    Some(translation) => response::read_translated::<E>(&answer, translation),
                };
                (value, Some(RawAnswer(answer)))
            }
        };
        if let Some(attempt) = attempt {
            let outcome = Outcome {
                status: raw.as_ref().map(|raw| raw.status().as_u16()),
                request_id: raw.as_ref().and_then(RawAnswer::request_id),
                error: value.as_ref().err().map(Fault::kind),
                took: shared.timer.now().saturating_sub(sent),
            };
            shared.middleware.iter().for_each(|middleware| middleware.after(&attempt, &outcome));
        }
        match (value, raw) {
            (Ok(value), Some(raw)) => Ok((value, raw)),
            (Err(fault), raw) => {
                self.last = raw;
                Err(fault)
            }
            (Ok(_), None) => Err(Fault::Interrupted("there was no answer".to_owned())),
        }
    }

    /// Tells the middlewares of an attempt and adds what they want sent.
    fn announced<E: Endpoint>(&self, headers: &mut HeaderMap) -> Attempt {
        let attempt = Attempt {
            operation: E::NAME,
            method: E::METHOD,
            path: E::PATH,
            dialect: self.client.dialect,
            number: self.begun,
        };
        for middleware in &self.client.shared.middleware {
            let mut wanted = HeaderMap::new();
            middleware.before(&attempt, &mut wanted);
            middleware::add(headers, &wanted);
        }
        attempt
    }

    /// Waits until the limit allows another call. Public operations are not counted by key.
    async fn take_turn<E: Endpoint>(&self) -> Result<(), Fault> {
        let shared = &*self.client.shared;
        let of_dialect = (self.client.dialect == Dialect::Deployed).then_some(DEPLOYED_PER_MINUTE);
        let most = shared.requests_per_minute.or(of_dialect);
        let Some(most) = most.filter(|_| E::ACCESS != Access::Public) else { return Ok(()) };
        while let Err(wait) = shared.limiter.admit(most, shared.timer.now()) {
            if self.elapsed().saturating_add(wait) > shared.retry.deadline || wait >= self.left() {
                return Err(Fault::HeldBack(wait));
            }
            tracing::debug!(?wait, "waiting for a turn");
            shared.timer.sleep(wait).await;
        }
        Ok(())
    }

    fn learn(&self, answer: &Response<Bytes>) {
        let shared = &*self.client.shared;
        let limited = (answer.status() == StatusCode::TOO_MANY_REQUESTS)
            .then(|| response::retry_after(answer.headers()))
            .flatten();
        shared.limiter.learn(answer.headers(), limited, shared.timer.now());
        if !shared.is_ours()
            && answer.headers().get("idempotency-supported").is_some_and(|value| value == "true")
        {
            shared.honours_keys.store(true, Ordering::Relaxed);
        }
    }

    /// Whether sending it a second time does no harm. With `If-Match` a second sending could be refused although the
    /// first one took effect.
    fn is_repeatable<E: Endpoint>(&self) -> bool {
        let honoured = || self.client.shared.honours_keys.load(Ordering::Relaxed);
        match E::IDEMPOTENCY {
            Idempotency::Safe => true,
            _ if self.options.idempotency_key.is_some() && honoured() => true,
            Idempotency::Idempotent => self.options.if_match.is_none(),
            Idempotency::Keyed => false,
        }
    }

    /// Whether it does not matter that the outcome is not known.
    fn is_harmless<E: Endpoint>(&self) -> bool {
        E::IDEMPOTENCY == Idempotency::Safe || self.is_repeatable::<E>()
    }

    fn elapsed(&self) -> Duration {
        self.client.shared.timer.now().saturating_sub(self.started)
    }
}
