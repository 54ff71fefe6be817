//! PostgreSQL that goes away and comes back: who asks meanwhile is told to try again, nothing is lost or done twice, and
//! the server goes on by itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use http::{Request, header};
use openpod_server::store::{Address, Location, Store, StoreError};
use serde_json::json;
use tokio::sync::watch;

use super::databases::{self, Cluster, Listens};
use super::two_engines::open;
use super::world::{AGENT, Person, World};

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Ends connections of servers to a database, those whose names are like this.
async fn cut(url: &str, names: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name LIKE $1";
    client.execute(sql, &[&names]).await.unwrap();
}

/// Comments until it has been acknowledged that many times, each time until the answer is no "try again".
async fn comment(
    world: &World,
    who: &Person,
    path: &str,
    names: &[String],
    done: &watch::Sender<usize>,
) -> usize {
    let mut refused = 0;
    for name in names {
        loop {
            let request = Request::post(path)
                .header(header::AUTHORIZATION, format!("Bearer {}", who.key.expose()))
                .header("idempotency-key", name.as_str());
            let answer = world.send(request.body(json!({"content": name}).to_string().into()).unwrap()).await;
            if answer.status == 201 {
                done.send_modify(|count| *count += 1);
                break;
            }
            assert_eq!(answer.refusal(), (503, "unavailable"));
            assert_eq!(answer.headers["retry-after"], "1");
            refused += 1;
            // It can be down for a while, and asking is cheap.
            tokio::task::yield_now().await;
        }
    }
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_and_a_database_that_crashes_lose_nothing_and_do_nothing_twice() {
    let Some(cluster) = Cluster::start(Listens::Here) else { return };
    let url = cluster.database().await;
    let world = World::at(Location::Postgres(Address::parse(&url).unwrap())).await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let wanda = world.member(&project, "wanda", "worker").await;
    let ticket = world.ticket(&project, Some(&wanda)).await;
    let path = format!("{AGENT}/tickets/{ticket}/comments");
    let names: Vec<Vec<String>> =
        (0..8).map(|line| (0..40).map(|n| format!("comment {line}-{n}")).collect()).collect();
    let (done, cuts) = (watch::Sender::new(0), AtomicUsize::new(0));
    let lines = join_all(names.iter().map(|names| comment(&world, &wanda, &path, names, &done)));
    let trouble = async {
        for round in 0..8_usize {
            let goal = round * 30 + 10;
            done.subscribe().wait_for(|count| *count >= goal).await.unwrap();
            if round == 3 || round == 6 {
                tokio::task::block_in_place(|| cluster.crash());
            } else {
                cut(&url, "openpod-server%").await;
            }
            cuts.fetch_add(1, Ordering::Relaxed);
        }
    };
    let both = async { tokio::join!(lines, trouble) };
    let (refused, ()) = tokio::time::timeout(PATIENCE, both).await.expect("it goes on by itself");
    let shown = world.get(&format!("{AGENT}/tickets/{ticket}"), &wanda).await.expect(200);
    let mut found: Vec<&str> = shown["comments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|comment| comment["content"].as_str().unwrap())
        .collect();
    let mut expected: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "each comment is there once");
    println!(
        "{} interruptions, {} answers of 503, 320 comments",
        cuts.into_inner(),
        refused.iter().sum::<usize>()
    );
}

async fn insert(store: &Store, login: &str) {
    let sql =
        "INSERT INTO owners (id, login, login_key, password_hash, created_at) VALUES ($1, $1, $1, 'x', 0)";
    let id = openpod_server::store::Value::Text(login.to_owned());
    let write = store.write(move |tx| Box::pin(async move { tx.execute(sql, &[id]).await }));
    write.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
}

#[tokio::test]
async fn who_listens_for_other_processes_listens_again_and_misses_nothing() {
    let Some(url) = databases::postgres().await else { return };
    let location = Location::Postgres(Address::parse(&url).unwrap());
    let (here, there) = (open(location.clone()).await, open(location).await);
    let mut ticks = there.commits();
    ticks.changed().await.unwrap();
    there.new_deliveries().await;
    for round in 0..3 {
        cut(&url, "openpod-server listener").await;
        ticks.borrow_and_update();
        // While nobody listens: it is made up for when somebody does again, as if deliveries were new.
        insert(&here, &format!("o{round}")).await;
        let heard = async {
            ticks.changed().await.unwrap();
            there.new_deliveries().await;
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("it listens again");
    }
    ticks.borrow_and_update();
    insert(&here, "last").await;
    tokio::time::timeout(PATIENCE, ticks.changed()).await.expect("it hears the others").unwrap();
}
