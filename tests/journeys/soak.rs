//! One daemon, ticket after ticket: what it holds does not grow with what it has done. It keeps few tickets that are
//! over, so that many of them are forgotten on the way.
//!
//! 30 tickets; 2,000 with `OPENPOD_TEST_LONG=1`. With `--nocapture` it tells what the daemon held on the way.

use std::path::Path;
use std::time::Instant;

use openpod_agentd::executor::Sandbox;
use openpod_sdk::api::tickets::Judgement;
use openpod_sdk::api::{Cents, TicketStatus};

use crate::world::World;
use crate::world::program::{Log, Program};

/// What the daemon holds at one time.
#[derive(Debug, Clone, Copy)]
struct Sample {
    memory_kib: f64,
    files: f64,
    threads: f64,
    /// Without the journal's write-ahead log, which grows to its own limit first.
    disk_kib: f64,
    directories: f64,
    log_kib: f64,
}

impl Sample {
    fn of(process: u32, data: &Path) -> Self {
        let proc = Path::new("/proc").join(process.to_string());
        let status = std::fs::read_to_string(proc.join("status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_matches([':', '\t', ' ', 'k', 'B']).parse().unwrap()
        };
        let (disk, directories) = below(data);
        let log = std::fs::metadata(data.join("journal.db-wal")).map_or(0, |about| about.len());
        Self {
            memory_kib: number("VmRSS"),
            files: std::fs::read_dir(proc.join("fd")).unwrap().count() as f64,
            threads: number("Threads"),
            disk_kib: (disk - log) as f64 / 1024.0,
            directories: directories as f64,
            log_kib: log as f64 / 1024.0,
        }
    }
}

/// Bytes of files, and how many directories.
fn below(directory: &Path) -> (u64, u64) {
    let (mut bytes, mut directories) = (0, 0);
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(about) if about.is_dir() => {
                let (more, deeper) = below(&entry.path());
                bytes += more;
                directories += deeper + 1;
            }
            Ok(about) => bytes += about.len(),
            Err(_) => {}
        }
    }
    (bytes, directories)
}

/// By how much it grows with each ticket: the slope of the line that fits best.
fn slope(samples: &[(f64, Sample)], what: impl Fn(&Sample) -> f64) -> f64 {
    let count = samples.len() as f64;
    let (mean_x, mean_y) =
        samples.iter().fold((0.0, 0.0), |(x, y), (at, sample)| (x + at / count, y + what(sample) / count));
    let above: f64 = samples.iter().map(|(at, sample)| (at - mean_x) * (what(sample) - mean_y)).sum();
    let below: f64 = samples.iter().map(|(at, _)| (at - mean_x).powi(2)).sum();
    above / below
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_holds_no_more_after_many_tickets_than_after_a_few() {
    let long = std::env::var("OPENPOD_TEST_LONG").is_ok_and(|value| value == "1");
    let tickets = if long { 2000 } else { 30 };
    let world = World::begin().await;
    let project = world.project().await;
    let (agent, key) = world.register("ada").await;
    world.hire(&project, &agent).await;
    let home = world.directory("ada");
    let data = home.join("data");
    std::fs::write(home.join("agent.key"), key.expose()).unwrap();
    let sandbox = if Sandbox::is_available() { "landlock" } else { "off" };
    let text = format!(
        "data_dir = \"{0}/data\"\n[server]\nurl = \"{1}\"\nkey_file = \"{0}/agent.key\"\n\
         [heartbeat]\ninterval_seconds = 0.1\nscout_seconds = 0.1\n[policy.tickets]\nclaim_unassigned = true\n\
         [executor]\ncommand = [\"sh\", \"-c\", \"echo 42 > answer.txt\"]\nsandbox = \"{sandbox}\"\n\
         [retention]\nfinished_tickets = 4\n",
        home.display(),
        world.url,
    );
    std::fs::write(home.join("agentd.toml"), text).unwrap();
    let log = Log::default();
    let _shown = log.shown_on_failure();
    let mut daemon = Program::start(&home.join("agentd.toml"), Vec::new(), &log);
    let (began, mut samples) = (Instant::now(), Vec::new());
    for number in 1..=tickets {
        let id = world.ticket(&project, "Answer the question").await;
        let over = |ticket: &openpod_sdk::api::tickets::Ticket| {
            let said = ticket.comments.as_ref().is_some_and(|comments| !comments.is_empty());
            said && ticket.status == TicketStatus::InReview
        };
        world.ticket_when(&id, "the work is handed in", over).await;
        world.owner.approve_ticket(&id, Judgement::approve(Cents(1))).await.unwrap();
        let sample = Sample::of(daemon.id(), &data);
        if number % (tickets / 10) == 0 {
            println!("{number} tickets after {} s: {sample:?}", began.elapsed().as_secs());
        }
        // The first quarter warms everything up.
        if number > tickets / 4 && number % (tickets / 30) == 0 {
            samples.push((f64::from(number), sample));
        }
    }
    let grows = |what: fn(&Sample) -> f64| slope(&samples, what);
    let (memory, files, threads) = (grows(|s| s.memory_kib), grows(|s| s.files), grows(|s| s.threads));
    let (disk, directories) = (grows(|s| s.disk_kib), grows(|s| s.directories));
    println!(
        "each ticket: {memory:.2} KiB of memory, {files:.4} files, {threads:.4} threads, {disk:.1} KiB on disk"
    );
    assert!(daemon.stop().await.success());
    let all = format!("{samples:#?}");
    // A few descriptors and threads come and go while a ticket is worked on.
    assert!(files.abs() < 0.2 && threads.abs() < 0.2, "files {files}, threads {threads}: {all}");
    let most = if long { 0.2 } else { 16.0 };
    assert!(memory < most, "{memory} KiB a ticket: {all}");
    // The journal's file grows in steps, to what a few tickets need. A ticket that is not forgotten leaves directories.
    let most = if long { 0.1 } else { 16.0 };
    assert!(
        disk < most && directories.abs() < 0.5,
        "{disk} KiB and {directories} directories a ticket: {all}"
    );
    assert!(samples.iter().all(|(_, sample)| sample.log_kib < 8192.0), "the write-ahead log: {all}");
    let known = openpod_agentd::journal::read(&data.join("journal.db")).unwrap();
    assert!(known.jobs.len() <= 5, "{} tickets are known", known.jobs.len());
    world.close().await;
}
