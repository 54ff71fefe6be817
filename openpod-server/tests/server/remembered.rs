//! What the server remembers of the database is what the database says: after whatever anybody does, on both engines,
//! with one server and with two.

mod deeds;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use openpod_server::accounts;
use openpod_server::store::{Address, Location, Store, StoreError, keys};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::databases;
use super::world::{AGENT, OWNER, Person, World, text};

/// Longer than anything takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn beat(world: &World, who: &Person, since: &str) -> Value {
    world.get(&format!("{AGENT}/heartbeat?changes_since={since}"), who).await.expect(200)
}

/// The public part of a key.
pub(super) fn key_id(key: &Person) -> String {
    key.key.expose().split('_').nth(1).unwrap().to_owned()
}

/// Does the same until none of it was a read. A server on PostgreSQL believes its memory a moment after it started, and
/// not while a busy machine keeps it from looking after its lease.
pub(super) async fn asking_nothing<T>(world: &World, what: impl AsyncFn() -> T) -> T {
    let tried = async {
        loop {
            let before = world.app.store().counts().reads;
            let came_to = what().await;
            if world.app.store().counts().reads == before {
                return came_to;
            }
        }
    };
    tokio::time::timeout(PATIENCE, tried).await.expect("what is remembered is not read")
}

#[tokio::test]
async fn an_idle_heartbeat_asks_the_database_nothing() {
    let postgres = databases::postgres().await.map(|url| Address::parse(&url).unwrap().with_own_time());
    let locations = [Location::Memory].into_iter().chain(postgres.map(Location::Postgres));
    for location in locations {
        let world = World::at(location.clone()).await;
        let project = world.project(&world.owner("olga").await).await;
        let ada = world.member(&project, "ada", "worker").await;
        world.ticket(&project, Some(&ada)).await;
        let since = text(&beat(&world, &ada, "2026-03-12T10:00:00Z").await["timestamp"]);
        let before = world.app.store().counts();
        asking_nothing(&world, async || {
            for _ in 0..10 {
                world.clock.advance(Duration::from_micros(1));
                let again = beat(&world, &ada, &since).await;
                assert_eq!(again["timestamp"], world.clock_in(Duration::ZERO));
                assert_eq!(again["tickets"]["assigned_to_you"].as_array().map(Vec::len), Some(1));
            }
        })
        .await;
        let many = || join_all((0..64).map(|_| beat(&world, &ada, &since)));
        assert_eq!(asking_nothing(&world, async || many().await).await.len(), 64);
        let after = world.app.store().counts();
        assert_eq!(after.writes, before.writes);
        assert!(location != Location::Memory || after.reads == before.reads, "a file has one server");
    }
}

#[tokio::test]
async fn where_memory_may_not_be_believed_many_idle_heartbeats_are_one_question() {
    let Some(url) = databases::postgres().await else { return };
    let world = World::at(Location::Postgres(Address::parse(&url).unwrap())).await;
    let project = world.project(&world.owner("olga").await).await;
    let ada = world.member(&project, "ada", "worker").await;
    let since = text(&beat(&world, &ada, "2026-03-12T10:00:00Z").await["timestamp"]);
    world.app.store().leave().await.unwrap();
    let before = world.app.store().counts().reads;
    join_all((0..64).map(|_| beat(&world, &ada, &since))).await;
    let reads = world.app.store().counts().reads - before;
    assert!((1..=4).contains(&reads), "{reads} reads for 64 heartbeats at once");
}

#[tokio::test]
async fn a_minute_later_the_agent_was_seen_again() {
    let world = World::new().await;
    let ada = world.register("ada").await;
    let bob = world.register("bob").await;
    let available = async || {
        let listed = world.get(&format!("{AGENT}/agents"), &bob).await.expect(200);
        listed.as_array().unwrap().iter().filter(|agent| agent["is_available"] == true).count()
    };
    for minutes in [1, 16, 30] {
        world.clock.advance(Duration::from_secs(60 * minutes));
        beat(&world, &ada, "2026-03-12T10:00:00Z").await;
        let me = world.get(&format!("{AGENT}/me"), &ada).await.expect(200);
        assert_eq!(me["agent_key"]["last_used_at"], world.clock_in(Duration::ZERO));
        beat(&world, &bob, "2026-03-12T10:00:00Z").await;
        assert_eq!(available().await, 2, "after {minutes} minutes");
    }
    world.clock.advance(Duration::from_secs(60 * 16));
    beat(&world, &bob, "2026-03-12T10:00:00Z").await;
    assert_eq!(available().await, 1);
}

/// Two servers on one database; where PostgreSQL is not installed, nothing.
async fn two_servers() -> Option<[World; 2]> {
    let location = Location::Postgres(Address::parse(&databases::postgres().await?).unwrap());
    Some([World::at(location.clone()).await, World::at(location).await])
}

#[tokio::test]
async fn a_change_on_one_server_is_in_the_next_heartbeat_of_the_other() {
    let Some([here, there]) = two_servers().await else { return };
    let project = here.project(&here.owner("olga").await).await;
    let ada = here.member(&project, "ada", "worker").await;
    let bob = here.member(&project, "bob", "worker").await;
    let id = here.ticket(&project, Some(&ada)).await;
    for n in 0..40 {
        let (acts, looks) = if n % 2 == 0 { (&here, &there) } else { (&there, &here) };
        let before = beat(looks, &ada, "2026-01-01T00:00:00Z").await;
        let idle = beat(looks, &ada, &text(&before["timestamp"])).await;
        assert_eq!((&idle["has_changes"], &idle["tickets"]), (&json!(false), &before["tickets"]));
        if n % 4 < 2 {
            let title = json!({"title": format!("Fix it {n} times")});
            acts.patch(&format!("{OWNER}/tickets/{id}"), &project.owner, title).await.expect(200);
        } else {
            let message =
                json!({"project_id": project.id, "channel_id": project.channel, "content": "Hello"});
            acts.post(&format!("{AGENT}/messages"), &bob, message).await.expect(201);
        }
        let after = beat(looks, &ada, &text(&idle["timestamp"])).await;
        assert_eq!(after["has_changes"], true, "{n}");
        looks.app.store().forget();
        let read = beat(looks, &ada, &text(&idle["timestamp"])).await;
        assert_eq!((&after["tickets"], &after["messages"]), (&read["tickets"], &read["messages"]), "{n}");
    }
    let made = here.post(&format!("{AGENT}/me/keys"), &ada, json!({"scopes": ["*"]})).await.expect(201);
    let second = Person { id: ada.id.clone(), key: text(&made["api_key"]).into() };
    beat(&there, &second, "2026-01-01T00:00:00Z").await;
    let path = format!("{AGENT}/me/keys/{}", key_id(&second));
    here.call(Method::DELETE, &path, Some(&ada), None).await.expect(200);
    let refused = there.get(&format!("{AGENT}/heartbeat"), &second).await;
    assert_eq!(refused.refusal(), (401, "unauthenticated"));
}

/// Somebody who asks for what changed since the last answer, on any server, until the others have written what they
/// wanted to. An answer that says "no change" shows what the one before showed. Answers with the last that showed any.
async fn follow(servers: &[World], who: &Person, done: &AtomicBool) -> Value {
    let shown = |beat: &Value| json!([beat["tickets"], beat["messages"]]);
    let mut last = beat(&servers[0], who, "2026-01-01T00:00:00Z").await;
    let mut news = last.clone();
    for n in 1.. {
        let last_round = done.load(Ordering::SeqCst);
        servers.iter().for_each(|server| server.clock.advance(Duration::from_micros(1)));
        let next = beat(&servers[n % servers.len()], who, &text(&last["timestamp"])).await;
        if next["has_changes"] == true {
            news = next.clone();
        }
        assert_eq!(shown(&next), shown(&news), "round {n}");
        last = next;
        if last_round {
            break;
        }
        tokio::task::yield_now().await;
    }
    news
}

async fn nothing_is_lost(servers: Vec<World>) {
    let world = &servers[0];
    let project = world.project(&world.owner("olga").await).await;
    let ada = world.member(&project, "ada", "worker").await;
    let bob = world.member(&project, "bob", "worker").await;
    let mut tickets = Vec::new();
    for _ in 0..4 {
        tickets.push(world.ticket(&project, Some(&ada)).await);
    }
    let writes = join_all(tickets.iter().enumerate().map(|(n, ticket)| {
        let (server, owner, project, bob) = (&servers[n % servers.len()], &project.owner, &project, &bob);
        async move {
            for turn in 0..25 {
                server.clock.advance(Duration::from_micros(1));
                let body = json!({"title": format!("Turn {turn}")});
                server.patch(&format!("{OWNER}/tickets/{ticket}"), owner, body).await.expect(200);
                let body =
                    json!({"project_id": project.id, "channel_id": project.channel, "content": "Hello"});
                server.post(&format!("{AGENT}/messages"), bob, body).await.expect(201);
            }
        }
    }));
    let done = AtomicBool::new(false);
    let writes = async {
        writes.await;
        done.store(true, Ordering::SeqCst);
    };
    let ((), one, other) = tokio::join!(writes, follow(&servers, &ada, &done), follow(&servers, &ada, &done));
    for last in [one, other] {
        assert_eq!(last["messages"]["unread_count"], 100);
        let tickets = last["tickets"]["assigned_to_you"].as_array().unwrap();
        assert!(
            tickets.len() == 4 && tickets.iter().all(|ticket| ticket["title"] == "Turn 24"),
            "{tickets:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_changes_while_somebody_looks_none_falls_between_two_heartbeats() {
    nothing_is_lost(vec![World::new().await]).await;
    if let Some(servers) = two_servers().await {
        nothing_is_lost(servers.into()).await;
    }
}

#[tokio::test]
async fn a_key_that_a_command_revokes_works_no_more_on_the_server_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::File(directory.path().join("openpod.db"));
    let world = World::at(location.clone()).await;
    let (ada, bob) = (world.register("ada").await, world.register("bob").await);
    for _ in 0..2 {
        beat(&world, &ada, "2026-01-01T00:00:00Z").await;
    }
    let command = Store::open(location, world.app.store().sources().clone()).await.unwrap();
    assert!(accounts::revoke_key(&command, &key_id(&ada)).await.unwrap());
    let refused = world.get(&format!("{AGENT}/heartbeat"), &ada).await;
    assert_eq!(refused.refusal(), (401, "unauthenticated"));
    beat(&world, &bob, "2026-01-01T00:00:00Z").await;
    let before = world.app.store().counts();
    beat(&world, &bob, "2026-01-01T00:00:00Z").await;
    assert_eq!(world.app.store().counts(), before);
}

#[tokio::test]
async fn what_was_read_while_a_command_wrote_is_not_believed_when_it_has_written() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::File(directory.path().join("openpod.db"));
    let world = World::at(location.clone()).await;
    let ada = world.register("ada").await;
    beat(&world, &ada, "2026-01-01T00:00:00Z").await;
    let command = Store::open(location, world.app.store().sources().clone()).await.unwrap();
    let writes = Arc::new(Notify::new());
    let (go_on, told) = mpsc::channel();
    let (tells, told, id) = (Arc::clone(&writes), Arc::new(Mutex::new(told)), key_id(&ada));
    let revoking = tokio::spawn(async move {
        let write = command.write(move |tx| {
            Box::pin(async move {
                let now = tx.now();
                let revoked = keys::revoke(tx, &id, now).await?;
                tells.notify_one();
                // A script on SQLite has a thread, and may keep it. When the story has failed nobody says anything.
                let _ = told.lock().unwrap().recv();
                Ok::<_, StoreError>(revoked)
            })
        });
        write.await.unwrap()
    });
    writes.notified().await;
    for _ in 0..3 {
        let before = world.app.store().counts().reads;
        beat(&world, &ada, "2026-01-01T00:00:00Z").await;
        assert!(world.app.store().counts().reads > before);
    }
    go_on.send(()).unwrap();
    assert!(revoking.await.unwrap());
    let refused = world.get(&format!("{AGENT}/heartbeat"), &ada).await;
    assert_eq!(refused.refusal(), (401, "unauthenticated"));
}
