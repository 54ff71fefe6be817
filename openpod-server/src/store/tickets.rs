//! Tickets and their comments.

use std::sync::LazyLock;

use openpod_sdk::api::tickets::{Assignee, Comment, TicketFilter};
use openpod_sdk::api::{AgentKeyId, CommentId, ProjectId, TicketId, Timestamp};

use super::batch::{Batch, Column};
use super::paging::{Order, Select, Window};
use super::{Json, Row, StoreError, ToValue, Tx, Value, params};
use crate::domain::permission::Actor;
use crate::domain::ticket::{Plan, State, Ticket};

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

/// The columns that never change, and those that do, in the order of [`fixed`] and [`changing`].
const FIXED: [&str; 4] = ["id", "project_id", "number", "created_at"];
const CHANGING: [&str; 15] = [
    "title",
    "description",
    "priority",
    "kind",
    "acceptance_criteria",
    "labels",
    "assignee_id",
    "status",
    "approval",
    "payout_cents",
    "submitted_at",
    "branch_name",
    "deliverables",
    "version",
    "updated_at",
];

fn fixed(ticket: &Ticket) -> [Value; FIXED.len()] {
    [
        ticket.id.to_value(),
        ticket.project_id.to_value(),
        ticket.number.to_value(),
        ticket.created_at.to_value(),
    ]
}

fn changing(ticket: &Ticket) -> [Value; CHANGING.len()] {
    let (plan, state) = (&ticket.plan, &ticket.state);
    [
        plan.title.to_value(),
        plan.description.to_value(),
        plan.priority.to_value(),
        plan.kind.to_value(),
        Json(&plan.acceptance_criteria).to_value(),
        Json(&plan.labels).to_value(),
        ticket.assignee.to_value(),
        state.status().to_value(),
        state.approval().to_value(),
        state.payout().to_value(),
        state.submitted_at().to_value(),
        ticket.branch_name.to_value(),
        Json(&ticket.deliverables).to_value(),
        ticket.version.to_value(),
        ticket.updated_at.to_value(),
    ]
}

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let columns = [&FIXED[..], &CHANGING].concat();
    let places: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
    format!("INSERT INTO tickets ({}) VALUES ({})", columns.join(", "), places.join(", "))
});

static REPLACE: LazyLock<String> = LazyLock::new(|| {
    let set: Vec<String> =
        CHANGING.iter().enumerate().map(|(n, column)| format!("{column} = ${}", n + 3)).collect();
    format!("UPDATE tickets SET {} WHERE id = $1 AND version = $2", set.join(", "))
});

/// Writes a new ticket.
pub async fn insert(tx: &mut Tx<'_>, ticket: &Ticket) -> Result<(), StoreError> {
    let params = [&fixed(ticket)[..], &changing(ticket)].concat();
    tx.execute(&INSERT, &params).await.map(|_| ())
}

/// Writes a changed ticket over the one of the version before. Whether that one was still there: of many who
/// change the same version, one succeeds.
pub async fn replace(tx: &mut Tx<'_>, ticket: &Ticket) -> Result<bool, StoreError> {
    let seen = [ticket.id.to_value(), (ticket.version - 1).to_value()];
    let params = [&seen[..], &changing(ticket)].concat();
    Ok(tx.execute(&REPLACE, &params).await? == 1)
}

pub(super) fn read(row: &Row<'_>) -> Result<Ticket, StoreError> {
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

static COMMENTS: LazyLock<Batch> = LazyLock::new(|| {
    let columns = [
        Column::Text("id"),
        Column::Text("ticket"),
        Column::Text("agent"),
        Column::Text("owner"),
        Column::Text("content"),
        Column::Integer("now"),
    ];
    Batch::new(&columns, |_, rows| {
        format!(
            "INSERT INTO ticket_comments (id, ticket_id, author_agent_id, author_owner_id, content, created_at) \
             SELECT r.id, r.ticket, r.agent, r.owner, r.content, r.now FROM {rows}"
        )
    })
});

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
    tx.gather(&COMMENTS, params![id, ticket, agent, owner, content, now]);
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
