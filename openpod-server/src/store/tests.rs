use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::api::{AgentKeyId, Cents, ProjectId, Timestamp};
use openpod_sdk::clock::ManualClock;

use super::*;
use crate::ids::SystemRandomness;

fn start() -> Timestamp {
    "2026-03-12T10:30:00Z".parse().unwrap()
}

async fn store(location: Location) -> (Store, ManualClock) {
    let clock = ManualClock::new(start());
    let sources = Sources { clock: Arc::new(clock.clone()), randomness: Arc::new(SystemRandomness) };
    (Store::open(location, sources).await.unwrap(), clock)
}

async fn insert(store: &Store, login: String, then: Result<(), StoreErrorKind>) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            Box::pin(async move {
                let (id, now): (String, _) = (tx.new_id(), tx.now());
                let sql = "INSERT INTO owners (id, login, login_key, password_hash, created_at) \
                           VALUES ($1, $2, $2, 'x', $3)";
                tx.execute(sql, params![id, login, now]).await?;
                then.map_err(|_| StoreError::unreadable("the script changed its mind"))
            })
        })
        .await
}

async fn logins(store: &Store) -> Vec<String> {
    store
        .read(|tx| {
            Box::pin(async move {
                tx.all("SELECT login FROM owners ORDER BY login", params![], |row| row.get("login")).await
            })
        })
        .await
        .unwrap_or_else(|error: StoreError| panic!("{error}"))
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::File(directory.path().join("test.db"));
    let (first, _) = store(location.clone()).await;
    insert(&first, "olga".into(), Ok(())).await.unwrap();
    drop(first);
    let (again, _) = store(location).await;
    assert_eq!(logins(&again).await, ["olga"]);
}

#[tokio::test]
async fn of_a_group_only_the_scripts_that_succeed_stay() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = store(Location::File(directory.path().join("test.db"))).await;
    let writes = (0..100).map(|n| {
        let then = if n % 3 == 0 { Err(StoreErrorKind::Failed) } else { Ok(()) };
        insert(&store, format!("{n:03}"), then)
    });
    let outcomes = futures_util::future::join_all(writes).await;
    let stayed: Vec<_> = (0..100).filter(|n| n % 3 != 0).map(|n| format!("{n:03}")).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), stayed.len());
    assert_eq!(logins(&store).await, stayed);
}

#[tokio::test]
async fn a_duplicate_is_told_from_other_failures() {
    let (store, _) = store(Location::Memory).await;
    insert(&store, "olga".into(), Ok(())).await.unwrap();
    let again = insert(&store, "olga".into(), Ok(())).await.unwrap_err();
    assert_eq!(again.kind(), StoreErrorKind::Duplicate);
}

#[tokio::test]
async fn a_read_cannot_change_anything() {
    let (store, _) = store(Location::Memory).await;
    let refused: Result<u64, StoreError> =
        store.read(|tx| Box::pin(async move { tx.execute("DELETE FROM owners", params![]).await })).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn a_panic_reaches_its_caller_and_nobody_else() {
    let (store, _) = store(Location::Memory).await;
    let task = tokio::spawn({
        let store = store.clone();
        async move {
            store.write::<(), StoreError, _>(|_| Box::pin(async { panic!("on purpose") })).await.unwrap();
        }
    });
    assert!(task.await.unwrap_err().is_panic());
    insert(&store, "olga".into(), Ok(())).await.unwrap();
    assert_eq!(logins(&store).await, ["olga"]);
}

#[tokio::test]
async fn a_statement_with_a_wrong_number_of_parameters_is_refused() {
    let (store, _) = store(Location::Memory).await;
    for count in [0, 2] {
        let refused: Result<_, StoreError> = store
            .read(move |tx| {
                Box::pin(async move {
                    let params = vec![Value::Integer(1); count];
                    tx.first("SELECT $1 AS n", &params, |row| row.get::<i64>("n")).await
                })
            })
            .await;
        assert!(refused.is_err(), "{count}");
    }
}

#[tokio::test]
async fn a_transaction_has_one_time_and_takes_it_from_the_clock() {
    let (store, clock) = store(Location::Memory).await;
    clock.advance(Duration::from_secs(5));
    let times: Result<_, StoreError> =
        store.write(|tx| Box::pin(async move { Ok((tx.now(), tx.now())) })).await;
    let (first, second) = times.unwrap();
    assert_eq!((first, second), (start().plus(Duration::from_secs(5)), first));
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let clock = ManualClock::new(start());
    let sources = Sources { clock: Arc::new(clock), randomness: Arc::new(SystemRandomness) };
    let refused = Store::open(Location::File(path), sources).await.unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 99, .. }), "{refused}");
}

/// Rows for a ticket that agent `a` is paid 10 cents for, and one that it hands in.
const A_PAID_TICKET: [&str; 5] = [
    "INSERT INTO agents (id, name, name_key, slug, capabilities, created_at) VALUES ('a', 'a', 'a', 'a', '[]', 0), \
     ('b', 'b', 'b', 'b', '[]', 0)",
    "INSERT INTO projects (id, title, description, status, owner_agent_id, created_at, updated_at) \
     VALUES ('p', 'p', 'p', 'open', 'a', 0, 0)",
    "INSERT INTO tickets (id, project_id, number, title, priority, kind, acceptance_criteria, labels, status, approval, \
     payout_cents, submitted_at, assignee_id, deliverables, version, created_at, updated_at) VALUES \
     ('t', 'p', 1, 't', 'low', 'spike', '[]', '[]', 'done', 'approved', 15, 0, 'a', '[]', 1, 0, 0), \
     ('u', 'p', 2, 'u', 'low', 'spike', '[]', '[]', 'done', 'approved', 15, 0, 'a', '[]', 1, 0, 0), \
     ('v', 'p', 3, 'v', 'low', 'spike', '[]', '[]', 'done', 'pending', NULL, 0, 'a', '[]', 1, 0, 0)",
    "INSERT INTO ledger_transactions (id, kind, project_id, ticket_id, agent_id, amount_cents, commission_cents, \
     created_at) VALUES ('x', 'deliverable_approved', 'p', 't', 'a', 15, 2, 0)",
    "INSERT INTO audit_log (id, at, actor_kind, operation, target_kind, target_id, after_json) \
     VALUES ('l', 0, 'operator', 'x', 'x', 'x', '{}')",
];

async fn run(store: &Store, sql: impl Into<String>) -> Result<u64, StoreError> {
    let sql = sql.into();
    store.write(move |tx| Box::pin(async move { tx.execute(&sql, params![]).await })).await
}

#[tokio::test]
async fn the_ledger_keeps_itself_balanced_and_nothing_in_it_changes() {
    let (store, _) = store(Location::Memory).await;
    for statement in A_PAID_TICKET {
        run(&store, statement).await.unwrap();
    }
    let entries: Result<_, StoreError> = store
        .read(|tx| {
            Box::pin(async move {
                let sql = "SELECT account_kind, amount_cents FROM ledger_entries ORDER BY account_kind";
                tx.all(sql, params![], |row| {
                    Ok((row.get::<String>("account_kind")?, row.get::<i64>("amount_cents")?))
                })
                .await
            })
        })
        .await;
    let expected = [("agent", 13), ("platform", 2), ("project", -15)];
    assert_eq!(entries.unwrap(), expected.map(|(kind, cents)| (kind.to_owned(), cents)));
    let pay = |ticket: &str, agent: &str, amount: i64, commission: i64| {
        format!(
            "INSERT INTO ledger_transactions (id, kind, project_id, ticket_id, agent_id, amount_cents, \
             commission_cents, created_at) VALUES ('y', 'deliverable_approved', 'p', '{ticket}', '{agent}', \
             {amount}, {commission}, 0)"
        )
    };
    for statement in [
        "UPDATE ledger_transactions SET amount_cents = 11".to_owned(),
        "DELETE FROM ledger_transactions".to_owned(),
        "UPDATE ledger_entries SET amount_cents = 2".to_owned(),
        "DELETE FROM ledger_entries".to_owned(),
        "INSERT INTO ledger_entries VALUES ('x', 'agent', 'b', 13)".to_owned(),
        "INSERT INTO ledger_entries VALUES ('nothing', 'agent', 'a', 13)".to_owned(),
        pay("u", "a", 14, 1),
        pay("u", "b", 15, 2),
        pay("u", "a", 15, 1),
        pay("v", "a", 15, 2),
        "UPDATE tickets SET payout_cents = 16 WHERE id = 't'".to_owned(),
        "UPDATE tickets SET approval = 'pending', payout_cents = NULL WHERE id = 't'".to_owned(),
        "UPDATE tickets SET assignee_id = 'b' WHERE id = 't'".to_owned(),
        "UPDATE audit_log SET at = 1".to_owned(),
        "DELETE FROM audit_log".to_owned(),
    ] {
        assert_eq!(
            run(&store, statement.as_str()).await.unwrap_err().kind(),
            StoreErrorKind::Constraint,
            "{statement}"
        );
    }
    assert_eq!(run(&store, pay("t", "a", 15, 2)).await.unwrap_err().kind(), StoreErrorKind::Duplicate);
    run(&store, pay("u", "a", 15, 2)).await.unwrap();
}

#[tokio::test]
async fn a_sum_that_no_number_can_hold_is_an_error_and_never_another_sum() {
    let (store, _) = store(Location::Memory).await;
    for statement in A_PAID_TICKET {
        // Both tickets are paid with nearly all that a column can hold.
        let (amount, commission) = (i64::MAX - 5, Cents(i64::MAX - 5).split_payout().commission.0);
        let statement = statement.replace("15, 2, 0)", &format!("{amount}, {commission}, 0)"));
        run(&store, statement.replace("'approved', 15,", &format!("'approved', {amount},"))).await.unwrap();
        if statement.contains("'x', 'deliverable_approved'") {
            let second = statement.replace("'x'", "'y'").replace("'t'", "'u'");
            run(&store, second).await.unwrap();
        }
    }
    let (p, a) = (ProjectId::from("p"), AgentKeyId::from("a"));
    let (q, b) = (p.clone(), a.clone());
    let told: [Result<(), StoreError>; 4] = [
        store.read(move |tx| Box::pin(async move { ledger::purse(tx, &p).await.map(drop) })).await,
        store.read(move |tx| Box::pin(async move { ledger::spending(tx, &q).await.map(drop) })).await,
        store.read(move |tx| Box::pin(async move { ledger::earned(tx, &a).await.map(drop) })).await,
        store.read(move |tx| Box::pin(async move { ledger::summary_of(tx, &b).await.map(drop) })).await,
    ];
    for sum in told {
        assert_eq!(sum.unwrap_err().kind(), StoreErrorKind::Failed);
    }
}
