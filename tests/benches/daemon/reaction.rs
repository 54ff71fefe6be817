//! How soon a worker runs: after a webhook, and when there is nothing but the heartbeat.

use std::time::Duration;

use super::Options;
use super::gate::Gate;
use super::program::Program;
use super::report::{Goal, Row, Table};
use super::stage::{Hand, Stage, Starts, WORK, home, mean, millis, quantile, ratio};

/// What the heartbeat's way is measured with; what it is in use does not matter for the ratio.
const INTERVAL: Duration = Duration::from_secs(1);
/// Tickets that warm up the mirror and everything else.
const WARM: usize = 3;

pub(crate) async fn measure(options: &Options) -> Table {
    let mut table = Table::new("From the platform's word to the worker's first line, with a warm mirror");
    let by_webhook = by_webhook(options.rounds).await;
    let (middle, late) = (quantile(&by_webhook, 0.5), quantile(&by_webhook, 0.99));
    for (name, time, most) in [("p50", middle, 20), ("p99", late, 100)] {
        let most = Duration::from_millis(most);
        let row = Row::new(format!("a webhook reaches the daemon → worker runs, {name}"), millis(time));
        let share = ratio(time, most);
        table.row(row.ratio(share, &millis(most)).goal(share, Goal::AtMost(1.0)));
    }
    let by_heartbeat = mean(&by_heartbeat(options.rounds.div_ceil(3)).await);
    let expected = INTERVAL / 2 + middle;
    let row = Row::new("assigned → worker runs by heartbeat alone, mean", millis(by_heartbeat));
    let share = ratio(by_heartbeat, expected);
    table.row(row.ratio(share, "half the interval and the p50 above").goal(share, Goal::AtMost(1.0)));
    table.note(format!("{} tickets by webhook, one after the other.", options.rounds));
    table.note(format!("The heartbeat's interval is {} here.", millis(INTERVAL)));
    table
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

/// Between the assignment and the worker's first line, evenly over all phases of the interval.
async fn by_heartbeat(rounds: usize) -> Vec<Duration> {
    let stage = Stage::open().await;
    let ada = stage.hand("ada").await;
    let mut starts = Starts::watch(home(&stage, "signs"));
    let pace = format!("[heartbeat]\ninterval_seconds = {}\njitter = 0.0\n", INTERVAL.as_secs());
    let config = format!("{pace}{}", starts.executor(WORK));
    let _daemon = Program::start(&home(&stage, "ada"), &stage.world.url, &ada.key, &config);
    let mut times = Vec::new();
    for round in 0..rounds + WARM {
        let (ticket, assigned) = stage.assign(&ada).await;
        let runs = starts.next().await;
        stage.at_rest(&ticket).await;
        if round >= WARM {
            times.push(runs.saturating_duration_since(assigned));
        }
        tokio::time::sleep(INTERVAL.mul_f64(round as f64 / rounds as f64)).await;
    }
    stage.close().await;
    times
}

/// Returns when the platform knows where the daemon listens.
pub(crate) async fn registered(stage: &Stage, hand: &Hand) {
    let known = async || hand.client.list_webhooks().await.ok().filter(|page| !page.data.is_empty());
    stage.world.until("the webhook is registered", known).await;
}
