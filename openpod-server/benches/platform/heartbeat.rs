//! Heartbeats through the whole server, over loopback, against a bare handler that answers with the same bytes.
//!
//! - *idle*: nothing is pending and nothing changed;
//! - *busy*: three tickets and five unread messages, and nothing changed since they were read;
//! - *busy, read anew*: the same, but the server forgets everything before each request, so that key and work are read
//!   from the database each time.
//!
//! All of it on a file on a disk, with few and with many tickets in it; the first two also on PostgreSQL, where it is
//! installed.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use openpod_sdk::Secret;
use openpod_server::store::Location;

use super::Options;
use super::load::{self, Load, Outcome};
use super::report::{Goal, Row, Table, median, per_second};
use super::stage::{HEARTBEAT, Stage, runtime, serve_bare};
use super::{place, postgres};

/// How many tickets the small database has.
const FEW: u64 = 1_000;

/// A server, the same one when it forgets, and two who ask.
struct Asked {
    address: SocketAddr,
    forgetful: SocketAddr,
    idle: Secret,
    busy: Secret,
}

pub(crate) fn measure(options: &Options) -> Table {
    let runtime = runtime();
    let place = place::on_disk();
    let file = |name: &str| Location::File(place.path().join(name));
    let few = runtime.block_on(prepare(file("few.db"), Some(FEW)));
    let many = runtime.block_on(prepare(file("many.db"), Some(options.tickets)));
    let cluster = postgres::cluster(&place);
    let shared = cluster.as_ref().map(|cluster| {
        let prepared = async { prepare(postgres::database(cluster).await, None).await };
        runtime.block_on(prepared)
    });
    let idle_bytes = runtime.block_on(answer_to(few.address, &few.idle));
    let busy_bytes = runtime.block_on(answer_to(few.address, &few.busy));
    let sizes = format!("An idle answer has {} bytes, a busy one {}.", idle_bytes.len(), busy_bytes.len());
    let (bare_idle, bare_busy) =
        runtime.block_on(async { (serve_bare(idle_bytes).await, serve_bare(busy_bytes).await) });

    let load = |address, key: &Secret| {
        let path = format!("{HEARTBEAT}?changes_since=2100-01-01T00:00:00Z");
        let requests = vec![load::get(&path, key.expose())];
        Load { address, requests, connections: options.connections }
    };
    let mut loads = vec![
        load(bare_idle, &few.idle),
        load(few.address, &few.idle),
        load(many.address, &many.idle),
        load(bare_busy, &few.busy),
        load(few.address, &few.busy),
        load(many.address, &many.busy),
        load(few.forgetful, &few.busy),
        load(many.forgetful, &many.busy),
    ];
    loads.extend(shared.iter().flat_map(|at| [load(at.address, &at.idle), load(at.address, &at.busy)]));
    let outcomes = take_turns(options, &loads);
    let [bare, idle, idle_many, bare_busy, busy, busy_many, read, read_many, ref shared @ ..] = outcomes[..]
    else {
        unreachable!("each load has its outcome")
    };

    let mut table = Table::new(format!("Heartbeats over {} connections", options.connections));
    let against = |name: &str, it: Outcome, bare: Outcome, least: f64| {
        let ratio = it.rate / bare.rate;
        Row::new(name, figure(it)).ratio(ratio, "bare").goal(ratio, Goal::AtLeast(least))
    };
    let larger = |it: Outcome, few: Outcome| {
        let ratio = it.micros / few.micros;
        let name = format!("  with {} tickets instead of {FEW}", options.tickets);
        Row::new(name, figure(it)).ratio(ratio, "the processor time").goal(ratio, Goal::AtMost(1.15))
    };
    table.row(Row::new("bare handler, bytes of idle", figure(bare)));
    table.row(against("idle", idle, bare, 0.6));
    table.row(larger(idle_many, idle));
    table.row(Row::new("bare handler, bytes of busy", figure(bare_busy)));
    table.row(against("busy", busy, bare_busy, 0.25));
    table.row(larger(busy_many, busy));
    table.row(against("busy, read anew", read, bare_busy, 0.25));
    table.row(larger(read_many, read));
    if let [idle, busy] = shared {
        table.row(against("idle, on PostgreSQL", *idle, bare, 0.6));
        table.row(against("busy, on PostgreSQL", *busy, bare_busy, 0.25));
    } else {
        table.note("PostgreSQL is not installed here.");
    }
    table.note(sizes);
    table.note("µs: processor time of all threads but the callers', for each answer.");
    table
}

/// A server that two ask, with so many tickets of others in its database, which must be SQLite then.
async fn prepare(location: Location, tickets: Option<u64>) -> Asked {
    let stage = Stage::open(location).await;
    let project = stage.project().await;
    let idle = project.worker(stage.address, "ida").await;
    let busy = project.worker(stage.address, "ben").await;
    let other = project.worker(stage.address, "otto").await;
    if let Some(tickets) = tickets {
        stage.fill(tickets).await;
    }
    for n in 0..5 {
        if n < 3 {
            project.ticket(&busy).await;
        }
        project.say(&other, &format!("Message {n}")).await;
    }
    // What Ida reads is read.
    let read = serde_json::from_value(serde_json::json!({"project_id": project.id})).expect("it is a filter");
    idle.client.list_messages(&read).await.expect("a member may read");
    let forgetful = stage.forgetful().await;
    Asked { address: stage.address, forgetful, idle: idle.key, busy: busy.key }
}

fn figure(outcome: Outcome) -> String {
    format!("{} {:>6.1} µs", per_second(outcome.rate), outcome.micros)
}

/// The body of a heartbeat's answer.
async fn answer_to(address: SocketAddr, key: &Secret) -> Bytes {
    let request =
        reqwest::Client::new().get(format!("http://{address}{HEARTBEAT}")).bearer_auth(key.expose());
    let answer = request.send().await.expect("a heartbeat is answered");
    answer.bytes().await.expect("a heartbeat has a body")
}

/// Each has a turn in each round; the median counts.
fn take_turns(options: &Options, loads: &[Load]) -> Vec<Outcome> {
    let time = Duration::from_secs_f64(options.seconds);
    let mut outcomes: Vec<Vec<Outcome>> = loads.iter().map(|_| Vec::new()).collect();
    for load in loads {
        load.run(time / 4);
    }
    for _ in 0..options.rounds {
        for (load, outcomes) in loads.iter().zip(&mut outcomes) {
            outcomes.push(load.run(time));
        }
    }
    let middle = |outcomes: Vec<Outcome>| Outcome {
        rate: median(outcomes.iter().map(|outcome| outcome.rate).collect()),
        micros: median(outcomes.iter().map(|outcome| outcome.micros).collect()),
    };
    outcomes.into_iter().map(middle).collect()
}
