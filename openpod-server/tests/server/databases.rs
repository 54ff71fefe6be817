//! Databases for tests: in memory, or in a PostgreSQL cluster that this program starts for itself.
//!
//! `OPENPOD_TEST_DATABASE=postgres` runs every story on PostgreSQL. Stories about PostgreSQL run wherever its programs
//! are installed; with `OPENPOD_TEST_POSTGRES=required` it is a failure when they are not.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use openpod_server::store::{Address, Location};

/// An empty database for a story in this process, of the engine that all stories run on.
pub(super) async fn chosen() -> Location {
    match chosen_postgres().await {
        // Stories move the clock.
        Some(url) => Location::Postgres(Address::parse(&url).unwrap().with_own_time()),
        None => Location::Memory,
    }
}

/// The address of an empty database that outlives a process, of the engine that all stories run on.
pub(super) async fn lasting(directory: &Path) -> String {
    let file = || format!("sqlite:{}", directory.join("openpod.db").display());
    chosen_postgres().await.unwrap_or_else(file)
}

async fn chosen_postgres() -> Option<String> {
    match std::env::var("OPENPOD_TEST_DATABASE").as_deref() {
        Ok("postgres") => {
            Some(postgres().await.expect("OPENPOD_TEST_DATABASE=postgres needs PostgreSQL's programs"))
        }
        Ok("sqlite") | Err(_) => None,
        Ok(other) => panic!("OPENPOD_TEST_DATABASE is sqlite or postgres, not {other}"),
    }
}

/// The address of an empty PostgreSQL database; `None`, and a line that says so, where PostgreSQL is not installed.
pub(super) async fn postgres() -> Option<String> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let cluster = CLUSTER.get_or_init(Cluster::start).as_ref()?;
    let name = format!("openpod_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let admin = cluster.url("postgres");
    let (client, connection) = tokio_postgres::connect(&admin, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    Some(cluster.url(&name))
}

/// A cluster that lives as long as this program: its keeper ends it when the program is gone, however it went.
struct Cluster {
    directory: PathBuf,
    _keeper: Child,
}

impl Cluster {
    fn start() -> Option<Cluster> {
        let Some(programs) = programs() else {
            let required = std::env::var("OPENPOD_TEST_POSTGRES").is_ok_and(|value| value == "required");
            assert!(
                !required,
                "PostgreSQL is required, and initdb is neither in PATH nor in /usr/lib/postgresql"
            );
            eprintln!("ignored: no PostgreSQL binaries");
            return None;
        };
        let directory = tempfile::Builder::new().prefix("openpod-postgres-").tempdir().unwrap().keep();
        let user = unprivileged();
        if let Some((uid, gid)) = user {
            chown(&directory, Some(uid), Some(gid)).unwrap();
        }
        // Stays until its standard input ends, which is when this program does.
        let script = r#"
            "$1/initdb" -D "$2/data" -U openpod -A trust -E UTF8 --locale=C --no-sync >"$2/initdb.log" 2>&1 || exit 1
            "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=400 \
                -c deadlock_timeout=100ms >"$2/postgres.log" 2>&1 &
            until grep -q "ready to accept connections" "$2/postgres.log"; do kill -0 $! || exit 1; sleep 0.05; done
            echo ready
            read -r _
            kill -QUIT $!
            wait
            rm -rf "$2"
        "#;
        let mut keeper = Command::new("sh");
        keeper.args(["-c", script, "sh"]).arg(programs).arg(&directory).current_dir(&directory);
        if let Some((uid, gid)) = user {
            keeper.uid(uid).gid(gid);
        }
        // A group of its own, so that an interrupt from the terminal reaches it through this program only.
        keeper.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = keeper.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line != "ready\n" {
            let log = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap_or_default();
            panic!("PostgreSQL did not start: {}{}", log("initdb.log"), log("postgres.log"));
        }
        Some(Cluster { directory, _keeper: keeper })
    }

    fn url(&self, database: &str) -> String {
        let host = self.directory.to_str().unwrap().replace('/', "%2F");
        format!("postgres://openpod@{host}/{database}")
    }
}

/// Where `initdb` is.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    places.extend(versions.map(|version| version.path().join("bin")));
    places.into_iter().find(|place| place.join("initdb").exists() && place.join("postgres").exists())
}

/// Whom PostgreSQL runs as when this program is root, as which it refuses to run.
fn unprivileged() -> Option<(u32, u32)> {
    if std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").ok()?) != 0 {
        return None;
    }
    let users = std::fs::read_to_string(Path::new("/etc/passwd")).unwrap();
    let user = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(user("postgres").or_else(|| user("nobody")).unwrap_or((65_534, 65_534)))
}
