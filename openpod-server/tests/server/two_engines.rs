//! What must be the same on SQLite and on PostgreSQL, and what several processes on one PostgreSQL may count on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use openpod_sdk::api::{Timestamp, WebhookId};
use openpod_sdk::clock::SystemClock;
use openpod_server::ids::SystemRandomness;
use openpod_server::operators;
use openpod_server::store::deliveries::{Lane, next_expiry};
use openpod_server::store::{
    Address, Location, OpenError, Sources, Store, StoreError, StoreErrorKind, Value,
};
use serde_json::json;

use super::databases;
use super::deliveries::stage::take;
use super::world::{AGENT, World, text};

pub(super) fn sources() -> Sources {
    Sources { clock: Arc::new(SystemClock), randomness: Arc::new(SystemRandomness) }
}

pub(super) async fn open(location: Location) -> Store {
    Store::open(location, sources()).await.unwrap()
}

/// A memory of SQLite's and, where it is installed, a PostgreSQL database; both empty.
pub(super) async fn both() -> Vec<Location> {
    let postgres = databases::postgres().await.map(|url| Location::Postgres(Address::parse(&url).unwrap()));
    [Location::Memory].into_iter().chain(postgres).collect()
}

async fn insert(store: &Store, login: &str, then: Result<(), ()>) -> Result<(), StoreError> {
    let login = login.to_owned();
    let write = store.write(move |tx| {
        Box::pin(async move {
            let (id, now): (String, _) = (tx.new_id(), tx.now().as_micros());
            let sql = "INSERT INTO owners (id, login, login_key, password_hash, created_at) \
                       VALUES ($1, $2, $2, 'x', $3)";
            tx.execute(sql, &[Value::Text(id), Value::Text(login), Value::Integer(now)]).await?;
            then.map_err(|()| StoreError::unreadable("the script changed its mind"))
        })
    });
    write.await
}

async fn texts(store: &Store, sql: String) -> Vec<String> {
    let read = store.read(move |tx| Box::pin(async move { tx.all(&sql, &[], |row| row.get("line")).await }));
    read.await.unwrap_or_else(|error: StoreError| panic!("{error}"))
}

#[tokio::test]
async fn a_server_that_runs_hears_at_once_of_what_a_command_wants_delivered() {
    let home = tempfile::tempdir().unwrap();
    let file = Location::File(home.path().join("openpod.db"));
    for place in [Some(file), databases::postgres_location().await].into_iter().flatten() {
        let world = World::at(place.clone()).await;
        let server = world.app.store();
        let mut ticks = server.commits();
        if server.is_shared() {
            // It begins to listen a moment after it was opened, and looks then.
            ticks.changed().await.unwrap();
        }
        let wanda = world.register("wanda").await;
        world.listen(&wanda).await;
        let webhooks = world.get(&format!("{AGENT}/webhooks"), &wanda).await.expect(200);
        while server.new_deliveries().now_or_never().is_some() {}

        let command = Store::open(place, sources()).await.unwrap();
        let webhook = WebhookId::from(text(&webhooks[0]["id"]));
        operators::test_webhook(&command, webhook).await.unwrap();
        command.wake_servers().await.unwrap();
        drop(command);
        let heard = tokio::time::timeout(Duration::from_secs(60), server.new_deliveries()).await;
        heard.expect("it hears of it without looking by itself");
    }
}

#[tokio::test]
async fn of_many_scripts_at_once_those_that_succeed_stay() {
    for location in both().await {
        let store = open(location).await;
        let names: Vec<String> = (0..100).map(|n| format!("{n:03}")).collect();
        let then = |n: usize| if n.is_multiple_of(3) { Err(()) } else { Ok(()) };
        let writes = names.iter().enumerate().map(|(n, name)| insert(&store, name, then(n)));
        let done = join_all(writes).await.iter().filter(|outcome| outcome.is_ok()).count();
        let stayed = texts(&store, "SELECT login AS line FROM owners ORDER BY login".into()).await;
        assert_eq!((done, stayed.len()), (66, 66));
        assert!(stayed.iter().all(|name| name.parse::<usize>().unwrap() % 3 != 0));
    }
}

#[tokio::test]
async fn a_failure_is_the_same_kind_of_failure_and_fails_its_script_whatever_that_makes_of_it() {
    for location in both().await {
        let store = open(location).await;
        insert(&store, "olga", Ok(())).await.unwrap();
        assert_eq!(insert(&store, "olga", Ok(())).await.unwrap_err().kind(), StoreErrorKind::Duplicate);
        let unknown = "UPDATE owners SET id = 'x' WHERE nothing = 1";
        let orphan = "INSERT INTO webhook_events (webhook_id, event) VALUES ('nowhere', 'x')";
        let writing = "DELETE FROM owners";
        for (sql, kind) in [(unknown, StoreErrorKind::Failed), (orphan, StoreErrorKind::Constraint)] {
            let write = store.write(move |tx| {
                Box::pin(async move {
                    let _ = tx.execute(sql, &[]).await;
                    Ok::<_, StoreError>(())
                })
            });
            assert_eq!(write.await.unwrap_err().kind(), kind, "{sql}");
        }
        let read = store.read(move |tx| Box::pin(async move { tx.execute(writing, &[]).await }));
        assert!(read.await.is_err_and(|_: StoreError| true));
        assert_eq!(texts(&store, "SELECT login AS line FROM owners".into()).await, ["olga"]);
    }
}

#[tokio::test]
async fn text_is_ordered_by_its_bytes() {
    for location in both().await {
        let store = open(location).await;
        for login in ["b", "B", "a", "ä", "z", "_"] {
            insert(&store, login, Ok(())).await.unwrap();
        }
        let order = texts(&store, "SELECT login AS line FROM owners ORDER BY login".into()).await;
        assert_eq!(order, ["B", "_", "a", "b", "z", "ä"]);
    }
}

/// Tables, columns with type and nullability, and unique keys: one line for each.
const SQLITE_SCHEMA: &str = "\
    SELECT t.name || '.' || c.name || ' ' || replace(replace(c.type, 'INTEGER', 'bigint'), 'BLOB', 'bytea') || \
    CASE WHEN c.\"notnull\" OR c.pk > 0 THEN ' not null' ELSE '' END AS line \
    FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' \
    AND t.name NOT LIKE 'knowledge_words%' AND t.name NOT LIKE 'sqlite_%' \
    UNION SELECT t.name || ' unique ' || (SELECT group_concat(name, ',') FROM (SELECT name FROM \
    pragma_index_info(i.name) ORDER BY name)) || CASE WHEN i.partial THEN ' partial' ELSE '' END \
    FROM sqlite_schema t JOIN pragma_index_list(t.name) i WHERE i.\"unique\" AND t.name NOT LIKE 'knowledge_words%' \
    UNION SELECT t.name || ' refers to ' || f.\"table\" || ' by ' || f.\"from\" FROM sqlite_schema t \
    JOIN pragma_foreign_key_list(t.name) f";

const POSTGRES_SCHEMA: &str = "\
    SELECT CAST(c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, NULL) || \
    CASE WHEN a.attnotnull THEN ' not null' ELSE '' END AS TEXT) AS line \
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relkind = 'r' AND a.attnum > 0 \
    AND c.relnamespace = 'public'::regnamespace AND c.relname NOT IN ('knowledge_words', 'schema_version', 'leases') \
    UNION SELECT CAST(c.relname || ' unique ' || (SELECT string_agg(a.attname, ',' ORDER BY a.attname COLLATE \"C\") \
    FROM pg_attribute a WHERE a.attrelid = i.indexrelid) || \
    CASE WHEN i.indpred IS NOT NULL THEN ' partial' ELSE '' END AS TEXT) \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE i.indisunique \
    AND c.relnamespace = 'public'::regnamespace AND c.relname NOT IN ('knowledge_words', 'leases') \
    UNION SELECT CAST(c.relname || ' refers to ' || f.relname || ' by ' || a.attname AS TEXT) \
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1] \
    WHERE k.contype = 'f' AND c.relname <> 'knowledge_words'";

#[tokio::test]
async fn both_schemas_have_the_same_tables_columns_and_keys() {
    let Some(url) = databases::postgres().await else { return };
    let sqlite = texts(&open(Location::Memory).await, SQLITE_SCHEMA.into()).await;
    let postgres = open(Location::Postgres(Address::parse(&url).unwrap())).await;
    let postgres = texts(&postgres, POSTGRES_SCHEMA.into()).await;
    let lower = |lines: Vec<String>| lines.iter().map(|line| line.to_lowercase()).collect::<BTreeSet<_>>();
    let (sqlite, postgres) = (lower(sqlite), lower(postgres));
    let apart: Vec<_> = sqlite.symmetric_difference(&postgres).collect();
    assert!(apart.is_empty() && sqlite.len() > 150, "{apart:#?}");
}

#[tokio::test]
async fn processes_that_start_at_once_set_a_database_up_once() {
    let Some(url) = databases::postgres().await else { return };
    let address = Address::parse(&url).unwrap();
    let starts = (0..8).map(|_| Store::open(Location::Postgres(address.clone()), sources()));
    let stores: Vec<Store> = join_all(starts).await.into_iter().map(Result::unwrap).collect();
    insert(&stores[0], "olga", Ok(())).await.unwrap();
    for store in &stores {
        assert_eq!(texts(store, "SELECT login AS line FROM owners".into()).await, ["olga"]);
    }
    let again = "UPDATE schema_version SET version = 99";
    stores[0]
        .write(move |tx| Box::pin(async move { tx.execute(again, &[]).await }))
        .await
        .unwrap_or_else(|error: StoreError| panic!("{error}"));
    let refused = Store::open(Location::Postgres(address), sources()).await.unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 99, .. }), "{refused}");
}

#[tokio::test]
async fn a_commit_wakes_those_who_wait_in_another_process() {
    let Some(url) = databases::postgres().await else { return };
    let location = Location::Postgres(Address::parse(&url).unwrap());
    let (here, there) = (open(location.clone()).await, open(location).await);
    let mut ticks = there.commits();
    // It listens when it has ticked for the first time.
    ticks.changed().await.unwrap();
    there.new_deliveries().await;
    insert(&here, "olga", Ok(())).await.unwrap();
    ticks.changed().await.unwrap();
}

#[tokio::test]
async fn a_write_is_never_dated_before_a_read_of_another_process_that_did_not_see_it() {
    let Some(url) = databases::postgres().await else { return };
    let location = Location::Postgres(Address::parse(&url).unwrap());
    let (here, there) = (open(location.clone()).await, open(location).await);
    let writes = async {
        for n in 0..200 {
            insert(&here, &format!("{n:03}"), Ok(())).await.unwrap();
        }
    };
    let reads = async {
        let mut seen: Vec<(Timestamp, i64)> = Vec::new();
        for _ in 0..400 {
            let look = there.read(|tx| {
                Box::pin(async move {
                    let count = tx.first("SELECT count(*) AS n FROM owners", &[], |row| row.get("n")).await?;
                    Ok::<_, StoreError>((tx.now(), count.unwrap_or(0)))
                })
            });
            seen.push(look.await.unwrap());
        }
        seen
    };
    let ((), seen) = tokio::join!(writes, reads);
    let times =
        texts(&here, "SELECT CAST(created_at AS TEXT) AS line FROM owners ORDER BY login".into()).await;
    let times: Vec<i64> = times.iter().map(|time| time.parse().unwrap()).collect();
    for (read_at, count) in seen {
        // The writes came one after another, so a read that saw n of them missed the next.
        if let Some(missed) = times.get(usize::try_from(count).unwrap()) {
            assert!(*missed >= read_at.as_micros(), "{missed} {read_at}");
        }
    }
}

#[tokio::test]
async fn of_two_processes_one_leases_a_webhook() {
    let Some(url) = databases::postgres().await else { return };
    let address = Address::parse(&url).unwrap().with_own_time();
    let world = World::at(Location::Postgres(address.clone())).await;
    let other = Store::open(Location::Postgres(address), world.app.store().sources().clone()).await.unwrap();
    let project = world.project(&world.owner("olga").await).await;
    let ada = world.member(&project, "ada", "worker").await;
    for n in 0..10 {
        let webhook = json!({"url": format!("https://93.184.216.34/{n}"), "events": ["*"]});
        world.post(&format!("{AGENT}/webhooks"), &ada, webhook).await.expect(201);
    }
    world.ticket(&project, Some(&ada)).await;
    let now = world.app.now();
    let lease = |store: &Store| {
        let store = store.clone();
        let until = now.plus(Duration::from_secs(60));
        async move {
            let script = store.write(move |tx| Box::pin(take(tx, Lane::Working, 4, until)));
            script.await.unwrap_or_else(|error: StoreError| panic!("{error}"))
        }
    };
    let here = world.app.store();
    let leased = join_all([here, &other, here, &other, here, &other].map(lease)).await;
    let ids: Vec<String> = leased.into_iter().flatten().map(|leased| leased.webhook.to_string()).collect();
    let unique: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    let rest = lease(&other).await.into_iter().chain(lease(here).await).chain(lease(here).await).count();
    assert_eq!(ids.len() + rest, 10);
    let read = here.read(|tx| {
        Box::pin(async move {
            let asked = next_expiry(tx).await?;
            tx.answer(asked).await
        })
    });
    let due = read.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
    assert_eq!(due, [now.plus(Duration::from_secs(60))]);
}

/// Two servers on one PostgreSQL database; one on a memory of SQLite's, which stands for both.
pub(super) async fn servers(location: Location) -> Vec<World> {
    let mut servers = vec![World::at(location.clone()).await];
    if location != Location::Memory {
        servers.push(World::at(location).await);
    }
    servers
}

#[tokio::test]
async fn of_fifty_claims_at_once_one_wins_and_of_two_hundred_approvals_the_budget_holds() {
    for location in both().await {
        let servers = servers(location).await;
        let world = &servers[0];
        let project = world.project(&world.owner("olga").await).await;
        let mut agents = Vec::new();
        for n in 0..10 {
            agents.push(world.member(&project, &format!("agent{n}"), "worker").await);
        }
        let free = world.ticket(&project, None).await;
        let path = format!("{AGENT}/tickets/{free}");
        let claims = (0..50).map(|n| {
            let (server, agent, path) = (&servers[n % servers.len()], &agents[n % 10], &path);
            async move { (n % 10, server.patch(path, agent, json!({"status": "in_progress"})).await) }
        });
        let answers = join_all(claims).await;
        let winners: BTreeSet<usize> =
            answers.iter().filter(|(_, answer)| answer.status == 200).map(|(agent, _)| *agent).collect();
        assert_eq!(winners.len(), 1);
        let lost = answers.iter().filter(|(agent, _)| !winners.contains(agent));
        assert!(lost.map(|(_, answer)| answer.refusal()).all(|refusal| refusal == (409, "already_claimed")));

        // 100 000 cents are there, and 50 tickets ask for 3 000 each, each of them four times.
        let ada = &agents[0];
        let mut tickets = Vec::new();
        for _ in 0..50 {
            let ticket = world.ticket(&project, Some(ada)).await;
            let path = format!("{AGENT}/tickets/{ticket}");
            world.patch(&path, ada, json!({"status": "in_progress"})).await.expect(200);
            world.patch(&path, ada, json!({"status": "in_review"})).await.expect(200);
            tickets.push(ticket);
        }
        let owner = &project.owner;
        let approvals = (0..200).map(|n| {
            let server = &servers[n % servers.len()];
            let path = format!("{}/tickets/{}/approve", owner.surface(), tickets[n % 50]);
            async move {
                // A machine that is too busy says so, and moved nothing.
                loop {
                    let judgement = json!({"action": "approve", "payout_cents": 3_000});
                    let answer = server.post(&path, owner, judgement).await;
                    if answer.status != 503 {
                        return answer;
                    }
                }
            }
        });
        let answers = join_all(approvals).await;
        let mut counts = std::collections::BTreeMap::<String, usize>::new();
        for answer in &answers {
            let word = if answer.status == 200 { "approved" } else { answer.refusal().1 };
            *counts.entry(word.to_owned()).or_default() += 1;
        }
        assert_eq!(counts.get("approved"), Some(&33), "{counts:?}");
        assert_eq!(counts.get("already_approved"), Some(&99), "{counts:?}");
        assert_eq!(counts.get("budget_exceeded"), Some(&68), "{counts:?}");
        let earned = world.get(&format!("{AGENT}/me/balance"), ada).await.expect(200);
        assert_eq!(earned["ledger"]["total_earned_cents"], 33 * 2_700, "{earned}");
    }
}
