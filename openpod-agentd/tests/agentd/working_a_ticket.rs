//! A whole daemon against a small platform: what it does with a ticket, and what it does after an interruption.

use std::path::{Path, PathBuf};

use openpod_agentd::config::{Config, RawConfig};
use openpod_agentd::executor::Sandbox;
use openpod_agentd::{RunError, Wiring, run};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::patience::ends;
use super::platform::Platform;
use super::support::{TOKEN, eventually};

/// Writes the ticket's title, and in a revision the feedback too.
pub(crate) const GREETER: &str = r#"
set -eu
{ echo "attempt $OPENPOD_ATTEMPT"; grep -o '"text": "[^"]*"' "$OPENPOD_TICKET_FILE" || true; } > greeting.txt
echo "I wrote a greeting." > "$OPENPOD_SUMMARY_FILE"
"#;

pub(crate) struct Home {
    directory: tempfile::TempDir,
    pub(crate) platform: Platform,
}

pub(crate) struct Running {
    stop: oneshot::Sender<()>,
    daemon: JoinHandle<Result<(), RunError>>,
}

impl Running {
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        ends("the daemon stops", self.daemon).await.unwrap().unwrap();
    }
}

impl Home {
    pub(crate) async fn new() -> Self {
        // What a daemon says is shown with a test that fails.
        let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_test_writer().try_init();
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("signs")).unwrap();
        let platform = Platform::start(directory.path()).await;
        Self { directory, platform }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file by which worker and test talk to each other.
    pub(crate) fn sign(&self, name: &str) -> PathBuf {
        self.path("signs").join(name)
    }

    pub(crate) fn config(&self, worker: &str) -> RawConfig {
        let mut raw = RawConfig { data_dir: Some(self.path("data")), ..RawConfig::default() };
        if !Sandbox::is_available() {
            raw.executor.sandbox = "off".to_owned();
        }
        raw.server.url = Some(self.platform.address.clone());
        raw.server.key = Some("opk_secret_of_the_agent".into());
        raw.heartbeat.interval_seconds = 0.1;
        raw.heartbeat.scout_seconds = 0.1;
        raw.executor.command = vec!["/bin/sh".into(), "-c".into(), worker.into()];
        raw.executor.writable = vec![self.path("signs")];
        raw
    }

    pub(crate) fn start(&self, raw: RawConfig) -> Running {
        start(raw.validate().unwrap())
    }

    /// Waits until the journal says so.
    pub(crate) async fn until_job_is(&self, state: &str) {
        let path = self.path("data/journal.db");
        let look = || {
            let jobs = openpod_agentd::journal::read(&path).ok()?.jobs;
            jobs.values().any(|job| job.state.name() == state).then_some(())
        };
        eventually(state, look).await;
    }

    pub(crate) async fn until_delivered(&self) {
        self.platform
            .until("handed in and commented", |world| {
                world.status() == "in_review"
                    && !world.calls.is_empty()
                    && world.count("POST /tickets/t1/comments") > 0
            })
            .await;
    }
}

fn start(config: Config) -> Running {
    let wiring = Wiring::system(env!("CARGO_BIN_EXE_openpod-agentd").into());
    let (stop, stopped) = oneshot::channel::<()>();
    let daemon = tokio::spawn(async move {
        let ended = run(config, wiring, async {
            let _ = stopped.await;
        });
        ended.await.inspect_err(|error| tracing::error!(%error, "the daemon has ended"))
    });
    Running { stop, daemon }
}

fn everything_below(directory: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            all.push_str(&everything_below(&path));
        } else if kind.is_file() {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_delivered_revised_on_the_same_branch_and_settled() {
    let home = Home::new().await;
    let running = home.start(home.config(GREETER));
    home.until_delivered().await;
    let first_head = {
        let mut world = home.platform.world();
        let branch = world.ticket["branch_name"].as_str().unwrap().to_owned();
        let deliverable = &world.ticket["deliverables"][0];
        assert_eq!(deliverable["type"], "pull_request");
        assert_eq!(deliverable["url"], world.pulls[0]["html_url"]);
        assert_eq!(deliverable["content_hash"].as_str().unwrap().len(), 64);
        assert_eq!(world.pulls[0]["title"], "Greet the world");
        assert!(world.pulls[0]["body"].as_str().unwrap().starts_with("I wrote a greeting.\n"));
        assert_eq!(world.file_on(&branch, "greeting.txt"), "attempt 1\n");
        let head = world.branch_head(&branch).unwrap();
        world.comment("owner", "In capitals, please");
        world.change_ticket(json!({"status": "in_progress", "approval_status": "revision_requested"}));
        head
    };
    home.platform
        .until("revised", |world| {
            world.status() == "in_review" && world.count("POST /tickets/t1/comments") == 2
        })
        .await;
    {
        let mut world = home.platform.world();
        let branch = world.ticket["branch_name"].as_str().unwrap().to_owned();
        assert_ne!(world.branch_head(&branch).unwrap(), first_head);
        assert!(world.file_on(&branch, "greeting.txt").contains("In capitals, please"));
        assert_eq!(world.pulls.len(), 1);
        assert!(world.pulls[0]["body"].as_str().unwrap().contains("This is round 2"));
        world.change_ticket(json!({"status": "done", "approval_status": "approved"}));
    }
    home.until_job_is("settled").await;
    running.stop().await;
    let run = home.path("data/runs/t1/round-1-attempt-1");
    assert!(run.join("summary.md").exists() && !run.join("home").exists());

    let kept = everything_below(&home.path("data"));
    for secret in ["opk_secret_of_the_agent", TOKEN] {
        assert!(!kept.contains(secret), "{secret} lies in the data directory");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_whose_answers_are_lost_take_place_once() {
    let home = Home::new().await;
    home.platform.world().lost_answers = vec![
        "PATCH /tickets/t1",
        "POST /api/v3/repos/acme/greetings/pulls",
        "POST /tickets/t1/comments",
        "POST /github/verify",
    ];
    let running = home.start(home.config(GREETER));
    home.until_delivered().await;
    home.platform
        .until("the comment was looked for", |world| {
            world
                .calls
                .iter()
                .rev()
                .take_while(|call| *call != "POST /tickets/t1/comments")
                .any(|call| call == "GET /tickets/t1")
        })
        .await;
    running.stop().await;
    let world = home.platform.world();
    assert_eq!(world.pulls.len(), 1);
    assert_eq!(world.ticket["comments"].as_array().unwrap().len(), 1);
    assert_eq!(world.ticket["deliverables"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_changes_nothing_ends_with_a_comment_and_a_released_ticket() {
    let home = Home::new().await;
    let mut raw = home.config("exit 0");
    raw.policy.tickets.max_attempts = 1;
    let running = home.start(raw);
    home.platform
        .until("released", |world| {
            world.status() == "todo" && world.ticket["assignee_agent_key_id"] == Value::Null
        })
        .await;
    let looked = home.platform.world().count("GET /heartbeat");
    home.platform.until("it looked again", |world| world.count("GET /heartbeat") > looked + 2).await;
    running.stop().await;
    let world = home.platform.world();
    let said = world.ticket["comments"][0]["content"].as_str().unwrap();
    assert_eq!(said, "I hand this ticket back after 1 attempt: it ended without changing anything.");
    assert!(world.pulls.is_empty());
    assert_eq!(world.count("PATCH /tickets/t1"), 2, "it is not claimed again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_ticket_is_claimed_and_one_that_somebody_else_took_is_left_alone() {
    let home = Home::new().await;
    home.platform.world().ticket["assignee_agent_key_id"] = Value::Null;
    let mut raw = home.config(GREETER);
    raw.policy.tickets.claim_unassigned = true;
    let running = home.start(raw.clone());
    home.until_delivered().await;
    running.stop().await;

    let other = Home::new().await;
    other.platform.world().ticket["assignee_agent_key_id"] = "somebody".into();
    raw = other.config(GREETER);
    raw.policy.tickets.claim_unassigned = true;
    let running = other.start(raw);
    other.platform.until("it looked around twice", |world| world.count("GET /tickets") > 1).await;
    running.stop().await;
    assert_eq!(other.platform.world().count("PATCH /tickets/t1"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_suits_is_applied_to_once() {
    let home = Home::new().await;
    {
        let mut world = home.platform.world();
        world.ticket["assignee_agent_key_id"] = "somebody".into();
        world.position = Some(json!({
            "id": "pos1", "title": "Greeter", "role_level": "worker", "required_capabilities": ["shell"],
            "project": {"id": "p2", "title": "More greetings"},
        }));
    }
    let mut raw = home.config(GREETER);
    raw.policy.apply.enabled = true;
    let running = home.start(raw);
    home.platform.until("applied", |world| world.count("POST /apply") == 1).await;
    home.platform.until("it looked again", |world| world.count("GET /positions") > 2).await;
    running.stop().await;
    let world = home.platform.world();
    assert_eq!(world.count("POST /apply"), 1);
    let letter = world.applications[0]["cover_letter"].as_str().unwrap();
    assert!(
        letter.contains("crab") && letter.contains("Greeter") && letter.contains("More greetings"),
        "{letter}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_whose_answer_is_lost_is_found_and_not_sent_again() {
    let home = Home::new().await;
    {
        let mut world = home.platform.world();
        world.ticket["assignee_agent_key_id"] = "somebody".into();
        world.position = Some(json!({
            "id": "pos1", "title": "Greeter", "role_level": "worker", "required_capabilities": ["shell"],
            "project": {"id": "p2", "title": "More greetings"},
        }));
        world.lost_answers = vec!["POST /apply"];
    }
    let mut raw = home.config(GREETER);
    raw.policy.apply.enabled = true;
    let running = home.start(raw);
    home.platform.until("the answers are lost", |world| world.lost_answers.is_empty()).await;
    let path = home.path("data/journal.db");
    let noted = || {
        let known = openpod_agentd::journal::read(&path).ok()?;
        (known.applied.len() == 1 && known.open_intents.is_empty()).then_some(())
    };
    eventually("the application is noted", noted).await;
    running.stop().await;
    assert_eq!(home.platform.world().count("POST /apply"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_has_the_limits_of_the_configuration_and_leaves_no_core() {
    // Where the machine allows no core anyway, the worker's own limit would not show.
    let some = Some(1 << 20);
    let _ = setrlimit(Resource::Core, Rlimit { current: some, maximum: some });
    let home = Home::new().await;
    let mut raw = home.config("cat /proc/self/limits > limits.txt");
    raw.executor.open_files = 128;
    raw.executor.processes = Some(4096);
    raw.executor.file_bytes = 1 << 30;
    let running = home.start(raw);
    home.until_delivered().await;
    running.stop().await;
    let world = home.platform.world();
    let limits = world.file_on(world.ticket["branch_name"].as_str().unwrap(), "limits.txt");
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    for (name, most) in [
        ("Max open files", "128"),
        ("Max core file size", "0"),
        ("Max processes", "4096"),
        ("Max file size", "1073741824"),
    ] {
        assert_eq!(limit(name), [most, most], "{name}: {limits}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_do_not_share_a_directory() {
    let home = Home::new().await;
    let running = home.start(home.config(GREETER));
    home.platform.until("the first one looks", |world| world.count("GET /heartbeat") > 0).await;
    let second = home.start(home.config(GREETER)).daemon.await.unwrap();
    assert!(matches!(second, Err(RunError::InUse(_))), "{second:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_wakes_a_daemon_whose_heartbeat_is_slow() {
    let home = Home::new().await;
    home.platform.world().ticket["status"] = "cancelled".into();
    let mut raw = home.config(GREETER);
    raw.heartbeat.interval_seconds = 3600.0;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    raw.webhook.listen = Some(listener.local_addr().unwrap().to_string());
    raw.webhook.public_url = Some(url.clone());
    let wiring = Wiring {
        webhook_listener: Some(listener),
        ..Wiring::system(env!("CARGO_BIN_EXE_openpod-agentd").into())
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let daemon = tokio::spawn(run(raw.validate().unwrap(), wiring, async {
        let _ = stopped.await;
    }));
    home.platform
        .until("registered, and looked once", |world| {
            !world.webhooks.is_empty() && world.count("GET /heartbeat") == 1
        })
        .await;
    let secret = {
        let mut world = home.platform.world();
        world.change_ticket(json!({"status": "todo"}));
        world.webhooks[0]["secret"].as_str().unwrap().to_owned()
    };
    deliver(&url, &secret).await;
    home.until_delivered().await;
    let _ = stop.send(());
    daemon.await.unwrap().unwrap();
}

pub(crate) async fn deliver(url: &str, secret: &str) {
    use openpod_sdk::clock::{Clock, SystemClock};
    use openpod_sdk::webhook::{SigningKey, sign};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let body = r#"{"event":"ticket_assigned","timestamp":"2026-03-12T10:30:00Z","data":{"ticket_id":"t1"}}"#;
    let key = SigningKey::parse(&openpod_sdk::Secret::new(secret)).unwrap();
    let mut request =
        format!("POST /hooks HTTP/1.1\r\nhost: d\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in &sign(&[key], "msg_1", SystemClock.now(), body.as_bytes()) {
        request.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    request.push_str(&format!("\r\n{body}"));
    let address = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_fails_for_a_while_is_looked_at_until_it_answers() {
    let home = Home::new().await;
    home.platform.world().lost_answers = vec!["GET /heartbeat"; 6];
    let running = home.start(home.config(GREETER));
    home.until_delivered().await;
    assert!(home.platform.world().lost_answers.is_empty());
    running.stop().await;
}
