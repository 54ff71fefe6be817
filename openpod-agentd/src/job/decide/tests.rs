mod attempts;

use std::time::Duration;

use openpod_sdk::api::ChecksSummary;
use proptest::prelude::*;

use super::*;
use crate::job::Candidate;
use crate::job::brakes::{Allowance, Brake, Budget, Quantity, Scope, Usage, Used};
use crate::job::state::{Change, Published};

const RULES: Rules = Rules {
    max_attempts: 2,
    max_still: 9,
    on_give_up: OnGiveUp::Release,
    keep_rejected: Duration::from_secs(3600),
    wall: Duration::from_secs(600),
    budgets: Budgets { run: NO_LIMIT, ticket: NONE, day: NONE, daemon: NONE },
    breaker: BreakerRules { failures: 5, pause: Duration::from_secs(60), longest: Duration::from_secs(3600) },
    silent_revisions: false,
};
const NO_LIMIT: Allowance = Allowance { wall: Duration::ZERO, tokens: None, cost_micros: None };
const NONE: Budget = Budget { runs: None, run_time: None, tokens: None, cost_micros: None };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn change(head: &str) -> Change {
    Change {
        base: "b0".into(),
        head: head.into(),
        commits: 1,
        files: 2,
        patch_sha256: "ab".repeat(32),
        patch_id: format!("p-{head}"),
    }
}

fn pull_request() -> Published {
    Published { number: 7, url: "http://forge/pull/7".into(), head: "h1".into() }
}

fn job(state: State) -> Job {
    let candidate =
        Candidate { number: 5, title: "Fix it".into(), version: Some(3), ..Candidate::of_tests("t-000001") };
    let mut job = Job::new(candidate, "openpod/", at(100));
    job.state = state;
    job.attempts = 1;
    job
}

fn gave_up_at(said: bool, released: bool, cleaned: bool) -> State {
    let (class, reason) = (Class::Worker, "no".to_owned());
    State::GaveUp { class, reason, leave: false, said, released, cleaned }
}

fn states() -> Vec<State> {
    let (change, summary) = (change("h1"), Some("did it".to_owned()));
    vec![
        State::Wanted { untouched: true, free: false },
        State::Claimed,
        State::Prepared,
        State::Running { attempt: 1, started_at: at(100), allowance: ALLOWANCE },
        State::Ran { summary: summary.clone(), ended_at: at(100), failed: None },
        State::Ran { summary: None, ended_at: at(100), failed: Some("exit 1".into()) },
        State::Committed { change: change.clone(), summary: summary.clone() },
        State::Pushed { change: change.clone(), summary: summary.clone() },
        State::Proposed { change: change.clone(), summary: summary.clone(), pull_request: pull_request() },
        State::Verified {
            change,
            summary: summary.clone(),
            pull_request: pull_request(),
            checks: ChecksSummary::AllPassed,
        },
        State::Delivered { summary: summary.clone(), said: false },
        State::Delivered { summary, said: true },
        State::Revised,
        gave_up_at(false, false, false),
        gave_up_at(true, false, false),
        gave_up_at(true, true, false),
        gave_up_at(true, true, true),
        State::Settled { verdict: Verdict::Approved, cleaned: false },
        State::Settled { verdict: Verdict::Rejected, cleaned: true },
        State::Lost { cleaned: false },
        State::Lost { cleaned: true },
        State::Cancelled { cleaned: false },
        State::Cancelled { cleaned: true },
    ]
}

const ALLOWANCE: Allowance = Allowance { wall: Duration::from_secs(600), tokens: None, cost_micros: None };
const USED: Used = Used { run_time: Duration::from_secs(9), usage: Usage { tokens: 70, cost_micros: 5 } };

fn used_up() -> Brake {
    Brake::UsedUp { scope: Scope::Ticket, what: Quantity::Runs, limit: 20 }
}

fn badly(reason: &str) -> Input {
    Input::RunEnded(RunEnding::Badly { reason: reason.into() }, USED)
}

fn outcomes() -> Vec<Input> {
    vec![
        Input::Claimed { version: Some(4) },
        Input::HandedBack { at: at(90) },
        Input::LeftBefore { at: at(90), version: Some(9) },
        prepared(),
        Input::Allowed(ALLOWANCE),
        Input::Held { brake: used_up(), until: Some(at(500)) },
        Input::Exhausted(used_up()),
        Input::RunEnded(RunEnding::Well { summary: None, ended_at: None }, USED),
        badly("exit 1"),
        Input::RunEnded(RunEnding::Interrupted, USED),
        Input::RunEnded(RunEnding::Left, Used::default()),
        Input::Collected(Some(change("h1"))),
        Input::Collected(None),
        Input::Pushed,
        Input::Proposed(pull_request()),
        Input::Verified(ChecksSummary::NoChecks),
        Input::Delivered { version: Some(9) },
        Input::Said,
        Input::Released,
        Input::Cleaned,
        Input::Behind(Standing::Open { revision: true, version: Some(8) }),
        Input::Behind(Standing::HandedIn { version: Some(8) }),
    ]
}

/// Passing, doubted, the worker's, lasting, not ours.
fn kinds_of_failure() -> [Failure; 5] {
    [
        Failure::passing(Class::Network, "why"),
        Failure::doubted(Class::Platform, "why"),
        Failure::passing(Class::Worker, "why"),
        Failure::lasting(Class::Git, "why"),
        Failure::not_ours("why"),
    ]
}

fn failures(state: &State) -> Vec<Input> {
    let effect = job(state.clone()).pending().map_or("nothing", |effect| effect.name());
    kinds_of_failure().map(|failure| Input::Failed { effect, failure }).into()
}

fn sightings() -> Vec<Input> {
    [
        Standing::Open { revision: false, version: Some(3) },
        Standing::Open { revision: true, version: Some(8) },
        Standing::HandedIn { version: Some(8) },
        Standing::Approved,
        Standing::Rejected,
        Standing::Cancelled,
        Standing::NotOurs,
    ]
    .map(|standing| Input::Seen { standing, asked_at: at(101) })
    .into()
}

/// A letter for each state: capitals for what is open, small letters for what ends.
fn letter(state: &State) -> char {
    match state {
        State::Wanted { .. } => 'W',
        State::Claimed => 'C',
        State::Prepared => 'P',
        State::Running { .. } => 'R',
        State::Ran { .. } => 'N',
        State::Committed { .. } => 'M',
        State::Pushed { .. } => 'U',
        State::Proposed { .. } => 'O',
        State::Verified { .. } => 'V',
        State::Delivered { .. } => 'D',
        State::Revised => 'A',
        State::GaveUp { .. } => 'g',
        State::Settled { .. } => 's',
        State::Lost { .. } => 'l',
        State::Cancelled { .. } => 'c',
    }
}

/// Where each of the inputs leads from a state; `·` where the job stays exactly as it was.
fn row(state: &State, inputs: Vec<Input>) -> String {
    inputs
        .into_iter()
        .map(|input| {
            let before = job(state.clone());
            let after = decide(&before, input, at(102), &RULES).job;
            if after == before { '·' } else { letter(&after.state) }
        })
        .collect()
}

#[test]
fn every_pair_of_state_and_news_is_decided() {
    // Columns of outcomes: claimed handed-back left-before prepared allowed held exhausted well badly interrupted left change nothing
    // pushed proposed verified delivered said released cleaned behind (open, handed in). Of failures: passing doubted worker lasting not-ours. Of
    // sightings: open, revision, handed in, approved, rejected, cancelled, not ours. Then due, eased, restarted and
    // stopped.
    let table = [
        //                        outcomes            failures  sightings
        ("wanted", "Cgg···················", "WWlll", "·······", "···g"),
        ("claimed", "···P··················", "CCPgl", "·CCsscl", "···g"),
        ("prepared", "····RPg···············", "PPPgl", "·PPsscl", "···g"),
        ("running", "·······NNP············", "PPPgl", "·RRsscl", "···g"),
        ("ran", "···········MP·········", "NNPgl", "·NNsscl", "···g"),
        ("ran", "···········PP·········", "NNPgl", "·NNsscl", "···g"),
        ("committed", "·············U······AD", "MMPgl", "·MMsscl", "···g"),
        ("pushed", "··············O·····AD", "UUPgl", "·UUsscl", "···g"),
        ("proposed", "···············V····AD", "OOPgl", "·OOsscl", "···g"),
        ("verified", "················D···AD", "VVPgl", "·VVsscl", "···g"),
        ("delivered", "·················DDD··", "DDDDD", "··Dsscl", "····"),
        ("delivered", "······················", "·····", "·ADsscl", "····"),
        ("revised", "······················", "·····", "·AAsscl", "W··g"),
        ("gave_up", "·················ggg··", "ggggg", "·······", "····"),
        ("gave_up", "·················ggg··", "ggggg", "·······", "····"),
        ("gave_up", "·················ggg··", "ggggg", "·······", "····"),
        ("gave_up", "······················", "·····", "·A·····", "····"),
        ("settled", "·················sss··", "sssss", "·······", "····"),
        ("settled", "······················", "·····", "·A·····", "····"),
        ("lost", "·················lll··", "lllll", "·······", "····"),
        ("lost", "······················", "·····", "·A·····", "····"),
        ("cancelled", "·················ccc··", "ccccc", "·······", "····"),
        ("cancelled", "······················", "·····", "·A·····", "····"),
    ];
    for (state, (name, after_outcome, after_failure, after_sighting, after_time)) in
        states().iter().zip(table)
    {
        assert_eq!(state.name(), name);
        assert_eq!(row(state, outcomes()), after_outcome, "outcomes in {state:?}");
        assert_eq!(row(state, failures(state)), after_failure, "failures in {state:?}");
        assert_eq!(row(state, sightings()), after_sighting, "sightings in {state:?}");
        let others = vec![Input::Due, Input::Eased, Input::Restarted, Input::Stopped { leave: false }];
        assert_eq!(row(state, others), after_time, "time and operators in {state:?}");
    }
    assert_eq!(states().len(), table.len());
}

/// Feeds the news one after the other.
fn after(mut job: Job, news: impl IntoIterator<Item = Input>) -> Step {
    let mut effect = None;
    for input in news {
        Step { job, effect } = decide(&job, input, at(102), &RULES);
    }
    Step { job, effect }
}

fn way_to_delivered(head: &str) -> Vec<Input> {
    vec![
        Input::Claimed { version: Some(4) },
        prepared(),
        Input::Allowed(ALLOWANCE),
        Input::RunEnded(RunEnding::Well { summary: Some("did it".into()), ended_at: None }, USED),
        Input::Collected(Some(change(head))),
        Input::Pushed,
        Input::Proposed(pull_request()),
        Input::Verified(ChecksSummary::AllPassed),
        Input::Delivered { version: Some(6) },
        Input::Said,
    ]
}

fn prepared() -> Input {
    Input::Prepared { pushed: None, base_branch: "main".into() }
}

fn fresh() -> Job {
    Job { attempts: 0, ..job(State::Wanted { untouched: true, free: false }) }
}

#[test]
fn a_revision_goes_the_same_way_again_on_the_same_branch() {
    let delivered = after(fresh(), way_to_delivered("h1"));
    assert_eq!((delivered.effect, delivered.job.round), (None, 1));
    let asked = Standing::Open { revision: true, version: Some(7) };
    let revised = after(delivered.job, [Input::Seen { standing: asked, asked_at: at(200) }]).job;
    assert_eq!((revised.state.name(), revised.round, revised.attempts), ("revised", 2, 0));
    let wanted = after(revised, [Input::Due]);
    assert_eq!(wanted.effect, Some(Effect::Claim { version: Some(7), untouched: false, look: false }));
    let again = after(wanted.job, way_to_delivered("h2")).job;
    assert_eq!(again.pushed.as_deref(), Some("h2"));
    assert_eq!((again.branch.as_str(), again.state.name()), ("openpod/ticket-5-000001", "delivered"));
}

#[test]
fn passing_trouble_is_tried_again_with_growing_pauses_and_as_late_as_asked() {
    let fails = |job: &Job, seconds, retry_after| {
        let failure = Failure { retry_after, ..Failure::passing(Class::Platform, "502") };
        decide(job, Input::Failed { effect: "push", failure }, at(seconds), &RULES).job
    };
    let first = fails(&job(states()[6].clone()), 100, None);
    assert_eq!(first.due_at(), Some(at(101)));
    assert_eq!(decide(&first, Input::Due, at(100), &RULES).effect, None);
    let tried = decide(&first, Input::Due, at(101), &RULES);
    assert_eq!(tried.effect, Some(Effect::Push { head: "h1".into() }));
    assert_eq!(decide(&tried.job, Input::Due, at(101), &RULES).effect, None, "it is on its way already");
    let second = fails(&tried.job, 101, None);
    assert_eq!(second.due_at(), Some(at(103)));
    assert_eq!(fails(&second, 200, Some(Duration::from_secs(60))).due_at(), Some(at(260)));
    let long = (0..40).fold(second, |job, _| fails(&job, 300, None));
    assert_eq!(long.due_at(), Some(at(600)));
}

#[test]
fn what_is_not_believed_is_shown_six_times() {
    let doubted = |job: &Job| {
        let failure = Failure::doubted(Class::Platform, "no such pull request");
        decide(job, Input::Failed { effect: "verify", failure }, at(100), &RULES).job
    };
    let fifth = (0..5).fold(job(states()[8].clone()), |job, _| doubted(&job));
    assert_eq!(fifth.state.name(), "proposed");
    assert_eq!(doubted(&fifth).state.name(), "gave_up");
}

#[test]
fn what_was_seen_before_our_own_change_is_old() {
    let delivered = after(fresh(), way_to_delivered("h1")).job;
    for standing in [Standing::NotOurs, Standing::Open { revision: true, version: Some(9) }] {
        let step = after(delivered.clone(), [Input::Seen { standing, asked_at: at(101) }]);
        assert_eq!(step.job, delivered);
    }
    let same_version = Standing::Open { revision: false, version: Some(6) };
    let step = after(delivered.clone(), [Input::Seen { standing: same_version, asked_at: at(500) }]);
    assert_eq!(step.job, delivered);
}

#[test]
fn a_platform_without_versions_must_say_that_a_change_is_asked_for() {
    let mut delivered = after(fresh(), way_to_delivered("h1")).job;
    delivered.version = None;
    let see = |revision, seconds| {
        let standing = Standing::Open { revision, version: None };
        after(delivered.clone(), [Input::Seen { standing, asked_at: at(seconds) }]).job.state.name()
    };
    assert_eq!((see(false, 500), see(true, 500), see(true, 50)), ("delivered", "revised", "delivered"));

    let silent = Rules { silent_revisions: true, ..RULES };
    let see = |standing, seconds| {
        let seen = Input::Seen { standing, asked_at: at(seconds) };
        decide(&delivered, seen, at(seconds), &silent).job.state.name()
    };
    let open = Standing::Open { revision: false, version: None };
    assert_eq!((see(open.clone(), 500), see(open, 50)), ("revised", "delivered"), "unless it never does");
    assert_eq!(see(Standing::HandedIn { version: None }, 500), "delivered");
}

#[test]
fn the_echo_of_an_effect_that_is_over_changes_nothing() {
    let pushed = job(states()[7].clone());
    let echo = Input::Failed { effect: "push", failure: Failure::lasting(Class::Git, "late") };
    assert_eq!(after(pushed.clone(), [echo]).job, pushed);
}

fn any_input() -> impl Strategy<Value = Input> {
    let effects =
        ["claim", "prepare", "brief", "run", "collect", "push", "propose", "verify", "deliver", "report"];
    let failure = (prop::sample::select(effects.to_vec()), prop::sample::select(kinds_of_failure().to_vec()))
        .prop_map(|(effect, failure)| Input::Failed { effect, failure });
    let news = [outcomes(), sightings(), vec![Input::Due, Input::Eased, Input::Restarted]].concat();
    prop_oneof![3 => prop::sample::select(news), 1 => failure]
}

proptest! {
    #[test]
    fn whatever_happens_the_worker_is_not_started_too_often_and_nothing_is_delivered_that_was_not_pushed(
        news in prop::collection::vec(any_input(), 0..200)
    ) {
        let mut current = fresh();
        for (n, input) in news.into_iter().enumerate() {
            let Step { job, effect } = decide(&current, input, at(103 + n as i64 * 400), &RULES);
            prop_assert!(job.attempts <= RULES.max_attempts);
            if matches!(effect, Some(Effect::Deliver { .. })) {
                prop_assert!(job.pushed.is_some() && job.published.is_some());
            }
            if let Some(effect) = &effect {
                prop_assert_eq!(Some(effect.clone()), job.pending());
            }
            let text = serde_json::to_string(&job).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Job>(&text).unwrap(), &job);
            current = job;
        }
    }
}
