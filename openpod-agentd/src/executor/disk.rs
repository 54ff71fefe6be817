//! How much of the disk a run has filled, looked at while it runs.
//!
//! What is measured is hostile: it changes meanwhile, is deeper than a path can tell, and is closed to others. Nothing is
//! opened but directories, no link is followed, and what cannot be looked into counts for nothing: the floor of free space
//! holds for that too.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open, statvfs};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::{RunEnd, RunLimits};

/// Between two looks at least.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// A look may take that part of the time.
const PART: u32 = 20;
/// Of a path from one open directory to the next, in bytes: the kernel allows twice as much.
const LONGEST_PATH: usize = 2000;
/// Of directories that are open at a time.
const DEEPEST: usize = 32;
/// The floor of a small file system is that part of it, if that is less.
const LEAST_PART: u64 = 50;

/// Looks at the disk from time to time.
#[derive(Debug)]
pub(super) struct Disk {
    places: Vec<PathBuf>,
    most: Option<u64>,
    floor: Option<u64>,
    next: Instant,
    /// Goes on when whoever looks is called away meanwhile.
    looking: Option<JoinHandle<Option<RunEnd>>>,
}

impl Disk {
    pub(super) fn new(places: impl IntoIterator<Item = PathBuf>, limits: &RunLimits) -> Self {
        let (most, floor) = (limits.disk_bytes, limits.free_bytes);
        Self {
            places: places.into_iter().collect(),
            most,
            floor,
            next: Instant::now() + BETWEEN_LOOKS,
            looking: None,
        }
    }

    pub(super) fn is_limited(&self) -> bool {
        self.most.is_some() || self.floor.is_some()
    }

    /// Waits until it is time, and looks: why the run must end, if it must.
    pub(super) async fn look(&mut self) -> Option<RunEnd> {
        let looking = match &mut self.looking {
            Some(looking) => looking,
            None => {
                sleep_until(self.next).await;
                let (places, most, floor) = (self.places.clone(), self.most, self.floor);
                let look = tokio::task::spawn_blocking(move || verdict(&places, most, floor));
                self.next = Instant::now();
                self.looking.insert(look)
            }
        };
        let looked = looking.await;
        self.looking = None;
        self.next = Instant::now() + BETWEEN_LOOKS.max(self.next.elapsed() * PART);
        looked.ok().flatten()
    }

    /// Whether there is room to begin.
    pub(super) fn has_room(&self) -> bool {
        verdict(&self.places, None, self.floor).is_none()
    }
}

fn verdict(places: &[PathBuf], most: Option<u64>, floor: Option<u64>) -> Option<RunEnd> {
    if most.is_some_and(|most| used(places, most) > most) {
        return Some(RunEnd::DiskLimit);
    }
    let is_short = |place: &PathBuf, floor: u64| {
        room(place).is_some_and(|room| room.free < floor.min(room.total / LEAST_PART))
    };
    floor.filter(|floor| places.iter().any(|place| is_short(place, *floor))).map(|_| RunEnd::DiskFull)
}

/// A file system's bytes.
pub(crate) struct Room {
    /// What this user may still write.
    pub(crate) free: u64,
    total: u64,
}

/// Of the file system that this lies on.
pub(crate) fn room(place: &Path) -> Option<Room> {
    let about = statvfs(place).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(about.f_frsize);
    Some(Room { free: bytes(about.f_bavail), total: bytes(about.f_blocks) })
}

/// Bytes on the disk below these directories. Stops counting when it is clear that there are more than `enough`.
fn used(places: &[PathBuf], enough: u64) -> u64 {
    let mut count = Count { bytes: 0, enough, linked: HashSet::new() };
    for place in places {
        if let Ok(directory) = open_directory(place) {
            // What cannot be looked into counts for nothing.
            let _ = count.below(&directory, 0);
        }
    }
    count.bytes
}

struct Count {
    bytes: u64,
    enough: u64,
    /// Files with several names, which are counted once.
    linked: HashSet<(u64, u64)>,
}

impl Count {
    fn below(&mut self, root: &File, depth: usize) -> io::Result<()> {
        let base = Path::new("/proc/self/fd").join(root.as_raw_fd().to_string());
        let mut left = vec![base.clone()];
        while let Some(directory) = left.pop() {
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for entry in entries.flatten() {
                if self.bytes > self.enough {
                    return Ok(());
                }
                let Ok(about) = entry.metadata() else { continue };
                self.add(&about);
                if !about.is_dir() {
                    continue;
                }
                let path = entry.path();
                if path.as_os_str().len() < LONGEST_PATH {
                    left.push(path);
                } else if depth < DEEPEST
                    && let Ok(further) = open_directory(&path)
                {
                    self.below(&further, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, about: &Metadata) {
        let once = about.is_dir() || about.nlink() < 2 || self.linked.insert((about.dev(), about.ino()));
        if once {
            self.bytes = self.bytes.saturating_add(about.blocks().saturating_mul(512));
        }
    }
}

fn open_directory(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(open(path, flags, Mode::empty())?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(path: &Path, kib: usize) {
        fs::write(path, vec![1; kib << 10]).unwrap();
    }

    #[test]
    fn files_count_once_links_lead_nowhere_and_holes_take_no_room() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        write(&elsewhere.path().join("large"), 900);
        let here = root.path();
        fs::create_dir_all(here.join("a/b")).unwrap();
        write(&here.join("a/b/file"), 100);
        fs::hard_link(here.join("a/b/file"), here.join("again")).unwrap();
        symlink(elsewhere.path(), here.join("link")).unwrap();
        File::create(here.join("hole")).unwrap().set_len(1 << 40).unwrap();
        let used = used(&[here.to_owned()], u64::MAX) >> 10;
        assert!((100..300).contains(&used), "{used} KiB");
    }

    #[test]
    fn what_lies_deeper_than_a_path_can_tell_is_counted() {
        let root = tempfile::tempdir().unwrap();
        let name = "d".repeat(200);
        let mut directory = File::open(root.path()).unwrap();
        for _ in 0..40 {
            rustix::fs::mkdirat(&directory, &*name, Mode::RWXU).unwrap();
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            directory = rustix::fs::openat(&directory, &*name, flags, Mode::empty()).unwrap().into();
        }
        let flags = OFlags::WRONLY | OFlags::CREATE;
        let file = rustix::fs::openat(&directory, "large", flags, Mode::RUSR | Mode::WUSR).unwrap();
        io::Write::write_all(&mut File::from(file), &vec![1; 4 << 20]).unwrap();
        assert!(used(&[root.path().to_owned()], u64::MAX) >= 4 << 20);
        assert!(used(&[root.path().to_owned()], 1 << 10) > 1 << 10);
    }

    #[test]
    fn a_run_ends_for_what_it_fills_or_when_little_is_left() {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("file"), 100);
        let places = [root.path().to_owned(), root.path().join("absent")];
        assert_eq!(verdict(&places, Some(1 << 30), Some(1)), None);
        assert_eq!(verdict(&places, Some(50 << 10), Some(1)), Some(RunEnd::DiskLimit));
        assert_eq!(verdict(&places, None, None), None);
        let Room { free, total } = room(root.path()).unwrap();
        let short = (free < total / LEAST_PART).then_some(RunEnd::DiskFull);
        assert_eq!(verdict(&places, None, Some(u64::MAX)), short);
    }
}
