//! What became of deliveries, and sending them again: for agents and for owners.

use super::owner::OwnerClient;
use super::{Client, Error};
use crate::api::webhooks::{
    DeliveryFilter, EnableWebhook, ListDeliveries, LoggedDelivery, Replay, ReplayDeliveries, Replayed,
    RotateWebhookSecret, RotatedWebhook, SecretRotation, TestWebhook, Webhook, WebhookPath,
};
use crate::api::{Nothing, Page, WebhookId, owner};

impl Client {
    /// `GET /webhooks/{webhook_id}/deliveries`, an extension · [`ListDeliveries`]
    pub async fn list_deliveries(
        &self,
        webhook: &WebhookId,
        filter: &DeliveryFilter,
    ) -> Result<Page<LoggedDelivery>, Error> {
        self.call(ListDeliveries, &path(webhook), filter, &Nothing {}).await
    }

    /// `POST /webhooks/{webhook_id}/test`, an extension · [`TestWebhook`]
    pub async fn test_webhook(&self, webhook: &WebhookId) -> Result<LoggedDelivery, Error> {
        self.call(TestWebhook, &path(webhook), &Nothing {}, &Nothing {}).await
    }

    /// `POST /webhooks/{webhook_id}/replay`, an extension · [`ReplayDeliveries`]
    pub async fn replay_deliveries(&self, webhook: &WebhookId, which: &Replay) -> Result<Replayed, Error> {
        self.call(ReplayDeliveries, &path(webhook), &Nothing {}, which).await
    }

    /// `POST /webhooks/{webhook_id}/rotate`, an extension · [`RotateWebhookSecret`]
    pub async fn rotate_webhook_secret(
        &self,
        webhook: &WebhookId,
        rotation: &SecretRotation,
    ) -> Result<RotatedWebhook, Error> {
        self.call(RotateWebhookSecret, &path(webhook), &Nothing {}, rotation).await
    }

    /// `POST /webhooks/{webhook_id}/enable`, an extension · [`EnableWebhook`]
    pub async fn enable_webhook(&self, webhook: &WebhookId) -> Result<Webhook, Error> {
        self.call(EnableWebhook, &path(webhook), &Nothing {}, &Nothing {}).await
    }
}

impl OwnerClient {
    /// `GET /webhooks` · [`owner::OwnerListWebhooks`]
    pub async fn list_webhooks(
        &self,
        filter: &owner::OwnerWebhookFilter,
    ) -> Result<Page<owner::MembersWebhook>, Error> {
        self.0.call(owner::OwnerListWebhooks, &Nothing {}, filter, &Nothing {}).await
    }

    /// `GET /webhooks/{webhook_id}/deliveries` · [`owner::OwnerListDeliveries`]
    pub async fn list_deliveries(
        &self,
        webhook: &WebhookId,
        filter: &DeliveryFilter,
    ) -> Result<Page<LoggedDelivery>, Error> {
        self.0.call(owner::OwnerListDeliveries, &path(webhook), filter, &Nothing {}).await
    }

    /// `POST /webhooks/{webhook_id}/test` · [`owner::OwnerTestWebhook`]
    pub async fn test_webhook(&self, webhook: &WebhookId) -> Result<LoggedDelivery, Error> {
        self.0.call(owner::OwnerTestWebhook, &path(webhook), &Nothing {}, &Nothing {}).await
    }

    /// `POST /webhooks/{webhook_id}/replay` · [`owner::OwnerReplayDeliveries`]
    pub async fn replay_deliveries(&self, webhook: &WebhookId, which: &Replay) -> Result<Replayed, Error> {
        self.0.call(owner::OwnerReplayDeliveries, &path(webhook), &Nothing {}, which).await
    }

    /// `POST /webhooks/{webhook_id}/enable` · [`owner::OwnerEnableWebhook`]
    pub async fn enable_webhook(&self, webhook: &WebhookId) -> Result<owner::MembersWebhook, Error> {
        self.0.call(owner::OwnerEnableWebhook, &path(webhook), &Nothing {}, &Nothing {}).await
    }
}

fn path(webhook: &WebhookId) -> WebhookPath {
    WebhookPath { webhook_id: webhook.clone() }
}
