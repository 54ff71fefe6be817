//! Databases for tests: in memory, or in a PostgreSQL cluster that this program starts for itself.
//!
//! `OPENPOD_TEST_DATABASE=postgres` runs every story on PostgreSQL. Stories about PostgreSQL run wherever its programs
//! are installed; with `OPENPOD_TEST_POSTGRES=required` it is a failure when they are not.

#[expect(dead_code, reason = "the benchmarks use the rest of it")]
mod cluster;

use std::path::Path;
use std::sync::OnceLock;

use openpod_server::store::{Address, Location};

pub(super) use cluster::{Cluster, Listens};

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
    let cluster = CLUSTER.get_or_init(|| Cluster::start(Listens::Here)).as_ref()?;
    Some(cluster.database().await)
}

/// An empty PostgreSQL database for this process, where PostgreSQL is installed, with a clock that stories move.
pub(super) async fn postgres_location() -> Option<Location> {
    Some(Location::Postgres(Address::parse(&postgres().await?).unwrap().with_own_time()))
}
