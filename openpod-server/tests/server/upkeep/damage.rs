//! What a check finds wrong.

use openpod_server::store::{Address, Location, OpenError, Store};
use openpod_server::upkeep;

use super::{is_in_order, town};
use crate::server::databases;
use crate::server::two_engines::sources;

#[tokio::test]
async fn a_database_without_a_schema_is_told_from_one_that_is_damaged() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("empty.db");
    std::fs::write(&file, "").unwrap();
    let postgres = databases::postgres_location().await;
    for place in [Some(Location::File(file)), postgres].into_iter().flatten() {
        let store = upkeep::look_at(place, sources()).await.unwrap();
        let report = upkeep::check(&store).await.unwrap();
        assert_eq!((report.version, report.sentences()), (0, Vec::new()));
        assert!(matches!(report.require_current(), Err(OpenError::Older { found: 0, .. })));
    }
}

#[tokio::test]
async fn a_check_names_what_is_damaged_missing_or_switched_off() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("town.db");
    let place = Location::File(file.clone());
    town(&place).await;
    let store = upkeep::look_at(place, sources()).await.unwrap();
    for damage in SQLITE_DAMAGES {
        let connection = rusqlite::Connection::open(&file).unwrap();
        is_seen(&store, damage, async |sql| connection.execute_batch(sql).unwrap()).await;
    }
    let Some(url) = databases::postgres().await else { return };
    let place = Location::Postgres(Address::parse(&url).unwrap().with_own_time());
    town(&place).await;
    let store = upkeep::look_at(place, sources()).await.unwrap();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    for damage in POSTGRES_DAMAGES {
        is_seen(&store, damage, async |sql| client.batch_execute(sql).await.unwrap()).await;
    }
}

async fn is_seen(store: &Store, (damage, repair, expected): &Damage, run: impl AsyncFn(&str)) {
    is_in_order(&upkeep::check(store).await.unwrap(), 2);
    run(damage).await;
    let found = upkeep::check(store).await.unwrap().sentences();
    assert!(found.iter().any(|fault| fault.contains(expected)), "{damage}: {found:#?}");
    run(repair).await;
    is_in_order(&upkeep::check(store).await.unwrap(), 2);
}

/// What breaks a database, what mends it, and what a check says in between.
type Damage = (&'static str, &'static str, &'static str);

const SQLITE_DAMAGES: &[Damage] = &[
    (
        "DROP INDEX tickets_by_assignee",
        "CREATE INDEX tickets_by_assignee ON tickets (assignee_id, status, number)",
        "the index tickets_by_assignee is not there",
    ),
    (
        "DROP TRIGGER audit_log_remains",
        "CREATE TRIGGER audit_log_remains BEFORE DELETE ON audit_log \
         BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END",
        "the trigger audit_log_remains is not there",
    ),
    (
        "PRAGMA ignore_check_constraints = 1; UPDATE projects SET status = 'lost'; PRAGMA ignore_check_constraints = 0",
        "UPDATE projects SET status = 'open'",
        "CHECK constraint failed in projects",
    ),
    (
        "PRAGMA foreign_keys = 0; UPDATE ticket_comments SET ticket_id = 'x' || ticket_id; PRAGMA foreign_keys = 1",
        "UPDATE ticket_comments SET ticket_id = substr(ticket_id, 2)",
        "rows of ticket_comments refer to rows of tickets that are not there",
    ),
];

const POSTGRES_DAMAGES: &[Damage] = &[
    (
        "DROP INDEX tickets_by_assignee",
        "CREATE INDEX tickets_by_assignee ON tickets (assignee_id, status, number)",
        "the index tickets_by_assignee is not there",
    ),
    (
        "ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_stay",
        "ALTER TABLE ledger_entries ENABLE TRIGGER ledger_entries_stay",
        "the trigger ledger_entries_stay on ledger_entries is off",
    ),
    (
        "ALTER TABLE projects ADD CONSTRAINT later CHECK (title <> 'Build it') NOT VALID",
        "ALTER TABLE projects DROP CONSTRAINT later",
        "the constraint later was never checked",
    ),
    (
        "SET session_replication_role = replica; UPDATE ticket_comments SET ticket_id = 'x' || ticket_id; \
         SET session_replication_role = origin",
        "UPDATE ticket_comments SET ticket_id = substr(ticket_id, 2)",
        "rows of ticket_comments refer to rows of tickets that are not there",
    ),
    (
        "CREATE TABLE kept AS SELECT * FROM knowledge_words; DELETE FROM knowledge_words",
        "INSERT INTO knowledge_words SELECT * FROM kept; DROP TABLE kept",
        "there are 1 entries of knowledge, and 0 that a search looks through",
    ),
];
