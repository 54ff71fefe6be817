//! A whole database: checked, backed up, restored, and moved to another engine and back.

mod damage;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use http::{Request, header};
use openpod_server::store::transfer::{Tally, Tell, TransferError};
use openpod_server::store::{Location, OpenError, Opening, STEPS, Store, StoreError};
use openpod_server::upkeep::{self, UpkeepError};
use serde_json::{Value, json};

use super::databases;
use super::two_engines::sources;
use super::world::{AGENT, Answer, OWNER, Person, Project, World, text};

/// People, and what they can ask for.
struct Town {
    olga: Person,
    pam: Person,
    wanda: Person,
    project: Project,
    open_ticket: String,
}

/// A platform with something in every table, that no server has open any more.
async fn town(place: &Location) -> Town {
    let world = World::at(place.clone()).await;
    let olga = world.owner("olga").await;
    let project = world.project(&olga).await;
    let pam = world.member(&project, "pam", "pm").await;
    let wanda = world.member(&project, "wanda", "worker").await;
    world.listen(&wanda).await;
    let keys = format!("{AGENT}/me/keys");
    // Several, so that some refer to one that comes before them and others to one that comes after.
    for n in 0..6 {
        let made =
            world.post(&keys, &wanda, json!({"name": format!("key {n}"), "scopes": ["*"]})).await.expect(201);
        let rotate = format!("{keys}/{}/rotate", text(&made["id"]));
        world.post(&rotate, &wanda, json!({})).await.expect(201);
    }
    let mut open_ticket = String::new();
    for cents in [Some(1_255), Some(0), None] {
        open_ticket = world.ticket(&project, Some(&wanda)).await;
        let one = format!("{AGENT}/tickets/{open_ticket}");
        world.patch(&one, &wanda, json!({"status": "in_review"})).await.expect(200);
        let comment = json!({"content": "Ready, “as far as I see”: \u{1f980}\n"});
        world.post(&format!("{one}/comments"), &wanda, comment).await.expect(201);
        if let Some(cents) = cents {
            approve(&world, &olga, &open_ticket, cents).await.expect(200);
        }
    }
    let entry = json!({"project_id": project.id, "title": "Database schemas", "tags": ["postgres"],
        "content": "Twelve tables in one database, for the café and everybody who comes there."});
    world.post(&format!("{AGENT}/knowledge"), &pam, entry).await.expect(201);
    let message = json!({"project_id": project.id, "channel_id": project.channel, "content": "Who takes the next one?"});
    world.post(&format!("{AGENT}/messages"), &wanda, message).await.expect(201);
    world.get(&format!("{AGENT}/messages?project_id={}", project.id), &pam).await.expect(200);
    repeatable(&world, &wanda, &open_ticket).await.expect(201);
    Town { olga, pam, wanda, project, open_ticket }
}

async fn approve(world: &World, owner: &Person, ticket: &str, cents: u64) -> Answer {
    let verdict = json!({"action": "approve", "payout_cents": cents, "rating": 5});
    world.post(&format!("{OWNER}/tickets/{ticket}/approve"), owner, verdict).await
}

/// A call that is remembered by its key.
async fn repeatable(world: &World, who: &Person, ticket: &str) -> Answer {
    let request = Request::post(format!("{AGENT}/tickets/{ticket}/comments"))
        .header(header::AUTHORIZATION, format!("Bearer {}", who.key.expose()))
        .header("idempotency-key", "this very call");
    world.send(request.body(r#"{"content": "Once."}"#.into()).unwrap()).await
}

/// What everybody sees, once they have seen it: to look at messages is to have read them.
async fn view(place: &Location, town: &Town) -> Vec<Value> {
    look(place, town).await;
    look(place, town).await
}

async fn look(place: &Location, town: &Town) -> Vec<Value> {
    let world = World::at(place.clone()).await;
    let project = &town.project.id;
    let mut seen = Vec::new();
    for (who, paths) in [
        (
            &town.wanda,
            vec![
                "me".to_owned(),
                "me/balance".to_owned(),
                "me/transactions".to_owned(),
                "me/keys".to_owned(),
                "heartbeat".to_owned(),
                "webhooks".to_owned(),
                format!("tickets?project_id={project}"),
                format!("tickets/{}", town.open_ticket),
                format!("messages?project_id={project}"),
                format!("knowledge?project_id={project}&q=cafe+tables"),
                format!("knowledge?project_id={project}&q=postgres"),
                format!("knowledge?project_id={project}&q=schema"),
            ],
        ),
        (&town.pam, vec!["heartbeat".to_owned(), "apply".to_owned()]),
        (
            &town.olga,
            vec![
                "me".to_owned(),
                "projects".to_owned(),
                format!("projects/{project}"),
                "transactions".to_owned(),
                "audit?limit=100".to_owned(),
                "keys".to_owned(),
            ],
        ),
    ] {
        for path in paths {
            let answer = world.get(&format!("{}/{path}", who.surface()), who).await;
            let found = answer.status == 200;
            seen.push(json!({"path": path, "found": found, "answer": answer.json}));
        }
    }
    seen
}

pub(super) fn silent() -> Tell {
    Arc::new(|_: &Tally| {})
}

#[track_caller]
fn is_in_order(report: &upkeep::Report, payments: u64) {
    assert_eq!(report.sentences(), Vec::<String>::new());
    assert_eq!(report.ledger.as_ref().map(|ledger| ledger.transactions), Some(payments));
}

/// An empty database of each engine that there is.
async fn empty(home: &Path, name: &str) -> Vec<Location> {
    [Location::File(home.join(name))].into_iter().chain(databases::postgres_location().await).collect()
}

#[tokio::test]
async fn a_database_that_was_copied_to_another_engine_and_back_answers_as_before_and_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let mut here = Location::File(home.path().join("first.db"));
    let town = town(&here).await;
    let before = view(&here, &town).await;
    assert!(before.iter().filter(|seen| seen["found"] == true).count() >= 19, "{before:#?}");
    let mut payments = 2;
    for there in [databases::postgres_location().await, Some(Location::File(home.path().join("last.db")))] {
        let Some(there) = there else { continue };
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell: Tell = {
            let told = Arc::clone(&told);
            Arc::new(move |tally: &Tally| told.lock().unwrap().push(tally.clone()))
        };
        let copied = upkeep::copy(here.clone(), there.clone(), sources(), tell).await.unwrap();
        assert_eq!(copied.tallies, *told.lock().unwrap());
        let empty: Vec<&str> =
            copied.tallies.iter().filter(|tally| tally.rows == 0).map(|tally| tally.table).collect();
        assert_eq!(empty, ["position_capabilities", "delivery_attempts"], "the others are put to the test");
        is_in_order(&copied.report, payments);
        here = there;
        if payments == 2 {
            assert_eq!(view(&here, &town).await, before);
        }
        // It goes on where it was: what was remembered, what is left of the budget, what refuses to be paid twice.
        let world = World::at(here.clone()).await;
        let again = repeatable(&world, &town.wanda, &town.open_ticket).await;
        assert!(again.headers.contains_key("idempotency-replayed"), "{again:?}");
        let left = world.get(&format!("{OWNER}/projects/{}", town.project.id), &town.olga).await.expect(200);
        if payments == 2 {
            let refused = approve(&world, &town.olga, &town.open_ticket, 100_000).await;
            assert_eq!(refused.refusal(), (409, "budget_exceeded"), "{left}");
            approve(&world, &town.olga, &town.open_ticket, 98_745).await.expect(200);
            payments += 1;
        }
        let refused = approve(&world, &town.olga, &town.open_ticket, 1).await;
        assert_eq!(refused.refusal(), (409, "already_approved"));
    }
}

#[tokio::test]
async fn a_backup_of_either_engine_is_taken_while_a_server_writes_and_is_restored_on_either() {
    let home = tempfile::tempdir().unwrap();
    for (n, source) in empty(home.path(), "source.db").await.into_iter().enumerate() {
        let town = town(&source).await;
        let before = view(&source, &town).await;
        let (server, backup) = (World::at(source.clone()).await, home.path().join(format!("backup-{n}.db")));
        let comments = format!("{AGENT}/tickets/{}/comments", town.open_ticket);
        let write = async {
            for n in 0..30 {
                server
                    .post(&comments, &town.wanda, json!({"content": format!("More {n}.")}))
                    .await
                    .expect(201);
            }
        };
        let save = upkeep::back_up(source.clone(), &backup, sources(), silent());
        let (report, ()) = tokio::join!(save, write);
        is_in_order(&report.unwrap(), 2);
        let mode = std::fs::metadata(&backup).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds the secrets of webhooks");
        let beside = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let beside: Vec<_> = beside.filter(|name| name.to_string_lossy().starts_with("backup-")).collect();
        assert_eq!(beside.len(), n + 1, "a backup is one file: {beside:?}");

        for target in empty(home.path(), &format!("restored-{n}.db")).await {
            let restored =
                upkeep::restore(backup.clone(), target.clone(), sources(), silent()).await.unwrap();
            is_in_order(&restored.report, 2);
            let after = view(&target, &town).await;
            // Of what was written meanwhile, a part may be in it; all else is as it was.
            let fixed = |seen: &[Value]| -> Vec<Value> {
                let moving = ["heartbeat", "tickets/", "audit"];
                let still = |one: &&Value| !moving.iter().any(|path| text(&one["path"]).starts_with(path));
                seen.iter().filter(still).cloned().collect()
            };
            assert_eq!(fixed(&after), fixed(&before));
            let again = upkeep::restore(backup.clone(), target, sources(), silent()).await.unwrap_err();
            assert!(matches!(again, UpkeepError::Transfer(TransferError::Occupied("agents"))), "{again}");
        }
        let again = upkeep::back_up(source, &backup, sources(), silent()).await.unwrap_err();
        assert!(matches!(&again, UpkeepError::Exists(path) if *path == backup), "{again}");
    }
}

/// A database as the first version wrote it, with so many owners and as many entries in the audit log.
pub(super) async fn rows_of_the_first_version(file: &Path, count: u32) {
    let opening = Opening { steps: Some(&STEPS[..1]), ..Opening::NEWEST };
    drop(Store::open_as(Location::File(file.to_owned()), sources(), opening).await.unwrap());
    let connection = rusqlite::Connection::open(file).unwrap();
    for insert in [
        "INSERT INTO owners (id, login, login_key, password_hash, created_at) \
         SELECT 'owner-' || i, 'Login ' || i, 'login ' || i, 'x', i FROM n",
        "INSERT INTO audit_log (id, at, actor_kind, operation, target_kind, target_id, after_json) \
         SELECT 'entry-' || i, i, 'operator', 'owner create', 'owner', 'owner-' || i, '{}' FROM n",
    ] {
        let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)";
        connection.execute(&format!("{numbers} {insert}"), [count]).unwrap();
    }
}

#[tokio::test]
async fn a_backup_of_an_older_version_is_brought_along_and_one_of_a_newer_version_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let (grown, backup) = (home.path().join("grown.db"), home.path().join("backup.db"));
    rows_of_the_first_version(&grown, 300).await;
    let grown = rusqlite::Connection::open(grown).unwrap();
    grown.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    let bytes = std::fs::read(&backup).unwrap();
    for target in empty(home.path(), "restored.db").await {
        let restored = upkeep::restore(backup.clone(), target.clone(), sources(), silent()).await.unwrap();
        let steps: Vec<&str> = STEPS[1..].iter().map(|step| step.name).collect();
        assert_eq!(restored.migrated, steps);
        is_in_order(&restored.report, 0);
        let rows = |table| restored.tallies.iter().find(|tally| tally.table == table).unwrap().rows;
        assert_eq!((rows("owners"), rows("audit_log"), rows("tickets")), (300, 300, 0));
        // What the first version refused.
        let insert = "INSERT INTO audit_log (id, at, actor_kind, operation, target_kind, target_id, after_json) \
                      VALUES ('new', 1, 'platform', 'webhook disable', 'webhook', 'w', '{}')";
        let store = Store::open(target, sources()).await.unwrap();
        let write = store.write(move |tx| Box::pin(async move { tx.execute(insert, &[]).await }));
        assert_eq!(write.await.unwrap_or_else(|error: StoreError| panic!("{error}")), 1);
    }
    assert!(std::fs::read(&backup).unwrap() == bytes, "the backup stays as it is");
    assert!(!home.path().join("backup.db.migrating").exists());
    for (version, message) in [(99, "start a newer openpod-server"), (0, "schema version 0")] {
        rusqlite::Connection::open(&backup).unwrap().pragma_update(None, "user_version", version).unwrap();
        let bytes = std::fs::read(&backup).unwrap();
        let target = home.path().join("nowhere.db");
        let to = Location::File(target.clone());
        let refused = upkeep::restore(backup.clone(), to, sources(), silent()).await.unwrap_err();
        let expected =
            matches!(refused, UpkeepError::Open(OpenError::Newer { .. } | OpenError::Older { .. }));
        assert!(expected && refused.to_string().contains(message), "{refused}");
        assert!(!target.exists() && std::fs::read(&backup).unwrap() == bytes);
    }
}

#[tokio::test]
async fn a_copy_is_refused_while_somebody_has_the_source_open_and_when_it_is_not_there() {
    let home = tempfile::tempdir().unwrap();
    let target = || Location::File(home.path().join("target.db"));
    for source in empty(home.path(), "source.db").await {
        let server = Store::open_for_server(source.clone(), sources()).await.unwrap();
        // A server on PostgreSQL listens a moment after it was opened, and ticks then.
        let mut ticks = server.commits();
        if server.is_shared() {
            ticks.changed().await.unwrap();
        }
        let refused = upkeep::copy(source.clone(), target(), sources(), silent()).await.unwrap_err();
        let open = matches!(refused, UpkeepError::Open(OpenError::Taken { .. } | OpenError::Shared { .. }));
        assert!(open && refused.to_string().contains("stop it first"), "{refused}");
        let same = upkeep::copy(source.clone(), source, sources(), silent()).await.unwrap_err();
        assert!(matches!(same, UpkeepError::Same), "{same}");
    }
    let nowhere = Location::File(home.path().join("nowhere.db"));
    let refused = upkeep::copy(nowhere, target(), sources(), silent()).await.unwrap_err();
    assert!(matches!(refused, UpkeepError::Open(OpenError::Missing { .. })), "{refused}");
    assert!(!home.path().join("target.db").exists() && !home.path().join("nowhere.db").exists());
    assert!(!home.path().join("nowhere.db-lock").exists());
}

#[tokio::test]
async fn what_cannot_be_copied_whole_leaves_the_target_empty() {
    let home = tempfile::tempdir().unwrap();
    let source = Location::File(home.path().join("source.db"));
    town(&source).await;
    let store = Store::open(source.clone(), sources()).await.unwrap();
    // A payment that its ticket was not approved for, as only a damaged database can have it.
    for sql in
        ["DROP TRIGGER tickets_stay_paid", "UPDATE tickets SET payout_cents = 1 WHERE payout_cents = 1255"]
    {
        let done = store.write(move |tx| Box::pin(async move { tx.execute(sql, &[]).await }));
        done.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
    }
    drop(store);
    for target in empty(home.path(), "target.db").await {
        let refused = upkeep::copy(source.clone(), target.clone(), sources(), silent()).await.unwrap_err();
        let UpkeepError::Transfer(TransferError::Write { table: "ledger_transactions", .. }) = refused else {
            panic!("{refused}")
        };
        let store = Store::open(target, sources()).await.unwrap();
        let count = "SELECT (SELECT count(*) FROM agents) + (SELECT count(*) FROM owners) AS n";
        let rows =
            store.read(move |tx| Box::pin(async move { tx.first(count, &[], |row| row.get("n")).await }));
        let rows: Result<Option<i64>, StoreError> = rows.await;
        assert_eq!(rows.unwrap(), Some(0));
    }
}
