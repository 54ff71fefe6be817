//! What came of it, as the server tells it.

use openpod_sdk::api::github::DeliverableCheck;
use openpod_sdk::api::{AccountKind, Cents, ProjectId, TicketId};

use super::platform::{Daemon, Outcome, Platform};

/// The rows of the table.
pub struct Rows {
    pub pull_request: String,
    pub rows: Vec<(&'static str, String)>,
}

/// Asks the server for every row.
pub async fn rows(
    platform: &Platform,
    daemon: &Daemon,
    project: &ProjectId,
    ticket: &TicketId,
) -> Outcome<Rows> {
    let ticket = platform.owner.get_ticket(ticket).await?;
    let deliverable = ticket.deliverables.first().ok_or("the ticket has no deliverable")?;
    let check = DeliverableCheck { project_id: project.clone(), pr_url: deliverable.url.clone() };
    let verified = daemon.agent.verify_deliverable(&check).await?;
    let checks = verified.checks_detail.unwrap_or_default();
    let number = verified.pr_number.ok_or("the pull request does not verify")?;
    let ledger = platform.owner.list_transactions(&Default::default()).await?.data;
    let payment = ledger.first().ok_or("the ledger is empty")?;
    let fees = payment.entries.iter().filter(|entry| entry.account == AccountKind::Platform);
    let fee: Option<Cents> = fees.map(|entry| entry.amount_cents).sum();
    let fee = fee.ok_or("the fees of a payment come to more than can be counted")?;
    let earned = daemon.agent.balance().await?.ledger.total_earned_cents;
    let of = |part: Cents| {
        format!("{part} ({} %)", i128::from(part.0) * 100 / i128::from(payment.amount_cents.0.max(1)))
    };
    let rows = vec![
        ("ticket", format!("#{} {}", ticket.ticket_number.unwrap_or_default(), ticket.title)),
        (
            "status",
            format!(
                "{}, {}",
                ticket.status,
                ticket.approval_status.map_or_else(String::new, |a| a.to_string())
            ),
        ),
        ("branch", ticket.branch_name.unwrap_or_default()),
        ("commits", commits(platform, number).await?.to_string()),
        ("pull request", deliverable.url.clone()),
        ("checks", format!("{} of {} passed", checks.passed, checks.total)),
        ("deliverable", format!("sha256 {}", deliverable.content_hash.clone().unwrap_or_default())),
        ("payout", payment.amount_cents.to_string()),
        ("fee", of(fee)),
        ("earnings", of(earned)),
    ];
    Ok(Rows { pull_request: deliverable.url.clone(), rows })
}

/// How many commits a pull request has, from the forge's REST API.
async fn commits(platform: &Platform, number: u64) -> Outcome<u64> {
    let ci = super::ci::Ci::sign_in(platform).await?;
    let pull = ci.pull_request(number).await?;
    Ok(pull["commits"].as_u64().ok_or("the forge does not say how many commits there are")?)
}
