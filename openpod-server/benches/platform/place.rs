//! A directory on a disk that keeps what it is told to keep.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use openpod_server::store::{Address, Location};

use tempfile::TempDir;

use super::cluster::{Cluster, Listens};

/// In the build's own directory, because `/tmp` may be a memory, where a flush costs nothing.
pub(crate) fn on_disk() -> TempDir {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(root).expect("the build's directory can be written");
    let system = rustix::fs::statfs(root).expect("the build's directory has a file system");
    let memory = [0x0102_1994, 0x8584_58f6].contains(&(system.f_type as u64));
    assert!(!memory, "{} is in memory; set CARGO_TARGET_DIR to a directory on a disk", root.display());
    tempfile::Builder::new().prefix("bench-").tempdir_in(root).expect("the build's directory can be written")
}

/// A PostgreSQL on that disk, where it is installed.
pub(crate) fn cluster(place: &TempDir) -> Option<Cluster> {
    // It may run as somebody else, and removes what it made.
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o777)).expect("a directory of our own");
    Cluster::start(Listens::OnDisk(place.path()))
}

/// An empty database there.
pub(crate) async fn database(cluster: &Cluster) -> Location {
    let url = cluster.database().await;
    Location::Postgres(Address::parse(&url).expect("a cluster knows its address"))
}
