mod model;

use super::*;
use crate::job::{Candidate, Class, Failure, RunEnding, Standing};

const MINUTE: Duration = Duration::from_secs(60);
const RULES: Rules = Rules {
    max_attempts: 3,
    max_still: 3,
    on_give_up: crate::job::OnGiveUp::Release,
    keep_rejected: MINUTE,
    wall: Duration::from_secs(600),
    budgets: Budgets {
        run: Allowance { wall: Duration::ZERO, tokens: Some(500), cost_micros: None },
        ticket: budget(4, 1500, 800),
        day: budget(6, 2400, 1500),
        daemon: budget(9, 4000, 2500),
    },
    breaker: BreakerRules { failures: 3, pause: MINUTE, longest: Duration::from_secs(240) },
    silent_revisions: false,
};

const fn budget(runs: u32, seconds: u64, tokens: u64) -> Budget {
    let run_time = Some(Duration::from_secs(seconds));
    Budget { runs: Some(runs), run_time, tokens: Some(tokens), cost_micros: Some(tokens * 10) }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn job(id: &str) -> Job {
    let candidate = Candidate { version: Some(1), ..Candidate::of_tests(id) };
    Job { state: State::Prepared, ..Job::new(candidate, "openpod/", at(0)) }
}

fn spent(runs: u32, seconds: u64, tokens: u64) -> Spent {
    Spent { runs, run_time: Duration::from_secs(seconds), usage: Usage { tokens, cost_micros: tokens } }
}

/// What becomes of a job that is briefed, in a word or two.
fn asks(brakes: &mut Brakes, job: &Job, seconds: i64) -> String {
    let after = brakes.decide(job, Input::Briefed, at(seconds), &RULES).job;
    match (&after.state, &after.trouble) {
        (State::Running { allowance, .. }, _) => {
            format!("{} s, {:?} tokens", allowance.wall.as_secs(), allowance.tokens.unwrap_or(0))
        }
        (State::GaveUp { reason, .. }, _) => format!("given up: {reason}"),
        (_, Some(trouble)) => {
            let until = trouble.not_before.map_or("moved".to_owned(), |time| time.as_seconds().to_string());
            format!("held until {until}: {}", trouble.reason)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_is_allowed_no_more_than_the_tightest_budget_has_left() {
    let table = [
        (spent(0, 0, 0), spent(0, 0, 0), spent(0, 0, 0), "600 s, 500 tokens"),
        (spent(1, 1000, 0), spent(0, 0, 0), spent(0, 0, 0), "500 s, 500 tokens"),
        (spent(1, 0, 700), spent(1, 2000, 0), spent(1, 0, 0), "400 s, 100 tokens"),
        (spent(1, 0, 0), spent(1, 0, 0), spent(1, 3970, 2460), "30 s, 40 tokens"),
        (spent(4, 0, 0), spent(0, 0, 0), spent(0, 0, 0), "given up: this ticket has used up its 4 runs"),
        (
            spent(1, 1500, 0),
            spent(0, 0, 0),
            spent(0, 0, 0),
            "given up: this ticket has used up its 1500 seconds of run time",
        ),
        (
            spent(1, 0, 800),
            spent(9, 0, 0),
            spent(9, 0, 0),
            "given up: this ticket has used up its 800 tokens",
        ),
        (
            spent(1, 0, 0),
            spent(6, 0, 0),
            spent(1, 0, 0),
            "held until 86400: this day's work has used up its 6 runs",
        ),
        (
            spent(1, 0, 0),
            spent(1, 0, 1500),
            spent(1, 0, 0),
            "held until 86400: this day's work has used up its 1500 tokens",
        ),
        (
            spent(1, 0, 0),
            spent(1, 0, 0),
            spent(9, 0, 0),
            "held until moved: the daemon has used up its 9 runs",
        ),
        (
            spent(1, 0, 0),
            spent(9, 0, 0),
            spent(1, 4000, 0),
            "held until moved: the daemon has used up its 4000 seconds of run time",
        ),
    ];
    for (of_ticket, today, ever, expected) in table {
        let mut brakes = Brakes { today, ever, ..Brakes::default() };
        let asking = Job { spent: of_ticket, ..job("a") };
        assert_eq!(asks(&mut brakes, &asking, 100), expected);
    }
    let dear = Brakes {
        today: Spent { usage: Usage { tokens: 0, cost_micros: 25_000_000 }, ..spent(1, 0, 0) },
        ..Brakes::default()
    };
    let said = dear.admit(false, at(100), &RULES).unwrap_err().to_string();
    assert_eq!(said, "this day's work has used up its 0.01 USD");
}

#[test]
fn runs_side_by_side_do_not_share_what_is_left() {
    let mut brakes = Brakes { today: spent(1, 2000, 0), ..Brakes::default() };
    assert_eq!(asks(&mut brakes, &job("a"), 100), "400 s, 500 tokens");
    let second = asks(&mut brakes, &job("b"), 100);
    assert_eq!(second, "held until 86400: this day's work has used up its 2400 seconds of run time");
}

#[test]
fn what_a_run_did_not_take_is_given_back() {
    let mut brakes = Brakes::default();
    let running = brakes.decide(&job("a"), Input::Briefed, at(100), &RULES).job;
    assert_eq!((running.spent, brakes.spent().0), (spent(1, 600, 0), spent(1, 600, 0)));
    let used = Used { run_time: Duration::from_secs(20), usage: Usage { tokens: 30, cost_micros: 30 } };
    let ended = Input::RunEnded(RunEnding::Well { summary: None, ended_at: None }, used);
    let ran = brakes.decide(&running, ended, at(120), &RULES).job;
    assert_eq!((ran.spent, brakes.spent()), (spent(1, 20, 30), (spent(1, 20, 30), spent(1, 20, 30))));

    let stopped = Input::Seen { standing: Standing::Cancelled, asked_at: at(140) };
    let mut others = Brakes::default();
    let running = others.decide(&job("a"), Input::Briefed, at(100), &RULES).job;
    let cancelled = others.decide(&running, stopped, at(140), &RULES).job;
    assert_eq!((cancelled.spent, others.spent().1), (spent(1, 40, 0), spent(1, 40, 0)));
}

#[test]
fn a_run_that_did_not_begin_costs_nothing_and_asks_again() {
    let mut brakes = Brakes::default();
    let running = brakes.decide(&job("a"), Input::Briefed, at(100), &RULES).job;
    let missing = Failure::passing(Class::Program, "no such program");
    let back =
        brakes.decide(&running, Input::Failed { effect: "run", failure: missing }, at(101), &RULES).job;
    assert_eq!((back.state.clone(), back.attempts, back.spent), (State::Prepared, 0, spent(0, 0, 0)));
    assert_eq!(brakes.spent(), (spent(0, 0, 0), spent(0, 0, 0)));
    assert_eq!(back.due_at(), Some(at(102)));
}

#[test]
fn a_new_day_has_a_new_budget_and_a_clock_that_is_set_back_gives_none() {
    let mut brakes = Brakes { today: spent(6, 0, 0), ..Brakes::default() };
    assert!(asks(&mut brakes, &job("a"), 86_399).starts_with("held until 86400"));
    assert!(
        brakes.admit(false, at(86_399), &RULES).is_err() && brakes.admit(false, at(86_400), &RULES).is_ok()
    );
    assert_eq!(asks(&mut brakes, &job("a"), 86_400), "600 s, 500 tokens");
    let mut back = Brakes { day: 3, today: spent(6, 0, 0), ..Brakes::default() };
    assert!(asks(&mut back, &job("a"), 100).starts_with("held until 86400"));
}

#[test]
fn a_program_that_is_missing_stops_all_runs_until_one_has_shown_that_it_is_back() {
    let mut brakes = Brakes::default();
    let fails = |brakes: &mut Brakes, id: &str, seconds| {
        let running = brakes.decide(&job(id), Input::Briefed, at(seconds), &RULES).job;
        assert!(matches!(running.state, State::Running { .. }), "{id} at {seconds}: {running:?}");
        let failure = Failure::passing(Class::Program, "no such program");
        brakes.decide(&running, Input::Failed { effect: "run", failure }, at(seconds), &RULES);
    };
    fails(&mut brakes, "a", 100);
    fails(&mut brakes, "b", 100);
    fails(&mut brakes, "a", 110);
    let why = "several tickets in a row failed at run (program)";
    assert_eq!(asks(&mut brakes, &job("c"), 111), format!("held until 170: {why}"));
    assert_eq!(brakes.admit(false, at(111), &RULES).unwrap_err().to_string(), format!("{why}"));
    assert!(brakes.admit(true, at(170), &RULES).is_err() && brakes.admit(false, at(170), &RULES).is_ok());

    fails(&mut brakes, "c", 170);
    assert!(asks(&mut brakes, &job("a"), 200).starts_with("held until 290: "));
    let canary = brakes.decide(&job("a"), Input::Briefed, at(290), &RULES).job;
    let second = asks(&mut brakes, &job("b"), 290);
    assert_eq!(
        second,
        format!("held until moved: {why}, and one run goes first, to see whether others may follow")
    );

    let before = brakes.clone();
    let ended = Input::RunEnded(RunEnding::Badly { reason: "exit 1".into() }, Used::default());
    brakes.decide(&canary, ended, at(300), &RULES);
    assert!(brakes.is_moved(&before));
    assert_eq!(asks(&mut brakes, &job("b"), 300), "600 s, 500 tokens");
}

#[test]
fn a_held_job_asks_again_when_the_brakes_have_moved_or_the_daemon_begins_anew() {
    let mut brakes = Brakes { today: spent(6, 0, 0), ..Brakes::default() };
    let held = brakes.decide(&job("a"), Input::Briefed, at(100), &RULES).job;
    assert!(held.is_held() && held.due_at() == Some(at(86_400)));
    for news in [Input::Eased, Input::Restarted] {
        let again = brakes.decide(&held, news, at(200), &RULES);
        assert_eq!((again.effect.unwrap().name(), again.job.is_held()), ("brief", false));
    }
    let trying = Job { trouble: None, ..held };
    assert_eq!(brakes.decide(&trying, Input::Eased, at(200), &RULES).effect, None, "it is not held");
}
