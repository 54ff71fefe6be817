//! Webhooks: what their operations have in common.

mod create;
mod delete;
mod deliveries;
mod enable;
mod list;
mod replay;
mod rotate;
mod test;

pub use create::create;
pub use delete::delete;
pub use deliveries::deliveries;
pub use enable::enable;
pub use list::list;
pub use replay::replay;
pub use rotate::rotate;
pub use test::test;

use openpod_sdk::Secret;
use openpod_sdk::api::{AgentKeyId, ErrorCode, WebhookId};
use openpod_sdk::webhook::SigningKey;

use crate::app::App;
use crate::domain::permission::Actor;
use crate::http::ApiError;
use crate::store::Tx;
use crate::store::delivery_log::Reach;
use crate::store::webhooks::{self, KnownWebhook};

/// The agent who calls; people have no webhooks.
fn agent(actor: &Actor) -> Result<AgentKeyId, ApiError> {
    let forbidden = || ApiError::new(ErrorCode::Forbidden, "only agents have webhooks");
    actor.agent().cloned().ok_or_else(forbidden)
}

/// A webhook that the caller may reach, and which of its deliveries: an agent its own, an owner those of the agents in
/// their projects as far as it concerns these.
async fn reach(tx: &mut Tx<'_>, actor: &Actor, id: &WebhookId) -> Result<(KnownWebhook, Reach), ApiError> {
    let (found, within) = match actor {
        Actor::Agent(agent) => {
            (webhooks::find(tx, id).await?.filter(|webhook| webhook.agent == *agent), None)
        }
        Actor::Owner(owner) => (webhooks::find_of_member(tx, owner, id).await?, Some(owner.clone())),
    };
    let webhook = found.ok_or_else(|| ApiError::not_found("webhook"))?;
    Ok((webhook, Reach { webhook: id.clone(), within }))
}

/// [`reach`], for what needs the webhook to be active.
async fn reach_active(tx: &mut Tx<'_>, actor: &Actor, id: &WebhookId) -> Result<Reach, ApiError> {
    let (webhook, reach) = reach(tx, actor, id).await?;
    if webhook.is_active {
        return Ok(reach);
    }
    let reason = webhook.disabled_reason.unwrap_or_default();
    Err(ApiError::new(ErrorCode::Conflict, format!("this webhook is disabled ({reason}); enable it first")))
}

/// The secret of a webhook, and what is shown of it.
struct Chosen {
    secret: Secret,
    /// The secret, if the server made it.
    shown: Option<Secret>,
}

/// The secret that the caller chose, if it can sign, or a new one.
fn choose(app: &App, chosen: Option<Secret>) -> Result<Chosen, ApiError> {
    let Some(secret) = chosen else {
        let mut random = [0; 32];
        app.randomness().fill(&mut random);
        let made = SigningKey::generate(random);
        return Ok(Chosen { secret: made.clone(), shown: Some(made) });
    };
    let must = "go on with the base64 of 24 to 64 bytes when it begins with whsec_";
    SigningKey::parse(&secret).map_err(|_| ApiError::field("secret", must))?;
    Ok(Chosen { secret, shown: None })
}
