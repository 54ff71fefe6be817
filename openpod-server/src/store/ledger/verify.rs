//! Reading the whole ledger, to prove it.

use std::collections::HashMap;

use openpod_sdk::api::{AccountKind, AgentKeyId, Cents, ProjectId, TransactionId};

use crate::domain::ledger::verify::{Approved, Booked, Fault, Findings, Verifier};
use crate::domain::ledger::{Account, Entry};
use crate::store::{Row, StoreError, Tx, params};

/// How many transactions are held at a time.
const STEP: i64 = 1000;

/// Walks through every row of the ledger and all that it must agree with.
pub async fn verify(tx: &mut Tx<'_>) -> Result<Findings, StoreError> {
    let mut verifier = Verifier::default();
    let mut after = String::new();
    loop {
        let step = transactions(tx, &after).await?;
        let Some(last) = step.last() else { break };
        after = last.id.to_string();
        step.iter().for_each(|booked| verifier.transaction(booked));
    }
    for (transaction, entry) in strays(tx).await? {
        verifier.stray(transaction, entry);
    }
    for fault in faults(tx).await? {
        verifier.fault(fault);
    }
    Ok(verifier.finish())
}

/// The next transactions by id, with their entries and tickets.
async fn transactions(tx: &mut Tx<'_>, after: &str) -> Result<Vec<Booked>, StoreError> {
    let sql = "SELECT l.*, t.project_id AS approved_in, t.assignee_id AS approved_for, t.payout_cents \
               FROM ledger_transactions l LEFT JOIN tickets t ON t.id = l.ticket_id AND t.approval = 'approved' \
               WHERE l.id > $1 ORDER BY l.id LIMIT $2";
    let mut found = tx.all(sql, params![after, STEP], booked).await?;
    let Some(last) = found.last() else { return Ok(found) };
    let sql = "SELECT * FROM ledger_entries WHERE transaction_id > $1 AND transaction_id <= $2";
    let mut by_transaction: HashMap<TransactionId, Vec<Entry>> = HashMap::new();
    for (transaction, entry) in tx.all(sql, params![after, last.id], entry).await? {
        by_transaction.entry(transaction).or_default().push(entry);
    }
    for booked in &mut found {
        booked.entries = by_transaction.remove(&booked.id).unwrap_or_default();
    }
    Ok(found)
}

fn booked(row: &Row<'_>) -> Result<Booked, StoreError> {
    let project: Option<ProjectId> = row.get("approved_in")?;
    let agent: Option<AgentKeyId> = row.get("approved_for")?;
    let payout: Option<Cents> = row.get("payout_cents")?;
    Ok(Booked {
        id: row.get("id")?,
        project: row.get("project_id")?,
        agent: row.get("agent_id")?,
        amount: row.get("amount_cents")?,
        commission: row.get("commission_cents")?,
        entries: Vec::new(),
        ticket: row.get("ticket_id")?,
        approved: project.zip(payout).map(|(project, payout)| Approved { project, agent, payout }),
    })
}

fn entry(row: &Row<'_>) -> Result<(TransactionId, Entry), StoreError> {
    let id: Option<String> = row.get("account_id")?;
    let account = match (row.get("account_kind")?, id) {
        (AccountKind::Project, Some(id)) => Account::Project(id.into()),
        (AccountKind::Agent, Some(id)) => Account::Agent(id.into()),
        _ => Account::Platform,
    };
    Ok((row.get("transaction_id")?, Entry { account, amount: row.get("amount_cents")? }))
}

/// Entries whose transaction is not there.
async fn strays(tx: &mut Tx<'_>) -> Result<Vec<(TransactionId, Entry)>, StoreError> {
    let sql = "SELECT e.* FROM ledger_entries e LEFT JOIN ledger_transactions l ON l.id = e.transaction_id \
               WHERE l.id IS NULL ORDER BY e.transaction_id";
    tx.all(sql, params![], entry).await
}

/// What the transactions do not show by themselves: tickets paid twice or not at all, budgets that did not hold.
async fn faults(tx: &mut Tx<'_>) -> Result<Vec<Fault>, StoreError> {
    let sql =
        "SELECT ticket_id FROM ledger_transactions GROUP BY ticket_id HAVING count(*) > 1 ORDER BY ticket_id";
    let mut found = tx.all(sql, params![], |row| Ok(Fault::PaidTwice(row.get("ticket_id")?))).await?;
    let sql = "SELECT t.id FROM tickets t LEFT JOIN ledger_transactions l ON l.ticket_id = t.id \
               WHERE t.approval = 'approved' AND l.id IS NULL ORDER BY t.id";
    found.extend(tx.all(sql, params![], |row| Ok(Fault::Unpaid(row.get("id")?))).await?);
    let sql = "SELECT p.id, p.budget_cents, CAST(sum(l.amount_cents) AS BIGINT) AS spent_cents FROM projects p \
               JOIN ledger_transactions l ON l.project_id = p.id GROUP BY p.id, p.budget_cents \
               HAVING sum(l.amount_cents) > p.budget_cents ORDER BY p.id";
    let overspent = tx.all(sql, params![], |row| {
        let (project, budget) = (row.get("id")?, row.get("budget_cents")?);
        Ok(Fault::Overspent { project, spent: row.get("spent_cents")?, budget })
    });
    found.extend(overspent.await?);
    Ok(found)
}
