//! What stops a daemon: budgets, runs that lead nowhere, tickets that nobody wants any more.

use std::path::Path;

use openpod_agentd::job::{Class, Job, State};
use openpod_agentd::journal;
use openpod_agentd::{Wiring, run};
use serde_json::json;
use tokio::sync::oneshot;

use super::support::{eventually, lives, process_in};
use super::working_a_ticket::{Home, deliver};

fn job(home: &Home) -> Job {
    journal::read(&home.path("data/journal.db")).unwrap().jobs.into_values().next().unwrap()
}

/// What was decided about the ticket, as `why` tells it.
fn told(home: &Home) -> Vec<String> {
    let path = home.path("data/journal.db");
    let told = journal::decisions(&path, &"t1".into()).unwrap_or_default();
    told.into_iter().map(|decision| decision.news).collect()
}

async fn until_told(home: &Home, what: &str) -> String {
    eventually(what, || told(home).into_iter().find(|news| news.contains(what))).await
}

fn lines(file: &Path) -> usize {
    std::fs::read_to_string(file).unwrap_or_default().lines().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_claims_more_than_its_run_may_use_is_ended_and_its_ticket_left_as_the_policy_says() {
    let home = Home::new().await;
    let begun = home.sign("begun");
    let mut raw = home.config(&format!(
        "echo run >> {}; echo '{{\"input_tokens\": 400, \"output_tokens\": 200, \"cost_usd\": 0.02}}' > $OPENPOD_USAGE_FILE; sleep 600",
        begun.display()
    ));
    raw.brakes.run.tokens = Some(500);
    raw.brakes.ticket.tokens = Some(600);
    raw.policy.tickets.on_give_up = openpod_agentd::job::OnGiveUp::Leave;
    let running = home.start(raw);
    home.platform.until("commented", |world| world.count("POST /tickets/t1/comments") == 1).await;
    home.until_job_is("gave_up").await;
    running.stop().await;

    let world = home.platform.world();
    let said = world.ticket["comments"][0]["content"].as_str().unwrap();
    let expected =
        "I stop working on this ticket after 1 attempt: this ticket has used up its 600 tokens. It stays";
    assert!(said.starts_with(expected), "{said}");
    assert_eq!((world.status(), lines(&begun), world.pulls.len()), ("in_progress", 1, 0));
    assert_eq!(world.ticket["assignee_agent_key_id"], "me");
    let spent = job(&home).spent;
    assert_eq!((spent.runs, spent.usage.tokens, spent.usage.cost_micros), (1, 600, 20_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_used_up_stays_so_over_a_restart_and_a_claim_beyond_reason_is_not_believed() {
    let home = Home::new().await;
    let begun = home.sign("begun");
    let mut raw = home.config(&format!(
        "echo run >> {}; echo '{{\"cost_usd\": -5}}' > $OPENPOD_USAGE_FILE; date +%N > half; exit 1",
        begun.display()
    ));
    raw.brakes.day.runs = Some(1);
    let running = home.start(raw.clone());
    until_told(&home, "held: this day's work has used up its 1 runs").await;
    running.stop().await;
    let before = job(&home);
    assert!(before.is_held() && before.spent.usage.cost_micros == 0);

    let looks = home.platform.world().count("GET /heartbeat");
    let running = home.start(raw.clone());
    let holds = || told(&home).iter().filter(|news| news.contains("held")).count() > 1;
    eventually("it asks again", || holds().then_some(())).await;
    home.platform.until("it looks again", |world| world.count("GET /heartbeat") > looks + 2).await;
    running.stop().await;
    assert_eq!((lines(&begun), job(&home).state.name()), (1, "prepared"));

    raw.brakes.day.runs = Some(2);
    let running = home.start(raw);
    eventually("more is allowed", || (lines(&begun) == 2).then_some(())).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_leave_what_they_found_are_given_up_before_their_attempts_are_used_up() {
    let home = Home::new().await;
    let begun = home.sign("begun");
    let mut raw = home.config(&format!("echo run >> {}; echo half > greeting.txt; exit 1", begun.display()));
    raw.policy.tickets.max_attempts = 50;
    raw.brakes.still_runs = 2;
    let running = home.start(raw);
    home.platform.until("released", |world| world.status() == "todo").await;
    home.until_job_is("gave_up").await;
    running.stop().await;
    let world = home.platform.world();
    let said = world.ticket["comments"][0]["content"].as_str().unwrap();
    let expected = "I hand this ticket back after 3 attempts: 2 runs in a row left what they found; of the last one: \
                    the worker ended with exit status 1.";
    assert_eq!((said, lines(&begun)), (expected, 3));
    assert!(matches!(job(&home).state, State::GaveUp { class: Class::Worker, .. }));
}

/// A worker that ignores what it is asked, and so does its child, which leaves its session; its number is written there.
fn deaf(id: &Path) -> String {
    format!(
        "trap '' TERM; echo done > greeting.txt; (trap '' TERM; exec setsid sleep 600) & echo $! > {}; while :; do sleep 1; done",
        id.display()
    )
}

/// What an owner may do to a ticket that is being worked on.
fn changes_of_mind() -> [serde_json::Value; 2] {
    [json!({"status": "cancelled"}), json!({"assignee_agent_key_id": "somebody"})]
}

/// Returns when the child is gone and the job over, and looks that nothing was published.
async fn until_dropped(home: &Home, child: &Path) {
    eventually("all of it is gone", || (!lives(child)).then_some(())).await;
    let over =
        |job: Job| matches!(job.state, State::Cancelled { cleaned: true } | State::Lost { cleaned: true });
    eventually("the job is over", || over(job(home)).then_some(())).await;
    let world = home.platform.world();
    assert!(world.branch_head(&job(home).branch).is_none(), "nothing is pushed");
    assert_eq!((world.pulls.len(), world.ticket["comments"].as_array().unwrap().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_will_not_end_is_killed_when_a_webhook_says_that_nobody_wants_its_ticket() {
    for change in changes_of_mind() {
        let home = Home::new().await;
        let id = home.sign("id");
        let mut raw = home.config(&deaf(&id));
        // Only the hint can be what ends it, and only at once.
        raw.executor.grace_seconds = 3600;
        raw.heartbeat.interval_seconds = 3600.0;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        raw.webhook.listen = Some(listener.local_addr().unwrap().to_string());
        raw.webhook.public_url = Some(url.clone());
        let program = env!("CARGO_BIN_EXE_openpod-agentd").into();
        let wiring = Wiring { webhook_listener: Some(listener), ..Wiring::system(program) };
        let (stop, stopped) = oneshot::channel::<()>();
        let daemon = tokio::spawn(run(raw.validate().unwrap(), wiring, async {
            let _ = stopped.await;
        }));
        let child = process_in(&id).await;
        let secret = {
            let mut world = home.platform.world();
            world.change_ticket(change);
            world.webhooks[0]["secret"].as_str().unwrap().to_owned()
        };
        deliver(&url, &secret).await;
        until_dropped(&home, &child).await;
        let _ = stop.send(());
        daemon.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_webhook_is_lost_the_next_heartbeat_ends_what_nobody_wants() {
    for change in changes_of_mind() {
        let home = Home::new().await;
        let id = home.sign("id");
        let mut raw = home.config(&deaf(&id));
        raw.executor.grace_seconds = 3600;
        let running = home.start(raw);
        let child = process_in(&id).await;
        home.platform.world().change_ticket(change);
        until_dropped(&home, &child).await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_is_done_is_not_published_when_nobody_wants_it_by_then() {
    let home = Home::new().await;
    let go = home.sign("go");
    let mut raw = home.config(&format!(
        "echo done > greeting.txt; touch {0}.begun; while [ ! -e {0} ]; do sleep 0.05; done",
        go.display()
    ));
    // The daemon hears nothing: it must look by itself before it pushes.
    raw.heartbeat.interval_seconds = 3600.0;
    let running = home.start(raw);
    eventually("the worker runs", || home.sign("go.begun").exists().then_some(())).await;
    home.platform.world().change_ticket(json!({"status": "cancelled"}));
    std::fs::write(&go, "").unwrap();
    home.until_job_is("cancelled").await;
    running.stop().await;
    let world = home.platform.world();
    assert!(world.branch_head(&job(&home).branch).is_none() && world.pulls.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_leaves_the_change_as_it_was_is_a_failure_and_the_next_run_reads_what_was_written() {
    let home = Home::new().await;
    let worker = r#"
        echo "round $(grep -o '"round": [0-9]*' "$OPENPOD_TICKET_FILE") attempt $OPENPOD_ATTEMPT"
        if [ -e "${OPENPOD_TRANSCRIPT_FILE:-/nowhere}" ] && grep -q 'round "round": 2 attempt 1' "$OPENPOD_TRANSCRIPT_FILE"; then
            grep '^=== ' "$OPENPOD_TRANSCRIPT_FILE" > greeting.txt
            grep -q "$OPENPOD_TRANSCRIPT_FILE" "$OPENPOD_TICKET_FILE"
        else
            echo hello > greeting.txt
        fi
    "#;
    let running = home.start(home.config(worker));
    home.until_delivered().await;
    {
        let mut world = home.platform.world();
        world.comment("owner", "Not so short");
        world.change_ticket(json!({"status": "in_progress", "approval_status": "revision_requested"}));
    }
    home.platform
        .until("revised", |world| {
            world.status() == "in_review" && world.count("POST /tickets/t1/comments") == 2
        })
        .await;
    running.stop().await;
    let world = home.platform.world();
    let text = world.file_on(world.ticket["branch_name"].as_str().unwrap(), "greeting.txt");
    assert_eq!(text, "=== round-1-attempt-1 ===\n=== round-2-attempt-1 ===\n");
    assert_eq!((job(&home).round, job(&home).attempts), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_why_a_ticket_is_given_up_shows_no_secret_even_where_a_name_of_the_worker_s_holds_one() {
    let home = Home::new().await;
    let mut raw = home.config("ln -s /nowhere/opk_secret_of_the_agent link");
    raw.policy.tickets.max_attempts = 1;
    let running = home.start(raw);
    home.platform.until("given up", |world| world.count("POST /tickets/t1/comments") > 0).await;
    running.stop().await;
    let world = home.platform.world();
    let said = world.ticket["comments"][0]["content"].as_str().unwrap();
    assert!(said.contains("link that leaves the tree, to /nowhere/[secret]."), "{said}");
}
