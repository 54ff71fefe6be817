//! The rules of tickets and pay once more, as small as they can be said.

use super::{Assign, Deed, Lead, Owner, Pay, Pm, Seen, Step, Stranger, Who};

/// What the project may spend, in cents.
pub(super) const BUDGET: i64 = 150;

/// A ticket as the rules know it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ticket {
    pub(super) assignee: Option<Who>,
    pub(super) status: &'static str,
    pub(super) approval: Option<&'static str>,
    pub(super) paid: Option<i64>,
    pub(super) urgent: bool,
    pub(super) version: u64,
    pub(super) comments: usize,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) tickets: Vec<Ticket>,
    pub(super) spent: i64,
    pub(super) earned: Vec<(Who, i64)>,
}

/// Status and code of an answer; success has no code.
pub(super) type Expected = (u16, &'static str);

fn plans(who: Who) -> bool {
    matches!(who, Owner | Pm | Lead)
}

fn leads_to(from: &str, to: &str) -> bool {
    let reachable: &[&str] = match from {
        "todo" => &["in_progress", "in_review", "done", "cancelled"],
        "in_progress" => &["todo", "in_review", "done", "cancelled"],
        "in_review" => &["in_progress", "done", "cancelled"],
        "done" => &["in_progress", "in_review"],
        _ => &["todo"],
    };
    reachable.contains(&to)
}

impl Model {
    /// How much that is now.
    pub(super) fn in_cents(&self, payout: Pay) -> i64 {
        match payout {
            Pay::Cents(cents) => cents,
            Pay::TheRest => BUDGET - self.spent,
            Pay::MoreThanTheRest => BUDGET - self.spent + 1,
        }
    }

    pub(super) fn apply(&mut self, step: &Step) -> Expected {
        if let Deed::Create { assignee } = step.deed {
            return self.create(step.who, assignee);
        }
        if step.who == Stranger {
            return (404, "not_found");
        }
        match step.deed {
            Deed::Change { status, assign, urgent, seen } => {
                self.change(step.ticket, step.who, (status, assign, urgent), seen)
            }
            Deed::Judge { action, payout } => {
                self.judge(step.ticket, step.who, action, self.in_cents(payout))
            }
            _ => {
                self.tickets[step.ticket].comments += 1;
                (201, "")
            }
        }
    }

    fn create(&mut self, who: Who, assignee: Option<Who>) -> Expected {
        if !plans(who) {
            return (403, "forbidden");
        }
        if assignee == Some(Stranger) {
            return (400, "invalid_request");
        }
        self.tickets.push(Ticket {
            assignee,
            status: "todo",
            approval: None,
            paid: None,
            urgent: false,
            version: 1,
            comments: 0,
        });
        (201, "")
    }

    fn change(
        &mut self,
        n: usize,
        who: Who,
        (status, assign, urgent): (Option<&'static str>, Assign, bool),
        seen: Seen,
    ) -> Expected {
        let before = self.tickets[n].clone();
        if seen == Seen::Older {
            return (412, "precondition_failed");
        }
        let wants_it = status == Some("in_progress") && assign == Assign::Leave;
        if wants_it && !plans(who) && before.assignee.is_some_and(|holder| holder != who) {
            return (409, "already_claimed");
        }
        let claims = wants_it && before.assignee.is_none() && matches!(before.status, "todo" | "in_progress");
        if !plans(who) {
            let own = claims || before.assignee == Some(who);
            let moves = status.is_some_and(|to| to != before.status);
            let out_of_reach = status == Some("cancelled") || matches!(before.status, "done" | "cancelled");
            if !own || assign != Assign::Leave || urgent || (moves && out_of_reach) {
                return (403, "forbidden");
            }
        }
        let mut after = before.clone();
        if let Some(to) = status.filter(|to| *to != before.status) {
            if before.paid.is_some() {
                return (409, "already_approved");
            }
            if !leads_to(before.status, to) {
                return (409, "illegal_transition");
            }
            after.status = to;
            after.approval = matches!(to, "in_review" | "done").then_some("pending");
            if (before.status, to) == ("in_progress", "todo") {
                after.assignee = None;
            }
        }
        if claims {
            after.assignee = Some(who);
        }
        match assign {
            Assign::Leave => {}
            Assign::Free => after.assignee = None,
            Assign::To(whom) => after.assignee = Some(whom),
        }
        after.urgent |= urgent;
        if after != before && before.paid.is_some() {
            return (409, "already_approved");
        }
        if assign == Assign::To(Stranger) {
            return (400, "invalid_request");
        }
        if after != before {
            after.version += 1;
        }
        self.tickets[n] = after;
        (200, "")
    }

    fn judge(&mut self, n: usize, who: Who, action: &str, payout: i64) -> Expected {
        let ticket = &mut self.tickets[n];
        if !matches!(who, Owner | Pm) || ticket.assignee == Some(who) {
            return (403, "forbidden");
        }
        if ticket.paid.is_some() {
            return (409, "already_approved");
        }
        let Some(worker) = ticket.assignee.filter(|_| ticket.approval == Some("pending")) else {
            return (409, "conflict");
        };
        match action {
            "approve" if self.spent + payout > BUDGET => return (409, "budget_exceeded"),
            "approve" => {
                (ticket.status, ticket.approval, ticket.paid) = ("done", Some("approved"), Some(payout));
                self.spent += payout;
                self.earned.push((worker, payout - (payout + 5) / 10));
            }
            "reject" => (ticket.status, ticket.approval) = ("done", Some("rejected")),
            _ => (ticket.status, ticket.approval) = ("in_progress", Some("revision_requested")),
        }
        ticket.version += 1;
        (200, "")
    }
}
