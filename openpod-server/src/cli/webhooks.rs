//! `openpod-server webhook list|attempts|test|replay|enable`

use clap::{Args, Subcommand};
use openpod_sdk::api::webhooks::{DeliveryFilter, LoggedAttempt, LoggedDelivery, Replay};
use openpod_sdk::api::{DeliveryId, DeliveryStatus, EventKind, Timestamp, Validate, WebhookId};

use super::{Outcome, answer, open_existing};
use crate::config::Config;
use crate::operators;
use crate::store::paging::Window;
use crate::store::webhooks::{self, KnownWebhook};
use crate::store::{Store, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum Webhook {
    /// List all webhooks: id, agent, where it leads without the path, and whether it works.
    List,
    /// List what was sent to a webhook, newest first, with each attempt.
    Attempts(Attempts),
    /// Send a test to a webhook. A server that runs delivers it within a second or two.
    Test {
        /// The webhook.
        webhook_id: WebhookId,
    },
    /// Have deliveries be sent again, all that meet what is said. A server that runs begins within a second or two.
    Replay(ReplayArgs),
    /// Have a webhook that was disabled be delivered to again.
    Enable {
        /// The webhook.
        webhook_id: WebhookId,
    },
}

#[derive(Debug, Args)]
pub(super) struct Attempts {
    /// The webhook.
    webhook_id: WebhookId,
    /// Deliveries in this state: pending, delivered or failed.
    #[arg(long)]
    status: Option<DeliveryStatus>,
    /// Deliveries of this event.
    #[arg(long)]
    event: Option<EventKind>,
    /// Deliveries of events that happened at this time or later.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// How many deliveries, 1 to 100.
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The webhook.
    webhook_id: WebhookId,
    /// This delivery.
    #[arg(long, value_name = "ID")]
    delivery: Option<DeliveryId>,
    /// Deliveries of events that happened at this time or later.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Deliveries that failed.
    #[arg(long)]
    failed: bool,
}

impl Webhook {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let store = open_existing(&config).await?;
        match self {
            Webhook::List => list(&store).await,
            Webhook::Attempts(attempts) => attempts.run(&store).await,
            Webhook::Test { webhook_id } => {
                answer(operators::test_webhook(&store, webhook_id).await?);
                Ok(store.wake_servers().await?)
            }
            Webhook::Replay(replay) => replay.run(&store).await,
            Webhook::Enable { webhook_id } => Ok(operators::enable_webhook(&store, webhook_id).await?),
        }
    }
}

async fn list(store: &Store) -> Outcome {
    let all = store.read::<_, StoreError, _>(|tx| Box::pin(webhooks::all(tx))).await?;
    for webhook in all {
        let events: Vec<&str> = webhook.events.iter().map(EventKind::as_str).collect();
        let KnownWebhook { id, agent_name, .. } = &webhook;
        answer(format!(
            "{id}  {agent_name}  {}  {}  {}",
            webhook.origin(),
            events.join(","),
            state(&webhook)
        ));
    }
    Ok(())
}

fn state(webhook: &KnownWebhook) -> String {
    match (&webhook.disabled_reason, webhook.failing_since) {
        (Some(reason), _) => format!("disabled: {reason}"),
        (None, Some(since)) => format!("failing since {since}"),
        (None, None) => "works".to_owned(),
    }
}

impl Attempts {
    async fn run(self, store: &Store) -> Outcome {
        let Attempts { webhook_id, status, event, since, limit } = self;
        let filter = DeliveryFilter { status, event, since, limit: Some(limit), cursor: None };
        filter.check()?;
        let window = Window { limit, after: None };
        for delivery in operators::deliveries(store, webhook_id, filter, window).await? {
            answer(headline(&delivery));
            delivery.attempts.iter().for_each(|attempt| answer(line(attempt)));
        }
        Ok(())
    }
}

fn headline(delivery: &LoggedDelivery) -> String {
    let LoggedDelivery { id, event, status, created_at, next_attempt_at, attempt_count, .. } = delivery;
    let next = next_attempt_at.map_or_else(String::new, |at| format!(", next {at}"));
    format!("{id}  {event}  {created_at}  {status} after {attempt_count}{next}")
}

fn line(attempt: &LoggedAttempt) -> String {
    let LoggedAttempt { number, begun_at, duration_ms, http_status, error } = attempt;
    let status = http_status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let error = error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
    format!("  {number}  {begun_at}  {duration_ms} ms  {status}{error}")
}

impl ReplayArgs {
    async fn run(self, store: &Store) -> Outcome {
        let status = self.failed.then_some(DeliveryStatus::Failed);
        let which = Replay { delivery_id: self.delivery, since: self.since, status };
        which.check()?;
        let replayed = operators::replay(store, self.webhook_id, which).await?;
        store.wake_servers().await?;
        let more = replayed
            .next_since
            .map_or_else(String::new, |since| format!("; there are more, go on with --since {since}"));
        let deliveries = if replayed.replayed == 1 { "delivery is" } else { "deliveries are" };
        answer(format!("{} {deliveries} sent again{more}", replayed.replayed));
        Ok(())
    }
}
