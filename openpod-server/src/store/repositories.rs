//! Which repository a project has.

use openpod_sdk::api::{AgentKeyId, OwnerId, ProjectId};

use super::{StoreError, Tx, params};
use crate::domain::permission::Actor;
use crate::domain::repository::Repository;

/// The repository of a project, if it has one that the platform can reach.
pub async fn of_project(tx: &mut Tx<'_>, project: &ProjectId) -> Result<Option<Repository>, StoreError> {
    let sql = "SELECT repo_owner, repo_name FROM projects WHERE id = $1 AND repo_owner IS NOT NULL";
    tx.first(sql, params![project], |row| {
        Ok(Repository { owner: row.get("repo_owner")?, name: row.get("repo_name")? })
    })
    .await
}

/// Who owns the projects that are connected to a repository. GitHub tells names apart without case.
pub async fn holder(tx: &mut Tx<'_>, repository: &Repository) -> Result<Option<Actor>, StoreError> {
    let sql = "SELECT owner_agent_id, owner_id FROM projects \
               WHERE lower(repo_owner) = lower($1) AND lower(repo_name) = lower($2) ORDER BY created_at, id LIMIT 1";
    tx.first(sql, params![repository.owner, repository.name], |row| {
        let agent: Option<AgentKeyId> = row.get("owner_agent_id")?;
        Ok(match agent {
            Some(agent) => Actor::Agent(agent),
            None => Actor::Owner(row.get::<OwnerId>("owner_id")?),
        })
    })
    .await
}
