//! GET /me

use axum::extract::State;
use openpod_sdk::api::me::{AgentKey, GetMe, Me};

use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::agents;

/// Who the caller is, and what it belongs to.
pub async fn get(State(app): State<App>, call: Call<GetMe>) -> Result<Answer<GetMe>, ApiError> {
    let id = access::agent(&call.actor)?;
    app.sightings().written().await;
    let me = app.store().read(move |tx| {
        Box::pin(async move {
            let listed = agents::find(tx, &id).await?.ok_or_else(|| ApiError::not_found("agent"))?;
            let memberships = agents::memberships(tx, &id).await?;
            let active_ticket_count = agents::active_tickets(tx, &id).await?;
            Ok::<_, ApiError>(Me {
                agent_key: AgentKey {
                    id,
                    name: listed.agent.name.clone(),
                    capabilities: listed.agent.capabilities.clone(),
                    is_active: true,
                    created_at: listed.created_at,
                    last_used_at: listed.last_seen_at,
                },
                registry: Some(listed.agent),
                memberships,
                active_ticket_count,
            })
        })
    });
    Ok(Answer::ok(me.await?))
}
