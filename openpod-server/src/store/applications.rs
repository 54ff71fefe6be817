//! Applications to positions.

use openpod_sdk::api::applications::{Application, ApplicationFilter, AppliedPosition};
use openpod_sdk::api::owner::OwnerApplicationFilter;
use openpod_sdk::api::{
    AgentKeyId, ApplicationId, ApplicationStatus, PositionId, ProjectId, RoleLevel, Timestamp,
};

use super::paging::{Order, Select, Window};
use super::{Row, StoreError, Tx, params};
use crate::domain::permission::Actor;

const APPLICATIONS: &str = "SELECT a.*, g.name AS agent_name, o.title AS position_title, o.project_id, \
    o.role_level, o.status AS position_status FROM applications a \
    JOIN agents g ON g.id = a.agent_id JOIN positions o ON o.id = a.position_id";

/// An application with all that is known of it.
#[derive(Debug, Clone)]
pub struct Known {
    /// Who applied.
    pub agent: AgentKeyId,
    /// The position.
    pub position: AppliedTo,
    /// When it was sent.
    pub created_at: Timestamp,
    /// What travels.
    pub application: Application,
}

/// The position of an application.
#[derive(Debug, Clone)]
pub struct AppliedTo {
    /// The position.
    pub id: PositionId,
    /// Its title.
    pub title: String,
    /// Its project.
    pub project_id: ProjectId,
    /// What its holder may do.
    pub role_level: RoleLevel,
}

impl Known {
    /// The sort key and id of the lists.
    pub fn place(&self) -> (i64, String) {
        (self.created_at.as_micros(), self.application.id.to_string())
    }
}

/// Writes a new application. A second one in force for the same position and agent is a duplicate.
pub async fn insert(
    tx: &mut Tx<'_>,
    position: &PositionId,
    agent: &AgentKeyId,
    cover_letter: &str,
) -> Result<ApplicationId, StoreError> {
    let (id, now): (ApplicationId, _) = (tx.new_id(), tx.now());
    let sql = "INSERT INTO applications (id, position_id, agent_id, cover_letter, status, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $6)";
    let params = params![id, position, agent, cover_letter, ApplicationStatus::Pending, now];
    tx.execute(sql, params).await?;
    Ok(id)
}

/// The application with this id.
pub async fn find(tx: &mut Tx<'_>, id: &ApplicationId) -> Result<Option<Known>, StoreError> {
    tx.first(&format!("{APPLICATIONS} WHERE a.id = $1"), params![id], read).await
}

/// How an agent's application to a position stands that was not rejected.
pub async fn in_force(
    tx: &mut Tx<'_>,
    position: &PositionId,
    agent: &AgentKeyId,
) -> Result<Option<ApplicationStatus>, StoreError> {
    let sql =
        "SELECT status FROM applications WHERE position_id = $1 AND agent_id = $2 AND status <> 'rejected'";
    tx.first(sql, params![position, agent], |row| row.get("status")).await
}

/// Notes a decision.
pub async fn decide(
    tx: &mut Tx<'_>,
    id: &ApplicationId,
    status: &ApplicationStatus,
    comment: Option<&String>,
) -> Result<(), StoreError> {
    let sql = "UPDATE applications SET status = $2, comment = $3, updated_at = $4 WHERE id = $1";
    let now = tx.now();
    tx.execute(sql, params![id, status, comment, now]).await.map(|_| ())
}

/// A page of an agent's own applications, newest first.
pub async fn of_agent(
    tx: &mut Tx<'_>,
    agent: &Actor,
    filter: &ApplicationFilter,
    window: &Window,
) -> Result<Vec<Known>, StoreError> {
    let mut select = Select::from(APPLICATIONS);
    select.filter("a.agent_id = ?", &[&agent.id()]);
    select.filter_some("a.status = ?", &filter.status);
    let (sql, params) = select.window(window, "a.created_at", "a.id", Order::Descending);
    tx.all(&sql, &params, read).await
}

/// A page of the applications to an owner's projects, oldest first.
pub async fn to_owner(
    tx: &mut Tx<'_>,
    owner: &Actor,
    filter: &OwnerApplicationFilter,
    window: &Window,
) -> Result<Vec<Known>, StoreError> {
    let mut select = Select::from(APPLICATIONS);
    let theirs = "o.project_id IN (SELECT p.id FROM projects p WHERE p.owner_id = ?)";
    select.filter(theirs, &[&owner.id()]);
    select.filter_some("o.project_id = ?", &filter.project_id);
    select.filter_some("a.status = ?", &filter.status);
    let (sql, params) = select.window(window, "a.created_at", "a.id", Order::Ascending);
    tx.all(&sql, &params, read).await
}

/// The applications that wait for an agent's decision, as owner or PM, oldest first.
pub async fn awaiting(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<Vec<Application>, StoreError> {
    let sql = format!(
        "{APPLICATIONS} WHERE a.status = 'pending' AND o.project_id IN \
         (SELECT id FROM projects WHERE owner_agent_id = $1 \
          UNION SELECT project_id FROM memberships WHERE agent_id = $1 AND role_level = 'pm') \
         ORDER BY a.created_at, a.id"
    );
    tx.all(&sql, params![agent], |row| Ok(read(row)?.application)).await
}

fn read(row: &Row<'_>) -> Result<Known, StoreError> {
    let (agent, created_at): (AgentKeyId, Timestamp) = (row.get("agent_id")?, row.get("created_at")?);
    let position = AppliedTo {
        id: row.get("position_id")?,
        title: row.get("position_title")?,
        project_id: row.get("project_id")?,
        role_level: row.get("role_level")?,
    };
    let shown = AppliedPosition {
        id: Some(position.id.clone()),
        title: position.title.clone(),
        project_id: position.project_id.clone(),
        role_level: Some(position.role_level.clone()),
        status: row.get("position_status")?,
    };
    let application = Application {
        id: row.get("id")?,
        position_id: Some(position.id.clone()),
        status: row.get("status")?,
        agent_key_id: Some(agent.clone()),
        agent_name: row.get("agent_name")?,
        cover_letter: row.get("cover_letter")?,
        comment: row.get("comment")?,
        position: Some(shown),
        created_at: Some(created_at),
        updated_at: row.get("updated_at")?,
    };
    Ok(Known { agent, position, created_at, application })
}
