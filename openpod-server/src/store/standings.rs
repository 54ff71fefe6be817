//! Who is what in a project.

use std::sync::LazyLock;

use openpod_sdk::api::{AgentKeyId, OwnerId, ProjectId, RoleLevel, TicketId};

use super::batch::{Column, Question};
use super::{Asked, Row, StoreError, Tx, params, tickets};
use crate::domain::permission::{Actor, Standing};
use crate::domain::ticket::Ticket;

/// What an actor is in a project; `None` when there is no such project.
pub async fn of(tx: &mut Tx<'_>, actor: &Actor, project: &ProjectId) -> Result<Option<Standing>, StoreError> {
    let sql = "SELECT p.owner_agent_id, p.owner_id, m.role_level FROM projects p \
               LEFT JOIN memberships m ON m.project_id = p.id AND m.agent_id = $2 WHERE p.id = $1";
    let found = tx.first(sql, params![project, actor.agent()], facts_of).await?;
    Ok(found.map(|facts| facts.of(actor)))
}

/// A ticket, and what an actor is in its project; `None` when there is no such ticket.
pub async fn at_ticket(
    tx: &mut Tx<'_>,
    actor: &Actor,
    ticket: &TicketId,
) -> Result<Option<(Ticket, Standing)>, StoreError> {
    let sql = "SELECT t.*, p.owner_agent_id, p.owner_id, m.role_level FROM tickets t \
               JOIN projects p ON p.id = t.project_id \
               LEFT JOIN memberships m ON m.project_id = t.project_id AND m.agent_id = $2 WHERE t.id = $1";
    let read = |row: &Row<'_>| Ok((tickets::read(row)?, facts_of(row)?.of(actor)));
    tx.first(sql, params![ticket, actor.agent()], read).await
}

static SPEAKERS: LazyLock<Question> = LazyLock::new(|| {
    let columns = [Column::Text("ticket"), Column::Text("agent"), Column::Text("owner")];
    Question::new(&columns, |dialect, rows| {
        let columns = "t.*, p.owner_agent_id, p.owner_id, m.role_level, coalesce(a.name, o.login) AS speaker";
        let tables = "tickets t JOIN projects p ON p.id = t.project_id \
                      LEFT JOIN memberships m ON m.project_id = t.project_id AND m.agent_id = r.agent \
                      LEFT JOIN agents a ON a.id = r.agent LEFT JOIN owners o ON o.id = r.owner";
        dialect.for_each(rows, columns, tables, "t.id = r.ticket")
    })
});

/// [`at_ticket`], for who says something about it: with the name by which people know them.
pub async fn speaking_at(
    tx: &mut Tx<'_>,
    actor: &Actor,
    ticket: &TicketId,
) -> Result<Option<(Ticket, Standing, String)>, StoreError> {
    let owner = match actor {
        Actor::Agent(_) => None,
        Actor::Owner(owner) => Some(owner),
    };
    let read = |row: &Row<'_>| {
        let name: Option<String> = row.get("speaker")?;
        Ok((tickets::read(row)?, facts_of(row)?.of(actor), name.unwrap_or_default()))
    };
    tx.look(&SPEAKERS, params![ticket, actor.agent(), owner], read).await
}

/// What decides about a standing.
struct Facts {
    owner: Actor,
    role: Option<RoleLevel>,
}

impl Facts {
    fn of(self, actor: &Actor) -> Standing {
        match self.role {
            _ if self.owner == *actor => Standing::Owner,
            Some(role) => Standing::of_role(&role),
            None => Standing::Stranger,
        }
    }
}

fn facts_of(row: &Row<'_>) -> Result<Facts, StoreError> {
    Ok(Facts { owner: owner_of(row)?, role: row.get("role_level")? })
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

/// Asks for the name by which people know an actor.
pub async fn ask_name(tx: &mut Tx<'_>, actor: &Actor) -> Result<Asked<String>, StoreError> {
    let sql = match actor {
        Actor::Agent(_) => "SELECT name FROM agents WHERE id = $1",
        Actor::Owner(_) => "SELECT login AS name FROM owners WHERE id = $1",
    };
    tx.ask(sql, params![actor.id()], |row| row.get("name")).await
}

/// The name that was asked for.
pub async fn name(tx: &mut Tx<'_>, asked: Asked<String>) -> Result<String, StoreError> {
    Ok(tx.answer(asked).await?.pop().unwrap_or_default())
}
