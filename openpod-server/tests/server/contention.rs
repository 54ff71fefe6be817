//! What those who write at the same time may count on: limits that hold, and collisions that pass by themselves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use openpod_server::store::{Location, Store, StoreError, StoreErrorKind, ToValue};
use serde_json::{Value, json};
use tokio::sync::Barrier;

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

async fn two_owners(store: &Store) {
    for login in ["a", "b"] {
        let sql = "INSERT INTO owners (id, login, login_key, password_hash, created_at) VALUES ($1, $1, $1, 'x', 0)";
        let id = login.to_value();
        let write = store.write(move |tx| Box::pin(async move { tx.execute(sql, &[id]).await }));
        write.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
    }
}

#[tokio::test]
async fn of_two_scripts_that_wait_for_each_other_one_is_run_again_and_both_succeed() {
    let Some(location) = both().await.into_iter().find(|location| *location != Location::Memory) else {
        return;
    };
    let store = open(location).await;
    two_owners(&store).await;
    let (meeting, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let takes = [["a", "b"], ["b", "a"]].map(|order| {
        let (meeting, runs) = (Arc::clone(&meeting), Arc::clone(&runs));
        store.write(move |tx| {
            Box::pin(async move {
                let sql = "UPDATE owners SET created_at = created_at + 1 WHERE id = $1";
                tx.execute(sql, &[order[0].to_value()]).await?;
                // Each holds what the other wants next; who is run again meets nobody.
                if runs.fetch_add(1, Ordering::SeqCst) < 2 {
                    meeting.wait().await;
                }
                tx.execute(sql, &[order[1].to_value()]).await
            })
        })
    });
    let done: Vec<Result<u64, StoreError>> = join_all(takes).await;
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    assert_eq!(runs.load(Ordering::SeqCst), 3);
    let read = store.read(|tx| {
        Box::pin(
            async move { tx.all("SELECT created_at FROM owners", &[], |row| row.get("created_at")).await },
        )
    });
    let counts: Result<Vec<i64>, StoreError> = read.await;
    assert_eq!(counts.unwrap(), [2, 2]);
}

#[tokio::test]
async fn a_script_that_always_collides_is_given_up_after_six_tries_and_one_that_is_wrong_at_once() {
    let Some(location) = both().await.into_iter().find(|location| *location != Location::Memory) else {
        return;
    };
    let store = open(location).await;
    for (state, tries, kind) in [
        ("40001", 6, StoreErrorKind::Collided),
        ("40P01", 6, StoreErrorKind::Collided),
        ("55P03", 1, StoreErrorKind::Busy),
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
