//! `db copy`, `db backup` and `db restore` are killed at any place: the source stays as it is, what has the target's name
//! is whole or has no row, and the same command does it when it is run again.
//!
//! `OPENPOD_KILLS=50` is the long form.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use openpod_server::store::transfer::{Tally, TransferError};
use openpod_server::store::{Address, Location, STEPS, Step, Store, StoreError};
use openpod_server::upkeep::{self, UpkeepError};
use tokio::process::Command;

use super::databases;
use super::two_engines::sources;
use super::upkeep::{rows_of_the_first_version, silent};

/// A command on its way from something whole to something new.
struct Way {
    command: &'static str,
    from: Place,
    to: Engine,
}

/// What is read.
#[derive(Clone)]
enum Place {
    Database(String),
    Backup(PathBuf),
}

/// What the target is.
#[derive(Clone, Copy, PartialEq)]
enum Engine {
    File,
    Postgres,
}

/// Where everything lies, and what it holds.
struct Ground {
    home: tempfile::TempDir,
    ways: Vec<Way>,
    held: Vec<Tally>,
}

fn location(url: &str) -> Location {
    match url.strip_prefix("sqlite:") {
        Some(path) => Location::File(path.into()),
        None => Location::Postgres(Address::parse(url).unwrap()),
    }
}

fn url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

/// What a database holds, as a copy of it tells.
async fn contents(place: Location) -> Vec<Tally> {
    upkeep::copy(place, Location::Memory, sources(), silent()).await.unwrap().tallies
}

impl Ground {
    /// A database of each engine with the same rows, and a backup of this version and of the first one.
    async fn prepare() -> Ground {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        lived_in(&at("source.db"), &STEPS).await;
        let source = Location::File(at("source.db"));
        let held = contents(source.clone()).await;
        upkeep::back_up(source.clone(), &at("backup.db"), sources(), silent()).await.unwrap();
        lived_in(&at("grown.db"), &STEPS[..1]).await;
        let grown = rusqlite::Connection::open(at("grown.db")).unwrap();
        grown.execute("VACUUM INTO ?1", [at("older.db").to_str().unwrap()]).unwrap();
        let (file, backup) = (Place::Database(url(&at("source.db"))), Place::Backup(at("backup.db")));
        let older = Place::Backup(at("older.db"));
        let mut ways = vec![
            Way { command: "copy", from: file.clone(), to: Engine::File },
            Way { command: "backup", from: file.clone(), to: Engine::File },
            Way { command: "restore", from: backup.clone(), to: Engine::File },
            Way { command: "restore", from: older, to: Engine::File },
        ];
        if let Some(postgres) = databases::postgres().await {
            upkeep::copy(source, location(&postgres), sources(), silent()).await.unwrap();
            let postgres = Place::Database(postgres);
            ways.extend([
                Way { command: "copy", from: file, to: Engine::Postgres },
                Way { command: "copy", from: postgres.clone(), to: Engine::File },
                Way { command: "backup", from: postgres, to: Engine::File },
                Way { command: "restore", from: backup, to: Engine::Postgres },
            ]);
        }
        Ground { home, ways, held }
    }

    /// Where a new target is: it is not there, or is an empty database.
    async fn target(&self, engine: Engine) -> String {
        let file = self.home.path().join("target.db");
        for beside in ["", "-lock", "-visitors"] {
            let _ = std::fs::remove_file(self.home.path().join(format!("target.db{beside}")));
        }
        match engine {
            Engine::File => url(&file),
            Engine::Postgres => databases::postgres().await.unwrap(),
        }
    }

    /// The target has no row of what it is to hold, or all of it. Whether it has all.
    async fn is_whole(&self, target: &str) -> bool {
        let place = location(target);
        if let Location::File(file) = &place
            && !file.exists()
        {
            return false;
        }
        let schema = upkeep::look_at(place.clone(), sources()).await.unwrap();
        the_killed_is_gone(&schema).await;
        let bare = upkeep::check(&schema).await.unwrap().require_current().is_err();
        drop(schema);
        if bare {
            assert!(target.starts_with("postgres"), "{target} has its name and no schema");
            return false;
        }
        let found = contents(place).await;
        let rows: u64 = found.iter().map(|tally| tally.rows).sum();
        assert!(rows == 0 || found == self.held, "{target} has a part: {found:#?}");
        assert!(rows > 0 || target.starts_with("postgres"), "{target} has its name and no row");
        rows > 0
    }

    async fn is_untouched(&self, way: &Way, before: &[u8]) {
        match &way.from {
            Place::Database(source) => assert_eq!(contents(location(source)).await, self.held),
            Place::Backup(file) => {
                assert!(std::fs::read(file).unwrap() == before, "{} has changed", file.display())
            }
        }
    }

    fn nothing_is_left_beside(&self) {
        let names = std::fs::read_dir(self.home.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        let left: Vec<_> =
            names.iter().filter(|name| name.contains(".partial") || name.contains(".migrating")).collect();
        assert_eq!(left, Vec::<&String>::new());
    }
}

/// A file with some thousand rows, brought to its schema by these steps.
async fn lived_in(file: &Path, steps: &[Step]) {
    rows_of_the_first_version(file, 3_000).await;
    if steps.len() > 1 {
        drop(Store::open(Location::File(file.to_owned()), sources()).await.unwrap());
    }
}

/// A commit that was on its way when its process was killed is over.
async fn the_killed_is_gone(store: &Store) {
    let sql = "SELECT count(*) AS n FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = 'openpod-server writer'";
    while store.is_shared() {
        let read =
            store.read(move |tx| Box::pin(async move { tx.first(sql, &[], |row| row.get("n")).await }));
        let left: Result<Option<i64>, StoreError> = read.await;
        if left.unwrap() == Some(0) {
            return;
        }
    }
}

impl Way {
    fn command(&self, target: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openpod-server"));
        let file = target.strip_prefix("sqlite:").unwrap_or_default();
        match (self.command, &self.from) {
            ("copy", Place::Database(source)) => {
                command.args(["db", "copy", "--from", source, "--to", target])
            }
            ("backup", Place::Database(source)) => command.args(["--database", source, "db", "backup", file]),
            (_, Place::Backup(backup)) => command.args(["--database", target, "db", "restore"]).arg(backup),
            (other, Place::Database(_)) => panic!("{other} reads a backup"),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// The bytes of what is read, if it is a file that nobody may change.
    fn bytes(&self) -> Vec<u8> {
        match &self.from {
            Place::Backup(file) => std::fs::read(file).unwrap(),
            Place::Database(_) => Vec::new(),
        }
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_kills_a_copy_a_backup_or_a_restore_finds_nothing_half_made() {
    let ground = Ground::prepare().await;
    let kills: usize = std::env::var("OPENPOD_KILLS").map_or(8, |text| text.parse().unwrap());
    let (mut took, mut whole) = (vec![None; ground.ways.len()], 0);
    for kill in 0..kills {
        let n = kill % ground.ways.len();
        let way = &ground.ways[n];
        let before = way.bytes();
        let duration = match took[n] {
            Some(duration) => duration,
            None => *took[n].insert(uninterrupted(&ground, way).await),
        };
        let target = ground.target(way.to).await;
        let mut child = way.command(&target).spawn().unwrap();
        let place = getrandom::u32().unwrap();
        tokio::time::sleep(duration.mul_f64(f64::from(place) / f64::from(u32::MAX))).await;
        child.kill().await.unwrap();

        ground.is_untouched(way, &before).await;
        let was_whole = ground.is_whole(&target).await;
        whole += usize::from(was_whole);
        let again = way.command(&target).output().await.unwrap();
        let refused = said(&again);
        let taken = refused.contains("holds rows already") || refused.contains("there is a file");
        assert_eq!(again.status.success(), !was_whole, "{}: {refused}", way.command);
        assert_eq!(taken, was_whole, "{}: {refused}", way.command);
        assert!(ground.is_whole(&target).await, "{}", way.command);
        ground.is_untouched(way, &before).await;
        ground.nothing_is_left_beside();
    }
    println!("{kills} kills: {whole} of them when it was done already");
}

/// Does it once without a kill, and tells how long it took.
async fn uninterrupted(ground: &Ground, way: &Way) -> Duration {
    let target = ground.target(way.to).await;
    let begun = Instant::now();
    let output = way.command(&target).output().await.unwrap();
    let took = begun.elapsed();
    assert!(output.status.success(), "{}", said(&output));
    assert!(ground.is_whole(&target).await);
    took
}

#[tokio::test]
async fn what_a_kill_left_half_made_is_begun_anew_and_a_new_file_is_nobody_elses_meanwhile() {
    let home = tempfile::tempdir().unwrap();
    let (source, target) = (home.path().join("source.db"), home.path().join("target.db"));
    lived_in(&source, &STEPS).await;
    for beside in ["", "-wal", "-journal", "-lock", "-visitors"] {
        std::fs::write(home.path().join(format!("target.db.partial{beside}")), "half of something").unwrap();
    }
    // Somebody is about to make the same file.
    let other = home.path().join("target.db-lock");
    let held = std::fs::File::create(&other).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let (from, to) = (Location::File(source), Location::File(target.clone()));
    let refused = upkeep::copy(from.clone(), to.clone(), sources(), silent()).await.unwrap_err();
    assert!(matches!(refused, UpkeepError::Open(_)) && !target.exists(), "{refused}");
    drop(held);
    let copied = upkeep::copy(from.clone(), to.clone(), sources(), silent()).await.unwrap();
    assert_eq!(contents(to.clone()).await, copied.tallies);
    let again = upkeep::copy(from, to, sources(), silent()).await.unwrap_err();
    assert!(matches!(again, UpkeepError::Transfer(TransferError::Occupied(_))), "{again}");
}
