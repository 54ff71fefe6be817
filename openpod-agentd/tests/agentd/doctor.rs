//! What `openpod-agentd doctor` finds, and says to do.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use openpod_agentd::executor::Sandbox;
use serde_json::Value;

use super::stopping::{program, terminate, until_begun, waiting};
use super::working_a_ticket::{GREETER, Home};

/// Whether it is well in all, and of each check the worst verdict and what was said.
async fn examined(home: &Home) -> (bool, Vec<(String, String, String)>) {
    let config = home.path("agentd.toml");
    let called = tokio::task::spawn_blocking(move || {
        let mut doctor = std::process::Command::new(env!("CARGO_BIN_EXE_openpod-agentd"));
        doctor.args(["doctor", "--json", "--config"]).arg(config).output().unwrap()
    });
    let output = called.await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.success(), report["works"].as_bool().unwrap());
    assert!(!String::from_utf8_lossy(&output.stdout).contains("opk_secret"));
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().unwrap().iter().map(|finding| {
        assert!(finding["verdict"] == "ok" || finding["remedy"].is_string(), "what to do? {finding}");
        (text(finding, "check"), text(finding, "verdict"), text(finding, "says"))
    });
    (report["works"] == true, findings.collect())
}

/// What was found of this.
fn of<'a>(findings: &'a [(String, String, String)], check: &str) -> Vec<(&'a str, &'a str)> {
    let found = findings.iter().filter(|(name, ..)| name == check);
    found.map(|(_, verdict, says)| (&**verdict, &**says)).collect()
}

fn write_config(home: &Home, executor: &str, more: &str) {
    let sandbox = if Sandbox::is_available() { "landlock" } else { "off" };
    let text = format!(
        "data_dir = {:?}\n[server]\nurl = {:?}\nkey_file = {:?}\n[executor]\ncommand = [{executor}]\nsandbox = \"{sandbox}\"\n{more}",
        home.path("data"),
        home.platform.address,
        home.path("agent.key"),
    );
    std::fs::write(home.path("agentd.toml"), text).unwrap();
    std::fs::write(home.path("agent.key"), "opk_secret_of_the_agent").unwrap();
    std::fs::set_permissions(home.path("agent.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_the_doctor_says_so_and_changes_nothing() {
    let home = Home::new().await;
    write_config(&home, "\"/bin/true\"", "");
    let (works, findings) = examined(&home).await;
    assert!(works, "{findings:#?}");
    for check in
        ["config", "data", "lock", "git", "executor", "key", "projects", "scopes", "clock", "webhook"]
    {
        let found = of(&findings, check);
        assert!(
            !found.is_empty() && found.iter().all(|(verdict, _)| *verdict == "ok"),
            "{check}: {findings:#?}"
        );
    }
    assert!(!home.path("data").exists());
    let writes = home.platform.world().calls.iter().filter(|call| !call.starts_with("GET ")).count();
    assert_eq!(writes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_is_found_at_once_with_what_to_do() {
    let home = Home::new().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let webhook = format!("[webhook]\nlisten = \"{closed}\"\npublic_url = \"http://{closed}/\"\n");
    write_config(&home, "\"no-such-worker\"", &webhook);
    std::fs::set_permissions(home.path("agent.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::create_dir(home.path("data")).unwrap();
    std::fs::set_permissions(home.path("data"), std::fs::Permissions::from_mode(0o755)).unwrap();
    home.platform.world().clock_ahead = Duration::from_secs(3600);
    let (works, findings) = examined(&home).await;
    assert!(!works);
    let table = [
        ("data", "warn", "others may look into "),
        ("executor", "fail", "\"no-such-worker\" is no program that can be started"),
        ("key", "warn", "others may read "),
        ("clock", "fail", "3600"),
        ("webhook", "warn", "is not registered"),
        ("webhook", "warn", "is not reached from here"),
    ];
    for (check, verdict, says) in table {
        let is_said = |(found, text): &(&str, &str)| {
            *found == verdict && (text.contains(says) || says == "3600" && text.starts_with("3599."))
        };
        assert!(of(&findings, check).iter().any(is_said), "{check} {verdict} {says}: {findings:#?}");
    }

    home.platform.world().refuses = true;
    let (works, findings) = examined(&home).await;
    let key = of(&findings, "key");
    assert!(
        !works && key.iter().any(|(verdict, says)| *verdict == "fail" && says.contains("refuses it")),
        "{key:?}"
    );
    std::fs::remove_file(home.path("agent.key")).unwrap();
    let (works, findings) = examined(&home).await;
    assert!(!works && of(&findings, "key")[0].1.starts_with("there is no key in "), "{findings:#?}");

    std::fs::write(home.path("agentd.toml"), "[heartbeat]\ninterval_seconds = 0\n").unwrap();
    let (works, findings) = examined(&home).await;
    assert!(!works && findings.len() == 4, "{findings:#?}");
    assert!(
        findings.iter().all(|(check, verdict, _)| check == "config" && verdict == "fail"),
        "{findings:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_daemon_that_runs_the_doctor_knows_the_process_and_what_is_kept() {
    let home = Home::new().await;
    std::fs::create_dir_all(home.path("data/jobs/of-nobody")).unwrap();
    let mut daemon = program(&home, &waiting(&home), "");
    until_begun(&home, 1).await;
    let (_, findings) = examined(&home).await;
    let lock = of(&findings, "lock");
    assert_eq!(lock, [("ok", &*format!("a daemon runs here: process {}", daemon.id()))]);
    let kept = of(&findings, "kept");
    assert!(kept.len() == 1 && kept[0].1.contains("jobs/of-nobody is kept: "), "{findings:#?}");
    std::fs::write(home.sign("gate"), "").unwrap();
    home.until_delivered().await;
    terminate(&daemon);
    assert!(daemon.ended().await.success());
}

/// Landlock does not govern modes, so a worker can change those of the daemon's files. It gains nothing by it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_does_to_the_modes_of_the_daemon_s_files_is_undone_when_its_run_is_over() {
    let home = Home::new().await;
    let data = home.path("data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("agent.key"), "opk_secret").unwrap();
    let attack = format!(
        "{GREETER}\ncd {0}; chmod 000 mirrors journal.db; chmod 644 agent.key control.token; chmod 777 {0}
         stat -c '%a %n' {0} agent.key mirrors > {1}; chmod 000 jobs",
        data.display(),
        home.sign("modes").display(),
    );
    let running = home.start(home.config(&attack));
    home.until_delivered().await;
    let seen = std::fs::read_to_string(home.sign("modes")).unwrap();
    assert_eq!(seen, format!("777 {}\n644 agent.key\n0 mirrors\n", data.display()), "the attack goes off");
    let mode = |name: &str| std::fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777;
    let names = ["", "agent.key", "control.token", "journal.db", "mirrors", "jobs"];
    assert_eq!(names.map(mode), [0o700, 0o600, 0o600, 0o600, 0o700, 0o700]);
    running.stop().await;
}
