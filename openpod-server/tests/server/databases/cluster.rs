//! A PostgreSQL cluster from the programs that are installed, for tests and benchmarks.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A cluster that lives as long as this: its keeper ends it when this program is gone, however it went.
pub(crate) struct Cluster {
    directory: PathBuf,
    keeper: Mutex<Keeper>,
}

/// The process that starts PostgreSQL and ends it.
struct Keeper {
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    _child: Child,
}

/// Where a cluster listens.
pub(crate) enum Listens<'c> {
    /// At a socket in its directory. Nothing has to outlive a power cut, so nothing is flushed to disk.
    Here,
    /// The same within this directory, and what was committed is flushed to disk.
    OnDisk(&'c Path),
    /// There, and at a port of this machine, with this certificate and its key.
    AtPort { port: u16, certificate: &'c str, key: &'c str },
}

impl Cluster {
    pub(crate) fn start(listens: Listens<'_>) -> Option<Cluster> {
        let Some(programs) = programs() else {
            let required = std::env::var("OPENPOD_TEST_POSTGRES").is_ok_and(|value| value == "required");
            assert!(
                !required,
                "PostgreSQL is required, and initdb is neither in PATH nor in /usr/lib/postgresql"
            );
            eprintln!("ignored: no PostgreSQL binaries");
            return None;
        };
        let elsewhere = std::env::temp_dir();
        let (within, flushes) = match listens {
            Listens::OnDisk(within) => (within, "fsync=on"),
            _ => (elsewhere.as_path(), "fsync=off"),
        };
        let directory = tempfile::Builder::new()
            .prefix("openpod-postgres-")
            .tempdir_in(within)
            .expect("a directory can be made")
            .keep();
        let user = unprivileged();
        let give = |path: &Path| {
            if let Some((uid, gid)) = user {
                chown(path, Some(uid), Some(gid)).expect("root may give a file away");
            }
        };
        give(&directory);
        let mut options = vec!["listen_addresses=".to_owned()];
        if let Listens::AtPort { port, certificate, key } = listens {
            options =
                vec!["listen_addresses=127.0.0.1".to_owned(), format!("port={port}"), "ssl=on".to_owned()];
            for (name, option, text) in
                [("tls.pem", "ssl_cert_file", certificate), ("tls.key", "ssl_key_file", key)]
            {
                let path = directory.join(name);
                std::fs::write(&path, text).expect("a file can be written");
                std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
                    .expect("a file of our own");
                give(&path);
                options.push(format!("{option}={}", path.display()));
            }
        }
        options.push(flushes.to_owned());
        // Stays until its standard input ends, which is when this program does. Told to, it lets PostgreSQL crash and
        // starts it again.
        let script = r#"
            programs=$1 home=$2; shift 2
            "$programs/initdb" -D "$home/data" -U openpod -A trust -E UTF8 --locale=C --no-sync >"$home/initdb.log" 2>&1 || exit 1
            serve() {
                : >"$home/postgres.log"
                "$programs/postgres" -D "$home/data" -k "$home" -c max_connections=400 \
                    -c deadlock_timeout=100ms "$@" >"$home/postgres.log" 2>&1 &
                until grep -q "ready to accept connections" "$home/postgres.log"; do kill -0 $! || exit 1; sleep 0.05; done
                echo ready
            }
            serve "$@"
            while read -r _; do kill -QUIT $!; wait; serve "$@"; done
            kill -QUIT $!
            wait
            rm -rf "$home"
        "#;
        let mut keeper = Command::new("sh");
        keeper.args(["-c", script, "sh"]).arg(programs).arg(&directory).current_dir(&directory);
        keeper.args(options.iter().flat_map(|option| ["-c", option]));
        if let Some((uid, gid)) = user {
            keeper.uid(uid).gid(gid);
        }
        // A group of its own, so that an interrupt from the terminal reaches it through this program only.
        keeper.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = keeper.spawn().expect("sh can be run");
        let (orders, answers) = (
            child.stdin.take().expect("its streams were asked for"),
            BufReader::new(child.stdout.take().expect("its streams were asked for")),
        );
        let cluster = Cluster { directory, keeper: Mutex::new(Keeper { orders, answers, _child: child }) };
        cluster.wait_until_ready();
        Some(cluster)
    }

    fn wait_until_ready(&self) {
        let mut line = String::new();
        self.keeper
            .lock()
            .expect("the script says how it went")
            .answers
            .read_line(&mut line)
            .expect("the script says how it went");
        if line != "ready\n" {
            let log = |name: &str| std::fs::read_to_string(self.directory.join(name)).unwrap_or_default();
            panic!("PostgreSQL did not start: {}{}", log("initdb.log"), log("postgres.log"));
        }
    }

    /// Lets it crash, and waits until it is there again.
    pub(crate) fn crash(&self) {
        self.keeper
            .lock()
            .expect("the script listens")
            .orders
            .write_all(b"crash\n")
            .expect("the script listens");
        self.wait_until_ready();
    }

    /// The address of a new, empty database.
    pub(crate) async fn database(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("openpod_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let (client, connection) = tokio_postgres::connect(&self.url("postgres"), tokio_postgres::NoTls)
            .await
            .expect("the cluster can be reached");
        let connection = tokio::spawn(connection);
        client
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))
            .await
            .expect("a database can be made");
        drop(client);
        connection.await.expect("the connection ends in order").expect("the connection ends in order");
        self.url(&name)
    }

    fn url(&self, database: &str) -> String {
        let host = self.directory.to_str().expect("the directory has a name in UTF-8").replace('/', "%2F");
        let sockets = std::fs::read_dir(&self.directory)
            .expect("the directory can be read")
            .map(|entry| entry.expect("the directory can be read").file_name());
        let port =
            sockets.filter_map(|name| name.to_str()?.strip_prefix(".s.PGSQL.")?.parse::<u16>().ok()).next();
        format!("postgres://openpod@{host}:{}/{database}", port.unwrap_or(5432))
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
    let users = std::fs::read_to_string(Path::new("/etc/passwd")).expect("there are users");
    let user = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(user("postgres").or_else(|| user("nobody")).unwrap_or((65_534, 65_534)))
}
