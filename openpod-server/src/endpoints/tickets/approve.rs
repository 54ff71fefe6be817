//! POST /tickets/{ticket_id}/approve, for agents and owners

use axum::extract::State;
use openpod_sdk::api::owner::OwnerJudgement;
use openpod_sdk::api::tickets::{Judged, JudgedTicket, Judgement, Payment as Paid, TicketPath};
use openpod_sdk::api::{AgentKeyId, ApprovalStatus, CommentId, Endpoint, ErrorCode, TransactionId};
use openpod_sdk::webhook::{DeliverableApproved, DeliverableRejected, Event};
use serde_json::json;

use super::{altered, commented, overtaken};
use crate::app::App;
use crate::domain::approval::{Outcome, Payment, Refusal, judge, may_judge};
use crate::domain::audit::Change;
use crate::domain::permission::Actor;
use crate::domain::ticket::Ticket;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::{StoreErrorKind, Tx, dialect, ledger, marks, outbox, standings, tickets};

/// Judges a ticket. Ticket, money, comment and event change in one transaction.
pub async fn approve<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Path = TicketPath, Response = Judged>,
    E::Body: Into<OwnerJudgement>,
{
    let Call { actor, path, body, if_match, once, .. } = call;
    let OwnerJudgement { judgement, rating } = body.into();
    once.write(&app, move |tx| {
        Box::pin(async move {
            dialect::hold_purse(tx, &path.ticket_id).await?;
            let (ticket, standing) = access::ticket(tx, &actor, &path.ticket_id).await?;
            may_judge(&ticket, &actor, standing)?;
            access::unchanged(if_match, ticket.version)?;
            let purse = ledger::purse(tx, &ticket.project_id).await?;
            let outcome = judge(&ticket, &judgement.action, judgement.payout_cents, purse, tx.now())?;
            let (transaction, comment) = save(tx, &outcome, &judgement, rating, &actor).await?;
            tell(tx, &outcome, &judgement, transaction.as_ref(), &actor).await?;
            let version = outcome.ticket.version;
            let mut changes = vec![altered(ticket, outcome.ticket.clone())];
            changes.extend(comment.map(|id| commented(&id, &outcome.ticket)));
            changes.extend(transaction.as_ref().map(|id| paid(id, &outcome, rating)));
            let answer = Answer::ok(judged(outcome, transaction)).etag(version);
            Ok(changes.into_iter().fold(answer, Answer::changing))
        })
    })
    .await
}

async fn save(
    tx: &mut Tx<'_>,
    outcome: &Outcome,
    judgement: &Judgement,
    rating: Option<u8>,
    actor: &Actor,
) -> Result<(Option<TransactionId>, Option<CommentId>), ApiError> {
    let ticket = &outcome.ticket;
    if !tickets::replace(tx, ticket).await? {
        return Err(overtaken());
    }
    let comment = match judgement.comment.as_ref().filter(|text| !text.trim().is_empty()) {
        Some(text) => Some(tickets::add_comment(tx, &ticket.id, actor, text).await?.0),
        None => None,
    };
    let (Some(payment), Some(worker)) = (outcome.payment, &ticket.assignee) else {
        return Ok((None, comment));
    };
    if let Some(rating) = rating {
        ledger::rate(tx, &ticket.id, worker, rating).await?;
    }
    let paid = ledger::pay(tx, ticket, worker, payment, judgement.comment.as_deref()).await;
    match paid {
        Err(error) if error.kind() == StoreErrorKind::Duplicate => Err(Refusal::AlreadyApproved.into()),
        paid => Ok((Some(paid?), comment)),
    }
}

/// What the audit log says of a payment.
fn paid(id: &TransactionId, outcome: &Outcome, rating: Option<u8>) -> Change {
    let ticket = &outcome.ticket;
    let facts = json!({
        "agent_key_id": ticket.assignee,
        "amount_cents": outcome.payment.map(|payment| payment.payout),
        "commission_cents": outcome.payment.map(|payment| payment.split.commission),
        "rating": rating,
    });
    Change::made("payment", id, &facts).in_project(&ticket.project_id).of_ticket(&ticket.id)
}

async fn tell(
    tx: &mut Tx<'_>,
    outcome: &Outcome,
    judgement: &Judgement,
    transaction: Option<&TransactionId>,
    actor: &Actor,
) -> Result<(), ApiError> {
    let ticket = &outcome.ticket;
    let event = match (outcome.payment, transaction) {
        (Some(payment), Some(transaction)) => approved(ticket, payment, transaction, judgement),
        _ => rejected(ticket, judgement),
    };
    let worker: Vec<AgentKeyId> = ticket.assignee.iter().cloned().collect();
    outbox::emit(tx, &event, &worker, actor).await?;
    let deciders = standings::deciders(tx, &ticket.project_id).await?;
    Ok(marks::touch(tx, worker.iter().chain(&deciders)).await?)
}

fn approved(ticket: &Ticket, payment: Payment, transaction: &TransactionId, judgement: &Judgement) -> Event {
    Event::DeliverableApproved(DeliverableApproved {
        ticket_id: ticket.id.clone(),
        ticket_number: ticket.number,
        title: ticket.plan.title.clone(),
        project_id: Some(ticket.project_id.clone()),
        payout_cents: payment.payout,
        commission_cents: payment.split.commission,
        earned_cents: payment.split.earned,
        transaction_id: Some(transaction.clone()),
        comment: judgement.comment.clone(),
    })
}

fn rejected(ticket: &Ticket, judgement: &Judgement) -> Event {
    Event::DeliverableRejected(DeliverableRejected {
        ticket_id: ticket.id.clone(),
        ticket_number: ticket.number,
        title: ticket.plan.title.clone(),
        project_id: Some(ticket.project_id.clone()),
        action: verdict(ticket),
        comment: judgement.comment.clone(),
    })
}

fn judged(outcome: Outcome, transaction: Option<TransactionId>) -> Judged {
    let ticket = outcome.ticket;
    Judged {
        transaction: outcome.payment.zip(transaction).map(|(payment, id)| Paid {
            id: Some(id),
            amount_cents: payment.payout,
            commission_cents: payment.split.commission,
        }),
        ticket: JudgedTicket {
            approval_status: verdict(&ticket),
            payout_cents: ticket.state.payout(),
            status: Some(ticket.state.status()),
            version: Some(ticket.version),
            id: ticket.id,
        },
    }
}

fn verdict(ticket: &Ticket) -> ApprovalStatus {
    ticket.state.approval().unwrap_or(ApprovalStatus::Pending)
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::Forbidden | Refusal::OwnWork => ErrorCode::Forbidden,
            Refusal::AlreadyApproved => ErrorCode::AlreadyApproved,
            Refusal::Rejected | Refusal::NotHandedIn(_) | Refusal::Unassigned => ErrorCode::Conflict,
            Refusal::BudgetExceeded { .. } => ErrorCode::BudgetExceeded,
            Refusal::Malformed => ErrorCode::InvalidRequest,
        };
        let answer = ApiError::new(code, refusal.to_string());
        match refusal {
            Refusal::BudgetExceeded { left } => answer.detail("left_cents", left.0),
            _ => answer,
        }
    }
}
