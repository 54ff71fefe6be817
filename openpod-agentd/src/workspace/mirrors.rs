//! What becomes of mirrors over many weeks: they are packed, and those that nobody needs go.
//!
//! Outbound repositories borrow a mirror's objects, also of commits that the remote has forgotten since. So before git
//! collects a mirror's garbage, a ref is written there for each commit that somebody borrows, and git keeps what it leads
//! to. All of that happens under the mirror's lock, which whoever makes a new outbound repository holds, too.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use openpod_sdk::api::Timestamp;

use super::Workspaces;
use super::error::{WorkspaceError, at};
use super::layout::LENT;
use super::leftovers::{clear, remove_locks};

/// A file in a mirror; its time is when the mirror was needed last.
const USED: &str = "used";
/// After this it is noted again.
const NOTED_AGAIN: Duration = Duration::from_secs(600);

/// When a mirror is packed, and when it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MirrorUpkeep {
    /// Nobody has needed it for so long.
    pub unused: Duration,
    /// It has about so many loose objects.
    pub loose: u64,
    /// It has so many packs.
    pub packs: u64,
    /// What no ref leads to is kept so long, should somebody be about to need it.
    pub grace: Duration,
}

impl Default for MirrorUpkeep {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        Self { unused: days(30), loose: 5000, packs: 20, grace: days(14) }
    }
}

/// What was done with a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tended {
    /// There was nothing to do.
    Left,
    /// It was packed, and what nobody needs is gone.
    Packed,
    /// It is gone.
    Removed,
}

/// Who borrows from a mirror.
struct Lending {
    mirror: PathBuf,
    borrowers: Vec<PathBuf>,
}

impl Workspaces {
    /// Looks after every mirror, one after another. One that cannot be looked after stays as it is, and is named in
    /// the log.
    pub async fn tend_mirrors(&self, upkeep: &MirrorUpkeep, now: Timestamp) -> Vec<(PathBuf, Tended)> {
        let mut tended = Vec::new();
        for mirror in directories(&self.layout.mirrors(), Some("git")) {
            match self.tend(&mirror, upkeep, now).await {
                Ok(what) => tended.push((mirror, what)),
                Err(error) => {
                    tracing::warn!(mirror = %mirror.display(), %error, "a mirror could not be looked after");
                }
            }
        }
        tended
    }

    async fn tend(
        &self,
        mirror: &Path,
        upkeep: &MirrorUpkeep,
        now: Timestamp,
    ) -> Result<Tended, WorkspaceError> {
        let lock = self.lock(mirror);
        let _held = lock.lock().await;
        clear(&mirror.with_extension("gone"))?;
        let lending = self.lending(mirror)?;
        if lending.borrowers.is_empty() && is_unused(mirror, upkeep.unused, now) {
            return self.remove_mirror(mirror).await.map(|()| Tended::Removed);
        }
        if !is_untidy(mirror, upkeep).map_err(at(mirror))? {
            return Ok(Tended::Left);
        }
        remove_locks(mirror)?;
        self.pin(&lending).await?;
        let expiry = format!("--prune={}.seconds.ago", upkeep.grace.as_secs());
        let expiry = if upkeep.grace.is_zero() { "--prune=now" } else { &expiry };
        // One that lives on from before a crash holds git's own lock, and this one leaves it alone.
        self.git.within(mirror, ["gc", "--quiet", expiry]).patiently().output().await?;
        tracing::info!(mirror = %mirror.display(), "a mirror was packed");
        Ok(Tended::Packed)
    }

    /// Moved away first, so that a half of it is never taken for a mirror.
    async fn remove_mirror(&self, mirror: &Path) -> Result<(), WorkspaceError> {
        let seeds = mirror.with_extension("seed");
        let lock = self.lock(&seeds);
        let _held = lock.lock().await;
        clear(&seeds)?;
        let gone = mirror.with_extension("gone");
        fs::rename(mirror, &gone).map_err(at(mirror))?;
        tracing::info!(mirror = %mirror.display(), "a mirror that no ticket has needed for long is removed");
        clear(&gone)
    }

    /// Every outbound repository that borrows from this mirror, of whatever agent, configured or not.
    fn lending(&self, mirror: &Path) -> Result<Lending, WorkspaceError> {
        let mut borrowers = Vec::new();
        for job in self.all_jobs() {
            for name in ["outbound.git", "outbound.new"] {
                let outbound = job.join(name);
                let alternates = outbound.join("objects/info/alternates");
                let lenders = match fs::read_to_string(&alternates) {
                    Ok(text) => text,
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    // Nobody knows what it borrows.
                    Err(error) => return Err(at(&alternates)(error)),
                };
                if lenders.lines().any(|line| lender(line) == mirror.file_name()) {
                    borrowers.push(outbound);
                }
            }
        }
        Ok(Lending { mirror: mirror.to_owned(), borrowers })
    }

    fn all_jobs(&self) -> Vec<PathBuf> {
        let mut agents = directories(&self.layout.agents(), None);
        agents.push(self.layout.root().to_owned());
        agents.iter().flat_map(|agent| directories(&agent.join("jobs"), None)).collect()
    }

    /// Has a ref lead to everything that is borrowed.
    async fn pin(&self, lending: &Lending) -> Result<(), WorkspaceError> {
        let mirror = &lending.mirror;
        let mut wanted = BTreeSet::new();
        for borrower in &lending.borrowers {
            let refs = self.git.within(borrower, ["for-each-ref", "--format=%(objectname)"]).line().await?;
            wanted.extend(refs.lines().map(str::to_owned));
        }
        let names: String = wanted.iter().map(|sha| format!("{sha}\n")).collect();
        let here = self.git.within(mirror, ["cat-file", "--batch-check=%(objectname)"]).input(names).line();
        // What is not here was made by the worker, and is in the outbound repository itself.
        let here = if wanted.is_empty() { String::new() } else { here.await? };
        let here: BTreeSet<&str> = here.lines().filter(|line| !line.contains(' ')).collect();
        let pinned = self.git.within(mirror, ["for-each-ref", "--format=%(objectname)", LENT]).line().await?;
        let pinned: BTreeSet<&str> = pinned.lines().collect();
        let new = here.difference(&pinned).map(|sha| format!("create {LENT}/{sha} {sha}\n"));
        let old = pinned.difference(&here).map(|sha| format!("delete {LENT}/{sha}\n"));
        let commands: String = new.chain(old).collect();
        if !commands.is_empty() {
            self.git.within(mirror, ["update-ref", "--stdin"]).input(commands).output().await?;
        }
        Ok(())
    }

    /// Notes that a mirror is needed, unless that stands there already: its days are not counted by the minute, and a
    /// file system that writes to the disk makes whoever changes a file wait. `now` is a file that was just written.
    pub(super) fn note_used(&self, mirror: &Path, now: &Path) -> Result<(), WorkspaceError> {
        let file = mirror.join(USED);
        let written = |file: &Path| fs::metadata(file).and_then(|about| about.modified()).ok();
        let ago = written(now).zip(written(&file)).and_then(|(now, noted)| now.duration_since(noted).ok());
        if ago.is_some_and(|ago| ago < NOTED_AGAIN) {
            return Ok(());
        }
        fs::write(&file, "").map_err(at(&file))
    }
}

/// The mirror whose objects these are.
fn lender(objects: &str) -> Option<&OsStr> {
    Path::new(objects).parent()?.file_name()
}

fn directories(parent: &Path, extension: Option<&str>) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let paths = directories.map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| extension.is_none_or(|wanted| path.extension() == Some(OsStr::new(wanted))))
        .collect();
    paths.sort();
    paths
}

/// A mirror of an older daemon has no note; its age counts from what was written last at its top.
fn is_unused(mirror: &Path, unused: Duration, now: Timestamp) -> bool {
    let about = fs::metadata(mirror.join(USED)).or_else(|_| fs::metadata(mirror));
    let used = about.and_then(|about| about.modified()).ok();
    let used = used.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    used.is_some_and(|used| now.since(Timestamp::from_micros(0)).saturating_sub(used) >= unused)
}

/// As git itself guesses: loose objects lie in 256 directories, about as many in each.
fn is_untidy(mirror: &Path, upkeep: &MirrorUpkeep) -> io::Result<bool> {
    let files = |directory: &str, counts: fn(&str) -> bool| -> io::Result<u64> {
        let entries = match fs::read_dir(mirror.join("objects").join(directory)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            entries => entries?,
        };
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names
            .filter_map(|name: io::Result<String>| match name {
                Ok(name) => counts(&name).then_some(Ok(1)),
                Err(error) => Some(Err(error)),
            })
            .sum()
    };
    let loose = files("17", |name| name.bytes().all(|byte| byte.is_ascii_hexdigit()))? * 256;
    Ok(loose > upkeep.loose || files("pack", |name| name.ends_with(".pack"))? >= upkeep.packs)
}
