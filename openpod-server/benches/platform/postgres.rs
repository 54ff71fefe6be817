//! PostgreSQL on the disk that everything else is measured on.

use std::os::unix::fs::PermissionsExt;

use openpod_server::store::{Address, Location};
use tempfile::TempDir;

use super::cluster::{Cluster, Listens};

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
