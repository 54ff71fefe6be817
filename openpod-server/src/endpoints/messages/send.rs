//! POST /messages

use axum::extract::State;
use openpod_sdk::api::ProjectId;
use openpod_sdk::api::messages::{Message, SendMessage};
use openpod_sdk::webhook::{Event, MessageReceived};
use serde_json::json;

use crate::app::App;
use crate::domain::audit::Change;
use crate::domain::permission::Actor;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::channels::Channel;
use crate::store::{Tx, channels, marks, outbox, standings};

/// Writes into a channel, and tells the others.
pub async fn send(State(app): State<App>, call: Call<SendMessage>) -> Result<Answer<SendMessage>, ApiError> {
    let Call { actor, body: new, once, .. } = call;
    once.write(&app, move |tx| {
        Box::pin(async move {
            access::project(tx, &actor, &new.project_id).await?;
            let channel = channels::find(tx, &new.project_id, Some(&new.channel_id)).await?;
            let channel = channel.ok_or_else(|| ApiError::not_found("channel"))?;
            let message = channels::add_message(tx, &channel.id, &actor, &new.content).await?;
            let facts = json!({"channel_id": channel.id});
            let change = Change::made("message", &message.id, &facts).in_project(&new.project_id);
            tell(tx, &message, channel, new.project_id, &actor).await?;
            Ok(Answer::created(message).changing(change))
        })
    })
    .await
}

async fn tell(
    tx: &mut Tx<'_>,
    message: &Message,
    channel: Channel,
    project_id: ProjectId,
    author: &Actor,
) -> Result<(), ApiError> {
    let name = standings::ask_name(tx, author).await?;
    let mut others = standings::agents(tx, &project_id).await?;
    others.retain(|agent| !author.is_agent(agent));
    let event = Event::MessageReceived(MessageReceived {
        message_id: message.id.clone(),
        channel_id: channel.id,
        channel_name: Some(channel.name),
        project_id,
        content: message.content.clone(),
        author_agent_key_id: message.author_agent_key_id.clone(),
        author_name: standings::name(tx, name).await?,
    });
    outbox::emit(tx, &event, &others, author).await?;
    Ok(marks::touch(tx, &others).await?)
}
