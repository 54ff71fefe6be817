//! Several servers on one PostgreSQL that believe what they remember: whoever changes something asks them first, and
//! whoever cannot be asked is outlasted.

mod wire;

use std::sync::Arc;

use http::{Method, StatusCode};
use openpod_server::accounts;
use openpod_server::store::{Store, StoreError, marks};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::databases;
use super::flushes::{connect, hold_up, let_go};
use super::remembered::{PATIENCE, asking_nothing, beat, key_id};
use super::world::{AGENT, OWNER, Person, Project, World, text};
use wire::Wire;

const LISTENER: &str = "openpod-server listener";
const WRITER: &str = "openpod-server writer";

/// A server where something is changed, another where Ada looks, and her ticket.
struct Scene {
    here: World,
    there: World,
    /// Between the database and the server here, and the one there.
    wires: [Wire; 2],
    database: Client,
    project: Project,
    ada: Person,
    ticket: String,
}

impl Scene {
    async fn new() -> Option<Arc<Scene>> {
        let url = databases::postgres().await?;
        let wires = [Wire::to(&url).await, Wire::to(&url).await];
        let [here, there] = [&wires[0], &wires[1]].map(|wire| World::at(wire.location.clone()));
        let (here, there) = (here.await, there.await);
        let project = here.project(&here.owner("olga").await).await;
        let ada = here.member(&project, "ada", "worker").await;
        let ticket = here.ticket(&project, Some(&ada)).await;
        let database = connect(&url).await;
        let scene = Scene { here, there, wires, database, project, ada, ticket };
        scene.both_believe().await;
        Some(Arc::new(scene))
    }

    /// Until Ada's heartbeats cost neither server a question.
    async fn both_believe(&self) {
        for server in [&self.here, &self.there] {
            asking_nothing(server, async || self.title(server).await).await;
        }
    }

    /// What Ada is told that her ticket is called.
    async fn title(&self, server: &World) -> String {
        let told = beat(server, &self.ada, "2100-01-01T00:00:00Z").await;
        text(&told["tickets"]["assigned_to_you"][0]["title"])
    }

    /// Has the server here change the title.
    fn rename(self: &Arc<Self>, title: &'static str) -> JoinHandle<StatusCode> {
        let scene = Arc::clone(self);
        tokio::spawn(async move {
            let path = format!("{OWNER}/tickets/{}", scene.ticket);
            scene.here.patch(&path, &scene.project.owner, json!({"title": title})).await.status
        })
    }

    /// Until one waits.
    async fn until_held_up(&self) {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
        within(async { while self.number(sql).await != 1 {} }).await;
    }

    async fn number(&self, sql: &str) -> i64 {
        self.database.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Until there are so many leases. Who is slow to answer loses its own, and takes another.
    async fn until_leases(&self, count: i64) {
        within(async { while self.number("SELECT count(*) FROM leases").await != count {} }).await;
    }
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("what a story waits for happens")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_elsewhere_is_told_at_once_and_remembered_again() {
    let Some(scene) = Scene::new().await else { return };
    for title in ["First", "Second", "Third"] {
        assert_eq!(within(scene.rename(title)).await.unwrap(), 200);
        assert_eq!([scene.title(&scene.there).await, scene.title(&scene.here).await], [title, title]);
        scene.both_believe().await;
    }
    let made = scene.here.post(&format!("{AGENT}/me/keys"), &scene.ada, json!({"scopes": ["*"]})).await;
    let second = Person { id: scene.ada.id.clone(), key: text(&made.expect(201)["api_key"]).into() };
    asking_nothing(&scene.there, async || beat(&scene.there, &second, "2100-01-01T00:00:00Z").await).await;
    let path = format!("{AGENT}/me/keys/{}", key_id(&second));
    scene.here.call(Method::DELETE, &path, Some(&scene.ada), None).await.expect(200);
    let refused = scene.there.get(&format!("{AGENT}/heartbeat"), &second).await;
    assert_eq!(refused.refusal(), (401, "unauthenticated"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_as_good_as_a_server() {
    let Some(scene) = Scene::new().await else { return };
    let sources = scene.here.app.store().sources().clone();
    let command = Store::open(scene.wires[0].location.clone(), sources).await.unwrap();
    assert!(accounts::revoke_key(&command, &key_id(&scene.ada)).await.unwrap());
    for server in [&scene.here, &scene.there] {
        let refused = server.get(&format!("{AGENT}/heartbeat"), &scene.ada).await;
        assert_eq!(refused.refusal(), (401, "unauthenticated"));
    }
    assert!(scene.number("SELECT count(*) FROM leases").await <= 2, "a command has none");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_change_is_being_committed_nothing_is_remembered_of_whom_it_concerns() {
    let Some(scene) = Scene::new().await else { return };
    hold_up(&scene.database, "UPDATE ON tickets").await;
    let renaming = scene.rename("New");
    scene.until_held_up().await;
    let reads = || scene.there.app.store().counts().reads;
    for _ in 0..3 {
        let before = reads();
        assert_eq!(scene.title(&scene.there).await, "Fix it");
        assert!(reads() > before);
    }
    let_go(&scene.database).await;
    assert_eq!(within(renaming).await.unwrap(), 200);
    assert_eq!([scene.title(&scene.there).await, scene.title(&scene.here).await], ["New", "New"]);
    scene.both_believe().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_be_asked_believes_nothing_any_more_when_the_change_is_made() {
    let Some(scene) = Scene::new().await else { return };
    scene.wires[1].stop(LISTENER);
    assert_eq!(within(scene.rename("New")).await.unwrap(), 200);
    assert_eq!(scene.title(&scene.there).await, "New");
    // Nobody has to wait for it a second time.
    scene.until_leases(1).await;
    assert_eq!(within(scene.rename("Newer")).await.unwrap(), 200);
    assert_eq!(scene.title(&scene.there).await, "Newer");
    assert_eq!(within(scene.rename("Newest")).await.unwrap(), 200);
    // What was said to it is lost, too.
    scene.wires[1].cut(LISTENER);
    scene.wires[1].go_on();
    // What it had read while nobody asked it is not what it goes on with.
    let bob = scene.here.register("bob").await;
    asking_nothing(&scene.there, async || beat(&scene.there, &bob, "2100-01-01T00:00:00Z").await).await;
    assert_eq!(scene.title(&scene.there).await, "Newest");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_hear_the_end_of_a_change_does_not_believe_what_was_read_meanwhile() {
    let Some(scene) = Scene::new().await else { return };
    hold_up(&scene.database, "UPDATE ON tickets").await;
    let renaming = scene.rename("New");
    scene.until_held_up().await;
    scene.wires[1].cut(LISTENER);
    for _ in 0..20 {
        assert_eq!(scene.title(&scene.there).await, "Fix it");
    }
    let_go(&scene.database).await;
    assert_eq!(within(renaming).await.unwrap(), 200);
    assert_eq!(scene.title(&scene.there).await, "New");
    scene.both_believe().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_hear_the_answer_outlasts_what_was_remembered_all_the_same() {
    let Some(scene) = Scene::new().await else { return };
    scene.wires[0].stop(LISTENER);
    assert_eq!(within(scene.rename("New")).await.unwrap(), 200);
    assert_eq!([scene.title(&scene.there).await, scene.title(&scene.here).await], ["New", "New"]);
    scene.wires[0].go_on();
    scene.both_believe().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_went_without_leaving_holds_a_change_up_once_and_one_that_left_never() {
    let Some(scene) = Scene::new().await else { return };
    let location = scene.wires[0].location.clone();
    for leaves in [true, false] {
        let third = World::at(location.clone()).await;
        asking_nothing(&third, async || scene.title(&third).await).await;
        scene.until_leases(3).await;
        if leaves {
            third.app.store().leave().await.unwrap();
            scene.until_leases(2).await;
        }
        drop(third);
        assert_eq!(within(scene.rename(if leaves { "One" } else { "Another" })).await.unwrap(), 200);
        scene.until_leases(2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_which_nobody_knows_whether_it_happens_is_not_missed_when_it_does() {
    let Some(scene) = Scene::new().await else { return };
    hold_up(&scene.database, "UPDATE ON tickets").await;
    let renaming = scene.rename("Late");
    scene.until_held_up().await;
    scene.wires[0].cut(WRITER);
    assert_eq!(within(renaming).await.unwrap(), 503);
    // It still waits for its commit.
    scene.until_held_up().await;
    for _ in 0..3 {
        assert_eq!([scene.title(&scene.there).await, scene.title(&scene.here).await], ["Fix it", "Fix it"]);
    }
    let_go(&scene.database).await;
    let sql = "SELECT count(*) FROM tickets WHERE title = 'Late'";
    within(async { while scene.number(sql).await != 1 {} }).await;
    assert_eq!([scene.title(&scene.there).await, scene.title(&scene.here).await], ["Late", "Late"]);
    // Whoever was told that something is about to be committed, and not that it was, begins anew.
    scene.both_believe().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_believes_nothing_while_a_write_is_under_way_that_began_before_its_lease() {
    let Some(scene) = Scene::new().await else { return };
    let (done, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tells, told) = (Arc::clone(&done), Arc::clone(&go_on));
    let (store, ticket) = (scene.here.app.store().clone(), scene.ticket.clone());
    let ada = scene.ada.id.as_str().into();
    let writing = tokio::spawn(async move {
        let write = store.write(move |tx| {
            Box::pin(async move {
                let sql = "UPDATE tickets SET title = 'Slow' WHERE id = $1";
                tx.execute(sql, &[openpod_server::store::Value::Text(ticket)]).await?;
                marks::touch(tx, [&ada]).await?;
                tells.notify_one();
                told.notified().await;
                Ok::<_, StoreError>(())
            })
        });
        write.await.unwrap();
    });
    within(done.notified()).await;
    let third = World::at(scene.wires[1].location.clone()).await;
    scene.until_leases(3).await;
    // It has its lease, and could have looked after it many times.
    for _ in 0..300 {
        let before = third.app.store().counts().reads;
        assert_eq!(scene.title(&third).await, "Fix it");
        assert!(third.app.store().counts().reads > before);
    }
    go_on.notify_one();
    within(writing).await.unwrap();
    assert_eq!(scene.title(&third).await, "Slow");
    asking_nothing(&third, async || scene.title(&third).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_from_memory_are_never_of_an_earlier_time_than_what_they_tell() {
    let Some(scene) = Scene::new().await else { return };
    let bob = scene.here.member(&scene.project, "bob", "worker").await;
    let mut last = "2026-01-01T00:00:00Z".to_owned();
    for n in 0..50 {
        let body =
            json!({"project_id": scene.project.id, "channel_id": scene.project.channel, "content": "Hello"});
        scene.here.post(&format!("{AGENT}/messages"), &bob, body).await.expect(201);
        let told = beat(&scene.there, &scene.ada, &last).await;
        let idle = beat(&scene.there, &scene.ada, &text(&told["timestamp"])).await;
        assert_eq!(idle["has_changes"], Value::Bool(false), "{n}");
        assert!(
            text(&idle["timestamp"]) >= text(&told["timestamp"]) && text(&told["timestamp"]) > last,
            "{n}"
        );
        last = text(&idle["timestamp"]);
    }
}
