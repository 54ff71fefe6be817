//! Whether a change of a ticket is allowed, and what the ticket looks like after it.

use openpod_sdk::api::tickets::{TicketPatch, validate_texts};
use openpod_sdk::api::{AgentKeyId, Patch, TicketStatus, Timestamp, Violations};

use super::{State, Ticket};
use crate::domain::permission::{Actor, Standing};

/// Who wants a change, and what they are in the ticket's project.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Who calls.
    pub actor: &'a Actor,
    /// What they are.
    pub standing: Standing,
}

/// A change that was allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The ticket after it.
    pub ticket: Ticket,
    /// Where it stood before, when that changed.
    pub old_status: Option<TicketStatus>,
    /// Whose it was before, when that changed; the inner `None` for nobody's.
    pub old_assignee: Option<Option<AgentKeyId>>,
    /// The names of the fields that changed. Empty when everything is as it was.
    pub changed: Vec<&'static str>,
}

/// Why a change was not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller's role does not reach that far.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Another agent holds the ticket.
    #[error("another agent holds this ticket")]
    AlreadyClaimed,
    /// The table does not lead there.
    #[error("a ticket cannot go from {from} to {to}{}", if *.approved { " once it is approved" } else { "" })]
    IllegalTransition {
        /// Where it stands.
        from: TicketStatus,
        /// Where it was to go.
        to: TicketStatus,
        /// Whether an approval holds it where it is.
        approved: bool,
    },
    /// The ticket was paid for as it is.
    #[error("this ticket was approved and paid for; it can be commented on, but no longer changed")]
    AlreadyApproved,
    /// The texts after the change do not suffice for the ticket's kind.
    #[error("{0}")]
    Texts(Violations),
}

/// Decides a change. `patch` has the shape that its `Validate` asks for, and an assignee that it names is a member.
pub fn decide(
    ticket: &Ticket,
    caller: Caller<'_>,
    patch: &TicketPatch,
    now: Timestamp,
) -> Result<Change, Refusal> {
    let claims = claims(ticket, caller, patch)?;
    may_touch(ticket, caller, patch, claims)?;
    let mut after = ticket.clone();
    if let Some(to) = &patch.status {
        after.state = after.state.moved(to, now).ok_or_else(|| Refusal::IllegalTransition {
            from: ticket.state.status(),
            to: to.clone(),
            approved: ticket.state.is_final(),
        })?;
        let released = *to == TicketStatus::Todo && matches!(ticket.state, State::InProgress { .. });
        if released {
            after.assignee = None;
        }
    }
    if claims {
        after.assignee = caller.actor.agent().cloned();
    }
    fill_in(&mut after, patch);
    if patch.ticket_type.is_some() || patch.description.is_some() || patch.acceptance_criteria.is_some() {
        let mut violations = Violations::default();
        let plan = &after.plan;
        validate_texts(&plan.kind, plan.description.as_deref(), &plan.acceptance_criteria, &mut violations);
        if violations.iter().next().is_some() {
            return Err(Refusal::Texts(violations));
        }
    }
    conclude(ticket, after, now)
}

/// Whether the patch takes a free ticket into the caller's own hands. Naming an assignee is no claim.
fn claims(ticket: &Ticket, caller: Caller<'_>, patch: &TicketPatch) -> Result<bool, Refusal> {
    if patch.status != Some(TicketStatus::InProgress) || !patch.assignee_agent_key_id.is_absent() {
        return Ok(false);
    }
    match &ticket.assignee {
        Some(holder) if !caller.actor.is_agent(holder) && caller.standing == Standing::Worker => {
            Err(Refusal::AlreadyClaimed)
        }
        Some(_) => Ok(false),
        None => {
            let is_open = matches!(ticket.state, State::Todo | State::InProgress { .. });
            Ok(is_open && caller.actor.agent().is_some() && caller.standing.is_member())
        }
    }
}

/// Asks for the role alone, so that where both role and move are wrong the answer is about the role.
fn may_touch(ticket: &Ticket, caller: Caller<'_>, patch: &TicketPatch, claims: bool) -> Result<(), Refusal> {
    if caller.standing.may_plan() {
        return Ok(());
    }
    if !caller.standing.is_member() {
        return Err(Refusal::Forbidden("only members of the project may change its tickets"));
    }
    if patch.changes_plan() {
        return Err(Refusal::Forbidden("only leads, PMs and the owner may edit and assign tickets"));
    }
    let is_own = claims || ticket.assignee.as_ref().is_some_and(|holder| caller.actor.is_agent(holder));
    if !is_own {
        return Err(Refusal::Forbidden(
            "a worker may change only the tickets assigned to it; claim it first",
        ));
    }
    let from = ticket.state.status();
    let Some(to) = patch.status.as_ref().filter(|to| **to != from) else { return Ok(()) };
    match (from, to) {
        (_, TicketStatus::Cancelled) => {
            Err(Refusal::Forbidden("only leads, PMs and the owner may cancel a ticket"))
        }
        (TicketStatus::Done | TicketStatus::Cancelled, _) => {
            Err(Refusal::Forbidden("only leads, PMs and the owner may reopen a ticket"))
        }
        _ => Ok(()),
    }
}

fn fill_in(ticket: &mut Ticket, patch: &TicketPatch) {
    fn set<T: Clone>(place: &mut T, value: &Option<T>) {
        if let Some(value) = value {
            place.clone_from(value);
        }
    }
    set(&mut ticket.plan.title, &patch.title);
    set(&mut ticket.plan.priority, &patch.priority);
    set(&mut ticket.plan.kind, &patch.ticket_type);
    set(&mut ticket.plan.acceptance_criteria, &patch.acceptance_criteria);
    set(&mut ticket.plan.labels, &patch.labels);
    set(&mut ticket.deliverables, &patch.deliverables);
    if patch.description.is_some() {
        ticket.plan.description.clone_from(&patch.description);
    }
    ticket.branch_name = patch.branch_name.clone().apply(ticket.branch_name.take());
    if patch.assignee_agent_key_id != Patch::Absent {
        ticket.assignee = patch.assignee_agent_key_id.value().cloned();
    }
}

/// Compares before and after: only what differs counts as changed, and what was paid for must not differ.
fn conclude(before: &Ticket, mut after: Ticket, now: Timestamp) -> Result<Change, Refusal> {
    let (old, new) = (&before.plan, &after.plan);
    let changed: Vec<&'static str> = [
        ("status", before.state.status() != after.state.status()),
        ("assignee_agent_key_id", before.assignee != after.assignee),
        ("branch_name", before.branch_name != after.branch_name),
        ("deliverables", before.deliverables != after.deliverables),
        ("title", old.title != new.title),
        ("description", old.description != new.description),
        ("priority", old.priority != new.priority),
        ("ticket_type", old.kind != new.kind),
        ("acceptance_criteria", old.acceptance_criteria != new.acceptance_criteria),
        ("labels", old.labels != new.labels),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect();
    if !changed.is_empty() {
        if before.state.is_final() {
            return Err(Refusal::AlreadyApproved);
        }
        after.version += 1;
        after.updated_at = now;
    }
    Ok(Change {
        old_status: (before.state.status() != after.state.status()).then(|| before.state.status()),
        old_assignee: (before.assignee != after.assignee).then(|| before.assignee.clone()),
        changed,
        ticket: after,
    })
}

#[cfg(test)]
mod tests;
