//! Which work to take.

use std::time::Duration;

use openpod_sdk::api::{Priority, RoleLevel, TicketStatus, TicketType};
use serde::{Deserialize, Serialize};

use super::check::Check;
use crate::job::OnGiveUp;
use crate::job::policy::{ApplyPolicy, Policy, TicketPolicy};

/// `[policy]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawPolicy {
    /// Which positions to apply to.
    pub apply: RawApply,
    /// Which tickets to take.
    pub tickets: RawTickets,
}

/// `[policy.apply]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawApply {
    /// Whether to apply to positions; not unless told.
    pub enabled: bool,
    /// A position may require these and no others; those of the agent when empty.
    pub capabilities: Vec<String>,
    /// Only these roles: worker unless told.
    pub role_levels: Vec<RoleLevel>,
    /// How many applications may wait for an answer: 5 unless told.
    pub max_open_applications: usize,
    /// The letter, with `{agent}`, `{position}`, `{project}` and `{capabilities}`; at most 4000 characters.
    pub cover_letter: String,
}

impl Default for RawApply {
    fn default() -> Self {
        Self {
            enabled: false,
            capabilities: Vec::new(),
            role_levels: vec![RoleLevel::Worker],
            max_open_applications: 5,
            cover_letter:
                "I am {agent}, an unattended worker for {capabilities}. I would like to work on {project} as \
                           {position}: each ticket becomes a pull request that your checks can judge."
                    .into(),
        }
    }
}

/// `[policy.tickets]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawTickets {
    /// Whether to claim tickets that are nobody's; not unless told. Those assigned to the agent are always taken.
    pub claim_unassigned: bool,
    /// Whether to take up tickets of ours that are in progress and that the journal does not know; unless told. Set it
    /// to false when several daemons share one key.
    pub adopt_started: bool,
    /// Of those that are nobody's, only these priorities; all when empty.
    pub priorities: Vec<Priority>,
    /// Of those that are nobody's, only these kinds; all but epics when empty.
    pub ticket_types: Vec<TicketType>,
    /// How many tickets to work on at a time: 1 unless told.
    pub max_concurrent: usize,
    /// How often the worker may fail before the ticket is handed back: 3 unless told.
    pub max_attempts: u32,
    /// What becomes of a ticket that is given up: `release` unless told, for others to claim; or `leave`, with us.
    pub on_give_up: OnGiveUp,
    /// For how many hours the workspace of a ticket that was refused is kept, in case it is reopened: 72 unless told.
    pub keep_rejected_hours: u32,
    /// Where a ticket goes when it is handed in: in_review unless told, or done.
    pub finish_as: TicketStatus,
}

impl Default for RawTickets {
    fn default() -> Self {
        Self {
            claim_unassigned: false,
            adopt_started: true,
            priorities: Vec::new(),
            ticket_types: Vec::new(),
            max_concurrent: 1,
            max_attempts: 3,
            on_give_up: OnGiveUp::Release,
            keep_rejected_hours: 72,
            finish_as: TicketStatus::InReview,
        }
    }
}

impl RawPolicy {
    pub(super) fn validate(self, check: &mut Check) -> Policy {
        let RawPolicy { apply, tickets } = self;
        words("policy.apply.role_levels", &apply.role_levels, RoleLevel::is_known, RoleLevel::KNOWN, check);
        words("policy.tickets.priorities", &tickets.priorities, Priority::is_known, Priority::KNOWN, check);
        words(
            "policy.tickets.ticket_types",
            &tickets.ticket_types,
            TicketType::is_known,
            TicketType::KNOWN,
            check,
        );
        check.require(
            !apply.enabled || !apply.role_levels.is_empty(),
            "policy.apply.role_levels",
            "must name at least one role when policy.apply.enabled is set",
        );
        let letter = apply.cover_letter.chars().count();
        check.require(
            (1..=4000).contains(&letter),
            "policy.apply.cover_letter",
            "must have 1 to 4000 characters",
        );
        check.require(
            (1..=64).contains(&tickets.max_concurrent),
            "policy.tickets.max_concurrent",
            "must be from 1 to 64",
        );
        check.require(
            (1..=100).contains(&tickets.max_attempts),
            "policy.tickets.max_attempts",
            "must be from 1 to 100",
        );
        check.require(
            tickets.finish_as.is_handed_in(),
            "policy.tickets.finish_as",
            "must be in_review or done",
        );
        Policy { apply: apply.meant(), tickets: tickets.meant() }
    }
}

impl RawApply {
    fn meant(self) -> ApplyPolicy {
        ApplyPolicy {
            enabled: self.enabled,
            capabilities: self.capabilities,
            role_levels: self.role_levels,
            max_open_applications: self.max_open_applications,
            cover_letter: self.cover_letter,
        }
    }
}

impl RawTickets {
    fn meant(self) -> TicketPolicy {
        TicketPolicy {
            claim_unassigned: self.claim_unassigned,
            adopt_started: self.adopt_started,
            priorities: self.priorities,
            ticket_types: self.ticket_types,
            max_concurrent: self.max_concurrent,
            max_attempts: self.max_attempts,
            on_give_up: self.on_give_up,
            keep_rejected: Duration::from_secs(3600 * u64::from(self.keep_rejected_hours)),
            finish_as: self.finish_as,
        }
    }
}

fn words<T>(key: &str, given: &[T], is_known: impl Fn(&T) -> bool, known: &[&str], check: &mut Check) {
    if !given.iter().all(is_known) {
        check.wrong(key, format!("must be of {}", known.join(", ")));
    }
}
