//! Scripts that only append: they run side by side, change nothing, and take nobody along.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use openpod_sdk::api::{OwnerId, TicketId};
use openpod_server::domain::audit::{Author, Change};
use openpod_server::domain::permission::Actor;
use openpod_server::store::{Store, StoreError, StoreErrorKind, ToValue, audit, tickets};
use serde_json::json;
use tokio::sync::Barrier;

use super::contention::{COUNT, counts, hold, shared, two_owners};
use super::two_engines::{both, open};
use super::world::{OWNER, Person, World, text};

async fn noted(store: &Store) -> Vec<String> {
    let sql = "SELECT target_id FROM audit_log ORDER BY target_id";
    let read =
        store.read(move |tx| Box::pin(async move { tx.all(sql, &[], |row| row.get("target_id")).await }));
    read.await.unwrap_or_else(|error: StoreError| panic!("{error}"))
}

fn entry(n: usize) -> Change {
    Change::made("owner", format!("{n:02}"), &json!({}))
}

#[tokio::test]
async fn what_only_appends_changes_nothing_however_it_tries() {
    for location in both().await {
        let store = open(location).await;
        two_owners(&store).await;
        for sends in [false, true] {
            let script = store.append(move |tx| {
                Box::pin(async move {
                    audit::insert(tx, &Author::platform(), "test", &entry(0)).await?;
                    let id = ["a".to_value()];
                    // That the script looks away changes nothing.
                    let _ = if sends {
                        tx.send(COUNT, &id).await
                    } else {
                        tx.execute(COUNT, &id).await.map(|_| ())
                    };
                    Ok(())
                })
            });
            let refused: StoreError = script.await.unwrap_err();
            assert!(refused.to_string().contains("only appends"), "{refused}");
        }
        assert_eq!((counts(&store).await, noted(&store).await), (vec![0, 0], Vec::new()));
    }
}

#[tokio::test]
async fn scripts_that_append_are_under_way_at_the_same_time_and_those_beside_them_one_after_another() {
    let Some([store, _]) = shared().await else { return };
    let (release, holder) = hold(&store, "b").await;
    let everybody = Arc::new(Barrier::new(20));
    let appends = (0..20).map(|n| {
        let (store, everybody) = (store.clone(), Arc::clone(&everybody));
        async move {
            let script = store.append(move |tx| {
                Box::pin(async move {
                    // Each waits for all the others, which it could not if it had to end before they begin.
                    everybody.wait().await;
                    let seen = tx.first("SELECT created_at FROM owners WHERE id = 'a'", &[], |row| {
                        row.get("created_at")
                    });
                    let seen: Option<i64> = seen.await?;
                    audit::insert(tx, &Author::platform(), "test", &entry(n)).await?;
                    Ok(seen)
                })
            });
            script.await.map_err(|error: StoreError| error.to_string())
        }
    });
    let counting = (0..20).map(|_| {
        let store = store.clone();
        async move {
            let script =
                store.write(|tx| Box::pin(async move { tx.execute(COUNT, &["a".to_value()]).await }));
            script.await.map_err(|error: StoreError| error.to_string())
        }
    });
    let all = tokio::spawn(futures_util::future::join(
        join_all(appends.collect::<Vec<_>>()),
        join_all(counting.collect::<Vec<_>>()),
    ));
    // All of them have queued up when a task that was spawned later has run.
    tokio::spawn(async {}).await.unwrap();
    release.notify_one();
    holder.await.unwrap().unwrap();
    let all = tokio::time::timeout(Duration::from_secs(60), all);
    let (appended, counted) = all.await.expect("nobody waits for another in vain").unwrap();
    assert_eq!(appended, vec![Ok(Some(0)); 20]);
    assert_eq!(counted, vec![Ok(1); 20]);
    assert_eq!(counts(&store).await, [20, 1]);
    assert_eq!(noted(&store).await, (0..20).map(|n| format!("{n:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_fails_panics_or_is_refused_at_the_end_takes_nobody_along_who_appends_beside_it() {
    for location in both().await {
        let store = open(location).await;
        two_owners(&store).await;
        let appends = (0..40).map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let script = store.append(move |tx| {
                    Box::pin(async move {
                        audit::insert(tx, &Author::platform(), "test", &entry(n)).await?;
                        match n % 4 {
                            0 => panic!("on purpose"),
                            1 => {
                                tx.first("SELECT nothing FROM owners", &[], |row| row.get::<i64>("nothing"))
                                    .await?;
                            }
                            2 => {
                                let (nowhere, olga) =
                                    (TicketId::from("nowhere"), Actor::Owner(OwnerId::from("a")));
                                tickets::add_comment(tx, &nowhere, &olga, "about nothing").await?;
                            }
                            _ => {}
                        }
                        Ok(())
                    })
                });
                script.await.map_err(|error: StoreError| error.kind())
            })
        });
        for (n, done) in join_all(appends.collect::<Vec<_>>()).await.into_iter().enumerate() {
            match (n % 4, done) {
                (0, Err(panic)) => assert!(panic.is_panic()),
                (_, Ok(done)) => {
                    let expected =
                        [Ok(()), Err(StoreErrorKind::Failed), Err(StoreErrorKind::Constraint), Ok(())];
                    assert_eq!(done, expected[n % 4], "{n}");
                }
                (_, other) => panic!("{n}: {other:?}"),
            }
        }
        let stayed: Vec<_> = (0..40).filter(|n| n % 4 == 3).map(|n| format!("{n:02}")).collect();
        assert_eq!(noted(&store).await, stayed);
    }
}

/// Says something about a ticket, and what came of it: the status, and who said what.
async fn say(world: &World, ticket: &str, who: &Person, words: String) -> (u16, String) {
    let path = format!("{}/tickets/{ticket}/comments", who.surface());
    let answer = world.post(&path, who, json!({"content": words})).await;
    let data = &answer.json["data"];
    let name = |field: &str| data[field].as_str().unwrap_or("nobody").to_owned();
    (answer.status.as_u16(), format!("{}: {}", name("author_name"), name("content")))
}

#[tokio::test]
async fn of_many_who_speak_at_once_each_is_answered_by_name_and_about_their_own_ticket() {
    for location in both().await {
        let world = World::at(location).await;
        let olga = world.owner("olga").await;
        let project = world.project(&olga).await;
        let (ada, bob) = (world.member(&project, "ada", "worker").await, world.register("bob").await);
        let tickets = [world.ticket(&project, Some(&ada)).await, world.ticket(&project, None).await];
        let calls = (0..60).map(|n| {
            let (world, words) = (&world, format!("words {n}"));
            let (ticket, who) = match n % 6 {
                0 | 1 => (tickets[n % 2].as_str(), &olga),
                2 | 3 => (tickets[n % 2].as_str(), &ada),
                4 => ("00000000-0000-7000-8000-000000000000", &ada),
                _ => (tickets[0].as_str(), &bob),
            };
            async move { say(world, ticket, who, words).await }
        });
        for (n, answer) in join_all(calls).await.into_iter().enumerate() {
            let expected = match n % 6 {
                0 | 1 => (201, format!("olga: words {n}")),
                2 | 3 => (201, format!("ada: words {n}")),
                _ => (404, "nobody: nobody".to_owned()),
            };
            assert_eq!(answer, expected);
        }
        for (place, ticket) in tickets.iter().enumerate() {
            let shown = world.get(&format!("{OWNER}/tickets/{ticket}"), &olga).await.expect(200);
            let said = shown["comments"].as_array().unwrap().iter();
            let mut said: Vec<String> = said.map(|comment| text(&comment["content"])).collect();
            let there = |n: &usize| n % 6 < 4 && n % 2 == place;
            let mut expected: Vec<String> = (0..60).filter(there).map(|n| format!("words {n}")).collect();
            said.sort();
            expected.sort();
            assert_eq!(said, expected);
        }
    }
}
