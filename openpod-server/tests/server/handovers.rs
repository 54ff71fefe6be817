//! An event that comes while the turn at its webhook is noted as over, by another server: whoever of the two is first, the
//! event is due afterwards. A webhook that is due already is only held by who adds to it, so this must be seen.

use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::api::Timestamp;
use openpod_server::domain::delivery::Fate;
use openpod_server::store::deliveries::{Lane, Leased};
use openpod_server::store::turns::{self, Attempt, Turn};
use openpod_server::store::{Address, Location, Store, StoreError};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::databases;
use super::deliveries::stage::take;
use super::flushes::{connect, hold_up, let_go};
use super::world::{Person, Project, World};

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Two servers on one database, and the turn at a webhook whose one delivery was sent.
struct Scene {
    here: World,
    there: World,
    database: Client,
    project: Project,
    wanda: Person,
    turn: Turn,
}

impl Scene {
    async fn new() -> Option<Scene> {
        let url = databases::postgres().await?;
        let location = Location::Postgres(Address::parse(&url).unwrap().with_own_time());
        let (here, there) = (World::at(location.clone()).await, World::at(location).await);
        let project = here.project(&here.register("olga").await).await;
        let wanda = here.member(&project, "wanda", "worker").await;
        here.listen(&wanda).await;
        here.ticket(&project, Some(&wanda)).await;
        let leased = due(here.app.store()).await;
        let [leased] = leased.try_into().expect("one webhook is due");
        let turn = delivered(leased, here.app.now());
        Some(Scene { here, there, database: connect(&url).await, project, wanda, turn })
    }

    /// Causes one more event for the same webhook, through the other server.
    fn event(self: &Arc<Self>) -> JoinHandle<()> {
        let scene = Arc::clone(self);
        tokio::spawn(async move {
            scene.there.ticket(&scene.project, Some(&scene.wanda)).await;
        })
    }

    /// Notes that the turn is over. When that is done and before it is committed it tells, and waits to be told.
    fn note(self: &Arc<Self>) -> (Arc<Notify>, Arc<Notify>, JoinHandle<()>) {
        let (store, turn) = (self.here.app.store().clone(), self.turn.clone());
        let (done, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tells, told) = (Arc::clone(&done), Arc::clone(&go_on));
        let noting = tokio::spawn(async move {
            let script = store.write(move |tx| {
                Box::pin(async move {
                    let lost = turns::note(tx, std::slice::from_ref(&turn)).await?;
                    // What was sent before this has been done when this is answered.
                    tx.first("SELECT 1 AS one", &[], |row| row.get::<i64>("one")).await?;
                    tells.notify_one();
                    told.notified().await;
                    Ok::<_, StoreError>(lost)
                })
            });
            assert!(script.await.unwrap().is_empty(), "the webhook is still this turn's");
        });
        (done, go_on, noting)
    }

    /// Until so many wait for something that another has.
    async fn until_waiting(&self, count: i64) {
        let sql = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let wait =
            async { while self.database.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) != count {} };
        within(wait).await;
    }

    /// The second event, and nothing else, is due.
    async fn assert_that_the_event_is_due(&self) {
        let leased = due(self.here.app.store()).await;
        let due: Vec<usize> = leased.iter().map(|leased| leased.due.len()).collect();
        assert_eq!(due, [1], "one event waits for its turn");
        assert_ne!(leased[0].due[0].id, self.turn.attempts[0].delivery);
    }
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("what a story waits for happens")
}

/// Leases what is due.
async fn due(store: &Store) -> Vec<Leased> {
    let write = store.write(|tx| {
        let until = tx.now().plus(PATIENCE);
        Box::pin(take(tx, Lane::Working, 10, until))
    });
    write.await.unwrap()
}

/// The turn in which all went well.
fn delivered(leased: Leased, now: Timestamp) -> Turn {
    let Leased { lease, webhook, failing_since, due, .. } = leased;
    let attempts = due.into_iter().map(|due| Attempt {
        delivery: due.id,
        number: due.number,
        begun_at: now,
        ended_at: now,
        http_status: Some(200),
        error: None,
        fate: Fate::Delivered,
    });
    Turn { lease, webhook, failing_since, is_slow: false, attempts: attempts.collect() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_waits_for_the_end_of_a_turn_is_due_after_it() {
    let Some(scene) = Scene::new().await.map(Arc::new) else { return };
    let (noted, go_on, noting) = scene.note();
    within(noted.notified()).await;
    let event = scene.event();
    scene.until_waiting(1).await;
    go_on.notify_one();
    within(noting).await.unwrap();
    within(event).await.unwrap();
    scene.assert_that_the_event_is_due().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_turn_waits_for_an_event_that_is_being_committed_and_finds_it() {
    let Some(scene) = Scene::new().await.map(Arc::new) else { return };
    hold_up(&scene.database, "INSERT ON deliveries").await;
    let event = scene.event();
    scene.until_waiting(1).await;
    let (_, go_on, noting) = scene.note();
    go_on.notify_one();
    scene.until_waiting(2).await;
    let_go(&scene.database).await;
    within(event).await.unwrap();
    within(noting).await.unwrap();
    scene.assert_that_the_event_is_due().await;
}
