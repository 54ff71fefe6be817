//! SIGHUP: the daemon goes on with a new configuration, or with the last good one; and what systemd hears of it.

use std::path::Path;

use openpod_agentd::control::{Answer, Report, Request, ask};
use tokio::net::UnixDatagram;

use super::patience::ends;
use super::program::Program;
use super::stopping::{begun, kill, program, program_with, terminate, until_begun, waiting};
use super::support::{eventually, lives};
use super::working_a_ticket::Home;

fn reported(home: &Home) -> Report {
    let answer = ask(&home.path("data"), Request::Status).unwrap().next().unwrap().unwrap();
    let Answer::Status(report) = answer else { panic!("{answer:?}") };
    *report
}

/// Rewrites the configuration and tells the daemon.
fn changed(home: &Home, daemon: &Program, change: impl Fn(String) -> String) {
    let file = home.path("agentd.toml");
    let text = change(std::fs::read_to_string(&file).unwrap());
    std::fs::write(file, text).unwrap();
    kill("-HUP", &daemon.id().to_string());
}

async fn reloaded_while_a_worker_runs(on_stop: &str) {
    let home = Home::new().await;
    let mut daemon = program(&home, &waiting(&home), &format!("on_stop = \"{on_stop}\""));
    let worker = until_begun(&home, 1).await;
    changed(&home, &daemon, |text| format!("max_runs = 5\n{text}\n[policy.tickets]\nmax_concurrent = 3\n"));
    daemon.until_said("the new configuration is taken").await;
    eventually("three places", || (reported(&home).agents[0].places == 3).then_some(())).await;
    let report = reported(&home);
    assert!(report.reloaded_at.is_some() && report.not_reloaded.is_none(), "{report:#?}");
    assert_eq!(report.max_runs, Some(5));
    eventually("the run is followed again", || reported(&home).agents[0].jobs.first()?.run.clone()).await;
    assert!(lives(&worker), "a worker does not notice");
    std::fs::write(home.sign("gate"), "").unwrap();
    home.until_delivered().await;
    assert_eq!(begun(&home).len(), 1);
    terminate(&daemon);
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_configuration_is_taken_while_a_worker_runs() {
    reloaded_while_a_worker_runs("leave").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_configuration_ends_no_run_even_where_the_end_of_the_daemon_would() {
    reloaded_while_a_worker_runs("kill").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_named_and_the_last_good_one_goes_on() {
    let home = Home::new().await;
    let mut daemon = program(&home, &waiting(&home), "");
    until_begun(&home, 1).await;
    let wrong = |text: String| text.replace("interval_seconds = 0.1", "interval_seconds = 0");
    changed(&home, &daemon, wrong);
    let said = daemon.until_said("the last good one goes on").await;
    for part in ["heartbeat.interval_seconds = 0", "agentd.toml", "must be from 0.05 to 3600"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let refused = reported(&home).not_reloaded.unwrap();
    assert!(refused.contains("heartbeat.interval_seconds = 0"), "{refused}");

    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    changed(&home, &daemon, |text| {
        let text = text.replace("interval_seconds = 0\n", "interval_seconds = 0.1\n");
        format!("{text}\n[metrics]\nlisten = \"{address}\"\n")
    });
    let said = daemon.until_said("the last good one goes on").await;
    assert!(said.contains(&format!("metrics.listen = {address}: ")), "{said}");

    let elsewhere = home.path("elsewhere");
    changed(&home, &daemon, |text| {
        let text = text.split("\n[metrics]").next().unwrap().to_owned();
        text.replacen(&format!("data_dir = {:?}", home.path("data")), &format!("data_dir = {elsewhere:?}"), 1)
    });
    let said = daemon.until_said("the last good one goes on").await;
    assert!(said.contains("data_dir = ") && said.contains("start it again to change that"), "{said}");

    changed(&home, &daemon, |text| {
        let data = format!("data_dir = {:?}", home.path("data"));
        let open = |path: &str| format!("writable = [{:?}]", home.path(path));
        text.replacen(&format!("data_dir = {elsewhere:?}"), &data, 1).replacen(&open("signs"), &open(""), 1)
    });
    let said = daemon.until_said("the last good one goes on").await;
    assert!(said.contains("the data directory") && said.contains("executor.writable"), "{said}");
    std::fs::write(home.sign("gate"), "").unwrap();
    home.until_delivered().await;
    terminate(&daemon);
    assert!(daemon.ended().await.success());
}

async fn heard(socket: &UnixDatagram, what: &str) -> String {
    let mut buffer = [0; 512];
    loop {
        let size = ends(&format!("systemd hears {what}"), socket.recv(&mut buffer)).await.unwrap();
        let text = String::from_utf8(buffer[..size].to_vec()).unwrap();
        if text.starts_with(what) {
            return text;
        }
        assert!(text.starts_with("WATCHDOG=1"), "{text} instead of {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_that_the_daemon_is_ready_alive_reloading_and_stopping() {
    let home = Home::new().await;
    home.platform.world().ticket["status"] = "cancelled".into();
    let path = home.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut daemon = program_with(&home, "exit 0", "", |command| {
        command.env("NOTIFY_SOCKET", Path::new(&path)).env("WATCHDOG_USEC", "200000");
    });
    let mut buffer = [0; 512];
    let ready = heard(&socket, "READY=1").await;
    assert!(ready.contains("STATUS=at work"), "{ready}");
    while !buffer.starts_with(b"WATCHDOG=1") {
        ends("systemd hears that it lives", socket.recv(&mut buffer)).await.unwrap();
    }
    daemon.until_said("at work").await;
    changed(&home, &daemon, |text| text);
    assert!(heard(&socket, "RELOADING=1").await.contains("MONOTONIC_USEC="));
    heard(&socket, "READY=1").await;
    terminate(&daemon);
    heard(&socket, "STOPPING=1").await;
    assert!(daemon.ended().await.success());
}
