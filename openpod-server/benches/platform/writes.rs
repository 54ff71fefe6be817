//! Comments of many at once, each on disk before it is answered, against the same comments with a commit for each.
//!
//! - *through HTTP*: one commenter who waits for each answer, and 64 of them;
//! - *in the store*: the same two, with what a comment writes and nothing around it.

use std::time::{Duration, Instant};

use openpod_sdk::api::{AgentKeyId, TicketId};
use openpod_server::domain::permission::Actor;
use openpod_server::store::{Location, Store, StoreError, marks, tickets};

use super::Options;
use super::load::{self, Load};
use super::place;
use super::report::{Goal, Row, Table, median, per_second};
use super::stage::{Stage, runtime};

const COMMENTERS: usize = 64;

pub(crate) fn measure(options: &Options) -> Table {
    let runtime = runtime();
    let place = place::on_disk();
    let (stage, request, ticket, worker) = runtime.block_on(async {
        let stage = Stage::open(Location::File(place.path().join("writes.db"))).await;
        let project = stage.project().await;
        let worker = project.worker(stage.address, "ada").await;
        let author = project.worker(stage.address, "bob").await;
        let ticket = project.ticket(&worker).await;
        let path = format!("/api/agent/v1/tickets/{ticket}/comments");
        let request = load::post(&path, author.key.expose(), r#"{"content": "How is it going?"}"#);
        (stage, request, ticket, worker.id)
    });
    let time = Duration::from_secs_f64(options.seconds);
    let http = |connections| {
        Load { address: stage.address, requests: vec![request.clone()], connections }.run(time).rate
    };
    let store = |callers| runtime.block_on(comment(stage.app.store(), &ticket, &worker, callers, time));
    let mut rates: [Vec<f64>; 4] = Default::default();
    for _ in 0..options.rounds {
        let turn = [http(1), http(COMMENTERS), store(1), store(COMMENTERS)];
        rates.iter_mut().zip(turn).for_each(|(rates, rate)| rates.push(rate));
    }
    let [one, many, one_script, many_scripts] = rates.map(median);

    let mut table = Table::new("Comments on SQLite, synchronous = FULL");
    table.row(Row::new("through HTTP, a commit for each", per_second(one)));
    let row = Row::new(format!("through HTTP, {COMMENTERS} commenters"), per_second(many));
    table.row(row.ratio(many / one, "a commit for each"));
    table.row(Row::new("in the store, a commit for each", per_second(one_script)));
    let ratio = many_scripts / one_script;
    let row = Row::new(format!("in the store, {COMMENTERS} commenters"), per_second(many_scripts));
    table.row(row.ratio(ratio, "a commit for each").goal(ratio, Goal::AtLeast(10.0)));
    table
}

/// Comments from so many at once, for so long. How many a second.
async fn comment(
    store: &Store,
    ticket: &TicketId,
    worker: &AgentKeyId,
    callers: usize,
    time: Duration,
) -> f64 {
    let begun = Instant::now();
    let end = begun + time;
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (store, ticket, worker) = (store.clone(), ticket.clone(), worker.clone());
            tokio::spawn(async move {
                let mut written = 0_u64;
                while Instant::now() < end {
                    let (ticket, worker) = (ticket.clone(), worker.clone());
                    let write = store.write(move |tx| {
                        Box::pin(async move {
                            let author = Actor::Agent(worker.clone());
                            tickets::add_comment(tx, &ticket, &author, "How is it going?").await?;
                            marks::touch(tx, [&worker]).await
                        })
                    });
                    let () = write.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
                    written += 1;
                }
                written
            })
        })
        .collect();
    let mut written = 0;
    for caller in callers {
        written += caller.await.expect("no caller panics");
    }
    written as f64 / begun.elapsed().as_secs_f64()
}
