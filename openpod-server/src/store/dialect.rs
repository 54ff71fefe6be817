//! What the engines do in their own ways, beside full-text search. Everything else is SQL that both understand.
//!
//! SQLite has one writer, so a write transaction sees what it will change as it is. On PostgreSQL several write at
//! once, and each statement sees what is committed when it begins (READ COMMITTED): whoever decides by what it read
//! takes hold of it first. Holds are taken in this order, so that nobody waits in a circle: a name, a project, a
//! ticket, and at the end of the transaction webhooks and agents, see `Tx::settle`.

use openpod_sdk::api::{ApplicationId, TicketId, WebhookId};

use super::{StoreError, Tx, params};

/// Which SQL a transaction speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite's.
    Sqlite,
    /// PostgreSQL's.
    Postgres,
}

impl Dialect {
    /// Ends a `SELECT` of rows that the statement around it deletes: what another is at is left out.
    pub(super) fn skip_taken(self) -> &'static str {
        match self {
            Dialect::Sqlite => "",
            Dialect::Postgres => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// The same for rows that the statement around it changes. What others only [`keep`](Self::keep) is not left out.
    pub(super) fn skip_held(self) -> &'static str {
        match self {
            Dialect::Sqlite => "",
            Dialect::Postgres => "FOR NO KEY UPDATE SKIP LOCKED",
        }
    }

    /// Joins to the rows of a batch what a table has for each, of which only these columns are to be read. On PostgreSQL each
    /// row is looked up by itself: a plan that joined the tables otherwise, made while they were small, would outlive that.
    pub(super) fn join(
        self,
        table: &str,
        name: &str,
        columns: &[&str],
        condition: &str,
        lock: &str,
    ) -> String {
        match self {
            Dialect::Sqlite => format!("JOIN {table} {name} ON {condition}"),
            Dialect::Postgres => {
                let columns: Vec<String> = columns.iter().map(|column| format!("{name}.{column}")).collect();
                let columns = columns.join(", ");
                format!(
                    "CROSS JOIN LATERAL (SELECT {columns} FROM {table} {name} WHERE {condition} {lock}) AS {name}"
                )
            }
        }
    }

    /// Ends the statement of a batch that tells which rows it touched. SQLite, which is given one row at a time, tells whether
    /// it touched one, and would have to make a table for what it returns.
    pub(super) fn returning(self, id: &str) -> String {
        match self {
            Dialect::Sqlite => String::new(),
            Dialect::Postgres => format!("RETURNING {id} AS id"),
        }
    }

    /// Answers a [`Question`](super::batch::Question): looks up what there is about each of what it is asked about, by a plan
    /// that serves one and many.
    pub(super) fn for_each(self, rows: &str, columns: &str, tables: &str, condition: &str) -> String {
        match self {
            Dialect::Sqlite => format!("SELECT r.n, {columns} FROM {rows}, {tables} WHERE {condition}"),
            Dialect::Postgres => format!(
                "SELECT r.n, found.* FROM {rows} CROSS JOIN LATERAL \
                 (SELECT {columns} FROM {tables} WHERE {condition} LIMIT 1) AS found"
            ),
        }
    }

    /// Ends a `SELECT` of rows of a table that nobody else shall change before the transaction ends.
    pub(super) fn hold(self, table: &str) -> String {
        match self {
            Dialect::Sqlite => String::new(),
            Dialect::Postgres => format!("FOR NO KEY UPDATE OF {table}"),
        }
    }

    /// Ends a `SELECT` of rows of a table that must not be deleted before the transaction ends.
    pub(super) fn keep(self, table: &str) -> String {
        match self {
            Dialect::Sqlite => String::new(),
            Dialect::Postgres => format!("FOR KEY SHARE OF {table}"),
        }
    }
}

/// Keeps others from deciding anything in the project of a ticket, and from changing the ticket, until the transaction
/// ends: what was paid and what is left of the budget stay as they are.
pub async fn hold_purse(tx: &mut Tx<'_>, ticket: &TicketId) -> Result<(), StoreError> {
    let sql =
        "SELECT id FROM projects WHERE id = (SELECT project_id FROM tickets WHERE id = $1) FOR NO KEY UPDATE";
    hold(tx, sql, ticket.as_str()).await?;
    hold_ticket(tx, ticket).await
}

/// Keeps others from changing a ticket until the transaction ends.
pub async fn hold_ticket(tx: &mut Tx<'_>, ticket: &TicketId) -> Result<(), StoreError> {
    hold(tx, "SELECT id FROM tickets WHERE id = $1 FOR NO KEY UPDATE", ticket.as_str()).await
}

/// Keeps others from delivering to a webhook, and from changing it, until the transaction ends.
pub async fn hold_webhook(tx: &mut Tx<'_>, webhook: &WebhookId) -> Result<(), StoreError> {
    hold(tx, "SELECT id FROM webhooks WHERE id = $1 FOR NO KEY UPDATE", webhook.as_str()).await
}

/// Keeps others from deciding anything in the project of an application until the transaction ends: its seats and
/// members stay as they are.
pub async fn hold_seats(tx: &mut Tx<'_>, application: &ApplicationId) -> Result<(), StoreError> {
    let sql = "SELECT p.id FROM projects p WHERE p.id = (SELECT o.project_id FROM applications a \
               JOIN positions o ON o.id = a.position_id WHERE a.id = $1) FOR NO KEY UPDATE";
    hold(tx, sql, application.as_str()).await
}

/// Keeps out others who take hold of the same name, until the transaction ends.
pub async fn hold_name(tx: &mut Tx<'_>, kind: &str, name: &str) -> Result<(), StoreError> {
    let name = format!("{kind} {name}");
    hold(tx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", &name).await
}

async fn hold(tx: &mut Tx<'_>, sql: &str, what: &str) -> Result<(), StoreError> {
    match tx.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => tx.execute(sql, params![what]).await.map(|_| ()),
    }
}
