//! What those who write at the same time may count on: limits that hold, and collisions that pass by themselves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use openpod_server::store::{Location, Store, StoreError, StoreErrorKind, ToValue};
use serde_json::{Value, json};
use tokio::sync::{Barrier, Notify};
use tokio::task::JoinHandle;

use super::two_engines::{both, open, servers};
use super::world::{AGENT, Answer, OWNER, Person, World};

/// How often each word was answered; success is its status.
fn count(answers: &[Answer]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        let word =
            answer.json["code"].as_str().map_or_else(|| answer.status.as_str().to_owned(), str::to_owned);
        *counts.entry(word).or_default() += 1;
    }
    counts
}

/// Has somebody ask for the same forty times at once, at whatever servers there are.
async fn forty_times(
    servers: &[World],
    path: &str,
    who: &Person,
    body: impl Fn(usize) -> Value,
) -> Vec<Answer> {
    let calls = (0..40).map(|n| {
        let (server, body) = (&servers[n % servers.len()], body(n));
        async move { server.post(path, who, body).await }
    });
    join_all(calls).await
}

#[tokio::test]
async fn of_forty_webhooks_and_keys_that_are_asked_for_at_once_there_are_as_many_as_may_be() {
    for location in both().await {
        let servers = servers(location).await;
        let (ada, olga) = (servers[0].register("ada").await, servers[0].owner("olga").await);
        let hook = |n| json!({"url": format!("https://93.184.216.34/{n}"), "events": ["*"]});
        let made = forty_times(&servers, &format!("{AGENT}/webhooks"), &ada, hook).await;
        let expected =
            |made: usize| BTreeMap::from([("201".to_owned(), made), ("conflict".to_owned(), 40 - made)]);
        assert_eq!(count(&made), expected(20), "webhooks");
        // The one that they ask with counts.
        for (who, path) in [(&ada, format!("{AGENT}/me/keys")), (&olga, format!("{OWNER}/keys"))] {
            let made =
                forty_times(&servers, &path, who, |n| json!({"name": format!("key {n}"), "scopes": ["*"]}))
                    .await;
            assert_eq!(count(&made), expected(19), "{path}");
        }
    }
}

pub(super) async fn two_owners(store: &Store) {
    for login in ["a", "b"] {
        let sql = "INSERT INTO owners (id, login, login_key, password_hash, created_at) VALUES ($1, $1, $1, 'x', 0)";
        let id = login.to_value();
        let write = store.write(move |tx| Box::pin(async move { tx.execute(sql, &[id]).await }));
        write.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
    }
}

/// A PostgreSQL database, where there is one, with two owners, as two servers have it.
pub(super) async fn shared() -> Option<[Store; 2]> {
    let location = both().await.into_iter().find(|location| *location != Location::Memory)?;
    let stores = [open(location.clone()).await, open(location).await];
    two_owners(&stores[0]).await;
    Some(stores)
}

pub(super) const COUNT: &str = "UPDATE owners SET created_at = created_at + 1 WHERE id = $1";

pub(super) async fn counts(store: &Store) -> Vec<i64> {
    let sql = "SELECT created_at FROM owners ORDER BY id";
    let read =
        store.read(move |tx| Box::pin(async move { tx.all(sql, &[], |row| row.get("created_at")).await }));
    read.await.unwrap_or_else(|error: StoreError| panic!("{error}"))
}

/// A script that counts at both owners, and how it runs: it tells when it holds the first, and goes on to the second
/// when everybody holds one.
fn cross(
    store: &Store,
    order: [&'static str; 2],
    meeting: &Arc<Barrier>,
    runs: &Arc<AtomicU32>,
) -> (Arc<Notify>, JoinHandle<Result<u64, StoreError>>) {
    let (store, held, meeting, runs) =
        (store.clone(), Arc::new(Notify::new()), Arc::clone(meeting), Arc::clone(runs));
    let holds = Arc::clone(&held);
    let write = async move {
        let script = store.write(move |tx| {
            Box::pin(async move {
                tx.execute(COUNT, &[order[0].to_value()]).await?;
                holds.notify_one();
                // Who is run again meets nobody.
                if runs.fetch_add(1, Ordering::SeqCst) < 2 {
                    meeting.wait().await;
                }
                tx.execute(COUNT, &[order[1].to_value()]).await
            })
        });
        script.await
    };
    (held, tokio::spawn(write))
}

#[tokio::test]
async fn two_scripts_that_wait_for_each_other_are_undone_until_both_succeed() {
    let Some([store, another]) = shared().await else { return };
    let (meeting, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let (held, one) = cross(&store, ["a", "b"], &meeting, &runs);
    held.notified().await;
    let (_, other) = cross(&another, ["b", "a"], &meeting, &runs);
    for done in [one.await.unwrap(), other.await.unwrap()] {
        assert_eq!(done.unwrap(), 1);
    }
    let runs = runs.load(Ordering::SeqCst);
    assert!(runs >= 3, "whoever waited in vain for a moment, one or both, ran again: {runs}");
    assert_eq!(counts(&store).await, [2, 2]);
}

/// A script that has counted at an owner, and does not end before it is told to. Whatever queues up at its store meanwhile
/// becomes one group.
pub(super) async fn hold(
    store: &Store,
    id: &'static str,
) -> (Arc<Notify>, JoinHandle<Result<u64, StoreError>>) {
    let (held, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (store, holds, released) = (store.clone(), Arc::clone(&held), Arc::clone(&release));
    let holder = tokio::spawn(async move {
        let script = store.write(move |tx| {
            Box::pin(async move {
                let counted = tx.execute(COUNT, &[id.to_value()]).await?;
                holds.notify_one();
                released.notified().await;
                Ok(counted)
            })
        });
        script.await
    });
    held.notified().await;
    (release, holder)
}

#[tokio::test]
async fn a_script_that_finds_held_what_it_wants_keeps_nobody_waiting_who_is_written_with_it() {
    let Some([store, another]) = shared().await else { return };
    let (release, holder) = hold(&another, "b").await;
    // Those at `a` are through while the ones at `b` still wait.
    let count = |id: &'static str| {
        let store = store.clone();
        async move {
            let script =
                store.write(move |tx| Box::pin(async move { tx.execute(COUNT, &[id.to_value()]).await }));
            script.await.unwrap_or_else(|error: StoreError| panic!("{error}"))
        }
    };
    let at_b = join_all((0..3).map(|_| count("b")));
    let at_a = join_all((0..40).map(|_| count("a")));
    let (mut at_b, mut at_a) = (Box::pin(at_b), Box::pin(at_a));
    tokio::select! {
        biased;
        _ = &mut at_b => panic!("nobody may have counted at what is held"),
        done = &mut at_a => assert_eq!(done, [1; 40]),
    }
    release.notify_one();
    assert_eq!(at_b.await, [1; 3]);
    holder.await.unwrap().unwrap();
    assert_eq!(counts(&store).await, [40, 4]);
}

#[tokio::test]
async fn a_script_that_panics_or_fails_takes_nobody_along_who_is_written_with_it() {
    for location in both().await {
        let store = open(location).await;
        two_owners(&store).await;
        let writes = (0..30).map(|n| {
            let store = store.clone();
            let write = async move {
                let script = store.write(move |tx| {
                    Box::pin(async move {
                        tx.execute(COUNT, &["a".to_value()]).await?;
                        match n % 3 {
                            0 => panic!("on purpose"),
                            1 => tx.execute("UPDATE owners SET id = NULL WHERE id = 'b'", &[]).await,
                            _ => tx.execute(COUNT, &["b".to_value()]).await,
                        }
                    })
                });
                script.await
            };
            tokio::spawn(write)
        });
        for (n, done) in join_all(writes.collect::<Vec<_>>()).await.into_iter().enumerate() {
            match (n % 3, done) {
                (0, Err(panic)) => assert!(panic.is_panic()),
                (1, Ok(Err(refused))) => assert_eq!(refused.kind(), StoreErrorKind::Constraint),
                (2, Ok(Ok(rows))) => assert_eq!(rows, 1),
                (_, other) => panic!("{n}: {other:?}"),
            }
        }
        assert_eq!(counts(&store).await, [10, 10]);
    }
}

#[tokio::test]
async fn a_script_that_always_collides_is_given_up_after_six_tries_and_one_that_is_wrong_at_once() {
    let Some([store, _]) = shared().await else { return };
    for (state, tries, kind) in [
        ("40001", 6, StoreErrorKind::Collided),
        ("40P01", 6, StoreErrorKind::Collided),
        ("55P03", 6, StoreErrorKind::Collided),
        ("55006", 1, StoreErrorKind::Busy),
        ("23514", 1, StoreErrorKind::Constraint),
    ] {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let sql = format!("DO $$ BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{state}'; END $$");
        let write = store.write(move |tx| {
            counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move { tx.execute(&sql, &[]).await })
        });
        let refused: StoreError = write.await.unwrap_err();
        assert_eq!((refused.kind(), runs.load(Ordering::SeqCst)), (kind, tries), "{state}: {refused}");
    }
}

#[tokio::test]
async fn an_answer_that_nobody_has_taken_yet_keeps_no_other_waiting_however_long_it_is() {
    for location in both().await {
        let store = open(location).await;
        two_owners(&store).await;
        let long = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
                    SELECT i, 'a line that is long enough to fill what is kept of an answer' AS line FROM n";
        let script = store.write(move |tx| {
            Box::pin(async move {
                let asked = tx.ask(long, &[], |row| row.get::<String>("line")).await?;
                // Statements that were never prepared before, so that something has to come back.
                tx.execute(COUNT, &["a".to_value()]).await?;
                let other = tx.ask("SELECT created_at FROM owners", &[], |row| row.get::<i64>("created_at"));
                let other = other.await?;
                Ok::<_, StoreError>((tx.answer(asked).await?.len(), tx.answer(other).await?.len()))
            })
        });
        assert_eq!(script.await.unwrap(), (20_000, 2));
    }
}

#[tokio::test]
async fn a_script_that_does_not_take_the_answer_to_what_it_asked_changes_nothing() {
    for location in both().await {
        let store = open(location).await;
        two_owners(&store).await;
        let script = store.write(|tx| {
            Box::pin(async move {
                tx.execute("DELETE FROM owners", &[]).await?;
                drop(tx.ask("SELECT 1 AS one", &[], |row| row.get::<i64>("one")).await?);
                Ok(())
            })
        });
        let refused: StoreError = script.await.unwrap_err();
        assert!(refused.to_string().contains("did not take the answer"), "{refused}");
        assert_eq!(counts(&store).await, [0, 0]);
    }
}
