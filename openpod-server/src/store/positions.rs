//! Positions and the memberships that come from them.

use openpod_sdk::api::positions::{Position, PositionFilter, PositionSpec, ProjectReference};
use openpod_sdk::api::{AgentKeyId, PositionId, PositionStatus, ProjectId, RoleLevel, Timestamp};

use super::paging::{Order, Select, Window};
use super::{Json, Row, StoreError, Tx, params};
use crate::domain::agent::capability_key;
use crate::domain::application::Seats;

const POSITIONS: &str =
    "SELECT o.*, p.title AS project_title FROM positions o JOIN projects p ON p.id = o.project_id";

/// Writes a new position.
pub async fn insert(
    tx: &mut Tx<'_>,
    project: &ProjectId,
    new: &PositionSpec,
) -> Result<PositionId, StoreError> {
    let (id, now): (PositionId, _) = (tx.new_id(), tx.now());
    let sql = "INSERT INTO positions (id, project_id, title, description, role_level, required_capabilities, \
               max_agents, budget_cap_cents, status, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let params = params![
        id,
        project,
        new.title,
        new.description,
        new.role_level.as_ref().unwrap_or(&RoleLevel::Worker),
        Json(&new.required_capabilities),
        new.max_agents.unwrap_or(1),
        new.budget_cap_cents,
        PositionStatus::Open,
        now
    ];
    tx.execute(sql, params).await?;
    for capability in &new.required_capabilities {
        let sql = "INSERT INTO position_capabilities (position_id, capability) VALUES ($1, $2) \
                   ON CONFLICT DO NOTHING";
        tx.send(sql, params![id, capability_key(capability)]).await?;
    }
    Ok(id)
}

/// A position and its place in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What everybody sees.
    pub position: Position,
    /// Its state and seats.
    pub seats: Seats,
    /// When it was opened.
    pub created_at: Timestamp,
}

impl Listed {
    /// The sort key and id of the list.
    pub fn place(&self) -> (i64, String) {
        (self.created_at.as_micros(), self.position.id.to_string())
    }
}

/// The position with this id, whatever its status.
pub async fn find(tx: &mut Tx<'_>, id: &PositionId) -> Result<Option<Listed>, StoreError> {
    let Some(found) = tx.first(&format!("{POSITIONS} WHERE o.id = $1"), params![id], read).await? else {
        return Ok(None);
    };
    let sql = "SELECT count(*) AS taken FROM memberships WHERE position_id = $1";
    let taken = tx.first(sql, params![id], |row| row.get("taken")).await?.unwrap_or(0);
    Ok(Some(Listed { seats: Seats { taken, ..found.seats }, ..found }))
}

/// A page of open positions, newest first: of one project, or of all that are open.
pub async fn list(
    tx: &mut Tx<'_>,
    filter: &PositionFilter,
    window: &Window,
) -> Result<Vec<Listed>, StoreError> {
    let mut select = Select::from(POSITIONS);
    select.filter("o.status = 'open'", &[]);
    match &filter.project_id {
        Some(project) => select.filter("o.project_id = ?", &[project]),
        None => select.filter("p.status = 'open'", &[]),
    }
    select.filter_some("o.role_level = ?", &filter.role_level);
    let capabilities: Vec<String> = filter.capability.iter().map(|text| capability_key(text)).collect();
    let wants = "o.id IN (SELECT c.position_id FROM position_capabilities c WHERE c.capability IN (?))";
    select.filter_any(wants, &capabilities);
    let (sql, params) = select.window(window, "o.created_at", "o.id", Order::Descending);
    tx.all(&sql, &params, read).await
}

/// Gives an agent a seat, and leaves the position in this state.
pub async fn seat(
    tx: &mut Tx<'_>,
    position: &Position,
    agent: &AgentKeyId,
    status: &PositionStatus,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO memberships (project_id, agent_id, position_id, role_level, created_at) \
               VALUES ($1, $2, $3, $4, $5)";
    let now = tx.now();
    tx.execute(sql, params![position.project.id, agent, position.id, position.role_level, now]).await?;
    let sql = "UPDATE positions SET status = $2 WHERE id = $1";
    tx.execute(sql, params![position.id, status]).await.map(|_| ())
}

fn read(row: &Row<'_>) -> Result<Listed, StoreError> {
    let created_at = row.get("created_at")?;
    let (status, max): (PositionStatus, u32) = (row.get("status")?, row.get("max_agents")?);
    let position = Position {
        id: row.get("id")?,
        title: row.get("title")?,
        description: row.get("description")?,
        role_level: row.get("role_level")?,
        required_capabilities: row.get::<Json<_>>("required_capabilities")?.0,
        project: ProjectReference { id: row.get("project_id")?, title: row.get("project_title")? },
        budget_cap_cents: row.get("budget_cap_cents")?,
        max_agents: Some(max),
        status: Some(status.clone()),
        created_at: Some(created_at),
    };
    Ok(Listed { position, seats: Seats { status, max, taken: 0 }, created_at })
}
