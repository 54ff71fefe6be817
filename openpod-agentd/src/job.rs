//! A job: one ticket on its way from wanted to settled. Pure: values and times in, values and wishes out.
//!
//! ```text
//!   Wanted ─▶ Claimed ─▶ Prepared ─▶ Running ─▶ Ran ─▶ Committed ─▶ Pushed ─▶ Proposed ─▶ Verified ─▶ Delivered ─▶ Settled
//!     ▲                      ▲──────────┴────────┘ the worker failed, and may try again                   │
//!     └────────────────────────── Revised ◀──────────────── a change is asked for ────────────────────────┘
//!
//!   out of every state: GaveUp (we cannot), Lost (it is not ours any more), Cancelled (nobody wants it)
//! ```
//!
//! | state | what is done in it | what ends it |
//! |---|---|---|
//! | Wanted | claim the ticket | claimed; another was faster: Lost; we had handed it back or left it: GaveUp |
//! | Claimed | prepare workspace and branch | prepared |
//! | Prepared | gather ticket, comments, knowledge | the [`brakes`] allow it: Running, one more attempt; or not: GaveUp |
//! | Running | the worker's process | it ended: Ran; it did not begin: Prepared |
//! | Ran | collect its work into the outbound repository | a new change: Committed; none, or the worker failed: Prepared, or GaveUp |
//! | Committed | push the branch | pushed |
//! | Pushed | open or update the pull request | proposed |
//! | Proposed | ask the platform to verify it | valid: Verified |
//! | Verified | file the deliverable | filed: Delivered |
//! | Delivered | comment; then wait for a verdict | approved, rejected: Settled; a change asked for: Revised |
//! | Revised | wait for a free place | a place: Wanted again, with its branch and pull request |
//! | Settled, Lost, Cancelled | remove the workspace | the ticket comes back to us: Revised |
//! | GaveUp | comment, hand the ticket back or leave it, remove the workspace | the ticket comes back to us: Revised |
//!
//! [`Job::pending`] says what is to be done in a state, so a restarted daemon knows it from the journal alone.

mod assignment;
pub mod brakes;
mod decide;
mod effect;
mod failure;
mod input;
pub mod policy;
mod progress;
pub mod retention;
mod state;

use openpod_sdk::api::{AgentKeyId, ProjectId, TicketId, Timestamp};
use serde::{Deserialize, Serialize};

use brakes::Spent;

pub use assignment::{Assignment, Exchange, Note, Reference, TicketText};
pub use decide::{OnGiveUp, Rules, Step, decide};
pub use effect::Effect;
pub use failure::{Class, Failure, Outlook, Remedy};
pub use input::{Input, RunEnding, Standing, standing_of};
pub use progress::Progress;
pub use retention::Retention;
pub use state::{Change, Published, State, Verdict};

/// One ticket, and what became of it so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The ticket.
    pub ticket: TicketId,
    /// Its project.
    pub project: ProjectId,
    /// Its number within the project.
    pub number: u64,
    /// Its title when it was found.
    pub title: String,
    /// The branch of all its rounds.
    pub branch: String,
    /// The branch that the pull request goes to, once it is known.
    #[serde(default)]
    pub base_branch: Option<String>,
    /// Whether it was ever ours.
    #[serde(default)]
    pub claimed: bool,
    /// Where it stands.
    pub state: State,
    /// 1 for the first time, one more for each revision.
    pub round: u32,
    /// How often the worker was started in this round.
    pub attempts: u32,
    /// What its runs took, in all rounds.
    #[serde(default)]
    pub spent: Spent,
    /// Whether its runs lead anywhere.
    #[serde(default)]
    pub progress: Progress,
    /// The commit that the branch on the forge points to.
    #[serde(default)]
    pub pushed: Option<String>,
    /// The pull request.
    #[serde(default)]
    pub published: Option<Published>,
    /// Why the worker's last attempt failed.
    #[serde(default)]
    pub worker_failure: Option<String>,
    /// The ticket's version when it was last seen.
    #[serde(default)]
    pub version: Option<u64>,
    /// When the last effect on the platform was confirmed. What was seen before that is old.
    pub touched: Timestamp,
    /// What went wrong last, and when it is tried again.
    #[serde(default)]
    pub trouble: Option<Trouble>,
    /// The workspace of a ticket that was refused stays until then: it may be reopened.
    #[serde(default)]
    pub kept_until: Option<Timestamp>,
    /// When the ticket was handed back or left, where the ticket says so and this journal did not know.
    #[serde(default)]
    pub handed_back: Option<Timestamp>,
}

/// A ticket of an earlier version was never claimed and handed back: each of the two makes a new one.
const HANDED_BACK_SINCE: u64 = 2;

/// What went wrong, and when it is tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// How often in a row, in this state.
    pub times: u32,
    /// What the last one was, for a person.
    pub reason: String,
    /// Nothing is done before this; `None` while it is being tried again.
    pub not_before: Option<Timestamp>,
    /// Whether a brake holds the job, so that nothing is being tried.
    #[serde(default)]
    pub held: bool,
    /// When that was decided. A clock that shows an earlier time was set back.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

/// A ticket that might become a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The ticket.
    pub ticket: TicketId,
    /// Its project.
    pub project: ProjectId,
    /// Its number within the project.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its version, to claim that one and no other.
    pub version: Option<u64>,
    /// Whether nobody has begun: then a claim that comes too late means that somebody else has it.
    pub untouched: bool,
    /// Whether it is nobody's.
    pub free: bool,
}

#[cfg(test)]
impl Candidate {
    /// For tests that are about something else: number 1, never seen before.
    pub(crate) fn of_tests(ticket: &str) -> Self {
        let (ticket, title) = (ticket.into(), "T".to_owned());
        Self { ticket, project: "p".into(), number: 1, title, version: None, untouched: true, free: false }
    }
}

impl Job {
    /// A job for a ticket that was found.
    pub fn new(candidate: Candidate, branch_prefix: &str, now: Timestamp) -> Self {
        Self {
            branch: branch_name(branch_prefix, candidate.number, &candidate.ticket),
            ticket: candidate.ticket,
            project: candidate.project,
            number: candidate.number,
            title: candidate.title,
            base_branch: None,
            claimed: false,
            state: State::Wanted { untouched: candidate.untouched, free: candidate.free },
            round: 1,
            attempts: 0,
            spent: Spent::default(),
            progress: Progress::default(),
            pushed: None,
            published: None,
            worker_failure: None,
            version: candidate.version,
            touched: now,
            trouble: None,
            kept_until: None,
            handed_back: None,
        }
    }

    /// What is to be done in the state that the job is in. `None` when it waits for others, or is over.
    pub fn pending(&self) -> Option<Effect> {
        Some(match &self.state {
            State::Wanted { untouched, free } => Effect::Claim {
                version: self.version,
                untouched: *untouched,
                look: !self.claimed
                    && match *free {
                        true => self.version.is_none_or(|version| version >= HANDED_BACK_SINCE),
                        false => !*untouched,
                    },
            },
            State::Claimed => Effect::Prepare,
            State::Prepared => Effect::Brief { attempt: self.attempts + 1 },
            State::Running { attempt, allowance, .. } => {
                Effect::Run { attempt: *attempt, allowance: *allowance }
            }
            State::Ran { summary, ended_at, .. } => {
                Effect::Collect { summary: summary.clone(), ended_at: *ended_at }
            }
            State::Committed { change, .. } => Effect::Push { head: change.head.clone() },
            State::Pushed { change, summary } => {
                Effect::Propose { change: change.clone(), summary: summary.clone() }
            }
            State::Proposed { change, pull_request, .. } => {
                Effect::Verify { url: pull_request.url.clone(), head: change.head.clone() }
            }
            State::Verified { change, pull_request, .. } => Effect::Deliver {
                pull_request: pull_request.clone(),
                content_hash: change.patch_sha256.clone(),
            },
            State::Delivered { summary, said: false, .. } => Effect::Report { summary: summary.clone() },
            State::GaveUp { reason, leave, said: false, .. } => {
                Effect::Apologise { reason: reason.clone(), leave: *leave }
            }
            State::GaveUp { released: false, leave: false, .. } => Effect::Release,
            State::GaveUp { released: false, leave: true, .. } => Effect::Leave,
            State::Settled { cleaned: false, .. } if self.kept_until.is_some() => return None,
            State::GaveUp { cleaned: false, .. }
            | State::Settled { cleaned: false, .. }
            | State::Lost { cleaned: false }
            | State::Cancelled { cleaned: false } => Effect::Clean,
            State::Delivered { .. }
            | State::Revised
            | State::GaveUp { .. }
            | State::Settled { .. }
            | State::Lost { .. }
            | State::Cancelled { .. } => return None,
        })
    }

    /// Names what is pending, the same each time it is tried: a key of the journal and of the platform.
    pub fn intent(&self) -> Option<String> {
        let effect = self.pending()?.name();
        Some(format!("{}/r{}/a{}/{effect}", self.ticket, self.round, self.attempts))
    }

    /// Whether the ticket is ours as far as we know.
    pub fn is_open(&self) -> bool {
        self.state.takes_place() || matches!(self.state, State::Delivered { .. } | State::Revised)
    }

    /// The job as a clock that was set back sees it: nothing of the past lies ahead, and a pause is as long as it was.
    fn as_of(&self, now: Timestamp) -> Self {
        let mut job = self.clone();
        job.touched = job.touched.min(now);
        if let Some(trouble) = &mut job.trouble
            && let (Some(since), Some(not_before)) = (trouble.since, trouble.not_before)
            && since > now
        {
            trouble.since = Some(now);
            trouble.not_before = Some(now.plus(not_before.since(since)));
        }
        job
    }

    /// How long until something that went wrong is to be tried again, or the clock was set back.
    pub fn due_in(&self, now: Timestamp) -> Option<std::time::Duration> {
        let set_back =
            self.trouble.as_ref().and_then(|trouble| trouble.since).is_some_and(|since| since > now);
        let due = self.due_at()?.since(now);
        Some(if set_back { std::time::Duration::ZERO } else { due })
    }

    /// When something is to be tried again, or a workspace to be removed.
    pub fn due_at(&self) -> Option<Timestamp> {
        if self.kept_until.is_some() {
            return self.kept_until;
        }
        self.trouble.as_ref()?.not_before.filter(|_| self.pending().is_some())
    }

    /// Whether a brake holds it.
    pub fn is_held(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.held)
    }
}

/// `prefix` + number + the end of the id, which keeps two tickets of different projects apart on one repository.
fn branch_name(prefix: &str, number: u64, ticket: &TicketId) -> String {
    let id: String = ticket.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
    let tail = &id[id.len().saturating_sub(6)..];
    format!("{prefix}ticket-{number}-{}", tail.to_ascii_lowercase())
}

/// Who we are, as far as the rules need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// Whom tickets are assigned to and comments come from.
    pub id: AgentKeyId,
    /// Our name.
    pub name: String,
    /// What we can do.
    pub capabilities: Vec<String>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_may_have_been_given_up_by_us_is_looked_at_before_the_claim() {
        let table = [
            (true, true, None, true),
            (true, true, Some(1), false),
            (true, true, Some(2), true),
            (true, true, Some(9), true),
            (false, true, None, false),
            (false, true, Some(9), false),
            (false, false, Some(9), true),
        ];
        for (free, untouched, version, expected) in table {
            let candidate = Candidate { free, untouched, version, ..Candidate::of_tests("t") };
            let mut job = Job::new(candidate, "openpod/", Timestamp::from_micros(0));
            let claim = |look| Some(Effect::Claim { version, untouched, look });
            assert_eq!(job.pending(), claim(expected), "{free} {untouched} {version:?}");
            job.claimed = true;
            assert_eq!(job.pending(), claim(false), "the journal knows it");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_leaves_nothing_ahead_and_pauses_as_long_as_they_were() {
        let at = |seconds: u32| Timestamp::from_micros(i64::from(seconds) * 1_000_000);
        let candidate = Candidate::of_tests("t");
        let mut job = Job::new(candidate, "openpod/", at(9000));
        let pause = |since, until| Trouble {
            times: 1,
            reason: "it was down".into(),
            not_before: Some(at(until)),
            held: false,
            since: Some(at(since)),
        };
        job.trouble = Some(pause(9000, 9008));
        assert_eq!((job.due_in(at(9002)), job.as_of(at(9002))), (Some(Duration::from_secs(6)), job.clone()));

        let seen = job.as_of(at(100));
        assert_eq!((seen.touched, seen.trouble.clone()), (at(100), Some(pause(100, 108))));
        let due = [job.due_in(at(100)), seen.due_in(at(100)), seen.due_in(at(200))];
        assert_eq!(due, [0, 8, 0].map(|seconds| Some(Duration::from_secs(seconds))));
    }
}
