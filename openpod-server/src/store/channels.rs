//! Channels and the messages in them.

use openpod_sdk::api::heartbeat::UnreadChannel;
use openpod_sdk::api::messages::Message;
use openpod_sdk::api::{AgentKeyId, ChannelId, MessageId, ProjectId};

use super::paging::{Order, Select, Window};
use super::{StoreError, Tx, params};
use crate::domain::permission::Actor;

/// The channel that every project has.
pub const GENERAL: &str = "general";

/// A channel of a project.
#[derive(Debug, Clone)]
pub struct Channel {
    /// The channel.
    pub id: ChannelId,
    /// Its name, without `#`.
    pub name: String,
}

/// Adds a channel to a project.
pub async fn insert(tx: &mut Tx<'_>, project: &ProjectId, name: &str) -> Result<ChannelId, StoreError> {
    let (id, now): (ChannelId, _) = (tx.new_id(), tx.now());
    let sql = "INSERT INTO channels (id, project_id, name, created_at) VALUES ($1, $2, $3, $4)";
    tx.execute(sql, params![id, project, name, now]).await?;
    Ok(id)
}

/// A channel of a project, #general when none is named; `None` when the project has no such channel.
pub async fn find(
    tx: &mut Tx<'_>,
    project: &ProjectId,
    id: Option<&ChannelId>,
) -> Result<Option<Channel>, StoreError> {
    let mut select = Select::from("SELECT id, name FROM channels");
    select.filter("project_id = ?", &[project]);
    match id {
        Some(id) => select.filter("id = ?", &[id]),
        None => select.filter("name = ?", &[&GENERAL]),
    }
    let (sql, params) = select.finish("", &[]);
    tx.first(&sql, &params, |row| Ok(Channel { id: row.get("id")?, name: row.get("name")? })).await
}

/// Writes a message at the end of a channel.
pub async fn add_message(
    tx: &mut Tx<'_>,
    channel: &ChannelId,
    author: &Actor,
    content: &str,
) -> Result<Message, StoreError> {
    let sql = "UPDATE channels SET messages_made = messages_made + 1 WHERE id = $1 RETURNING messages_made";
    let position: Option<u64> = tx.first(sql, params![channel], |row| row.get("messages_made")).await?;
    let position = position.ok_or_else(|| StoreError::unreadable("the channel of a message is not there"))?;
    let (id, now): (MessageId, _) = (tx.new_id(), tx.now());
    let (agent, owner) = match author {
        Actor::Agent(id) => (Some(id.clone()), None),
        Actor::Owner(id) => (None, Some(id.clone())),
    };
    let sql = "INSERT INTO messages (id, channel_id, position, author_agent_id, author_owner_id, content, \
               created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    tx.send(sql, params![id, channel, position, agent, owner, content, now]).await?;
    Ok(Message {
        id,
        channel_id: Some(channel.clone()),
        content: content.to_owned(),
        author_agent_key_id: agent,
        author_user_id: owner,
        created_at: now,
    })
}

/// Messages of a channel before the window's cursor, newest first, each with its position.
pub async fn messages(
    tx: &mut Tx<'_>,
    channel: &ChannelId,
    window: &Window,
) -> Result<Vec<(i64, Message)>, StoreError> {
    let mut select = Select::from("SELECT * FROM messages");
    select.filter("channel_id = ?", &[channel]);
    let (sql, params) = select.window(window, "position", "id", Order::Descending);
    tx.all(&sql, &params, |row| {
        let message = Message {
            id: row.get("id")?,
            channel_id: row.get("channel_id")?,
            content: row.get("content")?,
            author_agent_key_id: row.get("author_agent_id")?,
            author_user_id: row.get("author_owner_id")?,
            created_at: row.get("created_at")?,
        };
        Ok((row.get("position")?, message))
    })
    .await
}

/// Up to where an agent has read a channel; 0 before the first message.
pub async fn read_position(
    tx: &mut Tx<'_>,
    agent: &AgentKeyId,
    channel: &ChannelId,
) -> Result<i64, StoreError> {
    let sql = "SELECT read_position FROM channel_reads WHERE agent_id = $1 AND channel_id = $2";
    let found = tx.first(sql, params![agent, channel], |row| row.get("read_position")).await?;
    Ok(found.unwrap_or(0))
}

/// Notes that an agent has read a channel up to here. It never goes back.
pub async fn mark_read(
    tx: &mut Tx<'_>,
    agent: &AgentKeyId,
    channel: &ChannelId,
    position: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO channel_reads (agent_id, channel_id, read_position) VALUES ($1, $2, $3) \
               ON CONFLICT (agent_id, channel_id) DO UPDATE SET read_position = excluded.read_position \
               WHERE excluded.read_position > channel_reads.read_position";
    tx.send(sql, params![agent, channel, position]).await
}

/// The channels in which an agent has unread messages of others, with how many: all that were written after what it
/// read, less its own. So a channel that nobody reads costs no more than another.
pub async fn unread(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<Vec<UnreadChannel>, StoreError> {
    let sql = "SELECT * FROM (SELECT c.project_id, c.id, c.name, c.messages_made - coalesce(r.read_position, 0) - \
               (SELECT count(*) FROM messages m WHERE m.channel_id = c.id AND m.author_agent_id = $1 \
                AND m.position > coalesce(r.read_position, 0)) AS unread FROM channels c \
               LEFT JOIN channel_reads r ON r.channel_id = c.id AND r.agent_id = $1 \
               WHERE c.project_id IN (SELECT id FROM projects WHERE owner_agent_id = $1 \
                                      UNION SELECT project_id FROM memberships WHERE agent_id = $1)) AS counted \
               WHERE unread > 0 ORDER BY project_id, name";
    tx.all(sql, params![agent], |row| {
        Ok(UnreadChannel {
            project_id: row.get("project_id")?,
            channel_id: row.get("id")?,
            channel_name: row.get("name")?,
            count: row.get("unread")?,
        })
    })
    .await
}
