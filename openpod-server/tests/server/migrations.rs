//! Steps of the schema on databases that already hold rows: whole or not at all, once, and never backwards.

use futures_util::future::join_all;
use openpod_server::store::{
    Location, OpenError, Opening, STEPS, Step, Store, StoreError, StoreErrorKind, version,
};
use serde_json::json;

use super::databases;
use super::two_engines::sources;
use super::world::{OWNER, World};

/// Adds a column with a value for the rows that are there, and, as SQLite needs it for a new rule, builds a table anew to
/// which others refer.
const BETTER: Step = Step {
    name: "0003_better",
    sqlite: "\
        ALTER TABLE projects ADD COLUMN currency TEXT NOT NULL DEFAULT 'USD';
        CREATE TABLE new_owners (
            id TEXT PRIMARY KEY, login TEXT NOT NULL, login_key TEXT NOT NULL UNIQUE, password_hash TEXT NOT NULL,
            created_at INTEGER NOT NULL CHECK (created_at > 0)
        ) STRICT;
        INSERT INTO new_owners SELECT * FROM owners;
        DROP TABLE owners;
        ALTER TABLE new_owners RENAME TO owners;",
    postgres: "\
        ALTER TABLE projects ADD COLUMN currency TEXT COLLATE \"C\" NOT NULL DEFAULT 'USD';
        ALTER TABLE owners ADD CHECK (created_at > 0);",
};

/// Changes much, and then fails.
const BROKEN: Step = Step {
    name: "0003_broken",
    sqlite: "CREATE TABLE more (id TEXT) STRICT; INSERT INTO more VALUES ('x'); UPDATE projects SET title = 'lost'; \
             INSERT INTO nowhere VALUES (1);",
    postgres: "CREATE TABLE more (id TEXT); INSERT INTO more VALUES ('x'); UPDATE projects SET title = 'lost'; \
               INSERT INTO nowhere VALUES (1);",
};

/// Leaves rows behind that refer to nothing. PostgreSQL refuses that by itself.
const CARELESS: Step =
    Step { name: "0003_careless", sqlite: "DELETE FROM owners;", postgres: "DELETE FROM owners;" };

/// The version of the schema that this program knows.
const NEWEST: u32 = STEPS.len() as u32;

/// The steps of a later version.
fn and_then(step: Step) -> Vec<Step> {
    [&STEPS[..], &[step]].concat()
}

/// A file and, where it is installed, a PostgreSQL database, each with a project in it.
async fn lived_in(home: &std::path::Path) -> Vec<Location> {
    let mut places = vec![Location::File(home.join("openpod.db"))];
    places.extend(databases::postgres_location().await);
    for place in &places {
        let world = World::at(place.clone()).await;
        let olga = world.owner("olga").await;
        world.project(&olga).await;
    }
    places
}

async fn open(place: &Location, steps: &[Step]) -> Result<Store, OpenError> {
    Store::open_as(place.clone(), sources(), Opening { steps: Some(steps), ..Opening::NEWEST }).await
}

async fn lines(store: &Store, sql: &'static str) -> Result<Vec<String>, StoreError> {
    store.read(move |tx| Box::pin(async move { tx.all(sql, &[], |row| row.get("line")).await })).await
}

async fn version_of(store: &Store) -> u32 {
    store.read(|tx| Box::pin(version(tx))).await.unwrap_or_else(|error: StoreError| panic!("{error}"))
}

#[tokio::test]
async fn a_step_is_taken_on_a_database_that_holds_rows_and_keeps_them() {
    let home = tempfile::tempdir().unwrap();
    for place in lived_in(home.path()).await {
        let store = open(&place, &and_then(BETTER)).await.unwrap();
        assert_eq!((store.migrated(), version_of(&store).await), (&["0003_better"][..], NEWEST + 1));
        let kept = "SELECT p.title || ' ' || p.currency || ' ' || o.login AS line FROM projects p \
                    JOIN owners o ON o.id = p.owner_id";
        assert_eq!(lines(&store, kept).await.unwrap(), ["Build it USD olga"]);
        // The new rule holds, and so do references to the table that was built anew.
        for sql in [
            "INSERT INTO owners (id, login, login_key, password_hash, created_at) VALUES ('o', 'o', 'o', 'x', 0)",
            "DELETE FROM owners",
            "UPDATE projects SET owner_id = 'nobody'",
        ] {
            let write = store.write(move |tx| Box::pin(async move { tx.execute(sql, &[]).await }));
            let refused: StoreError = write.await.unwrap_err();
            assert_eq!(refused.kind(), StoreErrorKind::Constraint, "{sql}: {refused}");
        }
        drop(store);
        let again = open(&place, &and_then(BETTER)).await.unwrap();
        assert!(again.migrated().is_empty(), "a step is taken once");
    }
}

#[tokio::test]
async fn a_step_that_fails_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    for place in lived_in(home.path()).await {
        for (step, why) in [(BROKEN, "nowhere"), (CARELESS, "owners")] {
            let refused = open(&place, &and_then(step)).await.unwrap_err();
            let said = refused.to_string();
            assert!(matches!(refused, OpenError::Migration { name, .. } if name == step.name), "{said}");
            assert!(said.contains("as it was before") && said.contains(why), "{said}");
        }
        let store = Store::open(place, sources()).await.unwrap();
        assert_eq!((store.migrated().len(), version_of(&store).await), (0, NEWEST));
        let kept =
            "SELECT p.title || ' ' || o.login AS line FROM projects p JOIN owners o ON o.id = p.owner_id";
        assert_eq!(lines(&store, kept).await.unwrap(), ["Build it olga"]);
        assert!(lines(&store, "SELECT id AS line FROM more").await.is_err(), "the table is not there");
    }
}

#[tokio::test]
async fn of_many_that_migrate_at_once_one_does_it() {
    let home = tempfile::tempdir().unwrap();
    for place in lived_in(home.path()).await {
        let steps = and_then(BETTER);
        let opened = join_all((0..8).map(|_| open(&place, &steps))).await;
        let (mut migrated, mut opened_at_all) = (0, 0);
        for outcome in opened {
            match outcome {
                Ok(store) => {
                    opened_at_all += 1;
                    migrated += store.migrated().len();
                }
                // On a file nobody migrates beneath another who does.
                Err(OpenError::Taken { .. }) if matches!(place, Location::File(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert!(migrated == 1 && opened_at_all >= 1, "{migrated} of {opened_at_all}");
        assert_eq!(version_of(&open(&place, &steps).await.unwrap()).await, NEWEST + 1);
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    for place in lived_in(home.path()).await {
        drop(open(&place, &and_then(BETTER)).await.unwrap());
        for refused in [
            Store::open(place.clone(), sources()).await.unwrap_err(),
            Store::open_for_server(place.clone(), sources()).await.unwrap_err(),
        ] {
            assert!(
                matches!(refused, OpenError::Newer { found, known } if (found, known) == (NEWEST + 1, NEWEST)),
                "{refused}"
            );
        }
        assert_eq!(version_of(&open(&place, &and_then(BETTER)).await.unwrap()).await, NEWEST + 1);
    }
}

#[tokio::test]
async fn beneath_a_server_that_runs_on_a_file_nothing_is_migrated() {
    let home = tempfile::tempdir().unwrap();
    let place = Location::File(home.path().join("openpod.db"));
    let server = Store::open_for_server(place.clone(), sources()).await.unwrap();
    let refused = open(&place, &and_then(BETTER)).await.unwrap_err();
    assert!(matches!(refused, OpenError::Taken { .. }), "{refused}");
    Store::open(place.clone(), sources()).await.expect("a command that needs no step runs beside it");
    drop(server);
    assert_eq!(open(&place, &and_then(BETTER)).await.unwrap().migrated(), ["0003_better"]);
}

#[tokio::test]
async fn servers_go_on_while_a_step_is_taken_that_their_queries_do_not_notice() {
    let Some(place) = databases::postgres_location().await else { return };
    let running = World::at(place.clone()).await;
    let olga = running.owner("olga").await;
    let notes = "CREATE TABLE notes (id TEXT)";
    let noted = Step { name: "0003_noted", sqlite: notes, postgres: notes };
    assert_eq!(open(&place, &and_then(noted)).await.unwrap().migrated(), ["0003_noted"]);
    let body = json!({"title": "Another", "description": "One more."});
    running.post(&format!("{OWNER}/projects"), &olga, body).await.expect(201);
}
