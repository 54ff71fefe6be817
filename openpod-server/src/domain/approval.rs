//! Judging work that was handed in.
//!
//! ```text
//!                     approve             reject            revise
//!   in_review         done, approved      done, rejected    in_progress, revision_requested
//!   done, pending     done, approved      done, rejected    in_progress, revision_requested
//!   done, rejected    409: reopen it first
//!   done, approved    409 already_approved: its money has moved once
//!   anything else     409: not handed in
//! ```

use openpod_sdk::api::{Cents, JudgeAction, Split, TicketStatus, Timestamp};

use super::permission::{Actor, Standing};
use super::ticket::{State, Ticket, Verdict};

/// What the project may spend, and what it has spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purse {
    /// All that it may spend; `None` for no bound.
    pub budget: Option<Cents>,
    /// What it has paid so far, commission included.
    pub spent: Cents,
}

impl Purse {
    /// What may still be spent; `None` for no bound.
    pub fn left(&self) -> Option<Cents> {
        self.budget.map(|budget| budget.saturating_sub(self.spent))
    }
}

/// A verdict that was allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The ticket after it.
    pub ticket: Ticket,
    /// The money that moves.
    pub payment: Option<Payment>,
}

/// Money that moves with an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// What the project pays.
    pub payout: Cents,
    /// How it is divided.
    pub split: Split,
}

/// Why a verdict was not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller's role does not reach that far.
    #[error("only the project's owner and its PMs may judge work")]
    Forbidden,
    /// The caller did the work.
    #[error("nobody judges their own work; another PM or the owner has to")]
    OwnWork,
    /// The money has moved.
    #[error("this ticket was approved before; its money has moved once and will not move again")]
    AlreadyApproved,
    /// It was rejected and not reopened.
    #[error(
        "this ticket was rejected; a lead, a PM or the owner must reopen it before it can be judged again"
    )]
    Rejected,
    /// Nothing was handed in.
    #[error("this ticket is {0}; it can be judged once it is in_review or done")]
    NotHandedIn(TicketStatus),
    /// There is nobody to pay or to ask.
    #[error("this ticket is assigned to nobody; assign it to the agent who did the work")]
    Unassigned,
    /// The payout would go past the budget.
    #[error("the payout goes past the project's budget: {left} of it is left")]
    BudgetExceeded {
        /// What may still be spent.
        left: Cents,
    },
    /// The action is none that this version knows, or an approval names no amount.
    #[error("the verdict must be approve with payout_cents, reject or revise")]
    Malformed,
}

/// Whether the caller may judge this ticket at all, whatever its state.
pub fn may_judge(ticket: &Ticket, actor: &Actor, standing: Standing) -> Result<(), Refusal> {
    if !standing.may_decide() {
        return Err(Refusal::Forbidden);
    }
    if ticket.assignee.as_ref().is_some_and(|worker| actor.is_agent(worker)) {
        return Err(Refusal::OwnWork);
    }
    Ok(())
}

/// Judges a ticket for a caller who [may](may_judge).
pub fn judge(
    ticket: &Ticket,
    action: &JudgeAction,
    payout: Option<Cents>,
    purse: Purse,
    now: Timestamp,
) -> Result<Outcome, Refusal> {
    let submitted_at = match ticket.state {
        State::InReview { submitted_at } | State::Done { submitted_at, verdict: Verdict::Awaited } => {
            submitted_at
        }
        State::Done { verdict: Verdict::Approved { .. }, .. } => return Err(Refusal::AlreadyApproved),
        State::Done { verdict: Verdict::Rejected, .. } => return Err(Refusal::Rejected),
        other => return Err(Refusal::NotHandedIn(other.status())),
    };
    if ticket.assignee.is_none() {
        return Err(Refusal::Unassigned);
    }
    let (state, payment) = match (action, payout) {
        (JudgeAction::Approve, Some(payout)) => {
            let payment = pay(payout, purse)?;
            (State::Done { submitted_at, verdict: Verdict::Approved { payout } }, Some(payment))
        }
        (JudgeAction::Reject, _) => (State::Done { submitted_at, verdict: Verdict::Rejected }, None),
        (JudgeAction::Revise, _) => (State::InProgress { revision: true }, None),
        _ => return Err(Refusal::Malformed),
    };
    let ticket = Ticket { state, version: ticket.version + 1, updated_at: now, ..ticket.clone() };
    Ok(Outcome { ticket, payment })
}

fn pay(payout: Cents, purse: Purse) -> Result<Payment, Refusal> {
    // Without a budget the bound is what the ledger can count to.
    let most = purse.budget.unwrap_or(Cents(i64::MAX));
    let after = purse.spent.checked_add(payout);
    if after.is_none_or(|after| after > most) {
        return Err(Refusal::BudgetExceeded { left: most.saturating_sub(purse.spent).max(Cents(0)) });
    }
    Ok(Payment { payout, split: payout.split_payout() })
}

#[cfg(test)]
mod tests {
    use openpod_sdk::api::{AgentKeyId, OwnerId, Priority, TicketType};

    use super::*;
    use crate::domain::ticket::Plan;

    const ENDLESS: Purse = Purse { budget: None, spent: Cents(0) };

    fn now() -> Timestamp {
        "2026-03-12T10:30:00Z".parse().unwrap()
    }

    fn ticket(state: State, assignee: Option<&str>) -> Ticket {
        let plan = Plan {
            title: "Fix it".into(),
            description: None,
            priority: Priority::High,
            kind: TicketType::Spike,
            acceptance_criteria: vec![],
            labels: vec![],
        };
        Ticket {
            id: "t".into(),
            project_id: "p".into(),
            number: 1,
            plan,
            assignee: assignee.map(AgentKeyId::from),
            state,
            branch_name: None,
            deliverables: vec![],
            version: 3,
            created_at: now(),
            updated_at: now(),
        }
    }

    fn judged(state: State, action: JudgeAction) -> Result<(String, String), Refusal> {
        judge(&ticket(state, Some("w")), &action, Some(Cents(5000)), ENDLESS, now()).map(|outcome| {
            let state = outcome.ticket.state;
            (state.status().to_string(), state.approval().map(|word| word.to_string()).unwrap_or_default())
        })
    }

    #[test]
    fn every_state_meets_every_verdict() {
        let done = |verdict| State::Done { submitted_at: now(), verdict };
        let handed_in = [State::InReview { submitted_at: now() }, done(Verdict::Awaited)];
        for state in handed_in {
            for (action, expected) in [
                (JudgeAction::Approve, ("done", "approved")),
                (JudgeAction::Reject, ("done", "rejected")),
                (JudgeAction::Revise, ("in_progress", "revision_requested")),
            ] {
                let (status, approval) = judged(state, action).unwrap();
                assert_eq!((status.as_str(), approval.as_str()), expected);
            }
        }
        for action in [JudgeAction::Approve, JudgeAction::Reject, JudgeAction::Revise] {
            let paid = done(Verdict::Approved { payout: Cents(1) });
            assert_eq!(judged(paid, action.clone()), Err(Refusal::AlreadyApproved));
            assert_eq!(judged(done(Verdict::Rejected), action.clone()), Err(Refusal::Rejected));
            for state in [State::Todo, State::InProgress { revision: true }, State::Cancelled] {
                assert_eq!(judged(state, action.clone()), Err(Refusal::NotHandedIn(state.status())));
            }
        }
        let free = ticket(State::InReview { submitted_at: now() }, None);
        assert_eq!(judge(&free, &JudgeAction::Reject, None, ENDLESS, now()), Err(Refusal::Unassigned));
    }

    #[test]
    fn only_those_who_decide_judge_and_nobody_judges_their_own_work() {
        let handed_in = ticket(State::InReview { submitted_at: now() }, Some("w"));
        let (worker, other) = (Actor::Agent("w".into()), Actor::Agent("x".into()));
        for (actor, standing, expected) in [
            (&other, Standing::Pm, Ok(())),
            (&other, Standing::Owner, Ok(())),
            (&Actor::Owner(OwnerId::from("o")), Standing::Owner, Ok(())),
            (&worker, Standing::Pm, Err(Refusal::OwnWork)),
            (&worker, Standing::Owner, Err(Refusal::OwnWork)),
            (&other, Standing::Lead, Err(Refusal::Forbidden)),
            (&other, Standing::Worker, Err(Refusal::Forbidden)),
            (&other, Standing::Stranger, Err(Refusal::Forbidden)),
        ] {
            assert_eq!(may_judge(&handed_in, actor, standing), expected, "{actor:?} {standing:?}");
        }
    }

    #[test]
    fn a_budget_can_be_spent_to_the_last_cent_and_no_further() {
        let purse = Purse { budget: Some(Cents(10_000)), spent: Cents(9_000) };
        assert!(pay(Cents(1_000), purse).is_ok());
        assert_eq!(pay(Cents(1_001), purse), Err(Refusal::BudgetExceeded { left: Cents(1_000) }));
    }

    #[test]
    fn no_sum_is_paid_that_the_ledger_could_not_count() {
        let spent = Cents(i64::MAX - 5);
        let left = Cents(5);
        for budget in [None, Some(Cents(i64::MAX))] {
            assert!(pay(left, Purse { budget, spent }).is_ok());
            assert_eq!(pay(Cents(6), Purse { budget, spent }), Err(Refusal::BudgetExceeded { left }));
        }
        let overdrawn = Purse { budget: Some(Cents(i64::MIN)), spent };
        assert_eq!(pay(Cents(0), overdrawn), Err(Refusal::BudgetExceeded { left: Cents(0) }));
        assert_eq!(overdrawn.left(), Some(Cents(i64::MIN)));
    }
}
