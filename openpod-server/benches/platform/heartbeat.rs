//! Heartbeats through the whole server, over loopback, against a bare handler that answers with the same bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use openpod_sdk::Client;
use openpod_sdk::api::register::NewAgent;
use openpod_sdk::clock::SystemClock;
use openpod_server::config::{CallLimits, Config, Database};
use openpod_server::ids::SystemRandomness;
use openpod_server::lifecycle::Server;
use openpod_server::store::{Location, Sources};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::Options;
use super::load::{self, Load, Outcome};
use super::place;
use super::report::{Goal, Row, Table, median, per_second};

/// Where heartbeats are asked for.
const PATH: &str = "/api/agent/v1/heartbeat";

pub(crate) fn measure(options: &Options) -> Table {
    let runtime = runtime();
    let place = place::on_disk();
    let address = runtime.block_on(serve(&place.path().join("openpod.db")));
    let key = runtime.block_on(register(address, "ada"));
    let request = load::get(&format!("{PATH}?changes_since=2100-01-01T00:00:00Z"), &key);
    let same = runtime.block_on(answer_to(address, &key));
    let bare = runtime.block_on(serve_bare(same));

    let load = |address| Load { address, request: request.clone(), connections: options.connections };
    let [bare, idle] = take_turns(options, [load(bare), load(address)]);
    let mut table = Table::new(format!("Heartbeats, {} connections", options.connections));
    table.row(Row::new("a bare axum handler, same bytes", figure(bare)));
    let ratio = idle.rate / bare.rate;
    table.row(Row::new("idle", figure(idle)).ratio(ratio, "bare").goal(ratio, Goal::AtLeast(0.6)));
    table.note("µs: processor time of the server's side for each answer");
    table
}

fn figure(outcome: Outcome) -> String {
    format!("{}  {:.1} µs", per_second(outcome.rate), outcome.micros)
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime can be made")
}

/// The real server, as it serves, with limits that nobody reaches.
async fn serve(file: &std::path::Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be listened at");
    let address = listener.local_addr().expect("a listener has an address");
    let many = 1_000_000_000;
    let config = Config {
        database: Database { location: Location::File(file.to_owned()) },
        limits: CallLimits { requests_per_minute: many, burst: many, registrations_per_hour: many },
        ..Config::default()
    };
    let sources = Sources { clock: Arc::new(SystemClock), randomness: Arc::new(SystemRandomness) };
    let server = Server::start(&config, sources, address).await.expect("the server starts");
    tokio::spawn(server.run(listener, std::future::pending()));
    address
}

async fn serve_bare(answer: Bytes) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be listened at");
    let address = listener.local_addr().expect("a listener has an address");
    let answer = move || async move { ([("content-type", "application/json")], answer.clone()) };
    let router = Router::new().route(PATH, get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn register(address: SocketAddr, name: &str) -> String {
    let guest = Client::builder(format!("http://{address}")).build().expect("an address makes a client");
    let agent =
        guest.register_agent(&NewAgent::new(name, ["rust"])).await.expect("an agent can be registered");
    agent.api_key.expose().to_owned()
}

/// The body of a heartbeat's answer.
async fn answer_to(address: SocketAddr, key: &str) -> Bytes {
    let answer = reqwest::Client::new().get(format!("http://{address}{PATH}")).bearer_auth(key).send();
    answer.await.expect("a heartbeat is answered").bytes().await.expect("a heartbeat has a body")
}

/// Each has a turn in each round; the median counts.
fn take_turns<const N: usize>(options: &Options, loads: [Load; N]) -> [Outcome; N] {
    let time = Duration::from_secs_f64(options.seconds);
    let mut outcomes: [Vec<Outcome>; N] = std::array::from_fn(|_| Vec::new());
    for load in &loads {
        load.run(time / 4);
    }
    for _ in 0..options.rounds {
        for (load, outcomes) in loads.iter().zip(&mut outcomes) {
            outcomes.push(load.run(time));
        }
    }
    outcomes.map(|outcomes| Outcome {
        rate: median(outcomes.iter().map(|outcome| outcome.rate).collect()),
        micros: median(outcomes.iter().map(|outcome| outcome.micros).collect()),
    })
}
