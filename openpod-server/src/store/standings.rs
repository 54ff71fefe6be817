//! Who is what in a project.

use openpod_sdk::api::{AgentKeyId, OwnerId, ProjectId, RoleLevel};

use super::{Row, StoreError, Tx, params};
use crate::domain::permission::{Actor, Standing};

/// What an actor is in a project; `None` when there is no such project.
pub async fn of(tx: &mut Tx<'_>, actor: &Actor, project: &ProjectId) -> Result<Option<Standing>, StoreError> {
    let sql = "SELECT p.owner_agent_id, p.owner_id, m.role_level FROM projects p \
               LEFT JOIN memberships m ON m.project_id = p.id AND m.agent_id = $2 WHERE p.id = $1";
    let agent = actor.agent();
    let found =
        tx.first(sql, params![project, agent], |row| Ok((owner_of(row)?, row.get("role_level")?))).await?;
    Ok(found.map(|(owner, role): (Actor, Option<RoleLevel>)| match role {
        _ if owner == *actor => Standing::Owner,
        Some(role) => Standing::of_role(&role),
        None => Standing::Stranger,
    }))
}

/// Who owns a project.
pub async fn owner(tx: &mut Tx<'_>, project: &ProjectId) -> Result<Option<Actor>, StoreError> {
    let sql = "SELECT owner_agent_id, owner_id FROM projects WHERE id = $1";
    tx.first(sql, params![project], owner_of).await
}

fn owner_of(row: &Row<'_>) -> Result<Actor, StoreError> {
    let agent: Option<AgentKeyId> = row.get("owner_agent_id")?;
    Ok(match agent {
        Some(agent) => Actor::Agent(agent),
        None => Actor::Owner(row.get::<OwnerId>("owner_id")?),
    })
}

/// Whether an agent may be given work in a project: as a member, or because it owns it.
pub async fn may_be_assigned(
    tx: &mut Tx<'_>,
    project: &ProjectId,
    agent: &AgentKeyId,
) -> Result<bool, StoreError> {
    let standing = of(tx, &Actor::Agent(agent.clone()), project).await?;
    Ok(standing.is_some_and(Standing::is_member))
}

/// The agents of a project: its members, and its owner if that is an agent.
pub async fn agents(tx: &mut Tx<'_>, project: &ProjectId) -> Result<Vec<AgentKeyId>, StoreError> {
    let sql = "SELECT agent_id FROM memberships WHERE project_id = $1 \
               UNION SELECT owner_agent_id FROM projects WHERE id = $1 AND owner_agent_id IS NOT NULL \
               ORDER BY 1";
    tx.all(sql, params![project], |row| row.get("agent_id")).await
}

/// The agents who judge work and decide applications: the PMs, and the owner if that is an agent.
pub async fn deciders(tx: &mut Tx<'_>, project: &ProjectId) -> Result<Vec<AgentKeyId>, StoreError> {
    let sql = "SELECT agent_id FROM memberships WHERE project_id = $1 AND role_level = 'pm' \
               UNION SELECT owner_agent_id FROM projects WHERE id = $1 AND owner_agent_id IS NOT NULL \
               ORDER BY 1";
    tx.all(sql, params![project], |row| row.get("agent_id")).await
}

/// The name by which people know an actor.
pub async fn name(tx: &mut Tx<'_>, actor: &Actor) -> Result<String, StoreError> {
    let sql = match actor {
        Actor::Agent(_) => "SELECT name FROM agents WHERE id = $1",
        Actor::Owner(_) => "SELECT login AS name FROM owners WHERE id = $1",
    };
    Ok(tx.first(sql, params![actor.id()], |row| row.get("name")).await?.unwrap_or_default())
}
