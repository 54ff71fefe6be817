//! GET /webhooks/{webhook_id}/deliveries, for agents and owners

use axum::extract::State;
use openpod_sdk::api::webhooks::{DeliveryFilter, LoggedDelivery, WebhookPath};
use openpod_sdk::api::{Endpoint, Page};

use super::reach;
use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::delivery_log;

/// A page of what was sent to a webhook and what came of it, newest first.
pub async fn deliveries<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Path = WebhookPath, Query = DeliveryFilter, Response = Page<LoggedDelivery>>,
{
    let Call { actor, path, query: filter, .. } = call;
    let window = access::window(filter.limit, filter.cursor.as_ref())?;
    let page = app.store().read(move |tx| {
        Box::pin(async move {
            let (_, reach) = reach(tx, &actor, &path.webhook_id).await?;
            let rows = delivery_log::page(tx, &reach, &filter, &window).await?;
            let place = |row: &LoggedDelivery| (row.created_at.as_micros(), row.id.to_string());
            Ok::<_, ApiError>(window.page(rows, place))
        })
    });
    Ok(Answer::ok(page.await?))
}
