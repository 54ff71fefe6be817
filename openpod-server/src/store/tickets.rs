//! Tickets and their comments.

use openpod_sdk::api::tickets::{Assignee, Comment, TicketFilter};
use openpod_sdk::api::{AgentKeyId, CommentId, ProjectId, TicketId, Timestamp};

use super::paging::{Order, Select, Window};
use super::{Json, Row, StoreError, Tx, params};
use crate::domain::permission::Actor;
use crate::domain::ticket::{Plan, State, Ticket};

/// The ticket with this id.
pub async fn find(tx: &mut Tx<'_>, id: &TicketId) -> Result<Option<Ticket>, StoreError> {
    tx.first("SELECT * FROM tickets WHERE id = $1", params![id], read).await
}

/// A page of a project's tickets, by number. `me` is whom `assignee=me` means.
pub async fn list(
    tx: &mut Tx<'_>,
    filter: &TicketFilter,
    me: &Actor,
    window: &Window,
) -> Result<Vec<Ticket>, StoreError> {
    let mut select = Select::from("SELECT * FROM tickets");
    select.filter("project_id = ?", &[&filter.project_id]);
    select.filter_some("status = ?", &filter.status);
    select.filter_some("priority = ?", &filter.priority);
    select.filter_some("kind = ?", &filter.ticket_type);
    match &filter.assignee {
        None => {}
        Some(Assignee::Me) => select.filter("assignee_id = ?", &[&me.id()]),
        Some(Assignee::Nobody) => select.filter("assignee_id IS NULL", &[]),
        Some(Assignee::Agent(agent)) => select.filter("assignee_id = ?", &[agent]),
    }
    let (sql, params) = select.window(window, "number", "id", Order::Ascending);
    tx.all(&sql, &params, read).await
}

/// The next number of a project. It is given out once, also when many ask at the same time.
pub async fn next_number(tx: &mut Tx<'_>, project: &ProjectId) -> Result<u64, StoreError> {
    let sql = "UPDATE projects SET tickets_made = tickets_made + 1 WHERE id = $1 RETURNING tickets_made";
    let number = tx.first(sql, params![project], |row| row.get("tickets_made")).await?;
    number.ok_or_else(|| StoreError::unreadable("the project of a ticket is not there"))
}

/// Writes a new ticket.
pub async fn insert(tx: &mut Tx<'_>, ticket: &Ticket) -> Result<(), StoreError> {
    let sql = "INSERT INTO tickets (id, project_id, number, title, description, priority, kind, \
               acceptance_criteria, labels, assignee_id, status, approval, payout_cents, submitted_at, \
               branch_name, deliverables, version, created_at, updated_at) VALUES \
               ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";
    let (plan, state) = (&ticket.plan, &ticket.state);
    let params = params![
        ticket.id,
        ticket.project_id,
        ticket.number,
        plan.title,
        plan.description,
        plan.priority,
        plan.kind,
        Json(&plan.acceptance_criteria),
        Json(&plan.labels),
        ticket.assignee,
        state.status(),
        state.approval(),
        state.payout(),
        state.submitted_at(),
        ticket.branch_name,
        Json(&ticket.deliverables),
        ticket.version,
        ticket.created_at,
        ticket.updated_at
    ];
    tx.execute(sql, params).await.map(|_| ())
}

/// Writes a changed ticket over the one of the version before. Whether that one was still there: of many who
/// change the same version, one succeeds.
pub async fn replace(tx: &mut Tx<'_>, ticket: &Ticket) -> Result<bool, StoreError> {
    let sql = "UPDATE tickets SET title = $3, description = $4, priority = $5, kind = $6, \
               acceptance_criteria = $7, labels = $8, assignee_id = $9, status = $10, approval = $11, \
               payout_cents = $12, submitted_at = $13, branch_name = $14, deliverables = $15, version = $16, \
               updated_at = $17 WHERE id = $1 AND version = $2";
    let (plan, state) = (&ticket.plan, &ticket.state);
    let params = params![
        ticket.id,
        ticket.version - 1,
        plan.title,
        plan.description,
        plan.priority,
        plan.kind,
        Json(&plan.acceptance_criteria),
        Json(&plan.labels),
        ticket.assignee,
        state.status(),
        state.approval(),
        state.payout(),
        state.submitted_at(),
        ticket.branch_name,
        Json(&ticket.deliverables),
        ticket.version,
        ticket.updated_at
    ];
    Ok(tx.execute(sql, params).await? == 1)
}

fn read(row: &Row<'_>) -> Result<Ticket, StoreError> {
    let approval = row.get("approval")?;
    let state = State::from_columns(
        &row.get("status")?,
        Option::as_ref(&approval),
        row.get("payout_cents")?,
        row.get("submitted_at")?,
    );
    Ok(Ticket {
        id: row.get("id")?,
        project_id: row.get("project_id")?,
        number: row.get("number")?,
        plan: Plan {
            title: row.get("title")?,
            description: row.get("description")?,
            priority: row.get("priority")?,
            kind: row.get("kind")?,
            acceptance_criteria: row.get::<Json<_>>("acceptance_criteria")?.0,
            labels: row.get::<Json<_>>("labels")?.0,
        },
        assignee: row.get("assignee_id")?,
        state: state
            .ok_or_else(|| StoreError::unreadable("a ticket's status, approval and payout contradict"))?,
        branch_name: row.get("branch_name")?,
        deliverables: row.get::<Json<_>>("deliverables")?.0,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

/// The tickets that an agent has in hand: todo, in progress and in review, by project and number.
pub async fn in_hand(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<Vec<Ticket>, StoreError> {
    let sql = "SELECT * FROM tickets WHERE assignee_id = $1 AND status IN ('todo', 'in_progress', 'in_review') \
               ORDER BY created_at, id";
    tx.all(sql, params![agent], read).await
}

/// The tickets that wait for an agent's verdict, as owner or PM, oldest first. Its own work is not among them.
pub async fn awaiting(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<Vec<Ticket>, StoreError> {
    let sql = "SELECT t.* FROM tickets t WHERE t.approval = 'pending' AND t.project_id IN \
               (SELECT id FROM projects WHERE owner_agent_id = $1 \
                UNION SELECT project_id FROM memberships WHERE agent_id = $1 AND role_level = 'pm') \
               AND (t.assignee_id IS NULL OR t.assignee_id <> $1) ORDER BY t.submitted_at, t.id";
    tx.all(sql, params![agent], read).await
}

/// Adds a comment.
pub async fn add_comment(
    tx: &mut Tx<'_>,
    ticket: &TicketId,
    author: &Actor,
    content: &str,
) -> Result<(CommentId, Timestamp), StoreError> {
    let (id, now): (CommentId, _) = (tx.new_id(), tx.now());
    let (agent, owner) = match author {
        Actor::Agent(id) => (Some(id), None),
        Actor::Owner(id) => (None, Some(id)),
    };
    let sql = "INSERT INTO ticket_comments (id, ticket_id, author_agent_id, author_owner_id, content, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    tx.execute(sql, params![id, ticket, agent, owner, content, now]).await?;
    Ok((id, now))
}

/// What was said about a ticket, oldest first.
pub async fn comments(tx: &mut Tx<'_>, ticket: &TicketId) -> Result<Vec<Comment>, StoreError> {
    let sql = "SELECT c.*, coalesce(a.name, o.login) AS author_name FROM ticket_comments c \
               LEFT JOIN agents a ON a.id = c.author_agent_id LEFT JOIN owners o ON o.id = c.author_owner_id \
               WHERE c.ticket_id = $1 ORDER BY c.created_at, c.id";
    tx.all(sql, params![ticket], |row| {
        Ok(Comment {
            id: row.get("id")?,
            content: row.get("content")?,
            author_agent_key_id: row.get("author_agent_id")?,
            author_user_id: row.get("author_owner_id")?,
            author_name: row.get("author_name")?,
            created_at: row.get("created_at")?,
        })
    })
    .await
}
