//! What an operator asks of a daemon that runs, through the program itself.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Output;

use openpod_agentd::control::{Answer, Request, ask};
use openpod_agentd::executor::Sandbox;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

use super::patience::ends;
use super::stopping::{begun, program, shim_of, terminate, until_begun, waiting};
use super::support::{eventually, lives, process_in};
use super::working_a_ticket::{GREETER, Home};

/// What the program answers to a question.
fn called(home: &Home, arguments: &[&str]) -> Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_openpod-agentd"))
        .args(arguments)
        .arg("--config")
        .arg(home.path("agentd.toml"))
        .output()
        .unwrap()
}

fn answered(home: &Home, arguments: &[&str]) -> String {
    let output = called(home, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(home: &Home, arguments: &[&str]) -> String {
    let output = called(home, arguments);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_what_runs_since_when_and_in_which_process() {
    let home = Home::new().await;
    let mut daemon = program(&home, &waiting(&home), "");
    let worker = until_begun(&home, 1).await;
    let report: Value = serde_json::from_str(&answered(&home, &["status", "--json"])).unwrap();
    assert_eq!(report["pid"], daemon.id());
    let agent = &report["agents"][0];
    assert_eq!(
        (&agent["name"], &agent["places_taken"], &agent["places"]),
        (&json!("crab"), &json!(1), &json!(1))
    );
    let job = &agent["jobs"][0];
    assert_eq!((&job["number"], &job["state"], &job["doing"]), (&json!(7), &json!("running"), &json!("run")));
    assert_eq!(job["run"]["pid"].to_string(), shim_of(&worker));
    assert!(job["since"].is_string() && agent["seen_at"].is_string(), "{report:#}");
    assert!(agent["next_look_at"].is_string() && agent["outbox"] == 1, "{report:#}");

    let told = answered(&home, &["status"]);
    assert!(
        told.contains("crab: saw the platform ")
            && told.contains(" ago, next in ")
            && told.contains("; 1 of 1 places taken"),
        "{told}"
    );
    assert!(told.contains("#7     running for ") && told.contains("Greet the world"), "{told}");
    terminate(&daemon);
    assert!(daemon.ended().await.success());

    let told = answered(&home, &["status"]);
    assert!(told.starts_with("no daemon runs in ") && told.contains("#7     running"), "{told}");
    let said = refused(&home, &["status", "--json"]);
    assert!(
        said.contains("no daemon runs in ") && said.contains("`openpod-agentd run` starts one"),
        "{said}"
    );
    assert!(!home.path("data/control.sock").exists() && !home.path("data/control.token").exists());
    std::fs::write(home.sign("gate"), "").unwrap();
    eventually("the worker has ended", || (!lives(&worker)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_is_cancelled_is_handed_back_and_nothing_of_its_run_is_left() {
    let home = Home::new().await;
    let stray = home.sign("stray");
    let worker = format!("setsid sh -c 'echo $$ > {}; sleep 600' & {}", stray.display(), waiting(&home));
    let mut daemon = program(&home, &worker, "");
    let worker = until_begun(&home, 1).await;
    let stray = process_in(&stray).await;
    assert_eq!(answered(&home, &["cancel", "p1#7"]), "#7: run is under way\n#7: not worked on any more\n");
    assert!(!lives(&worker) && !lives(&stray));
    home.platform.until("handed back", |world| world.ticket["assignee_agent_key_id"].is_null()).await;
    home.until_job_is("gave_up").await;
    let said = refused(&home, &["cancel", "7"]);
    assert!(said.contains("#7: "), "{said}");
    let looked = home.platform.world().count("GET /heartbeat");
    home.platform.until("it looked again", |world| world.count("GET /heartbeat") > looked + 2).await;
    terminate(&daemon);
    assert!(daemon.ended().await.success());
    let world = home.platform.world();
    let said = world.ticket["comments"][0]["content"].as_str().unwrap();
    assert!(said.contains("its operator stopped the work on it"), "{said}");
    assert_eq!((world.status(), world.pulls.len(), begun(&home).len()), ("todo", 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_is_cancelled_and_kept_stays_with_us_and_is_not_begun_again() {
    let home = Home::new().await;
    let mut daemon = program(&home, &waiting(&home), "");
    until_begun(&home, 1).await;
    answered(&home, &["cancel", "t1", "--keep"]);
    home.platform.until("it is said", |world| world.count("POST /tickets/t1/comments") > 0).await;
    let looked = home.platform.world().count("GET /heartbeat");
    home.platform.until("it looked again", |world| world.count("GET /heartbeat") > looked + 2).await;
    terminate(&daemon);
    assert!(daemon.ended().await.success());
    let world = home.platform.world();
    assert_eq!((world.status(), &world.ticket["assignee_agent_key_id"]), ("in_progress", &json!("me")));
    assert_eq!(begun(&home).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_drained_finishes_takes_nothing_new_and_ends() {
    let home = Home::new().await;
    let mut daemon = program(&home, &waiting(&home), "");
    until_begun(&home, 1).await;
    assert_eq!(answered(&home, &["drain"]), "nothing new is taken; 1 ticket is still worked on\n");
    let mut drain = tokio::process::Command::new(env!("CARGO_BIN_EXE_openpod-agentd"))
        .args(["drain", "--wait", "--config"])
        .arg(home.path("agentd.toml"))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(drain.stdout.take().unwrap()).lines();
    assert_eq!(
        ends("the next word", said.next_line()).await.unwrap().unwrap(),
        "nothing new is taken; 1 ticket is still worked on",
        "it waits"
    );
    assert!(answered(&home, &["status"]).contains("draining: nothing new is taken"));
    std::fs::write(home.sign("gate"), "").unwrap();
    home.until_delivered().await;
    let mut last = String::new();
    while let Some(line) = ends("the next word", said.next_line()).await.unwrap() {
        last = line;
    }
    assert_eq!(last, "drained; the daemon ends");
    assert!(ends("the end of the drain", drain.wait()).await.unwrap().success());
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_socket_is_for_those_who_can_read_its_token_which_a_worker_cannot() {
    let home = Home::new().await;
    let socket = home.path("data/control.sock");
    let token = home.path("data/control.token");
    let spying =
        format!("cat {} > {} 2>&1; {}", token.display(), home.sign("spied").display(), waiting(&home));
    let mut daemon = program(&home, &spying, if Sandbox::is_available() { "" } else { "sandbox = \"off\"" });
    let worker = until_begun(&home, 1).await;
    for file in [&socket, &token] {
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let token = std::fs::read_to_string(token).unwrap();
    if Sandbox::is_available() {
        let spied = std::fs::read_to_string(home.sign("spied")).unwrap();
        assert!(!spied.contains(&token) && spied.contains("ermission denied"), "{spied}");
    }
    for question in [
        "{\"token\":\"0000\",\"ask\":\"drain\"}".to_owned(),
        "{\"ask\":\"drain\"}".to_owned(),
        format!("{{\"token\":\"{token}\",\"ask\":\"dance\"}}"),
        "drain".to_owned(),
    ] {
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        stream.write_all(format!("{question}\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("{\"refused\":{\"reason\":\"the "), "{question}: {answer}");
        assert!(!answer.contains(&token), "{answer}");
    }
    let answers: Vec<Answer> =
        ask(&home.path("data"), Request::Status).unwrap().map(Result::unwrap).collect();
    let [Answer::Status(report)] = &answers[..] else { panic!("{answers:?}") };
    assert!(!report.draining);
    terminate(&daemon);
    daemon.ended().await;
    assert!(!daemon.log().contains(&token));
    std::fs::write(home.sign("gate"), "").unwrap();
    eventually("the worker has ended", || (!lives(&worker)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_while_the_worker_writes_it_and_ends_with_its_run() {
    let home = Home::new().await;
    let mut daemon = program(&home, &format!("{}\necho all is well", waiting(&home)), "");
    until_begun(&home, 1).await;
    let mut follower = tokio::process::Command::new(env!("CARGO_BIN_EXE_openpod-agentd"))
        .args(["logs", "--follow", "7", "--config"])
        .arg(home.path("agentd.toml"))
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert_eq!(ends("the next line", lines.next_line()).await.unwrap().unwrap(), "at work", "while it runs");
    assert_eq!(answered(&home, &["logs", "7"]), "at work\n", "whoever does not follow sees what there is");
    std::fs::write(home.sign("gate"), "").unwrap();
    assert_eq!(ends("the next line", lines.next_line()).await.unwrap().unwrap(), "all is well");
    assert_eq!(ends("the next line", lines.next_line()).await.unwrap(), None);
    assert!(ends("the end of the log", follower.wait()).await.unwrap().success());
    home.until_delivered().await;
    assert_eq!(
        answered(&home, &["logs", "-f", "7"]),
        "at work\nall is well\n",
        "a run that is over is not waited for"
    );
    terminate(&daemon);
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_not_heard_at_the_control_socket_even_where_every_mode_is_open() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can ask as another user");
        return;
    }
    let home = Home::new().await;
    let mut daemon = program(&home, &waiting(&home), "");
    let worker = until_begun(&home, 1).await;
    let token = std::fs::read_to_string(home.path("data/control.token")).unwrap();
    let open = |name: &str, mode| {
        std::fs::set_permissions(home.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    [("", 0o755), ("data", 0o755), ("data/control.sock", 0o666)]
        .into_iter()
        .for_each(|(name, mode)| open(name, mode));
    let asked_by = |user: u32| {
        let mut curl = std::process::Command::new("curl");
        curl.args(["--silent", "--max-time", "20", "telnet://daemon", "--unix-socket"]).uid(user).gid(user);
        curl.arg(home.path("data/control.sock")).stdin(std::process::Stdio::piped());
        let mut curl = curl.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let question = format!("{{\"token\":\"{token}\",\"ask\":\"status\"}}\n");
        // Whoever is not heard may find the socket closed.
        let _ = std::io::Write::write_all(&mut curl.stdin.take().unwrap(), question.as_bytes());
        String::from_utf8(curl.wait_with_output().unwrap().stdout).unwrap()
    };
    assert!(asked_by(0).starts_with("{\"status\":"), "the question itself is a good one");
    assert_eq!(asked_by(65_534), "");
    terminate(&daemon);
    assert!(daemon.ended().await.success());
    std::fs::write(home.sign("gate"), "").unwrap();
    eventually("the worker has ended", || (!lives(&worker)).then_some(())).await;
}

async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: d\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_is_watched_over_http_and_says_when_it_does_not_see_the_platform() {
    let home = Home::new().await;
    let mut daemon = program(&home, GREETER, "[metrics]\nlisten = \"127.0.0.1:0\"");
    let line: Value = serde_json::from_str(&daemon.until_said("metrics are served").await).unwrap();
    let address =
        line["address"].as_str().unwrap().trim_start_matches("Some(").trim_end_matches(')').to_owned();
    home.until_delivered().await;
    assert!(get(&address, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get(&address, "/readyz").await.starts_with("HTTP/1.1 200"));
    let page = get(&address, "/metrics").await;
    for line in [
        "openpod_agentd_outbox_depth{agent=\"crab\"} ",
        "openpod_agentd_agent_ready{agent=\"crab\"} 1",
        "openpod_agentd_effects_total{agent=\"crab\",effect=\"push\",outcome=\"done\"} 1",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
    assert!(!page.contains("opk_secret"), "{page}");
    home.platform.world().lost_answers = vec!["GET /heartbeat"; 1000];
    let unready = async {
        loop {
            let answer = get(&address, "/readyz").await;
            if answer.starts_with("HTTP/1.1 503") {
                return answer;
            }
        }
    };
    let answer = ends("it is not ready any more", unready).await;
    assert!(answer.contains("crab: "), "{answer}");
    assert!(get(&address, "/healthz").await.starts_with("HTTP/1.1 200"));
    terminate(&daemon);
    assert!(daemon.ended().await.success());
}
