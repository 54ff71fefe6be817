//! A disk that is full for a while. A small file system of its own says so in all earnest, but not everybody may mount
//! one, root in a container least of all; that no file may grow is what anybody may decide about their own processes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};

use super::super::facts::Runs;
use super::super::{AT_ONCE, side_by_side};
use super::{Keeper, begin};
use crate::world::pids_within;
use crate::world::program::Log;

/// When the disk is filled: before each of these goes on.
const FILLED_AT: [&str; 9] = [
    "claim",
    "look at the remote",
    "fetch",
    "knowledge",
    "push",
    "open the pull request",
    "verify",
    "deliver",
    "report",
];

/// What is said of it: by the kernel and SQLite of a disk without space, and of a file that may not grow.
const COMPLAINTS: [&str; 4] = ["No space left on device", "disk is full", "File too large", "disk I/O error"];

/// Has the daemon live with files that may not grow, instead of ending it.
const ENDURES: [&str; 4] = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];

#[test]
fn a_disk_that_is_full_for_a_while_loses_nothing() {
    let mut walks = vec![("a limit".to_owned(), Disk::Limit)];
    match Disk::mount() {
        Some(disk) => walks.push(("a small disk".to_owned(), disk)),
        None => println!("no file system can be mounted here: the limit alone is tried"),
    }
    println!("{} full disks at {} steps", walks.len(), FILLED_AT.len());
    side_by_side(AT_ONCE, walks, async |disk| {
        let (conversation, proxy) = begin().await;
        if let Disk::Own(place) = &disk {
            std::os::unix::fs::symlink(place.path(), &conversation.data_dir).unwrap();
        }
        let log = Log::default();
        let _shown = log.shown_on_failure();
        let disk = Arc::new(disk);
        for step in FILLED_AT {
            let (disk, log, news) = (Arc::clone(&disk), log.clone(), proxy.news());
            let home = conversation.config.parent().unwrap().to_owned();
            proxy.when(step, 1, move || {
                disk.fill(&home);
                tokio::spawn(until_felt(log, news, move || disk.free(&home)));
            });
        }
        let starter = if matches!(*disk, Disk::Limit) { &ENDURES[..] } else { &[] };
        let keeper = Keeper { conversation: &conversation, log: &log, kill: &Notify::new(), starter };
        let held = keeper.hold(|| {}, |text| complaints(text) > 0).await;
        assert_eq!(proxy.waits_for(), Vec::<&str>::new(), "every step is reached");
        assert!(complaints(&log.text()) > 0, "nobody says that the disk is full");
        conversation.check(&held, Runs::OneMore).await;
        conversation.world.close().await;
    });
}

enum Disk {
    /// A file system of its own, until it is dropped.
    Own(TempDir),
    /// The limit of a process.
    Limit,
}

impl Disk {
    fn mount() -> Option<Disk> {
        let place = tempfile::tempdir().unwrap();
        let mut command = std::process::Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=32m,mode=700", "tmpfs"]).arg(place.path());
        let mounted = command.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Disk::Own(place))
    }

    fn filler(place: &TempDir) -> PathBuf {
        place.path().join("filler")
    }

    fn fill(&self, home: &Path) {
        match self {
            Disk::Own(place) => take_all(&Self::filler(place)),
            Disk::Limit => limit(home, Some(0)),
        }
    }

    /// Two steps may come so close that both filled it, and one has freed it.
    fn free(&self, home: &Path) {
        match self {
            Disk::Own(place) => drop(std::fs::remove_file(Self::filler(place))),
            Disk::Limit => limit(home, None),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Disk::Own(place) = self {
            let _ = std::process::Command::new("umount").arg("--lazy").arg(place.path()).output();
        }
    }
}

/// Takes all the space that is left.
fn take_all(filler: &Path) {
    use std::io::Write;

    let Ok(mut file) = std::fs::File::create(filler) else { return };
    for size in [1 << 16, 512, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

/// How long files of the processes that work here may become. Twice, for those that were being started.
fn limit(home: &Path, current: Option<u64>) {
    for _ in 0..2 {
        for pid in pids_within(home) {
            let pid = pid.parse().ok().and_then(Pid::from_raw);
            // Some are gone by now.
            let _ = prlimit(pid, Resource::Fsize, Rlimit { current, maximum: None });
        }
    }
}

fn complaints(text: &str) -> usize {
    COMPLAINTS.iter().map(|words| text.matches(words).count()).sum()
}

/// Gives the space back when the daemon has felt that there is none, or has found nothing to write for a while.
async fn until_felt(log: Log, mut requests: watch::Receiver<usize>, free: impl FnOnce()) {
    let (mut lines, before) = (log.news(), complaints(&log.text()));
    let last = *requests.borrow_and_update() + 8;
    while complaints(&log.text()) == before && *requests.borrow() < last {
        tokio::select! {
            changed = lines.changed() => changed.unwrap(),
            changed = requests.changed() => changed.unwrap(),
        }
    }
    free();
}
