//! GET /me/keys, and GET /keys for owners

use axum::extract::State;
use openpod_sdk::api::keys::{Key, KeyFilter};
use openpod_sdk::api::{Endpoint, Page};

use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::keys;

/// A page of the caller's keys, newest first.
pub async fn list<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Query = KeyFilter, Response = Page<Key>>,
{
    let Call { actor, query: filter, .. } = call;
    let window = access::window(filter.limit, filter.cursor.as_ref())?;
    app.sightings().written().await;
    let page = app.store().read(move |tx| {
        Box::pin(async move {
            let rows = keys::of_holder(tx, &actor, &window).await?;
            Ok::<_, ApiError>(window.page(rows, |key| (key.created_at.as_micros(), key.id.to_string())))
        })
    });
    Ok(Answer::ok(page.await?))
}
