//! A run that outlives the daemon: a small process of its own watches the worker and writes down how it ended.
//!
//! ```text
//!   daemon ── task over stdin ──▶ shim ── process group, log, limits ──▶ worker
//!      ▲                           │
//!      └── pid, start, boot ───────┴── status.json, when nothing of the worker is left
//! ```
//!
//! ```text
//! runs/<job>/round-1-attempt-1/          the worker's: ticket.json, summary.md, home/, tmp/
//! runs/<job>/round-1-attempt-1.shim/     closed to it:
//!     lock           held as long as the shim lives
//!     id             marks the run's processes, in OPENPOD_RUN_ID
//!     alive          a pipe that the shim holds: its end is the shim's
//!     shim.json      who the shim is; there before the worker is
//!     output.log     of the worker, redacted
//!     status.json    how it ended, written once and durable
//! ```
//!
//! The lock decides. While it is held the run lives, and nothing is started beside it. Whoever takes it without finding
//! a status knows that the shim died, ends what it left behind, and writes the status itself, so a shim that comes late
//! does not begin.

mod files;
mod living;
mod serve;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use openpod_sdk::Secret;
use serde::{Deserialize, Serialize};

pub(crate) use living::{Found, Idle, Living};
pub use serve::shim_main;

use crate::executor::{RunOutcome, RunSpec};

/// The variable that carries a run's mark.
const MARK: &str = "OPENPOD_RUN_ID";

/// What the shim is told, over standard input: arguments and environment can be read by others.
#[derive(Serialize, Deserialize)]
struct Task {
    /// Where its files are. A daemon that is older than the shim said so in an argument.
    #[serde(default)]
    directory: Option<PathBuf>,
    spec: RunSpec,
    ticket: String,
    #[serde(default)]
    transcript: Option<String>,
    resources: Resources,
    secrets: Vec<String>,
}

/// What the kernel counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Open files of each process.
    pub open_files: Option<u64>,
    /// Bytes of each file that is written. The shim's own log is one of them.
    #[serde(default)]
    pub file_bytes: Option<u64>,
    /// Processes of the user, those outside of the run included.
    pub processes: Option<u64>,
}

impl Task {
    fn new(directory: &Path, spec: RunSpec, resources: Resources) -> Self {
        let ticket = String::from_utf8_lossy(&spec.ticket_json).into_owned();
        let secrets = spec.secrets.iter().map(|secret| secret.expose().to_owned()).collect();
        let transcript = spec.transcript.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Self { directory: Some(directory.to_owned()), spec, ticket, transcript, resources, secrets }
    }

    fn into_spec(self) -> RunSpec {
        let secrets = self.secrets.into_iter().map(Secret::new).collect();
        let transcript = self.transcript.map(String::into_bytes);
        RunSpec { ticket_json: self.ticket.into_bytes(), transcript, secrets, ..self.spec }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Status {
    /// The worker ran, and nothing of it is left.
    Ended { outcome: RunOutcome },
    /// The worker could not be started.
    NotStarted {
        reason: String,
        /// Whether that was for a disk that is full.
        #[serde(default)]
        full: bool,
    },
    /// The shim died, or the machine; nothing of the worker is left.
    Lost,
    /// The shim never began, or was ended with its run on request.
    Void,
}

/// Whether this belongs to a shim, of what lies in the directory of a job's runs.
pub(crate) fn is_of_a_shim(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "shim")
}

/// Why a shim could not be started or followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShimError {
    /// A file or directory of the run.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// The program that serves as shim.
    #[error("{} cannot be started to watch the worker: {source}", program.display())]
    Spawn { program: PathBuf, source: std::io::Error },
    /// It has the lock and does not say who it is.
    #[error("somebody holds {} and does not say who", .0.display())]
    Unknown(PathBuf),
    /// What a dead shim left behind.
    #[error(transparent)]
    Left(std::io::Error),
    /// A file that nobody but a shim writes.
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: serde_json::Error },
}

/// The directory of a shim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    directory: PathBuf,
}

impl Place {
    /// Beside the worker's own directory of that run.
    pub(crate) fn beside(run_dir: &Path) -> Self {
        let mut name = run_dir.as_os_str().to_owned();
        name.push(".shim");
        Self { directory: name.into() }
    }

    /// All that lie in the directory of a job.
    pub(crate) fn all_in(runs: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(runs).into_iter().flatten().flatten().map(|entry| entry.path());
        let shims = entries.filter(|path| is_of_a_shim(path));
        shims.map(|directory| Self { directory }).collect()
    }

    /// Whether a run was prepared here.
    pub(crate) fn exists(&self) -> bool {
        self.directory.exists()
    }

    /// The worker's home and temporary directory.
    pub(crate) fn scratch(&self) -> [PathBuf; 2] {
        let run = self.directory.with_extension("");
        ["home", "tmp"].map(|name| run.join(name))
    }

    /// What the run is called.
    pub(crate) fn name(&self) -> String {
        self.directory.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The process that watches over the run.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.shim().ok().flatten().map(|shim| shim.pid())
    }

    /// When the run was prepared.
    pub(crate) fn began_at(&self) -> Option<SystemTime> {
        self.file("id").metadata().and_then(|about| about.modified()).ok()
    }

    /// Whether it is known how the run ended.
    pub(crate) fn is_over(&self) -> bool {
        self.file("status.json").exists()
    }

    /// The worker's output.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("output.log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_lies_beside_its_run_and_not_in_it() {
        let run = Path::new("/data/runs/0195.b/round-1-attempt-2");
        let place = Place::beside(run);
        assert_eq!(place.log(), Path::new("/data/runs/0195.b/round-1-attempt-2.shim/output.log"));
        assert_eq!(place.scratch(), [run.join("home"), run.join("tmp")]);
    }
}
