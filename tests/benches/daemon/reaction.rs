//! How soon a worker runs: after a webhook, and when there is nothing but the heartbeat.

use std::time::{Duration, Instant};

use super::Options;
use super::gate::Gate;
use super::program::Program;
use super::report::{Goal, Row, Table};
use super::stage::{Ends, Hand, Stage, Starts, WORK, home, mean, millis, quantile, ratio};

/// What the heartbeat's way is measured with; what it is in use does not matter for the ratio.
const INTERVAL: Duration = Duration::from_millis(250);
/// Tickets that warm up the mirror and everything else.
const WARM: usize = 3;
/// What a worker's start may take once a daemon knows of its ticket.
const MIDDLE: Duration = Duration::from_millis(20);
const LATE: Duration = Duration::from_millis(100);
/// What a worker's end may take once nobody wants its work any more.
const DROPPED: Duration = Duration::from_secs(1);

pub(crate) async fn measure(options: &Options) -> Table {
    let mut table = Table::new("From the platform's word to the worker's first line, with a warm mirror");
    let by_webhook = by_webhook(options.rounds).await;
    for (name, share, most) in [("p50", 0.5, MIDDLE), ("p99", 0.99, LATE)] {
        let time = quantile(&by_webhook, share);
        let row = Row::new(format!("a webhook reaches the daemon → worker runs, {name}"), millis(time));
        let share = ratio(time, most);
        table.row(row.ratio(share, &millis(most)).goal(share, Goal::AtMost(1.0)));
    }
    let by_heartbeat = by_heartbeat(options.rounds).await;
    let (time, half) = (mean(&by_heartbeat), INTERVAL / 2);
    let row = Row::new("assigned → worker runs by heartbeat alone, mean", millis(time));
    let share = ratio(time, half + MIDDLE);
    table.row(row.ratio(share, "half the interval and 20 ms").goal(share, Goal::AtMost(1.0)));
    let waited = time.saturating_sub(mean(&by_webhook));
    let row = Row::new("the same without what the mean webhook takes", millis(waited));
    table.row(row.ratio(ratio(waited, half), "half the interval"));
    let dropped = dropped(options.rounds.div_ceil(5)).await;
    for (name, share) in [("p50", 0.5), ("the longest", 1.0)] {
        let time = quantile(&dropped, share);
        let row = Row::new(format!("cancelled → nothing of its worker is left, {name}"), millis(time));
        let share = ratio(time, DROPPED);
        table.row(row.ratio(share, "1 s").goal(share, Goal::AtMost(1.0)));
    }
    table.note(format!("{0} tickets by webhook and {0} by heartbeat, one after the other.", options.rounds));
    let chance = 100.0 * chance(&by_heartbeat) / time.as_secs_f64();
    table.note(format!(
        "{} are cancelled; their worker ignores SIGTERM, and has a minute to end.",
        dropped.len()
    ));
    table.note(format!(
        "The heartbeat's interval is {} here; the mean's standard error is {chance:.1} %.",
        millis(INTERVAL)
    ));
    table
}

/// The standard error in seconds of the mean of times that each began one step later within the interval than the one before,
/// so that it should be one step shorter. What is left of the difference is chance; but where the next look is the first that
/// is too late, it is the interval.
fn chance(times: &[Duration]) -> f64 {
    let step = INTERVAL.as_secs_f64() / times.len() as f64;
    let differences = times.windows(2).map(|pair| pair[1].as_secs_f64() - pair[0].as_secs_f64() + step);
    let mut squares: Vec<f64> = differences.map(|difference| difference.powi(2)).collect();
    squares.sort_unstable_by(f64::total_cmp);
    squares.pop();
    let count = squares.len().max(1) as f64;
    (squares.iter().sum::<f64>() / 2.0 / count / times.len() as f64).sqrt()
}

/// Every number below `count` once, neighbours far from each other in time, as what a machine does to all is to be.
fn scattered(count: usize) -> impl Iterator<Item = usize> {
    let common = |mut one: usize, mut other: usize| {
        while other > 0 {
            (one, other) = (other, one % other);
        }
        one
    };
    let apart = (count * 5 / 8 + 1..).find(|apart| common(*apart, count) == 1).unwrap_or(1);
    (0..count).map(move |turn| turn * apart % count)
}

/// Between the delivery at the daemon's door and the worker's first line.
async fn by_webhook(rounds: usize) -> Vec<Duration> {
    let stage = Stage::open().await;
    let ada = stage.hand("ada").await;
    let mut gate = Gate::open().await;
    let mut starts = Starts::watch(home(&stage, "signs"));
    let pace = "[heartbeat]\ninterval_seconds = 3600\nscout_seconds = 3600\n";
    let config = format!("{pace}{}{}", gate.webhook(), starts.executor(WORK));
    let _daemon = Program::start(&home(&stage, "ada"), &stage.world.url, &ada.key, &config);
    registered(&stage, &ada).await;
    let mut times = Vec::new();
    for round in 0..rounds + WARM {
        gate.forget();
        let (ticket, _) = stage.assign(&ada).await;
        let (reached, runs) = (gate.passed().await, starts.next().await);
        stage.at_rest(&ticket).await;
        if round >= WARM {
            times.push(runs.saturating_duration_since(reached));
        }
    }
    stage.close().await;
    times
}

/// Between an assignment and the worker's first line, evenly over all phases of the interval, and in their order.
async fn by_heartbeat(rounds: usize) -> Vec<Duration> {
    let stage = Stage::open().await;
    let ada = stage.hand("ada").await;
    let mut starts = Starts::watch(home(&stage, "signs"));
    let pace = format!("[heartbeat]\ninterval_seconds = {}\njitter = 0.0\n", INTERVAL.as_secs_f64());
    let config = format!("{pace}{}", starts.executor(WORK));
    let _daemon = Program::start(&home(&stage, "ada"), &stage.world.url, &ada.key, &config);
    let mut times = vec![Duration::ZERO; rounds];
    for place in std::iter::repeat_n(0, WARM).chain(scattered(rounds)) {
        // A daemon looks when it is done with a ticket, so that is where its intervals begin.
        tokio::time::sleep(INTERVAL.mul_f64((place as f64 + 0.5) / rounds as f64)).await;
        let (ticket, _) = stage.assign(&ada).await;
        let assigned = Instant::now();
        let runs = starts.next().await;
        stage.at_rest(&ticket).await;
        times[place] = runs.saturating_duration_since(assigned);
    }
    stage.close().await;
    times
}

/// Between the platform's word that a ticket is cancelled and the end of all that its worker has started.
async fn dropped(rounds: usize) -> Vec<Duration> {
    let stage = Stage::open().await;
    let ada = stage.hand("ada").await;
    let gate = Gate::open().await;
    let mut starts = Starts::watch(home(&stage, "signs"));
    let mut ends = Ends::watch(&starts.directory);
    let deaf = format!(
        "trap '' TERM; exec 3> {}; echo > {}; while :; do sleep 600; done",
        ends.pipe(),
        starts.pipe()
    );
    let pace = "[heartbeat]\ninterval_seconds = 3600\nscout_seconds = 3600\n";
    let config = format!("{pace}{}{}grace_seconds = 60\n", gate.webhook(), starts.running(&deaf));
    let _daemon = Program::start(&home(&stage, "ada"), &stage.world.url, &ada.key, &config);
    registered(&stage, &ada).await;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let (ticket, _) = stage.assign(&ada).await;
        starts.next().await;
        stage.cancel(&ticket).await;
        let cancelled = Instant::now();
        times.push(ends.next().await.saturating_duration_since(cancelled));
        stage.rest().await;
    }
    stage.close().await;
    times
}

/// Returns when the platform knows where the daemon listens.
pub(crate) async fn registered(stage: &Stage, hand: &Hand) {
    let known = async || hand.client.list_webhooks().await.ok().filter(|page| !page.data.is_empty());
    stage.world.until("the webhook is registered", known).await;
}
