//! The program is killed without warning, again and again, while people work on it: what it acknowledged stays, money
//! moves once, and every event of what was committed arrives.
//!
//! `OPENPOD_KILLS=50 cargo test -p openpod-server --test server kill -- --nocapture` is the long form, and
//! `OPENPOD_TEST_DATABASE=postgres` kills it on PostgreSQL.

mod load;
mod receiver;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openpod_sdk::Secret;
use openpod_sdk::clock::SystemClock;
use openpod_server::config::Config;
use openpod_server::ids::SystemRandomness;
use openpod_server::store::{FromValue, Sources, Store, StoreError, ledger};
use tokio::sync::watch;

use super::process::{Program, Running};
use load::{Crew, Deeds};
use receiver::{Arrived, Receiver};

/// How long whatever must happen may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// How many work at once.
const LINES: usize = 6;

fn random(below: u64) -> u64 {
    getrandom::u64().unwrap() % below
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_kills_the_server_loses_nothing_that_was_acknowledged() {
    let kills: usize = std::env::var("OPENPOD_KILLS").map_or(5, |text| text.parse().unwrap());
    let home = tempfile::tempdir().unwrap();
    let program = Program::new(home.path()).await;
    let token = program.owner("olga").await;
    let secret = Secret::new("a secret of the receiver");
    let receiver = Receiver::start(&secret).await;
    let mut running = program.serve("127.0.0.1:0").await;
    let address = running.address.clone();
    let (say_up, up) = watch::channel(true);
    let crew = Crew::hire(&format!("http://{address}"), &token, up, (&receiver.address, &secret)).await;

    let lines: Vec<_> = (0..LINES).map(|line| tokio::spawn(crew.clone().work(line))).collect();
    for round in 0..kills {
        some_progress(&crew).await;
        running.kill().await;
        say_up.send_replace(false);
        if round % 5 == 4 {
            die_young(&program, &address).await;
        }
        running = program.serve(&address).await;
        say_up.send_replace(true);
    }
    some_progress(&crew).await;
    crew.stop.store(true, Ordering::Relaxed);
    let mut deeds = Deeds::default();
    for line in lines {
        let done = line.await.unwrap();
        deeds.tickets.extend(done.tickets);
        deeds.messages.extend(done.messages);
        deeds.facts.extend(done.facts);
    }
    receiver.wait_for(&deeds.facts).await;
    stop_when_all_is_delivered(running, &program).await;
    let store = open(&program).await;
    what_was_acknowledged_is_there(&store, &deeds).await;
    money_moved_once(&store, &deeds).await;
    let arrived = std::mem::take(&mut *receiver.arrived.lock().unwrap());
    what_was_committed_arrived(&store, &arrived).await;
    println!(
        "{kills} kills: {} writes acknowledged, {} calls cut off and repeated; {} tickets paid, {} messages, \
         {} deliveries arrived, {} of them more than once",
        *crew.acknowledged.borrow(),
        crew.unanswered.load(Ordering::Relaxed),
        deeds.tickets.len(),
        deeds.messages.len(),
        arrived.bodies.len(),
        arrived.repeated,
    );
}

/// Waits until a random number of calls was answered, and then for a random part of a call.
async fn some_progress(crew: &Crew) {
    let goal = *crew.acknowledged.borrow() + 1 + random(40) as usize;
    let progress = async { crew.acknowledged.subscribe().wait_for(|count| *count >= goal).await.map(|_| ()) };
    tokio::time::timeout(PATIENCE, progress).await.expect("the work goes on").unwrap();
    tokio::time::sleep(Duration::from_micros(random(5_000))).await;
}

/// Kills the server while it still takes up what it left behind.
async fn die_young(program: &Program, address: &str) {
    let mut young = program.spawn(address);
    tokio::time::sleep(Duration::from_millis(random(60))).await;
    young.kill().await.unwrap();
}

async fn open(program: &Program) -> Store {
    let config = Config::load(None, &[("database.url", program.database.clone())]).unwrap();
    let sources = Sources { clock: Arc::new(SystemClock), randomness: Arc::new(SystemRandomness) };
    Store::open(config.database.location, sources).await.unwrap()
}

/// The rows of a statement whose first column is called `a`, the second `b` and the third `c`.
async fn rows<A, B, C>(store: &Store, sql: &'static str) -> Vec<(A, B, C)>
where
    A: FromValue + Send + 'static,
    B: FromValue + Send + 'static,
    C: FromValue + Send + 'static,
{
    let read = store.read(move |tx| {
        Box::pin(
            async move { tx.all(sql, &[], |row| Ok((row.get("a")?, row.get("b")?, row.get("c")?))).await },
        )
    });
    read.await.map_err(|error: StoreError| error).unwrap()
}

/// The server finishes what is in flight when it is asked to stop; what it has not begun stays due. So it is started
/// until nothing is.
async fn stop_when_all_is_delivered(mut running: Running, program: &Program) {
    loop {
        let address = running.address.clone();
        running.stop().await;
        let store = open(program).await;
        let due = "SELECT count(*) AS a, 0 AS b, 0 AS c FROM deliveries WHERE status = 'pending'";
        let due: Vec<(i64, i64, i64)> = rows(&store, due).await;
        drop(store);
        if due[0].0 == 0 {
            return;
        }
        running = program.serve(&address).await;
    }
}

async fn what_was_acknowledged_is_there(store: &Store, deeds: &Deeds) {
    let sql = "SELECT id AS a, title AS b, approval AS c FROM tickets";
    let tickets: Vec<(String, String, Option<String>)> = rows(store, sql).await;
    let tickets: BTreeMap<_, _> =
        tickets.into_iter().map(|(id, title, state)| (id, (title, state))).collect();
    assert_eq!(tickets.len(), deeds.tickets.len(), "each ticket was created once");
    let sql = "SELECT id AS a, content AS b, ticket_id AS c FROM ticket_comments";
    let comments: Vec<(String, String, String)> = rows(store, sql).await;
    let comments: BTreeSet<_> = comments.into_iter().collect();
    assert_eq!(comments.len(), deeds.tickets.len(), "each comment was made once");
    for deed in &deeds.tickets {
        assert_eq!(tickets[&deed.ticket], (deed.title.clone(), Some("approved".to_owned())));
        let (id, content) = deed.comment.clone();
        assert!(comments.contains(&(id, content, deed.ticket.clone())), "{deed:?}");
    }
    let sql = "SELECT id AS a, content AS b, 0 AS c FROM messages";
    let messages: Vec<(String, String, i64)> = rows(store, sql).await;
    let messages: BTreeSet<_> = messages.into_iter().map(|(id, content, _)| (id, content)).collect();
    assert_eq!(messages, deeds.messages.iter().cloned().collect(), "each message was sent once");
}

async fn money_moved_once(store: &Store, deeds: &Deeds) {
    let sql = "SELECT ticket_id AS a, id AS b, amount_cents AS c FROM ledger_transactions";
    let paid: Vec<(String, String, i64)> = rows(store, sql).await;
    let acknowledged: BTreeSet<_> = deeds
        .tickets
        .iter()
        .map(|deed| (deed.ticket.clone(), deed.transaction.clone(), deed.payout))
        .collect();
    assert_eq!(paid.len(), deeds.tickets.len(), "each approval has one transaction");
    assert_eq!(paid.into_iter().collect::<BTreeSet<_>>(), acknowledged);
    let walked = store.read::<_, StoreError, _>(|tx| Box::pin(async move { ledger::verify(tx).await }));
    let findings = walked.await.unwrap();
    assert_eq!((findings.faults, findings.transactions), (Vec::new(), deeds.tickets.len() as u64));
    let sql = "SELECT ticket_id AS a, target_id AS b, 0 AS c FROM audit_log WHERE target_kind = 'payment'";
    let told: Vec<(String, String, i64)> = rows(store, sql).await;
    assert_eq!(told.len(), deeds.tickets.len(), "each payment stands in the audit log once");
}

async fn what_was_committed_arrived(store: &Store, arrived: &Arrived) {
    let sql = "SELECT id AS a, body AS b, status AS c FROM deliveries";
    let committed: Vec<(String, String, String)> = rows(store, sql).await;
    assert_eq!(committed.len(), arrived.bodies.len(), "what arrived was committed, and the other way round");
    for (id, body, status) in committed {
        assert_eq!(status, "delivered");
        assert_eq!(arrived.bodies[&id], body, "{id}");
    }
}
