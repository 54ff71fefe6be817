//! A disk that is full: what cannot be saved is refused, what is there can be read, and nothing is broken.

use std::path::Path;
use std::process::Command;

use futures_util::future::join_all;
use openpod_sdk::Client;
use openpod_sdk::api::projects::NewProject;
use openpod_sdk::api::tickets::NewTicket;
use openpod_sdk::api::{ErrorCode, ProjectId};
use openpod_sdk::client::RetryPolicy;
use openpod_server::store::{FromValue, Location, StoreError};
use serde_json::json;

use super::process::Program;
use super::world::{AGENT, Answer, World};

/// One of these fills two pages.
fn long_text() -> String {
    "It is long. ".repeat(700)
}

async fn value<T: FromValue + Send + 'static>(world: &World, sql: &'static str) -> T {
    // A pragma belongs to a connection, and there is one that writes.
    let asked = world
        .app
        .store()
        .write(move |tx| Box::pin(async move { tx.first(sql, &[], |row| row.get::<T>("value")).await }));
    asked.await.map_err(|error: StoreError| error).unwrap().unwrap()
}

async fn limit_pages(world: &World, sql: &'static str) {
    let asked = world.app.store().write(move |tx| {
        Box::pin(async move { tx.first(sql, &[], |row| row.get::<i64>("max_page_count")).await })
    });
    asked.await.map_err(|error: StoreError| error).unwrap().unwrap();
}

#[track_caller]
fn is_refused_for_now(answer: &Answer) {
    assert_eq!(answer.refusal(), (503, "unavailable"));
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_database_that_cannot_grow_refuses_what_it_cannot_save_and_goes_on_when_it_can() {
    let home = tempfile::tempdir().unwrap();
    let world = World::at(Location::File(home.path().join("openpod.db"))).await;
    let owner = world.register("olga").await;
    let project = world.project(&owner).await;
    let worker = world.member(&project, "wanda", "worker").await;
    let ticket = world.ticket(&project, Some(&worker)).await;
    let one = format!("{AGENT}/tickets/{ticket}");
    let comments = format!("{one}/comments");
    world.patch(&one, &worker, json!({"status": "in_review"})).await.expect(200);

    limit_pages(&world, "PRAGMA max_page_count = 1").await;
    let mut acknowledged = 0;
    loop {
        let body = json!({"content": long_text()});
        // At once, so that they are one group of the writer's, which fails together.
        let answers = join_all((0..8).map(|_| world.post(&comments, &worker, body.clone()))).await;
        let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 201).collect();
        refused.iter().for_each(|answer| is_refused_for_now(answer));
        acknowledged += answers.len() - refused.len();
        if refused.len() == answers.len() {
            break;
        }
    }
    let approve = json!({"action": "approve", "payout_cents": 5000, "comment": long_text()});
    is_refused_for_now(&world.post(&format!("{one}/approve"), &owner, approve.clone()).await);

    let shown = world.get(&one, &owner).await.expect(200);
    assert_eq!(shown["comments"].as_array().unwrap().len(), acknowledged);
    assert_eq!((&shown["status"], &shown["payout_cents"]), (&json!("in_review"), &json!(null)));
    world.get(&format!("{AGENT}/heartbeat"), &worker).await.expect(200);

    limit_pages(&world, "PRAGMA max_page_count = 1000000").await;
    world.post(&format!("{one}/approve"), &owner, approve.clone()).await.expect(200);
    assert_eq!(
        world.post(&format!("{one}/approve"), &owner, approve).await.refusal(),
        (409, "already_approved")
    );
    world.post(&comments, &worker, json!({"content": long_text()})).await.expect(201);
    let shown = world.get(&one, &owner).await.expect(200);
    assert_eq!(shown["comments"].as_array().unwrap().len(), acknowledged + 2);
    assert_eq!(value::<i64>(&world, "SELECT count(*) AS value FROM ledger_transactions").await, 1);
    assert_eq!(value::<i64>(&world, "SELECT sum(amount_cents) AS value FROM ledger_entries").await, 0);
    let sound = "SELECT integrity_check AS value FROM pragma_integrity_check()";
    assert_eq!(value::<String>(&world, sound).await, "ok");
    let broken = "SELECT count(*) AS value FROM pragma_foreign_key_check()";
    assert_eq!(value::<i64>(&world, broken).await, 0);
}

/// A small disk in memory, unmounted at the end.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    /// `None` where this user may not mount one.
    fn mount(at: &'a Path) -> Option<Disk<'a>> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Disk(at))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[tokio::test]
async fn the_program_survives_a_full_disk() {
    let home = tempfile::tempdir().unwrap();
    let place = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(place.path()) else {
        println!("not tried: this user may not mount a small disk");
        return;
    };
    let file = disk.0.join("openpod.db");
    let program = Program::on(home.path(), format!("sqlite:{}", file.display())).await;
    let token = program.owner("olga").await;
    let running = program.serve("127.0.0.1:0").await;
    let client =
        Client::builder(format!("http://{}", running.address)).key(token).retry(RetryPolicy::never());
    let owner = client.build_owner().unwrap();
    let made =
        owner.create_project(&NewProject::new("Endure", "It goes on whatever happens.")).await.unwrap();
    let project: ProjectId = made.project.id;
    let task = NewTicket::task(project, "Fix it", "It takes thirty characters to say what is wrong.");
    let ticket = owner.create_ticket(&task).await.unwrap().id;

    let filler = disk.0.join("filler");
    let mut acknowledged = 0;
    for _ in 0..3 {
        // As much as fits; that the last of it does not is the point.
        let full = std::fs::write(&filler, vec![0; 16 << 20]);
        assert!(full.is_err());
        let refused = loop {
            match owner.add_comment(&ticket, long_text()).await {
                Ok(_) => acknowledged += 1,
                Err(refused) => break refused,
            }
        };
        assert!(refused.is(ErrorCode::Unavailable) && refused.status() == Some(503), "{refused}");
        let shown = owner.get_ticket(&ticket).await.unwrap();
        assert_eq!(shown.comments.unwrap().len(), acknowledged);
        std::fs::remove_file(&filler).unwrap();
        owner.add_comment(&ticket, long_text()).await.unwrap();
        acknowledged += 1;
    }
    running.stop().await;
    let database = rusqlite::Connection::open(&file).unwrap();
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let kept: i64 = database.query_row("SELECT count(*) FROM ticket_comments", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, acknowledged as i64);
}
