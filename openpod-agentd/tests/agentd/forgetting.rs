//! What is over is forgotten in its time; what was not pushed is kept, and named.

use openpod_agentd::config::RawConfig;
use openpod_agentd::control::{AgentReport, Answer, Request, ask};
use openpod_agentd::job::State;
use openpod_agentd::journal;
use serde_json::json;

use super::support::eventually;
use super::working_a_ticket::{GREETER, Home};

/// Nothing that is over is kept for a moment longer.
fn forgetful(mut raw: RawConfig) -> RawConfig {
    raw.retention.finished_tickets = 0;
    raw.retention.finished_days = 0.0;
    raw.retention.given_up_days = 0.0;
    raw
}

fn known(home: &Home) -> Vec<State> {
    let read = journal::read(&home.path("data/journal.db")).map(|replay| replay.jobs);
    read.unwrap_or_default().into_values().map(|job| job.state).collect()
}

fn report(home: &Home) -> Option<AgentReport> {
    ask(&home.path("data"), Request::Status).ok()?.find_map(|answer| match answer {
        Ok(Answer::Status(report)) => report.agents.into_iter().next(),
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_is_paid_leaves_nothing_behind_and_is_not_begun_again() {
    let home = Home::new().await;
    let running = home.start(forgetful(home.config(GREETER)));
    home.until_delivered().await;
    assert!(home.path("data/runs/t1").exists(), "it may be asked for a revision");
    home.platform.world().change_ticket(json!({"status": "done", "approval_status": "approved"}));
    eventually("it is forgotten", || {
        (known(&home).is_empty() && !home.path("data/forgotten/t1").exists()).then_some(())
    })
    .await;
    assert!(!home.path("data/runs/t1").exists() && !home.path("data/jobs/t1").exists());
    assert_eq!(journal::decisions(&home.path("data/journal.db"), &"t1".into()).unwrap(), []);
    let looks = home.platform.world().count("GET /heartbeat");
    home.platform.until("it looks again", |world| world.count("GET /heartbeat") > looks + 2).await;
    running.stop().await;
    assert_eq!(home.platform.world().count("PATCH /tickets/t1"), 2, "one claim, one delivery");
    assert_eq!(known(&home), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_was_not_pushed_is_kept_and_named_until_a_person_removes_it() {
    let home = Home::new().await;
    let mut raw = forgetful(home.config("echo half > half.txt; exit 1"));
    raw.policy.tickets.max_attempts = 1;
    let running = home.start(raw.clone());
    home.platform.until("it is handed back", |world| world.ticket["assignee_agent_key_id"].is_null()).await;
    let over = || known(&home).iter().any(|state| matches!(state, State::GaveUp { cleaned: true, .. }));
    eventually("it is over", || over().then_some(())).await;
    running.stop().await;

    std::fs::create_dir_all(home.path("data/runs/of-nobody")).unwrap();
    let running = home.start(raw.clone());
    let kept =
        eventually("both are named", || report(&home).map(|agent| agent.kept).filter(|kept| kept.len() == 2))
            .await;
    running.stop().await;
    assert_eq!((&kept[0].directory, &*kept[0].why), (&home.path("data/jobs/t1"), "its work was not pushed"));
    assert_eq!(kept[0].ticket.as_ref().map(|ticket| ticket.as_str()), Some("t1"));
    assert_eq!((&kept[1].directory, &kept[1].ticket), (&home.path("data/runs/of-nobody"), &None));
    let half = std::fs::read_to_string(home.path("data/jobs/t1/workspace/half.txt")).unwrap();
    assert_eq!((&*half, known(&home).len()), ("half\n", 1));

    std::fs::remove_dir_all(home.path("data/jobs/t1")).unwrap();
    let running = home.start(raw);
    eventually("it is forgotten", || known(&home).is_empty().then_some(())).await;
    running.stop().await;
    assert!(home.path("data/runs/of-nobody").exists(), "nobody knows what it is");
}
