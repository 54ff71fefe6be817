//! What the platform's operator does to webhooks, at the command line. It enters the audit log.

use openpod_sdk::api::webhooks::{DeliveryFilter, LoggedDelivery, Replay, Replayed};
use openpod_sdk::api::{DeliveryId, WebhookId};
use serde_json::json;

use crate::domain::audit::{Author, Change};
use crate::store::delivery_log::{self, Reach};
use crate::store::paging::Window;
use crate::store::webhooks::{self, KnownWebhook};
use crate::store::{Store, StoreError, Tx, audit, outbox};

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// There is no such webhook.
    #[error("there is no webhook {0}; see openpod-server webhook list")]
    NoWebhook(WebhookId),
    /// There is no such delivery to it.
    #[error("there is no delivery {0} to this webhook; see openpod-server webhook attempts")]
    NoDelivery(DeliveryId),
    /// Nothing is delivered to it.
    #[error("the webhook is disabled ({0}); enable it first")]
    Disabled(String),
    /// It is active already.
    #[error("the webhook is not disabled")]
    NotDisabled,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was sent to a webhook, newest first.
pub async fn deliveries(
    store: &Store,
    webhook: WebhookId,
    filter: DeliveryFilter,
    window: Window,
) -> Result<Vec<LoggedDelivery>, OperatorError> {
    let read = store.read(move |tx| {
        Box::pin(async move {
            known(tx, &webhook).await?;
            let mut rows = delivery_log::page(tx, &Reach { webhook, within: None }, &filter, &window).await?;
            rows.truncate(window.limit as usize);
            Ok(rows)
        })
    });
    read.await
}

/// Sends a test.
pub async fn test_webhook(store: &Store, webhook: WebhookId) -> Result<DeliveryId, OperatorError> {
    let write = store.write(move |tx| {
        Box::pin(async move {
            active(tx, &webhook).await?;
            let id = outbox::emit_test(tx, &webhook).await?;
            note(tx, "webhook test", Change::made("delivery", &id, &json!({"webhook_id": webhook}))).await?;
            Ok(id)
        })
    });
    write.await
}

/// Has deliveries be sent again.
pub async fn replay(store: &Store, webhook: WebhookId, which: Replay) -> Result<Replayed, OperatorError> {
    let write = store.write(move |tx| {
        Box::pin(async move {
            active(tx, &webhook).await?;
            let reach = Reach { webhook, within: None };
            let replayed = delivery_log::replay(tx, &reach, &which).await?;
            if let (0, Some(id)) = (replayed.replayed, &which.delivery_id) {
                return Err(OperatorError::NoDelivery(id.clone()));
            }
            let facts = json!({"which": which, "replayed": replayed.replayed});
            note(tx, "webhook replay", Change::made("replay", &reach.webhook, &facts)).await?;
            Ok(replayed)
        })
    });
    write.await
}

/// Has a webhook that was disabled be delivered to again.
pub async fn enable_webhook(store: &Store, webhook: WebhookId) -> Result<(), OperatorError> {
    let write = store.write(move |tx| {
        Box::pin(async move {
            let known = known(tx, &webhook).await?;
            if !webhooks::enable(tx, &webhook).await? {
                return Err(OperatorError::NotDisabled);
            }
            Ok(note(tx, "webhook enable", known.enabling()).await?)
        })
    });
    write.await
}

async fn known(tx: &mut Tx<'_>, id: &WebhookId) -> Result<KnownWebhook, OperatorError> {
    webhooks::find(tx, id).await?.ok_or_else(|| OperatorError::NoWebhook(id.clone()))
}

async fn active(tx: &mut Tx<'_>, id: &WebhookId) -> Result<(), OperatorError> {
    let known = known(tx, id).await?;
    if known.is_active {
        Ok(())
    } else {
        Err(OperatorError::Disabled(known.disabled_reason.unwrap_or_default()))
    }
}

async fn note(tx: &mut Tx<'_>, command: &str, change: Change) -> Result<(), StoreError> {
    audit::insert(tx, &Author::operator(), command, &change).await
}
