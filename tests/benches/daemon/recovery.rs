//! How soon a daemon that was killed works again.

use std::time::{Duration, Instant};

use super::Options;
use super::program::Program;
use super::report::{Goal, Row, Table};
use super::stage::{Stage, Starts, WORK, home, millis, quantile, ratio};

/// The most that it may take.
const MOST: Duration = Duration::from_secs(1);

pub(crate) async fn measure(options: &Options) -> Table {
    let rounds = options.rounds.div_ceil(5);
    let stage = Stage::open().await;
    let ada = stage.hand("ada").await;
    let mut starts = Starts::watch(home(&stage, "signs"));
    let go = starts.directory.join("go");
    let waits = format!("until [ -e {} ]; do sleep 0.01; done; {WORK}", go.display());
    let config = format!("[heartbeat]\ninterval_seconds = 3600\n{}", starts.executor(&waits));
    let start = || Program::start(&home(&stage, "ada"), &stage.world.url, &ada.key, &config);
    let (mut begins, mut goes_on) = (Vec::new(), Vec::new());
    let mut daemon = start();
    tokio::time::sleep(MOST).await;
    // The first round warms up the mirror.
    for round in 0..=rounds {
        // Killed at rest: until it begins a ticket that came meanwhile.
        let (ticket, _) = stage.assign(&ada).await;
        let killed = Instant::now();
        daemon.kill();
        daemon = start();
        let began = starts.next().await - killed;
        // Killed in the middle of a run, which ends meanwhile: until its result is filed.
        let killed = Instant::now();
        daemon.kill();
        std::fs::write(&go, "").expect("the benchmark's directory can be written");
        daemon = start();
        stage.handed_in(&ticket).await;
        let filed = killed.elapsed();
        if round > 0 {
            begins.push(began);
            goes_on.push(filed);
        }
        stage.at_rest(&ticket).await;
        std::fs::remove_file(&go).expect("it is there");
    }
    drop(daemon);
    stage.close().await;

    let mut table = Table::new("From SIGKILL to work");
    let killed = [("at rest → a worker begins", &begins), ("in a run → its result is filed", &goes_on)];
    for (what, times) in killed {
        table.row(Row::new(format!("killed {what}, p50"), millis(quantile(times, 0.5))));
        let worst = quantile(times, 1.0);
        let row = Row::new(format!("killed {what}, the longest"), millis(worst));
        let share = ratio(worst, MOST);
        table.row(row.ratio(share, "1 s").goal(share, Goal::AtMost(1.0)));
    }
    table.note(format!("{rounds} times each; the program is started again at once."));
    table
}
