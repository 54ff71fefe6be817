//! A limit as the caller sees it: headers on every answer, 429 when it is spent.

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use openpod_sdk::api::ErrorCode;

use super::ApiError;
use crate::rate_limit::Budget;

/// Writes the budget as `X-RateLimit-*` headers.
pub(super) fn write_headers(budget: &Budget, response: &mut Response) {
    let reset = budget.full_at.as_micros().div_euclid(1_000_000) + 1;
    for (name, value) in [
        ("x-ratelimit-limit", HeaderValue::from(budget.limit)),
        ("x-ratelimit-remaining", HeaderValue::from(budget.remaining)),
        ("x-ratelimit-reset", HeaderValue::from(reset)),
    ] {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

/// 429, unless the request is allowed.
pub(super) fn check(budget: &Budget, what: &str) -> Result<(), ApiError> {
    if budget.allowed {
        return Ok(());
    }
    let seconds = budget.wait.as_micros().div_ceil(1_000_000).max(1) as u64;
    let sentence = format!("too many {what}; try again in {seconds} seconds");
    Err(ApiError::new(ErrorCode::RateLimited, sentence).retry_after(seconds))
}
