//! Stories of attempts: those that fail, lead nowhere, are stopped, and what becomes of their ticket.

use super::*;

#[test]
fn the_patch_that_is_published_is_no_revision_even_in_a_new_commit() {
    let mut second = job(State::Ran { summary: None, ended_at: at(100), failed: None });
    second.progress.publish("p-h1");
    second.pushed = Some("h1".into());
    let again = Change { head: "h2".into(), ..change("h1") };
    let step = after(second, [Input::Collected(Some(again))]);
    assert_eq!(step.job.state, State::Prepared);
    assert_eq!(step.job.worker_failure.as_deref(), Some("it left the change as it was, in a new commit"));
}

#[test]
fn a_patch_that_a_failed_run_left_is_published_when_the_next_one_says_that_it_is_done() {
    let failed = job(State::Ran { summary: None, ended_at: at(100), failed: Some("exit 1".into()) });
    let back = after(failed, [Input::Collected(Some(change("h1")))]).job;
    assert_eq!((back.state.clone(), back.worker_failure.as_deref()), (State::Prepared, Some("exit 1")));
    let well = Input::RunEnded(RunEnding::Well { summary: None, ended_at: None }, USED);
    let same = after(back, [Input::Allowed(ALLOWANCE), well, Input::Collected(Some(change("h1")))]).job;
    assert_eq!(same.state.name(), "committed");
}

#[test]
fn runs_that_lead_nowhere_end_sooner_than_the_attempts_do() {
    let rules = Rules { max_attempts: 9, max_still: 2, ..RULES };
    let run = |job: Job, left: Option<Change>| {
        let news = [Input::Allowed(ALLOWANCE), badly("exit 1"), Input::Collected(left)];
        news.into_iter().fold(job, |job, input| decide(&job, input, at(102), &rules).job)
    };
    let prepared = Job { attempts: 0, ..job(State::Prepared) };
    let moved = ["h1", "h2", "h3"].into_iter().fold(prepared, |job, head| run(job, Some(change(head))));
    assert_eq!((moved.attempts, moved.state.name()), (3, "prepared"), "each left something new");
    let once = run(moved, Some(change("h3")));
    assert_eq!(once.state.name(), "prepared");
    let twice = run(once, Some(Change { head: "h9".into(), ..change("h3") }));
    let State::GaveUp { class: Class::Worker, reason, .. } = twice.state else { panic!("{twice:?}") };
    assert_eq!(reason, "2 runs in a row left what they found; of the last one: exit 1");
}

#[test]
fn the_workspace_of_a_ticket_that_was_refused_stays_until_its_time_is_over_or_it_is_reopened() {
    let delivered = after(fresh(), way_to_delivered("h1")).job;
    let seen = |standing, seconds| Input::Seen { standing, asked_at: at(seconds) };
    let refused = after(delivered, [seen(Standing::Rejected, 200)]);
    assert_eq!((refused.job.state.name(), refused.effect.clone()), ("settled", None));
    let until = at(102).plus(RULES.keep_rejected);
    assert_eq!((refused.job.due_at(), refused.job.is_open()), (Some(until), false));
    assert_eq!(after(refused.job.clone(), [Input::Restarted]).effect, None);
    assert_eq!(decide(&refused.job, Input::Due, until, &RULES).effect, Some(Effect::Clean));

    let open = |version| seen(Standing::Open { revision: false, version: Some(version) }, 300);
    assert_eq!(after(refused.job.clone(), [open(6)]).job.state.name(), "settled", "that was before");
    let reopened = after(refused.job, [open(9)]).job;
    assert_eq!((reopened.state.name(), reopened.round, reopened.due_at()), ("revised", 2, None));
}

#[test]
fn a_worker_that_keeps_failing_ends_with_an_apology_and_a_released_ticket() {
    let fails = || [Input::Allowed(ALLOWANCE), badly("exit status 1"), Input::Collected(None)];
    let first = after(fresh(), [Input::Claimed { version: None }, prepared()].into_iter().chain(fails()));
    assert_eq!((first.job.state.name(), first.effect), ("prepared", None));
    let due = first.job.due_at().unwrap();
    assert_eq!(due, at(103));
    let second = decide(&first.job, Input::Due, due, &RULES);
    assert_eq!(second.effect, Some(Effect::Brief { attempt: 2 }));
    let given_up = after(second.job, fails());
    assert_eq!(given_up.effect, Some(Effect::Apologise { reason: "exit status 1".into(), leave: false }));
    let said = after(given_up.job, [Input::Said]);
    assert_eq!(said.effect, Some(Effect::Release));
    let released = after(said.job, [Input::Released]);
    assert_eq!(released.effect, Some(Effect::Clean));
    let over = after(released.job, [Input::Cleaned]).job;
    assert_eq!((over.pending(), over.is_open()), (None, false));
}

#[test]
fn a_ticket_that_is_left_is_taken_up_again_only_when_somebody_changed_it() {
    let rules = Rules { on_give_up: OnGiveUp::Leave, ..RULES };
    let failure = Failure::lasting(Class::Git, "the repository refused the branch");
    let committed = job(states()[6].clone());
    let given_up = decide(&committed, Input::Failed { effect: "push", failure }, at(102), &rules);
    let reason = "the repository refused the branch".to_owned();
    assert_eq!(given_up.effect, Some(Effect::Apologise { reason, leave: true }));
    let said = after(given_up.job, [Input::Said]);
    assert_eq!(said.effect, Some(Effect::Leave));
    let left = |version| after(said.job.clone(), [Input::Left { version }, Input::Cleaned]).job;

    let seen = |job: &Job, revision, version| {
        let standing = Standing::Open { revision, version };
        after(job.clone(), [Input::Seen { standing, asked_at: at(500) }]).job.state.name()
    };
    let with_versions = left(Some(5));
    assert_eq!(seen(&with_versions, false, Some(5)), "gave_up", "our own comment is no news");
    assert_eq!(seen(&with_versions, false, Some(6)), "revised");
    let without = Job { version: None, ..left(None) };
    assert_eq!((seen(&without, false, None), seen(&without, true, None)), ("gave_up", "revised"));
}

#[test]
fn a_run_that_the_daemon_itself_stopped_does_not_count() {
    let running =
        after(fresh(), [Input::Claimed { version: None }, prepared(), Input::Allowed(ALLOWANCE)]).job;
    assert_eq!(running.attempts, 1);
    let stopped = after(running.clone(), [Input::RunEnded(RunEnding::Interrupted, USED)]);
    assert_eq!((stopped.job.attempts, stopped.effect), (0, None));
    let restarted = after(stopped.job, [Input::Restarted]);
    assert_eq!(restarted.effect, Some(Effect::Brief { attempt: 1 }));

    // A run that was left, or whose daemon was killed, is looked for; that is no new attempt.
    for news in
        [vec![Input::RunEnded(RunEnding::Left, Used::default()), Input::Restarted], vec![Input::Restarted]]
    {
        let looked_for = after(running.clone(), news);
        assert_eq!(
            (looked_for.job, looked_for.effect),
            (running.clone(), Some(Effect::Run { attempt: 1, allowance: ALLOWANCE }))
        );
    }
}

#[test]
fn a_revision_that_makes_no_new_commit_is_a_failure_of_the_worker() {
    let mut second = job(State::Ran { summary: None, ended_at: at(100), failed: None });
    second.pushed = Some("h1".into());
    second.progress.publish("p-h1");
    let step = after(second, [Input::Collected(Some(change("h1")))]);
    assert_eq!(step.job.state, State::Prepared);
    assert_eq!(step.job.worker_failure.as_deref(), Some("it ended without changing anything"));
}

#[test]
fn what_is_on_the_branch_and_in_no_journal_is_not_taken_for_nothing() {
    let mut old = job(State::Ran { summary: None, ended_at: at(100), failed: None });
    old.pushed = Some("h1".into());
    let step = after(old, [Input::Collected(Some(change("h1")))]);
    assert_eq!(step.effect, Some(Effect::Push { head: "h1".into() }), "a push that changes nothing");
}

#[test]
fn a_commit_has_the_time_that_the_run_itself_wrote_down() {
    let well = RunEnding::Well { summary: None, ended_at: Some(at(77)) };
    let step = after(job(states()[3].clone()), [Input::RunEnded(well, USED)]);
    assert_eq!(step.effect, Some(Effect::Collect { summary: None, ended_at: at(77) }));
}

#[test]
fn a_journal_that_is_behind_goes_on_with_the_next_round_and_knows_what_was_published() {
    let old = job(states()[6].clone());
    let open = Standing::Open { revision: true, version: Some(8) };
    let next = after(old.clone(), [Input::Behind(open)]).job;
    assert_eq!((next.state.name(), next.round, next.attempts, next.version), ("revised", 2, 0, Some(8)));
    assert!(next.progress.is_published("p-h1"), "it would be no revision");

    let waits = after(old, [Input::Behind(Standing::HandedIn { version: Some(8) })]);
    assert_eq!((waits.job.state.name(), waits.job.round, waits.effect), ("delivered", 1, None));
    let asked = Standing::Open { revision: true, version: Some(9) };
    let revised = after(waits.job, [Input::Seen { standing: asked, asked_at: at(200) }]).job;
    assert_eq!((revised.state.name(), revised.round), ("revised", 2));
}
