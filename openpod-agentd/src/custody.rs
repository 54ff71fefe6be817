//! The modes of the daemon's own files. A worker is of the same user, and no kernel keeps it from changing the modes of
//! files that it can neither read nor write: Landlock does not govern that, and programs that build software need it.
//!
//! So nothing relies on what a worker cannot change. The data directory is the daemon's user's alone, and what was changed
//! is changed back, and named, as soon as a run is over.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::shim::is_of_a_shim;

/// Deeper than that lies nothing but what git keeps.
const DEPTH: usize = 5;

/// Gives the daemon's files the modes that they need. Answers which had others.
pub(crate) fn restore(data_dir: &Path) -> Vec<PathBuf> {
    let mut restored = Vec::new();
    let mut left = vec![(data_dir.to_owned(), 0)];
    while let Some((path, depth)) = left.pop() {
        let Ok(about) = fs::symlink_metadata(&path) else { continue };
        let mode = about.permissions().mode() & 0o7777;
        let right = match (about.is_dir(), about.is_symlink()) {
            (_, true) => continue,
            // Whoever may not enter here reads nothing below, whatever became of its modes.
            (true, _) if depth == 0 => 0o700,
            (true, _) => mode & 0o777 | 0o700,
            (false, _) if is_secret(&path) => 0o600,
            (false, _) => mode & 0o777 | 0o400,
        };
        if mode != right && fs::set_permissions(&path, Permissions::from_mode(right)).is_ok() {
            restored.push(path.clone());
        }
        if about.is_dir() && depth < DEPTH {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path());
            left.extend(entries.filter(|path| is_ours(path)).map(|path| (path, depth + 1)));
        }
    }
    restored.sort();
    restored
}

/// Restores, and says so.
pub(crate) fn look_after(data_dir: &Path) {
    for path in restore(data_dir) {
        tracing::warn!(path = %path.display(), "somebody, perhaps a worker, had changed its mode; it is changed back");
    }
}

/// What is not a worker's: its workspace and the directories of its runs are.
fn is_ours(path: &Path) -> bool {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let parent = path.parent().and_then(Path::parent).map(name).unwrap_or_default();
    match &*parent {
        // What is being removed.
        _ if ["removed", "forgotten"].contains(&&*name(path)) => false,
        "jobs" => name(path) != "workspace",
        "runs" => is_of_a_shim(path) || !path.is_dir(),
        _ => true,
    }
}

fn is_secret(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    ["agent.key", "webhook.secret", "control.token", "control.sock"].contains(&&*name)
        || name.starts_with("journal.db")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_opened_or_closed_is_as_it_was_and_a_worker_s_own_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        let directories = [
            "agents/crab/mirrors",
            "mirrors/a.git/objects/pack",
            "jobs/t1/outbound.git",
            "jobs/t1/workspace/src",
            "runs/t1/r1.shim",
            "runs/t1/r1/home",
        ];
        directories.iter().for_each(|directory| fs::create_dir_all(data.join(directory)).unwrap());
        let files = [
            ("agent.key", 0o644, 0o600),
            ("agents/crab/agent.key", 0o666, 0o600),
            ("journal.db", 0o000, 0o600),
            ("mirrors/a.git/HEAD", 0o000, 0o400),
            ("mirrors/a.git/objects/pack/p.pack", 0o444, 0o444),
            ("runs/t1/r1.shim/status.json", 0o2200, 0o600),
            ("runs/t1/r1/summary.md", 0o000, 0o000),
            ("jobs/t1/workspace/src/closed", 0o000, 0o000),
        ];
        let path = |name: &str| data.join(name);
        let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o7777;
        let change =
            |name: &str, mode| fs::set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
        restore(&data);
        for (name, before, _) in files {
            fs::write(path(name), "").unwrap();
            change(name, before);
        }
        change("jobs/t1/outbound.git", 0o100);
        change("jobs/t1/workspace/src", 0o755);
        change("mirrors", 0o1777);
        change("", 0o777);
        let restored = restore(&data).len();
        assert_eq!(files.map(|(name, ..)| (name, mode(name))), files.map(|(name, _, right)| (name, right)));
        assert_eq!((mode(""), mode("mirrors"), mode("jobs/t1/outbound.git")), (0o700, 0o777, 0o700));
        assert_eq!((mode("jobs/t1/workspace/src"), restored), (0o755, 8));
        assert_eq!(restore(&data).len(), 0, "there is nothing left to change");
    }
}
