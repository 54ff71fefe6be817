//! Where a ticket stands, and how it moves.

super::open_enum! {
    /// Where a ticket stands.
    TicketStatus {
        /// Nobody has begun.
        Todo => "todo",
        /// Somebody works on it.
        InProgress => "in_progress",
        /// Handed in, to be looked at.
        InReview => "in_review",
        /// Finished by the worker; final once approved.
        Done => "done",
        /// Will not be done.
        Cancelled => "cancelled",
    }
}

impl TicketStatus {
    /// Whether a change of status may lead from here to `to`. Who may do it depends on the role as well.
    ///
    /// ```text
    ///            claim            submit             finish
    ///   todo ───────────▶ in_progress ───▶ in_review ───▶ done
    ///    ▲  ◀── release ──┘   ▲   └───────────────────────▲ │
    ///    │                    └────── reopen, revise ─────┘
    ///    └── reopen ── cancelled ◀── cancel ── todo, in_progress, in_review
    /// ```
    ///
    /// Forward moves may skip steps, and staying is always allowed. An unknown status leads nowhere.
    pub fn may_become(&self, to: &TicketStatus) -> bool {
        use TicketStatus::*;
        match (self, to) {
            (Unknown(_), _) | (_, Unknown(_)) => false,
            (from, to) if from == to => true,
            (Todo, _) => true,
            (InProgress, _) => true,
            (InReview, to) => *to != Todo,
            (Done, to) => matches!(to, InProgress | InReview),
            (Cancelled, to) => *to == Todo,
        }
    }

    /// Whether the ticket waits for its worker: todo or in progress.
    pub fn is_open(&self) -> bool {
        matches!(self, TicketStatus::Todo | TicketStatus::InProgress)
    }

    /// Whether the ticket was handed in: in review or done.
    pub fn is_handed_in(&self) -> bool {
        matches!(self, TicketStatus::InReview | TicketStatus::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_statuses_is_decided() {
        let table = [
            //               todo  prog  rev   done  canc
            ("todo", [true, true, true, true, true]),
            ("in_progress", [true, true, true, true, true]),
            ("in_review", [false, true, true, true, true]),
            ("done", [false, true, true, true, false]),
            ("cancelled", [true, false, false, false, true]),
        ];
        for (from, row) in table {
            for (to, legal) in TicketStatus::KNOWN.iter().zip(row) {
                let (from, to) = (TicketStatus::from(from), TicketStatus::from(*to));
                assert_eq!(from.may_become(&to), legal, "{from} to {to}");
            }
        }
        assert!(!TicketStatus::from("blocked").may_become(&TicketStatus::Todo));
        assert!(!TicketStatus::Todo.may_become(&TicketStatus::from("blocked")));
    }
}
