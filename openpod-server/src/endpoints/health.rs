//! GET /health

use axum::extract::State;
use openpod_sdk::api::health::{GetHealth, Health, RateLimit};
use openpod_sdk::api::{ENDPOINTS, EXTENSIONS};

use crate::app::App;
use crate::http::{Answer, ApiError, PublicCall};
use crate::openapi::PAGE_PATH;

/// Answers once the database answers.
pub async fn get(State(app): State<App>, _: PublicCall<GetHealth>) -> Result<Answer<GetHealth>, ApiError> {
    let now = app.store().read(|tx| Box::pin(async move { Ok::<_, ApiError>(tx.now()) })).await?;
    Ok(Answer::ok(Health {
        status: "healthy".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        timestamp: now,
        endpoints: Some((ENDPOINTS.len() + EXTENSIONS.len()) as u64),
        docs: Some(PAGE_PATH.to_owned()),
        rate_limit: Some(RateLimit { limit: app.limits().keys.rate().limit, window: "1 minute".to_owned() }),
    }))
}
