//! Any command as a worker: its own process group, an environment of few words, limits, and one log.
//!
//! What a worker may rely on:
//!
//! | | |
//! |---|---|
//! | current directory, `OPENPOD_WORKSPACE` | the repository, on its branch |
//! | standard input, `OPENPOD_TICKET_FILE` | the assignment as JSON |
//! | `OPENPOD_TRANSCRIPT_FILE` | what earlier runs for this ticket wrote, where there were any |
//! | `OPENPOD_SUMMARY_FILE` | where it may say what it did, for people |
//! | `OPENPOD_USAGE_FILE` | where it may say what it used: see [`Usage`] |
//! | `OPENPOD_RUN_DIR`, `OPENPOD_ATTEMPT` | a directory of this run; 1, 2, … |
//! | `OPENPOD_RUN_ID` | a mark by which everything that it starts is found again |
//! | `HOME`, `TMPDIR` | private, empty, of this run |
//! | `PATH`, `LANG`, `LC_ALL`, `LC_CTYPE`, `TZ`, `USER`, `LOGNAME` | the daemon's |
//!
//! It finds no token and no key. It is confined by [`Sandbox`]. When it ends, or must, everything in its process group
//! ends with it; in a process of its own ([`RunSpec::alone`]) everything that descends from it does.

mod disk;
mod environment;
mod files;
mod log;
mod meter;
mod sandbox;
mod supervise;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::Secret;
use openpod_sdk::api::Timestamp;
use openpod_sdk::clock::Clock;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use self::disk::Disk;
pub(crate) use self::disk::room;
pub(crate) use self::environment::INHERITED;
use self::files::RunFiles;
use self::log::Log;
use self::meter::Meter;
pub(crate) use self::sandbox::SYSTEM;
pub use self::sandbox::Sandbox;
use self::supervise::{Watch, Worker};
use crate::crash;
use crate::job::brakes::{Allowance, Usage};
use crate::redaction::Redactor;

/// One run of a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunSpec {
    /// Marks every process of the run, in its environment.
    pub id: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Where the worker works; its current directory.
    pub workspace: PathBuf,
    /// Made by the run: `ticket.json`, `transcript.txt`, `summary.md`, `usage.json`, `home/`, `tmp/`.
    pub run_dir: PathBuf,
    /// Where its output is kept.
    pub log: PathBuf,
    /// The assignment, given as a file and on standard input. Kept out of the serialized form, like the secrets.
    #[serde(skip)]
    pub ticket_json: Vec<u8>,
    /// What earlier runs wrote, given as a file.
    #[serde(skip)]
    pub transcript: Option<Vec<u8>>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Further variables, as the configuration allows.
    pub environment: BTreeMap<String, String>,
    /// What the run may cost.
    pub limits: RunLimits,
    /// What it may claim to use; its time is among the limits.
    #[serde(default)]
    pub allowance: Allowance,
    /// What it may touch; everything that its user may when absent.
    pub sandbox: Option<Sandbox>,
    /// Whether this process does nothing but this run, and adopts orphans: then whoever descends from it is the worker's.
    pub alone: bool,
    /// What must not stand in the log.
    #[serde(skip)]
    pub secrets: Vec<Secret>,
}

impl RunSpec {
    /// Where a run finds what earlier ones wrote.
    pub(crate) fn transcript_in(run_dir: &std::path::Path) -> PathBuf {
        run_dir.join(files::TRANSCRIPT)
    }
}

/// What a run may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLimits {
    /// From start to end.
    pub wall: Duration,
    /// Without any output; no limit when absent.
    pub idle: Option<Duration>,
    /// Between the request to end and the kill.
    pub grace: Duration,
    /// Of the log.
    pub output_bytes: u64,
    /// Of workspace, HOME and temporary directory together, on the disk; no limit when absent.
    #[serde(default)]
    pub disk_bytes: Option<u64>,
    /// The run ends when less than that is free where it writes, or less than a fiftieth where that is less; no limit when
    /// absent.
    #[serde(default)]
    pub free_bytes: Option<u64>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal that was not the daemon's.
    Signalled(i32),
    /// It took longer than its wall-clock limit.
    TimedOut,
    /// It was silent for too long.
    Idle,
    /// It wrote more than it may.
    OutputLimit,
    /// It used more than it may, by its own claim.
    UsageLimit,
    /// It filled more of the disk than it may.
    DiskLimit,
    /// Little was left of the disk, whoever has filled it.
    DiskFull,
    /// The daemon was told to stop it.
    Cancelled,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOutcome {
    /// How it ended.
    pub end: RunEnd,
    /// What the worker wrote to `OPENPOD_SUMMARY_FILE`, redacted, at most 16 KiB.
    pub summary: Option<String>,
    /// What the worker claims to have used.
    #[serde(default)]
    pub usage: Usage,
    /// Why its last claim is not believed.
    #[serde(default)]
    pub refused_claim: Option<String>,
    /// The end of its output, redacted, at most 4 KiB.
    pub output_tail: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When its last process was gone.
    pub ended_at: Timestamp,
}

impl RunOutcome {
    /// Whether anybody goes on from what the worker left: then it is put on the disk before its end is told.
    pub(crate) fn is_kept(&self) -> bool {
        self.end != RunEnd::Cancelled
    }
}

/// Why a run did not begin, or could not be followed.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// The configuration names no program.
    #[error("the executor's command is empty; name a program and its arguments")]
    EmptyCommand,
    /// There is no such program.
    #[error("the executor's command {program:?} was not found; give its full path or a name that is on PATH")]
    NotFound { program: String },
    /// The program cannot be started.
    #[error("the executor's command {program:?} cannot be started: {source}")]
    Spawn { program: String, source: std::io::Error },
    /// Too little of the disk is left.
    #[error(
        "too little of the disk is left for a worker to begin; executor.free_bytes says how much it needs"
    )]
    NoRoom,
    /// The kernel does not confine it.
    #[error("the worker cannot be confined: {0}")]
    Sandbox(std::io::Error),
    /// A file or directory of the run.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// The worker's process can no longer be followed; it was killed.
    #[error("the worker was lost from sight and killed: {0}")]
    Lost(#[from] std::io::Error),
}

impl ExecutorError {
    /// Whether a full disk is the reason.
    pub fn is_for_want_of_space(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match self {
            Self::Io { source, .. }
            | Self::Spawn { source, .. }
            | Self::Sandbox(source)
            | Self::Lost(source) => {
                matches!(source.kind(), StorageFull | QuotaExceeded)
            }
            Self::NoRoom => true,
            Self::EmptyCommand | Self::NotFound { .. } => false,
        }
    }
}

/// How a run is told to end.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// Cancelled: ask it to end, wait as long as [`RunLimits::grace`] says, and kill what is left.
    pub stop: CancellationToken,
    /// Cancelled too: do not wait.
    pub at_once: CancellationToken,
}

impl From<CancellationToken> for Orders {
    fn from(stop: CancellationToken) -> Self {
        Self { stop, at_once: CancellationToken::new() }
    }
}

/// Runs the worker to its end. Dropping the future kills its process group.
pub async fn run(
    spec: RunSpec,
    clock: Arc<dyn Clock>,
    orders: impl Into<Orders>,
) -> Result<RunOutcome, ExecutorError> {
    let orders = orders.into();
    let files = RunFiles::create(&spec.run_dir, &spec.ticket_json)?;
    if let Some(transcript) = &spec.transcript {
        files.write_transcript(transcript)?;
    }
    let mut log = Log::create(&spec.log, spec.limits.output_bytes, Redactor::new(spec.secrets.clone()))?;
    let mut disk = Disk::new([spec.workspace.clone(), spec.run_dir.clone()], &spec.limits);
    if !disk.has_room() {
        return Err(ExecutorError::NoRoom);
    }
    let started_at = clock.now();
    let worker = Worker::start(&spec, &files)?;
    crash::point("shim/worker");
    let mut meter = Meter::new(&files, spec.allowance);
    let watch = Watch { log: &mut log, meter: &mut meter, disk: &mut disk };
    let end = worker.run_to_end(watch, &spec.limits, &orders).await?;
    let (usage, refused) = meter.read();
    Ok(RunOutcome {
        end,
        usage,
        refused_claim: refused.map(|refused| refused.to_string()),
        summary: files.summary(&Redactor::new(spec.secrets)),
        output_tail: log.finish()?,
        started_at,
        ended_at: clock.now(),
    })
}
