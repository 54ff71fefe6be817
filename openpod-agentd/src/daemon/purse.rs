//! What all agents of a daemon spend together. Each keeps its own part in its journal; here they are added up, so that the
//! budgets of a day and of the daemon hold for all of them.
//!
//! While one decides whether a run begins nobody else does, and what the run may take is charged before the next one asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use openpod_sdk::api::Timestamp;
use tokio::sync::watch;

use crate::job::brakes::{Books, Brakes};

/// What all spend. Clones are the same.
#[derive(Clone)]
pub struct Purse {
    parts: Arc<Mutex<BTreeMap<String, Books>>>,
    given_back: watch::Sender<()>,
}

/// One agent's part of it.
pub struct Share {
    purse: Purse,
    owner: String,
    given_back: watch::Receiver<()>,
}

impl Purse {
    /// With what was spent before, by the names of those who did, whether they are still there or not.
    pub fn new(parts: impl IntoIterator<Item = (String, Books)>) -> Self {
        let parts = Arc::new(Mutex::new(parts.into_iter().collect()));
        Self { parts, given_back: watch::Sender::new(()) }
    }

    /// The part of this one.
    pub fn share(&self, owner: &str) -> Share {
        Share { purse: self.clone(), owner: owner.to_owned(), given_back: self.given_back.subscribe() }
    }
}

impl Share {
    /// Decides something with these brakes, which are the owner's, and with what others have spent in mind.
    pub(super) fn decide<T>(
        &self,
        brakes: &mut Brakes,
        now: Timestamp,
        decide: impl FnOnce(&mut Brakes) -> T,
    ) -> T {
        let mut parts = self.purse.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let others = parts.iter().filter(|(owner, _)| **owner != self.owner).map(|(_, books)| books);
        let others = Books::sum(others, now);
        let before = brakes.books();
        let decided = brakes.beside(others, decide);
        let after = brakes.books();
        parts.insert(self.owner.clone(), after);
        drop(parts);
        if after.is_less_than(&before) {
            self.purse.given_back.send_replace(());
        }
        decided
    }

    /// Returns when somebody has given something back since this was last asked.
    pub(super) async fn given_back(&mut self) {
        // The purse is held here, so its other end is not gone.
        let _ = self.given_back.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::job::brakes::{Brake, Budget, Budgets, Quantity, Scope, Usage, Used};
    use crate::job::{Candidate, Input, Job, Rules, RunEnding, State};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn prepared(ticket: &str) -> Job {
        let candidate = Candidate::of_tests(ticket);
        Job { state: State::Prepared, ..Job::new(candidate, "openpod/", at(0)) }
    }

    fn rules(runs: u32) -> Rules {
        let wall = Duration::from_secs(60);
        let day = Budget { runs: Some(runs), ..Budget::default() };
        Rules {
            max_attempts: 3,
            max_still: 3,
            wall,
            budgets: Budgets { day, ..Budgets::default() },
            ..Rules::default()
        }
    }

    fn runs(share: &Share, brakes: &mut Brakes, ticket: &str, now: Timestamp) -> Option<Job> {
        let briefed = |brakes: &mut Brakes| brakes.decide(&prepared(ticket), Input::Briefed, now, &rules(2));
        let job = share.decide(brakes, now, briefed).job;
        matches!(job.state, State::Running { .. }).then_some(job)
    }

    #[test]
    fn a_day_s_budget_is_for_all_agents_and_what_one_gives_back_another_may_take() {
        let purse = Purse::new([("former".to_owned(), Books::default())]);
        let (ada, mut bob) = (purse.share("ada"), purse.share("bob"));
        let (mut hers, mut his) = (Brakes::default(), Brakes::default());
        let first = runs(&ada, &mut hers, "a", at(10)).unwrap();
        runs(&bob, &mut his, "b", at(10)).unwrap();
        assert!(runs(&ada, &mut hers, "c", at(10)).is_none() && runs(&bob, &mut his, "d", at(10)).is_none());
        let used_up = Brake::UsedUp { scope: Scope::Day, what: Quantity::Runs, limit: 2 };
        let admitted = bob.decide(&mut his, at(10), |brakes| brakes.admit(false, at(10), &rules(2)));
        assert_eq!(admitted, Err(used_up));
        assert_eq!((hers.spent().0.runs, his.spent().0.runs), (1, 1), "each keeps its own part");

        bob.given_back.mark_unchanged();
        let failure = crate::job::Failure::passing(crate::job::Class::Program, "it is not there");
        let not_begun = Input::Failed { effect: "run", failure };
        ada.decide(&mut hers, at(11), |brakes| brakes.decide(&first, not_begun, at(11), &rules(2)));
        assert!(bob.given_back.has_changed().unwrap());
        assert!(runs(&bob, &mut his, "d", at(12)).is_some() && runs(&ada, &mut hers, "c", at(12)).is_none());
        assert!(runs(&ada, &mut hers, "c", at(86_400)).is_some(), "the next day is another one");
    }

    /// Has one agent use up a budget, alone; what the next run of another, after a restart, hears.
    fn refused(budgets: Budgets) -> Option<Brake> {
        let rules = Rules {
            max_attempts: 9,
            max_still: 9,
            wall: Duration::from_secs(60),
            budgets,
            ..Rules::default()
        };
        let (purse, mut hers) = (Purse::new([]), Brakes::default());
        let ada = purse.share("ada");
        let mut tell = |job: &Job, input| {
            ada.decide(&mut hers, at(10), |brakes| brakes.decide(job, input, at(10), &rules))
        };
        let running = tell(&prepared("a"), Input::Briefed).job;
        let usage = Usage { tokens: 500, cost_micros: 70_000 };
        let used = Used { run_time: Duration::from_secs(20), usage };
        let ending = RunEnding::Well { summary: None, ended_at: None };
        tell(&running, Input::RunEnded(ending, used));

        let purse = Purse::new([("ada".to_owned(), hers.books())]);
        let (bob, mut his) = (purse.share("bob"), Brakes::default());
        let step = bob
            .decide(&mut his, at(20), |brakes| brakes.decide(&prepared("b"), Input::Briefed, at(20), &rules));
        let admitted = bob.decide(&mut his, at(20), |brakes| brakes.admit(false, at(20), &rules));
        assert_eq!(step.job.is_held(), admitted.is_err());
        admitted.err()
    }

    #[test]
    fn whatever_is_limited_for_a_day_or_the_daemon_one_agent_may_use_up_for_all() {
        let none = Budget::default();
        let limits = [
            (Quantity::Runs, 1, Budget { runs: Some(1), ..none }),
            (Quantity::RunTime, 20, Budget { run_time: Some(Duration::from_secs(20)), ..none }),
            (Quantity::Tokens, 500, Budget { tokens: Some(500), ..none }),
            (Quantity::Cost, 70_000, Budget { cost_micros: Some(70_000), ..none }),
        ];
        for (what, limit, budget) in limits {
            let used_up = |scope| Some(Brake::UsedUp { scope, what, limit });
            assert_eq!(refused(Budgets { day: budget, ..Budgets::default() }), used_up(Scope::Day));
            assert_eq!(refused(Budgets { daemon: budget, ..Budgets::default() }), used_up(Scope::Daemon));
        }
        assert_eq!(refused(Budgets::default()), None);
    }
}
