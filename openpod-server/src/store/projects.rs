//! Projects, as everybody sees them and as their owners do.

use std::collections::HashMap;

use openpod_sdk::api::owner::Member;
use openpod_sdk::api::projects::{NewProject, Project, ProjectFilter, ProjectPosition};
use openpod_sdk::api::{OwnerId, ProjectId, ProjectStatus, Timestamp};

use super::paging::{Order, Select, Window};
use super::{Row, StoreError, Tx, Value, params};
use crate::domain::agent::capability_key;
use crate::domain::permission::Actor;
use crate::domain::repository::Repository;

/// A project and its place in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What everybody sees.
    pub project: Project,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Listed {
    /// The sort key and id of the list.
    pub fn place(&self) -> (i64, String) {
        (self.created_at.as_micros(), self.project.id.to_string())
    }
}

/// Writes a new project.
pub async fn insert(
    tx: &mut Tx<'_>,
    owner: &Actor,
    new: &NewProject,
    repository: Option<&Repository>,
) -> Result<ProjectId, StoreError> {
    let (id, now): (ProjectId, _) = (tx.new_id(), tx.now());
    let (agent, owner) = match owner {
        Actor::Agent(id) => (Some(id), None),
        Actor::Owner(id) => (None, Some(id)),
    };
    let sql = "INSERT INTO projects (id, title, description, budget_cents, status, github_repo, repo_owner, \
               repo_name, owner_agent_id, owner_id, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)";
    let params = params![
        id,
        new.title,
        new.description,
        new.budget_cents,
        ProjectStatus::Open,
        new.github_repo,
        repository.map(|found| &found.owner),
        repository.map(|found| &found.name),
        agent,
        owner,
        now
    ];
    tx.execute(sql, params).await?;
    Ok(id)
}

/// Where a project stands; `None` when there is no such project.
pub async fn status(tx: &mut Tx<'_>, id: &ProjectId) -> Result<Option<ProjectStatus>, StoreError> {
    tx.first("SELECT status FROM projects WHERE id = $1", params![id], |row| row.get("status")).await
}

/// A page of the projects that an agent may see, newest first: the open ones, and those it belongs to.
pub async fn list(
    tx: &mut Tx<'_>,
    filter: &ProjectFilter,
    viewer: &Actor,
    window: &Window,
) -> Result<Vec<Listed>, StoreError> {
    let mut select = Select::from("SELECT p.* FROM projects p");
    select.filter("p.status = ?", &[filter.status.as_ref().unwrap_or(&ProjectStatus::Open)]);
    let visible = "(p.status = 'open' OR p.owner_agent_id = ? \
                   OR p.id IN (SELECT m.project_id FROM memberships m WHERE m.agent_id = ?))";
    select.filter(visible, &[&viewer.id(), &viewer.id()]);
    let capabilities: Vec<String> = filter.capability.iter().map(|text| capability_key(text)).collect();
    let wants = "p.id IN (SELECT o.project_id FROM positions o \
                 JOIN position_capabilities c ON c.position_id = o.id \
                 WHERE o.status = 'open' AND c.capability IN (?))";
    select.filter_any(wants, &capabilities);
    select.filter_some("p.budget_cents >= ?", &filter.min_budget_cents);
    select.filter_some("p.budget_cents <= ?", &filter.max_budget_cents);
    page(tx, select.window(window, "p.created_at", "p.id", Order::Descending)).await
}

/// A page of an owner's projects, newest first.
pub async fn of_owner(tx: &mut Tx<'_>, owner: &Actor, window: &Window) -> Result<Vec<Listed>, StoreError> {
    let mut select = Select::from("SELECT p.* FROM projects p");
    select.filter("p.owner_id = ?", &[&owner.id()]);
    page(tx, select.window(window, "p.created_at", "p.id", Order::Descending)).await
}

/// One of an owner's projects.
pub async fn find_of_owner(
    tx: &mut Tx<'_>,
    owner: &OwnerId,
    id: &ProjectId,
) -> Result<Option<Listed>, StoreError> {
    let mut select = Select::from("SELECT p.* FROM projects p");
    select.filter("p.owner_id = ?", &[owner]);
    select.filter("p.id = ?", &[id]);
    Ok(page(tx, select.finish("", &[])).await?.pop())
}

/// Projects by a statement, and by a second one the positions of them all.
async fn page(tx: &mut Tx<'_>, (sql, params): (String, Vec<Value>)) -> Result<Vec<Listed>, StoreError> {
    let mut found = tx.all(&sql, &params, read).await?;
    let sql = format!(
        "SELECT o.id, o.project_id, o.title, o.role_level, o.status FROM positions o \
         WHERE o.project_id IN (SELECT page.id FROM ({sql}) AS page) ORDER BY o.created_at, o.id"
    );
    let positions = tx.all(&sql, &params, |row| {
        let position = ProjectPosition {
            id: row.get("id")?,
            title: row.get("title")?,
            role_level: row.get("role_level")?,
            status: row.get("status")?,
        };
        Ok((row.get::<ProjectId>("project_id")?, position))
    });
    let mut by_project: HashMap<ProjectId, Vec<ProjectPosition>> = HashMap::new();
    for (project, position) in positions.await? {
        by_project.entry(project).or_default().push(position);
    }
    for listed in &mut found {
        listed.project.positions = by_project.remove(&listed.project.id).unwrap_or_default();
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<Listed, StoreError> {
    let created_at = row.get("created_at")?;
    let project = Project {
        id: row.get("id")?,
        title: row.get("title")?,
        description: row.get("description")?,
        budget_cents: row.get("budget_cents")?,
        status: row.get("status")?,
        github_repo: row.get("github_repo")?,
        positions: Vec::new(),
        created_at: Some(created_at),
    };
    Ok(Listed { project, created_at })
}

/// Who works on a project, longest first.
pub async fn members(tx: &mut Tx<'_>, project: &ProjectId) -> Result<Vec<Member>, StoreError> {
    let sql = "SELECT m.agent_id, a.name, m.role_level, m.created_at FROM memberships m \
               JOIN agents a ON a.id = m.agent_id WHERE m.project_id = $1 ORDER BY m.created_at, m.agent_id";
    tx.all(sql, params![project], |row| {
        Ok(Member {
            agent_key_id: row.get("agent_id")?,
            name: row.get("name")?,
            role_level: row.get("role_level")?,
            joined_at: row.get("created_at")?,
        })
    })
    .await
}
