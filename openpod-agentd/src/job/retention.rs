//! How long what is known of a ticket is kept. Pure.
//!
//! | the job | is kept |
//! |---|---|
//! | is open, or has something left to do | as it is |
//! | is over, and its repositories lie here still | until somebody removes them: they hold work that was not pushed |
//! | was given up, and left with us on the platform | for ever: forgotten, it would be begun again |
//! | was given up and handed back | as long as `given_up` says: its budget holds until then |
//! | is over | as long as `finished` says, the newest `most` of them |

use std::collections::BTreeSet;
use std::time::Duration;

use openpod_sdk::api::{TicketId, Timestamp};

use super::{Job, State};

/// How long what is known of tickets is kept that are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Settled, lost or cancelled.
    pub finished: Duration,
    /// At most so many of those.
    pub most: usize,
    /// Given up and handed back.
    pub given_up: Duration,
}

/// A job, and what there is of it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The job.
    pub job: &'a Job,
    /// Since when it is in its state.
    pub since: Timestamp,
    /// Whether its workspace or what was to be pushed of it lies here.
    pub lies_here: bool,
}

/// How long a job is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// As long as it is so.
    AsItIs,
    /// So long, however many there are.
    For(Duration),
    /// So long, if there are not too many.
    Among(Duration),
}

/// Which jobs are to be forgotten, the oldest first.
pub fn to_forget<'a>(
    records: impl IntoIterator<Item = Record<'a>>,
    now: Timestamp,
    rules: &Retention,
) -> Vec<TicketId> {
    let mut over: Vec<(Record<'a>, Keep)> =
        records.into_iter().map(|record| (record, keep(&record, rules))).collect();
    over.retain(|(_, keep)| *keep != Keep::AsItIs);
    over.sort_by(|(one, _), (other, _)| (one.since, &one.job.ticket).cmp(&(other.since, &other.job.ticket)));
    let is_old = |record: &Record<'_>, time| now.since(record.since) >= time;
    let mut forgotten = BTreeSet::new();
    let mut left = Vec::new();
    for (record, keep) in &over {
        match *keep {
            Keep::For(time) | Keep::Among(time) if is_old(record, time) => {
                forgotten.insert(&record.job.ticket);
            }
            Keep::Among(_) => left.push(&record.job.ticket),
            Keep::For(_) | Keep::AsItIs => {}
        }
    }
    let too_many = left.len().saturating_sub(rules.most);
    forgotten.extend(left.into_iter().take(too_many));
    let tickets = over.iter().map(|(record, _)| &record.job.ticket);
    tickets.filter(|ticket| forgotten.contains(ticket)).cloned().collect()
}

/// Whether a ticket that was handed back then is not to be claimed again by ourselves.
pub fn still_holds(handed_back: Timestamp, now: Timestamp, rules: &Retention) -> bool {
    now.since(handed_back) < rules.given_up
}

/// Whether nothing is left to do for a job.
pub fn is_over(job: &Job) -> bool {
    matches!(
        job.state,
        State::Settled { cleaned: true, .. }
            | State::GaveUp { cleaned: true, .. }
            | State::Lost { cleaned: true }
            | State::Cancelled { cleaned: true }
    )
}

fn keep(record: &Record<'_>, rules: &Retention) -> Keep {
    match record.job.state {
        _ if !is_over(record.job) || record.lies_here => Keep::AsItIs,
        State::GaveUp { leave: true, .. } => Keep::AsItIs,
        State::GaveUp { .. } => Keep::For(rules.given_up),
        _ => Keep::Among(rules.finished),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Candidate, Class, Verdict};

    const RULES: Retention =
        Retention { finished: Duration::from_secs(100), most: 2, given_up: Duration::from_secs(1000) };

    fn job(ticket: &str, state: State) -> Job {
        let candidate = Candidate::of_tests(ticket);
        Job { state, ..Job::new(candidate, "openpod/", at(0)) }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn gave_up(leave: bool, cleaned: bool) -> State {
        let reason = "it cannot be done".to_owned();
        State::GaveUp { class: Class::Worker, reason, leave, said: true, released: true, cleaned }
    }

    fn settled(cleaned: bool) -> State {
        State::Settled { verdict: Verdict::Approved, cleaned }
    }

    #[test]
    fn what_is_over_is_kept_for_its_time_and_what_is_not_proven_published_for_ever() {
        let never = i64::MAX / 2_000_000;
        let table = [
            (State::Wanted { untouched: true, free: false }, false, never),
            (State::Claimed, false, never),
            (State::Prepared, true, never),
            (State::Delivered { summary: None, said: true }, true, never),
            (State::Revised, true, never),
            (settled(false), true, never),
            (settled(false), false, never),
            (settled(true), true, never),
            (settled(true), false, 100),
            (State::Lost { cleaned: false }, false, never),
            (State::Lost { cleaned: true }, true, never),
            (State::Lost { cleaned: true }, false, 100),
            (State::Cancelled { cleaned: true }, true, never),
            (State::Cancelled { cleaned: true }, false, 100),
            (gave_up(false, false), false, never),
            (gave_up(false, true), true, never),
            (gave_up(false, true), false, 1000),
            (gave_up(true, true), false, never),
            (gave_up(true, true), true, never),
        ];
        for (state, lies_here, seconds) in table {
            let job = job("a", state);
            let forgets = |now: i64| {
                !to_forget([Record { job: &job, since: at(50), lies_here }], at(now), &RULES).is_empty()
            };
            assert!(!forgets(50 + seconds - 1), "{:?} {lies_here}", job.state);
            assert_eq!(forgets(50 + seconds), seconds != never, "{:?} {lies_here}", job.state);
        }
    }

    #[test]
    fn of_many_that_are_over_the_oldest_go_first_and_others_do_not_count() {
        let jobs = [
            (job("d", settled(true)), 40, false),
            (job("a", State::Lost { cleaned: true }), 10, false),
            (job("kept", settled(true)), 1, true),
            (job("given", gave_up(false, true)), 2, false),
            (job("open", State::Claimed), 3, false),
            (job("b", State::Cancelled { cleaned: true }), 20, false),
            (job("c", settled(true)), 20, false),
        ];
        let records = || {
            jobs.iter().map(|(job, since, lies_here)| Record {
                job,
                since: at(*since),
                lies_here: *lies_here,
            })
        };
        let forgotten = |now, most| {
            let tickets = to_forget(records(), at(now), &Retention { most, ..RULES });
            tickets.into_iter().map(|ticket| ticket.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(forgotten(50, 4), [""; 0]);
        assert_eq!(forgotten(50, 2), ["a", "b"]);
        assert_eq!(forgotten(50, 0), ["a", "b", "c", "d"]);
        // One that is too old anyway does not make another one go.
        assert_eq!(forgotten(115, 3), ["a"]);
        assert_eq!(forgotten(115, 2), ["a", "b"]);
    }

    #[test]
    fn a_clock_that_is_set_back_forgets_nothing() {
        let job = job("a", settled(true));
        assert_eq!(to_forget([Record { job: &job, since: at(5000), lies_here: false }], at(10), &RULES), []);
    }
}
