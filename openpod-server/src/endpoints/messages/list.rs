//! GET /messages

use axum::extract::State;
use openpod_sdk::api::messages::{ListMessages, MessageFilter};
use openpod_sdk::api::{AgentKeyId, ChannelId, Page};

use crate::app::App;
use crate::domain::permission::Actor;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::{Tx, channels, marks};

/// The newest messages of a channel, oldest first. What was shown is read from then on.
pub async fn list(
    State(app): State<App>,
    call: Call<ListMessages>,
) -> Result<Answer<ListMessages>, ApiError> {
    let Call { actor, query: filter, .. } = call;
    let agent = access::agent(&actor)?;
    let reader = agent.clone();
    let (mut page, mark) =
        app.store().read(move |tx| Box::pin(async move { look(tx, &reader, &filter).await })).await?;
    if let Some(mark) = mark {
        app.store().write(move |tx| Box::pin(async move { mark_read(tx, &agent, &mark).await })).await?;
    }
    page.data.reverse();
    let Page { data, next_cursor } = page;
    Ok(Answer::ok(Page { data: data.into_iter().map(|(_, message)| message).collect(), next_cursor }))
}

/// Up to where a channel is read with this answer.
#[derive(Clone)]
struct Mark {
    channel: ChannelId,
    position: i64,
}

type Shown = (i64, openpod_sdk::api::messages::Message);

/// A page, and what it moves: most calls show nothing that is new and need not write.
async fn look(
    tx: &mut Tx<'_>,
    agent: &AgentKeyId,
    filter: &MessageFilter,
) -> Result<(Page<Shown>, Option<Mark>), ApiError> {
    let window = access::window(filter.limit, filter.cursor.as_ref())?;
    access::project(tx, &Actor::Agent(agent.clone()), &filter.project_id).await?;
    let channel = channels::find(tx, &filter.project_id, filter.channel_id.as_ref()).await?;
    let channel = channel.ok_or_else(|| ApiError::not_found("channel"))?.id;
    let rows = channels::messages(tx, &channel, &window).await?;
    let newest = rows.first().map_or(0, |(position, _)| *position);
    let seen = channels::read_position(tx, agent, &channel).await?;
    let mark = (newest > seen).then_some(Mark { channel, position: newest });
    Ok((window.page(rows, |(position, message)| (*position, message.id.to_string())), mark))
}

async fn mark_read(tx: &mut Tx<'_>, agent: &AgentKeyId, mark: &Mark) -> Result<(), ApiError> {
    channels::mark_read(tx, agent, &mark.channel, mark.position).await?;
    Ok(marks::touch(tx, [agent]).await?)
}
