//! A directory on a disk that keeps what it is told to keep.

use std::path::Path;

use tempfile::TempDir;

/// In the build's own directory, because `/tmp` may be a memory, where a flush costs nothing.
pub(crate) fn on_disk() -> TempDir {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(root).expect("the build's directory can be written");
    let system = rustix::fs::statfs(root).expect("the build's directory has a file system");
    let memory = [0x0102_1994, 0x8584_58f6].contains(&(system.f_type as u64));
    assert!(!memory, "{} is in memory; set CARGO_TARGET_DIR to a directory on a disk", root.display());
    tempfile::Builder::new().prefix("bench-").tempdir_in(root).expect("the build's directory can be written")
}
