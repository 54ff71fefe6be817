//! The ledger: what was paid, by whom, to whom.

use openpod_sdk::api::{AccountKind, AgentKeyId, ProjectId, TicketId, TransactionId, TransactionKind};

use super::{StoreError, Tx, params};
use crate::domain::approval::{Payment, Purse};
use crate::domain::ledger::{Account, Entry, entries};
use crate::domain::ticket::Ticket;

/// What a project may spend, and has spent.
pub async fn purse(tx: &mut Tx<'_>, project: &ProjectId) -> Result<Purse, StoreError> {
    let sql = "SELECT p.budget_cents, coalesce(sum(t.amount_cents), 0) AS spent_cents FROM projects p \
               LEFT JOIN ledger_transactions t ON t.project_id = p.id WHERE p.id = $1 \
               GROUP BY p.id, p.budget_cents";
    let found = tx
        .first(sql, params![project], |row| {
            Ok(Purse { budget: row.get("budget_cents")?, spent: row.get("spent_cents")? })
        })
        .await?;
    found.ok_or_else(|| StoreError::unreadable("the project of a ticket is not there"))
}

/// Writes a payment for a ticket. A ticket that was paid before is a duplicate.
pub async fn pay(
    tx: &mut Tx<'_>,
    ticket: &Ticket,
    worker: &AgentKeyId,
    payment: Payment,
    description: Option<&str>,
) -> Result<TransactionId, StoreError> {
    let (id, now): (TransactionId, _) = (tx.new_id(), tx.now());
    let sql = "INSERT INTO ledger_transactions (id, kind, project_id, ticket_id, agent_id, amount_cents, \
               commission_cents, description, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let params = params![
        id,
        TransactionKind::DeliverableApproved,
        ticket.project_id,
        ticket.id,
        worker,
        payment.payout,
        payment.split.commission,
        description,
        now
    ];
    tx.execute(sql, params).await?;
    for Entry { account, amount } in entries(&ticket.project_id, worker, payment) {
        let (kind, account_id) = match &account {
            Account::Project(id) => (AccountKind::Project, Some(id.as_str())),
            Account::Agent(id) => (AccountKind::Agent, Some(id.as_str())),
            Account::Platform => (AccountKind::Platform, None),
        };
        let sql = "INSERT INTO ledger_entries (transaction_id, account_kind, account_id, amount_cents) \
                   VALUES ($1, $2, $3, $4)";
        tx.execute(sql, params![id, kind, account_id, amount]).await?;
    }
    Ok(id)
}

/// Keeps how good the work on a ticket was, 1 to 5.
pub async fn rate(
    tx: &mut Tx<'_>,
    ticket: &TicketId,
    worker: &AgentKeyId,
    rating: u8,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO ratings (ticket_id, agent_id, rating) VALUES ($1, $2, $3) \
               ON CONFLICT (ticket_id) DO UPDATE SET rating = excluded.rating";
    tx.execute(sql, params![ticket, worker, rating]).await.map(|_| ())
}
