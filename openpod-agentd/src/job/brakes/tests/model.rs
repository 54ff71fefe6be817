//! Any sequence of events, seen by an onlooker who keeps books of his own.

use std::collections::BTreeMap;

use openpod_sdk::api::{ChecksSummary, TicketId};
use proptest::prelude::*;

use super::*;
use crate::job::{Change, Published};

/// A run as an onlooker saw it.
#[derive(Debug, Clone)]
struct Seen {
    ticket: TicketId,
    day: i64,
    time: Duration,
    tokens: u64,
}

/// Some jobs and their brakes, and what an onlooker has written down about them.
struct Model {
    brakes: Brakes,
    jobs: BTreeMap<TicketId, Job>,
    now: i64,
    running: BTreeMap<TicketId, Seen>,
    over: Vec<Seen>,
}

impl Model {
    fn new() -> Self {
        let jobs = ["a", "b", "c"].map(|id| (TicketId::from(id), job(id))).into();
        Self { brakes: Brakes::default(), jobs, now: 86_000, running: BTreeMap::new(), over: Vec::new() }
    }

    /// What the world may answer to what the job wants.
    fn answer(&self, job: &Job, roll: u8, tokens: u64) -> Input {
        let Some(effect) = job.pending() else {
            let standing = Standing::Open { revision: true, version: Some(1000 + u64::from(job.round)) };
            return Input::Seen { standing, asked_at: at(self.now) };
        };
        let failed = |failure| Input::Failed { effect: effect.name(), failure };
        let head = format!("{}{}", self.now, job.ticket);
        let change = Change {
            base: "b".into(),
            patch_id: if roll.is_multiple_of(3) { "same".into() } else { head.clone() },
            patch_sha256: head.clone(),
            head,
            commits: 1,
            files: 1,
        };
        let pull_request = Published { number: 1, url: "u".into(), head: "h".into() };
        let run_time = match &job.state {
            State::Running { started_at, .. } => at(self.now).since(*started_at),
            _ => Duration::ZERO,
        };
        let used = Used { run_time, usage: Usage { tokens, cost_micros: tokens } };
        match (effect.name(), roll) {
            (_, 0..70) => failed(Failure::passing(Class::Disk, "full")),
            (_, 70..80) => failed(Failure::passing(Class::Network, "away")),
            (_, 80..85) => failed(Failure::passing(Class::Worker, "refused")),
            (_, 85..87) => failed(Failure::lasting(Class::Git, "never")),
            (_, 87..90) => Input::Seen { standing: Standing::Cancelled, asked_at: at(self.now) },
            ("claim", _) => Input::Claimed { version: Some(self.now.unsigned_abs()) },
            ("prepare", _) => Input::Prepared { pushed: None, base_branch: "main".into() },
            ("brief", _) => Input::Briefed,
            ("run", 90..130) => Input::RunEnded(RunEnding::Badly { reason: "exit 1".into() }, used),
            ("run", 130..150) => Input::RunEnded(RunEnding::Interrupted, used),
            ("run", _) => Input::RunEnded(RunEnding::Well { summary: None, ended_at: None }, used),
            ("collect", 90..120) => Input::Collected(None),
            ("collect", _) => Input::Collected(Some(change)),
            ("push", _) => Input::Pushed,
            ("propose", _) => Input::Proposed(pull_request),
            ("verify", _) => Input::Verified(ChecksSummary::NoChecks),
            ("deliver", _) => Input::Delivered { version: Some(1) },
            ("release", _) => Input::Released,
            ("clean", _) => Input::Cleaned,
            _ => Input::Said,
        }
    }

    fn tell(&mut self, ticket: &TicketId, input: Input) {
        let before = self.jobs[ticket].clone();
        let failed = matches!(input, Input::Failed { .. });
        let tokens = match &input {
            Input::RunEnded(_, used) => used.usage.tokens,
            _ => 0,
        };
        let breaker = BreakerRules { failures: 2, ..RULES.breaker };
        let after = self.brakes.decide(&before, input, at(self.now), &Rules { breaker, ..RULES }).job;
        let ran = |job: &Job| matches!(job.state, State::Running { .. });
        match (ran(&before), ran(&after)) {
            (false, true) => {
                self.judge_before_a_run(ticket);
                let run = Seen {
                    ticket: ticket.clone(),
                    day: self.now.div_euclid(DAY),
                    time: Duration::ZERO,
                    tokens: 0,
                };
                self.running.insert(ticket.clone(), run);
            }
            (true, false) => {
                let run = self.running.remove(ticket).unwrap();
                if let (State::Running { started_at, .. }, false) = (&before.state, failed) {
                    self.over.push(Seen { time: at(self.now).since(*started_at), tokens, ..run });
                }
            }
            _ => {}
        }
        // A daemon that is killed here reads the same from its journal.
        let read = |text: &str| serde_json::from_str::<Job>(text).unwrap();
        self.jobs.insert(ticket.clone(), read(&serde_json::to_string(&after).unwrap()));
        self.brakes = serde_json::from_str(&serde_json::to_string(&self.brakes).unwrap()).unwrap();
    }

    fn of(&self, wanted: impl Fn(&Seen) -> bool) -> (usize, Duration, u64) {
        let runs = self.over.iter().chain(self.running.values()).filter(|run| wanted(run));
        runs.fold((0, Duration::ZERO, 0), |(count, time, tokens), run| {
            (count + 1, time + run.time, tokens + run.tokens)
        })
    }

    fn scopes(&self, ticket: &TicketId) -> [(&'static str, Budget, (usize, Duration, u64)); 3] {
        let today = self.now.div_euclid(DAY);
        [
            ("ticket", RULES.budgets.ticket, self.of(|run| run.ticket == *ticket)),
            ("day", RULES.budgets.day, self.of(|run| run.day == today)),
            ("daemon", RULES.budgets.daemon, self.of(|_| true)),
        ]
    }

    /// Nothing of what it is allowed may be used up when a run begins.
    fn judge_before_a_run(&self, ticket: &TicketId) {
        for (scope, budget, (runs, time, tokens)) in self.scopes(ticket) {
            assert!(runs < budget.runs.unwrap() as usize, "{scope}: {runs} runs and one more");
            assert!(time < budget.run_time.unwrap(), "{scope}: {time:?} and more");
            assert!(scope == "day" || tokens < budget.tokens.unwrap(), "{scope}: {tokens} tokens and more");
        }
        if let Breaker::Probing { canary, .. } = self.brakes.breaker() {
            assert_eq!(canary, ticket, "only the canary runs");
        }
        assert!(
            !matches!(self.brakes.breaker(), Breaker::Open { .. }),
            "a run begins while the breaker is open"
        );
    }

    /// More time than there is was never taken.
    fn judge(&self) {
        for ticket in self.jobs.keys() {
            for (scope, budget, (_, time, _)) in self.scopes(ticket) {
                assert!(time <= budget.run_time.unwrap(), "{scope} took {time:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn whatever_happens_no_more_runs_begin_and_no_more_time_is_taken_than_the_brakes_allow(
        steps in prop::collection::vec((0..3usize, 0..100u8, any::<u8>(), 0..400u64, 0..700i64), 0..250)
    ) {
        let mut model = Model::new();
        for (which, what, roll, tokens, pause) in steps {
            // A run is ended when it has taken what it may.
            let next_end = model.jobs.values().filter_map(|job| match &job.state {
                State::Running { started_at, allowance, .. } => Some(started_at.plus(allowance.wall).as_seconds()),
                _ => None,
            }).min();
            model.now = (model.now + pause).min(next_end.unwrap_or(i64::MAX)).max(model.now);
            let ticket = model.jobs.keys().nth(which).unwrap().clone();
            let input = match what {
                0..5 => Input::Restarted,
                5..10 => Input::Eased,
                10..30 => Input::Due,
                _ => model.answer(&model.jobs[&ticket], roll, tokens),
            };
            model.tell(&ticket, input);
            model.judge();
        }
    }
}
