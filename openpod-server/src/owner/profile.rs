//! GET /me, for owners

use axum::extract::State;
use openpod_sdk::api::owner::GetOwner;

use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::owners;

/// Who the caller is.
pub async fn get(State(app): State<App>, call: Call<GetOwner>) -> Result<Answer<GetOwner>, ApiError> {
    let id = access::owner(&call.actor)?;
    let found = app.store().read(move |tx| Box::pin(async move { owners::find(tx, &id).await }));
    let owner = found.await.map_err(ApiError::from)?.ok_or_else(|| ApiError::not_found("owner"))?;
    Ok(Answer::ok(owner))
}
