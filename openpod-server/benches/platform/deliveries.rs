//! Events from a client's call to a receiver's answer: accepted and delivered, beside a bare loop of POSTs to the same
//! receivers.

mod receivers;
mod scene;

use std::time::Duration;

use openpod_server::store::Location;
use tokio::runtime::Runtime;

use super::Options;
use super::report::{Goal, Row, Table, median, per_second};
use super::{place, postgres};
use receivers::Receivers;
use scene::{Outcome, Scene};

/// How many clients cause events at once.
const CLIENTS: usize = 64;

/// How many receivers there are.
const RECEIVERS: [usize; 2] = [1, 100];

/// Five times what the best-known Rust server for webhooks does on two shared cores.
const WANTED: f64 = 3_500.0;

pub(crate) fn measure(options: &Options) -> Table {
    let runtime = runtime();
    let place = place::on_disk();
    let cluster = postgres::cluster(&place);
    let mut table = Table::new(format!("Deliveries of webhooks, {CLIENTS} clients that comment on tickets"));
    for count in RECEIVERS {
        let file = place.path().join(format!("openpod-{count}.db"));
        runtime.block_on(one(options, &mut table, "SQLite", Location::File(file), count));
        if let Some(cluster) = &cluster {
            let location = runtime.block_on(postgres::database(cluster));
            runtime.block_on(one(options, &mut table, "PostgreSQL", location, count));
        }
    }
    if cluster.is_none() {
        table.note("PostgreSQL is not installed here");
    }
    table.note(
        "delivered: events a second, from the first call to the last receiver's answer; each is one POST",
    );
    table.note(
        "waits: from an event's transaction to its first attempt, the middle one and that of 99 in 100",
    );
    table
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime can be made")
}

async fn one(options: &Options, table: &mut Table, engine: &str, location: Location, count: usize) {
    let receivers = Receivers::start(count).await;
    let scene = Scene::set(location, &receivers).await;
    let time = Duration::from_secs_f64(options.seconds);
    scene.run(CLIENTS, time, &receivers).await;
    let (mut rates, mut bare, begun) = (Vec::new(), Vec::new(), scene.now());
    for _ in 0..options.rounds {
        bare.push(receivers.bare(count.min(CLIENTS), time).await);
        rates.push(scene.run(CLIENTS, time, &receivers).await);
    }
    let loaded = scene.waits(begun).await;
    let begun = scene.now();
    scene.run(1, time, &receivers).await;
    let rested = scene.waits(begun).await;
    scene.end().await;

    let rate = median(rates.iter().map(|run: &Outcome| run.rate).collect());
    let micros = median(rates.iter().map(|run| run.micros).collect());
    let bare = median(bare);
    let at = format!("{engine}, {count} receiver{}", if count == 1 { "" } else { "s" });
    let waits = |(half, most): (f64, f64)| format!("{half:.1} and {most:.1} ms");
    table.row(Row::new(format!("{at}: a bare loop of POSTs"), per_second(bare)));
    let delivered = format!("{}  {micros:.0} µs", per_second(rate));
    let delivered = Row::new(format!("{at}: accepted and delivered"), delivered);
    table.row(delivered.ratio(rate / bare, "bare").goal(rate / WANTED, Goal::AtLeast(1.0)));
    table.row(Row::new(format!("{at}: waits, one client"), waits(rested)));
    table.row(Row::new(format!("{at}: waits, {CLIENTS} clients"), waits(loaded)));
}
