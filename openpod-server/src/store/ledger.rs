//! The ledger: what was paid, by whom, to whom.

mod verify;

use std::collections::HashMap;

use openpod_sdk::api::me::{Transaction, TransactionSummary};
use openpod_sdk::api::owner::{AgentSpending, LedgerEntry, LedgerFilter, LedgerTransaction};
use openpod_sdk::api::{AgentKeyId, Cents, ProjectId, TicketId, TransactionId, TransactionKind};

pub use verify::verify;

use super::paging::{Order, Select, Window};
use super::{StoreError, Tx, params};
use crate::domain::approval::{Payment, Purse};
use crate::domain::permission::Actor;
use crate::domain::ticket::Ticket;

/// What a project may spend, and has spent.
pub async fn purse(tx: &mut Tx<'_>, project: &ProjectId) -> Result<Purse, StoreError> {
    let sql = "SELECT p.budget_cents, CAST(coalesce(sum(t.amount_cents), 0) AS BIGINT) AS spent_cents FROM projects p \
               LEFT JOIN ledger_transactions t ON t.project_id = p.id WHERE p.id = $1 \
               GROUP BY p.id, p.budget_cents";
    let found = tx
        .first(sql, params![project], |row| {
            Ok(Purse { budget: row.get("budget_cents")?, spent: row.get("spent_cents")? })
        })
        .await?;
    found.ok_or_else(|| StoreError::unreadable("the project of a ticket is not there"))
}

/// Writes a payment for a ticket that was approved in this transaction; the schema adds its entries. A ticket that was
/// paid before is a duplicate.
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
    Ok(id)
}

/// What a project paid for the work of each agent, the most first.
pub async fn spending(tx: &mut Tx<'_>, project: &ProjectId) -> Result<Vec<AgentSpending>, StoreError> {
    let sql = "SELECT t.agent_id, a.name, count(*) AS tickets, CAST(sum(t.amount_cents) AS BIGINT) AS amount_cents \
               FROM ledger_transactions t JOIN agents a ON a.id = t.agent_id WHERE t.project_id = $1 \
               GROUP BY t.agent_id, a.name ORDER BY amount_cents DESC, t.agent_id";
    tx.all(sql, params![project], |row| {
        Ok(AgentSpending {
            agent_key_id: row.get("agent_id")?,
            name: row.get("name")?,
            ticket_count: row.get("tickets")?,
            amount_cents: row.get("amount_cents")?,
        })
    })
    .await
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

/// What an agent earned in all, after commission.
pub async fn earned(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<Cents, StoreError> {
    let sql = "SELECT CAST(coalesce(sum(amount_cents), 0) AS BIGINT) AS earned FROM ledger_entries \
               WHERE account_kind = 'agent' AND account_id = $1";
    Ok(tx.first(sql, params![agent], |row| row.get("earned")).await?.unwrap_or_default())
}

/// A page of the payments to an agent, newest first.
pub async fn payments_to(
    tx: &mut Tx<'_>,
    agent: &AgentKeyId,
    window: &Window,
) -> Result<Vec<Transaction>, StoreError> {
    let mut select = Select::from("SELECT * FROM ledger_transactions");
    select.filter("agent_id = ?", &[agent]);
    let (sql, params) = select.window(window, "created_at", "id", Order::Descending);
    tx.all(&sql, &params, |row| {
        Ok(Transaction {
            id: row.get("id")?,
            project_id: row.get("project_id")?,
            ticket_id: row.get("ticket_id")?,
            amount_cents: row.get("amount_cents")?,
            commission_cents: row.get("commission_cents")?,
            kind: row.get("kind")?,
            description: row.get("description")?,
            settled: false,
            created_at: row.get("created_at")?,
        })
    })
    .await
}

/// What all payments to an agent come to. None is paid out by this platform.
pub async fn summary_of(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<TransactionSummary, StoreError> {
    let sql = "SELECT count(*) AS payments, CAST(coalesce(sum(amount_cents), 0) AS BIGINT) AS amount, \
               CAST(coalesce(sum(commission_cents), 0) AS BIGINT) AS commission FROM ledger_transactions WHERE agent_id = $1";
    let found = tx
        .first(sql, params![agent], |row| {
            Ok(TransactionSummary {
                total_earned_cents: row.get("amount")?,
                total_commission_cents: row.get("commission")?,
                total_net_settled_cents: Cents(0),
                count: row.get("payments")?,
            })
        })
        .await?;
    found.ok_or_else(|| StoreError::unreadable("a sum has no row"))
}

/// A page of the transactions of an owner's projects with their entries, newest first.
pub async fn of_owner(
    tx: &mut Tx<'_>,
    owner: &Actor,
    filter: &LedgerFilter,
    window: &Window,
) -> Result<Vec<LedgerTransaction>, StoreError> {
    let mut select = Select::from("SELECT t.* FROM ledger_transactions t");
    let theirs = "t.project_id IN (SELECT p.id FROM projects p WHERE p.owner_id = ?)";
    select.filter(theirs, &[&owner.id()]);
    select.filter_some("t.project_id = ?", &filter.project_id);
    let (sql, params) = select.window(window, "t.created_at", "t.id", Order::Descending);
    let found = tx.all(&sql, &params, |row| {
        Ok(LedgerTransaction {
            id: row.get("id")?,
            kind: row.get("kind")?,
            project_id: row.get("project_id")?,
            ticket_id: row.get("ticket_id")?,
            amount_cents: row.get("amount_cents")?,
            commission_cents: row.get("commission_cents")?,
            entries: Vec::new(),
            created_at: row.get("created_at")?,
        })
    });
    let mut found = found.await?;
    let sql = format!(
        "SELECT e.* FROM ledger_entries e WHERE e.transaction_id IN (SELECT page.id FROM ({sql}) AS page) \
         ORDER BY e.transaction_id, e.amount_cents, e.account_kind"
    );
    let entries = tx.all(&sql, &params, |row| {
        let entry = LedgerEntry {
            account: row.get("account_kind")?,
            account_id: row.get("account_id")?,
            amount_cents: row.get("amount_cents")?,
        };
        Ok((row.get::<TransactionId>("transaction_id")?, entry))
    });
    let mut by_transaction: HashMap<TransactionId, Vec<LedgerEntry>> = HashMap::new();
    for (transaction, entry) in entries.await? {
        by_transaction.entry(transaction).or_default().push(entry);
    }
    for transaction in &mut found {
        transaction.entries = by_transaction.remove(&transaction.id).unwrap_or_default();
    }
    Ok(found)
}
