//! Agents, as the directory shows them.

use openpod_sdk::api::agents::{Agent, AgentFilter};
use openpod_sdk::api::me::Membership;
use openpod_sdk::api::register::NewAgent;
use openpod_sdk::api::{AgentId, AgentKeyId, Timestamp};

use super::paging::{Order, Select, Window};
use super::{Json, Row, StoreError, Tx, params};
use crate::domain::agent::{capability_key, is_available, name_key};

const DIRECTORY: &str = "SELECT a.*, \
    (SELECT CAST(avg(r.rating) AS DOUBLE PRECISION) FROM ratings r WHERE r.agent_id = a.id) AS rating, \
    (SELECT count(*) FROM ledger_transactions l WHERE l.agent_id = a.id) AS total_jobs FROM agents a";

/// Writes a new agent.
pub async fn insert(tx: &mut Tx<'_>, id: &AgentId, slug: &str, new: &NewAgent) -> Result<(), StoreError> {
    let sql = "INSERT INTO agents (id, name, name_key, slug, description, capabilities, llm_provider, \
               autonomy_level, hourly_rate_cents, website_url, avatar_url, created_at, last_seen_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)";
    let now = tx.now();
    let params = params![
        id,
        new.name,
        name_key(&new.name),
        slug,
        new.description,
        Json(&new.capabilities),
        new.llm_provider,
        new.autonomy_level,
        new.hourly_rate_cents,
        new.website_url,
        new.avatar_url,
        now
    ];
    tx.execute(sql, params).await?;
    for capability in &new.capabilities {
        let sql =
            "INSERT INTO agent_capabilities (agent_id, capability) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        tx.send(sql, params![id, capability_key(capability)]).await?;
    }
    Ok(())
}

/// The slug of the agent who has this name, in whatever case.
pub async fn slug_of_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT slug FROM agents WHERE name_key = $1";
    tx.first(sql, params![name_key(name)], |row| row.get("slug")).await
}

/// The agent who has this name, in whatever case.
pub async fn by_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<AgentKeyId>, StoreError> {
    let sql = "SELECT id FROM agents WHERE name_key = $1";
    tx.first(sql, params![name_key(name)], |row| row.get("id")).await
}

/// Whether an agent has this slug.
pub async fn has_slug(tx: &mut Tx<'_>, slug: &str) -> Result<bool, StoreError> {
    let found = tx.first("SELECT slug FROM agents WHERE slug = $1", params![slug], |_| Ok(())).await?;
    Ok(found.is_some())
}

/// An agent as the directory shows it, with the times of its registration and of when it was last seen.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What everybody sees.
    pub agent: Agent,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Option<Timestamp>,
}

/// The agent with this id.
pub async fn find(tx: &mut Tx<'_>, id: &AgentKeyId) -> Result<Option<Listed>, StoreError> {
    let now = tx.now();
    tx.first(&format!("{DIRECTORY} WHERE a.id = $1"), params![id], |row| read(row, now)).await
}

/// A page of the directory, in the order of registration.
pub async fn list(tx: &mut Tx<'_>, filter: &AgentFilter, window: &Window) -> Result<Vec<Listed>, StoreError> {
    let mut select = Select::from(DIRECTORY);
    let capabilities: Vec<String> = filter.capability.iter().map(|text| capability_key(text)).collect();
    let can = "a.id IN (SELECT c.agent_id FROM agent_capabilities c WHERE c.capability IN (?))";
    select.filter_any(can, &capabilities);
    select.filter_some("a.llm_provider = ?", &filter.llm_provider);
    select.filter_some("a.autonomy_level = ?", &filter.autonomy_level);
    let rated =
        "(SELECT CAST(avg(r.rating) AS DOUBLE PRECISION) FROM ratings r WHERE r.agent_id = a.id) >= ?";
    select.filter_some(rated, &filter.min_rating);
    select.filter_some("a.hourly_rate_cents <= ?", &filter.max_price_cents);
    let (sql, params) = match filter.offset {
        None => select.window(window, "a.created_at", "a.id", Order::Ascending),
        Some(offset) => {
            let rest = "ORDER BY a.created_at ASC, a.id ASC LIMIT ? OFFSET ?";
            select.finish(rest, &[&(window.limit + 1), &offset])
        }
    };
    let now = tx.now();
    tx.all(&sql, &params, |row| read(row, now)).await
}

fn read(row: &Row<'_>, now: Timestamp) -> Result<Listed, StoreError> {
    let last_seen_at: Option<Timestamp> = row.get("last_seen_at")?;
    let agent = Agent {
        id: row.get("id")?,
        name: row.get("name")?,
        slug: row.get("slug")?,
        description: row.get("description")?,
        capabilities: row.get::<Json<_>>("capabilities")?.0,
        llm_provider: row.get("llm_provider")?,
        autonomy_level: row.get("autonomy_level")?,
        rating: row.get("rating")?,
        total_jobs: row.get("total_jobs")?,
        hourly_rate_cents: row.get("hourly_rate_cents")?,
        is_available: Some(is_available(last_seen_at, now)),
        website_url: row.get("website_url")?,
        avatar_url: row.get("avatar_url")?,
    };
    Ok(Listed { agent, created_at: row.get("created_at")?, last_seen_at })
}

/// The projects that an agent owns or works on, oldest first.
pub async fn memberships(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<Vec<Membership>, StoreError> {
    let sql = "SELECT p.id, p.title, p.status, o.title AS position_title, m.role_level, \
               coalesce(p.owner_agent_id, '') = $1 AS is_owner FROM projects p \
               LEFT JOIN memberships m ON m.project_id = p.id AND m.agent_id = $1 \
               LEFT JOIN positions o ON o.id = m.position_id \
               WHERE p.id IN (SELECT id FROM projects WHERE owner_agent_id = $1 \
                              UNION SELECT project_id FROM memberships WHERE agent_id = $1) \
               ORDER BY p.created_at, p.id";
    tx.all(sql, params![agent], |row| {
        Ok(Membership {
            project_id: row.get("id")?,
            project_title: row.get("title")?,
            project_status: row.get("status")?,
            position_title: row.get("position_title")?,
            role_level: row.get("role_level")?,
            is_owner: row.get("is_owner")?,
        })
    })
    .await
}

/// How many tickets an agent has in hand: todo, in progress and in review.
pub async fn active_tickets(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) AS active FROM tickets WHERE assignee_id = $1 \
               AND status IN ('todo', 'in_progress', 'in_review')";
    Ok(tx.first(sql, params![agent], |row| row.get("active")).await?.unwrap_or(0))
}
