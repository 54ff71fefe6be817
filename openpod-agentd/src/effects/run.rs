//! The worker's runs: their files, their start, their end. Each has a shim, which outlives the daemon.

mod ending;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use openpod_sdk::api::{TicketId, Timestamp};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use self::ending::{counts, ended, used};
use super::failure::{of_shim, of_workspace};
use super::transcript::transcript;
use super::{Effects, Outcome, Written, key_of};
use crate::control::RunReport;
use crate::crash;
use crate::custody;
use crate::executor::{RunLimits, RunSpec};
use crate::job::brakes::{Allowance, Used};
use crate::job::{Assignment, Class, Failure, Input, Job, RunEnding, State};
use crate::redaction::Redactor;
use crate::shim::{Found, Idle, Living, Place, ShimError, Status};
use crate::workspace::remove_all;

/// Within the data directory.
pub(crate) const RUNS: &str = "runs";
/// What a shim may need beyond the worker's grace.
const BEYOND_GRACE: Duration = Duration::from_secs(10);

/// What runs now. A ticket has one run at a time.
pub(super) struct Runs {
    /// Cancelled when the agent stops: runs are left to their shims then.
    stop: CancellationToken,
    /// Cancelled when they are to end instead.
    end: Option<CancellationToken>,
    running: StdMutex<HashMap<TicketId, Run>>,
}

#[derive(Clone)]
struct Run {
    cancel: CancellationToken,
    /// Held while the worker is followed.
    busy: Arc<Mutex<()>>,
}

impl Runs {
    pub(super) fn new(stop: CancellationToken, end: Option<CancellationToken>) -> Self {
        Self { stop, end, running: StdMutex::default() }
    }

    fn begin(&self, ticket: &TicketId) -> Run {
        let cancel = self.end.as_ref().map(CancellationToken::child_token).unwrap_or_default();
        let run = Run { cancel, busy: Arc::default() };
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket.clone(), run.clone());
        run
    }

    /// Returns when the agent stops and leaves its runs alone.
    async fn left(&self) {
        self.stop.cancelled().await;
        if self.end.as_ref().is_some_and(CancellationToken::is_cancelled) {
            std::future::pending().await
        }
    }

    /// Tells whoever follows the run of a ticket to end it, and waits for that.
    async fn end(&self, ticket: &TicketId) {
        let run = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(ticket);
        if let Some(run) = run {
            run.cancel.cancel();
            drop(run.busy.lock().await);
        }
    }
}

impl Effects {
    pub(super) fn run_directory(&self, job: &Job) -> PathBuf {
        self.runs_dir.join(key_of(job).as_str())
    }

    /// Writes down what the worker will be told, so that the run needs nobody but this machine.
    pub(super) async fn write_assignment(&self, job: &Job, assignment: &Assignment) -> Result<(), Failure> {
        let directory = self.run_directory(job);
        let file = directory.join("assignment.json");
        let text = serde_json::to_vec_pretty(assignment).map_err(|error| {
            Failure::lasting(Class::Platform, format!("the assignment cannot be written: {error}"))
        })?;
        let unwritable = |error| Failure::passing(Class::Disk, format!("{}: {error}", directory.display()));
        tokio::fs::create_dir_all(&directory).await.map_err(unwritable)?;
        tokio::fs::write(file, text).await.map_err(unwritable)?;
        crash::point("brief/written");
        Ok(())
    }

    /// Runs the worker to its end, or takes up the run of this attempt where it stands. A new one gets its shim while the
    /// attempt is being written down, and its task when it is.
    pub(super) async fn run(
        &self,
        job: &Job,
        attempt: u32,
        allowance: Allowance,
        mut written: Written,
    ) -> Outcome {
        let run = self.runs.begin(&job.ticket);
        let _busy = run.busy.lock().await;
        let directory = self.run_directory(job);
        let name = format!("round-{}-attempt-{attempt}", job.round);
        let (last, free) = places(&directory, &name);
        let found = match &last {
            Some(run_dir) => Some(Place::beside(run_dir).find().await.map_err(|error| of_shim(&error))?),
            None => None,
        };
        match (last, found) {
            (Some(run_dir), Some(Found::Living(living))) => {
                tracing::info!("the worker still runs, and is followed again");
                self.follow(job, &Place::beside(&run_dir), living, &run).await
            }
            (_, Some(Found::Over(status))) if counts(&status) => self.ended(job, status),
            _ => {
                self.end_all_below(&directory, true).await?;
                if !self.workspaces.is_whole(&key_of(job)) {
                    self.make_ready(job).await?;
                }
                self.workspaces.note_worker(&key_of(job)).map_err(|error| of_workspace(&error))?;
                let place = Place::beside(&free);
                let spec = self.spec(job, attempt, allowance, free, &place).await?;
                tracing::info!(log = %place.log().display(), "the worker begins");
                let written = async {
                    written.down("run").await;
                };
                let begun = place.start(self.shim(job), spec, self.executor.resources, written).await;
                self.follow(job, &place, begun.map_err(|error| of_shim(&error))?, &run).await
            }
        }
    }

    /// The shim that was started ahead, or a new one.
    async fn shim(&self, job: &Job) -> Result<Idle, ShimError> {
        match self.shims.late_answer(&job.ticket).await {
            Some(Ok(shim)) => Ok(shim),
            _ => Idle::start(&self.helper),
        }
    }

    async fn spec(
        &self,
        job: &Job,
        attempt: u32,
        allowance: Allowance,
        run_dir: PathBuf,
        place: &Place,
    ) -> Result<RunSpec, Failure> {
        let file = self.run_directory(job).join("assignment.json");
        let unreadable = |error| Failure::passing(Class::Disk, format!("{}: {error}", file.display()));
        let told = tokio::fs::read(&file).await.map_err(unreadable)?;
        // Nobody waits for it to be on the disk. What a loss of power has cut off is asked for again.
        if let Err(error) = serde_json::from_slice::<Assignment>(&told) {
            return Err(unreadable(error.into()));
        }
        let transcript = self.transcript(job).await;
        let ticket_json = match &transcript {
            None => told,
            Some(_) => naming_transcript(told, &run_dir),
        };
        let unique = format!("{} {}", run_dir.display(), self.clock.now().as_micros());
        Ok(RunSpec {
            id: hex::encode(&Sha256::digest(unique)[..12]),
            command: self.executor.command.clone(),
            workspace: self.workspaces.workspace_dir(&key_of(job)),
            run_dir,
            log: place.log(),
            ticket_json,
            transcript,
            attempt,
            environment: self.executor.environment.clone(),
            limits: RunLimits { wall: allowance.wall, ..self.executor.limits },
            allowance,
            sandbox: self.executor.sandbox.clone(),
            alone: true,
            secrets: self.secrets.clone(),
        })
    }

    async fn transcript(&self, job: &Job) -> Option<Vec<u8>> {
        let (runs, redactor) = (self.run_directory(job), Redactor::new(self.secrets.clone()));
        tokio::task::spawn_blocking(move || transcript(&runs, &redactor)).await.ok().flatten()
    }

    async fn follow(&self, job: &Job, place: &Place, living: Living, run: &Run) -> Outcome {
        // Should this future be dropped, the daemon stops at once.
        let end = self.runs.end.as_ref().map(|_| living.end_on_drop());
        tokio::select! {
            status = place.over(living) => {
                self.look_after_modes().await;
                return self.ended(job, status.map_err(|error| of_shim(&error))?);
            }
            () = self.runs.left() => {
                if let Some(end) = end {
                    end.disarm();
                }
                return Ok(Input::RunEnded(RunEnding::Left, Used::default()));
            }
            () = run.cancel.cancelled() => {}
        }
        let ended = self.end_run(place, true).await;
        self.look_after_modes().await;
        let used = match ended? {
            Some(Status::Ended { outcome }) => used(&outcome),
            _ => self.taken(job),
        };
        Ok(Input::RunEnded(RunEnding::Interrupted, used))
    }

    fn ended(&self, job: &Job, status: Status) -> Outcome {
        if matches!(&status, Status::Ended { outcome } if outcome.is_kept()) {
            self.note_settled(job);
        }
        ended(status, self.taken(job))
    }

    /// A shim that says how its run ended has put everything on the disk before.
    fn note_settled(&self, job: &Job) {
        if let Err(error) = self.workspaces.note_settled(&key_of(job)) {
            // After a loss of power the next run begins with a workspace that is made again.
            tracing::warn!(%error, "it cannot be noted that a workspace is whole");
        }
    }

    /// What a worker did to the modes of the daemon's files is undone before anything else needs them.
    async fn look_after_modes(&self) {
        let data_dir = self.workspaces.data_dir();
        let looking = tokio::task::spawn_blocking(move || custody::look_after(&data_dir));
        if let Err(error) = looking.await {
            tracing::warn!(%error, "the modes of the daemon's files were not looked at");
        }
    }

    /// What a run took that cannot say so any more.
    fn taken(&self, job: &Job) -> Used {
        let State::Running { started_at, allowance, .. } = &job.state else { return Used::default() };
        let run_time = self.clock.now().since(*started_at).min(allowance.wall);
        Used { run_time, ..Used::default() }
    }

    /// Stops every run of the ticket, whoever started it.
    pub(super) async fn end_runs(&self, job: &Job) -> Result<(), Failure> {
        self.runs.end(&job.ticket).await;
        self.end_all_below(&self.run_directory(job), false).await
    }

    /// Stops every run of the ticket because an operator wants it.
    pub async fn stop_runs(&self, job: &Job) -> Result<(), Failure> {
        self.end_runs(job).await
    }

    /// The run of a job, which began then.
    pub fn run_of(&self, job: &Job, started_at: Timestamp) -> RunReport {
        let latest = latest(&self.run_directory(job));
        let pid = latest.as_ref().and_then(Place::pid);
        RunReport { pid, started_at, log: latest.map(|place| place.log()) }
    }

    /// Removes the homes and temporary directories of a ticket's runs. What they said stays.
    pub(super) async fn discard_scratch(&self, job: &Job) {
        let scratch = Place::all_in(&self.run_directory(job)).into_iter().flat_map(|place| place.scratch());
        let scratch: Vec<PathBuf> = scratch.collect();
        let removed = tokio::task::spawn_blocking(move || {
            scratch.iter().try_for_each(|directory| remove_all(directory))
        });
        if let Ok(Err(error)) = removed.await {
            tracing::warn!(%error, "what a worker left in its home could not be removed");
        }
    }

    async fn end_all_below(&self, directory: &Path, wanted: bool) -> Result<(), Failure> {
        for place in Place::all_in(directory) {
            self.end_run(&place, wanted).await?;
        }
        Ok(())
    }

    async fn end_run(&self, place: &Place, wanted: bool) -> Result<Option<Status>, Failure> {
        let patience = self.executor.limits.grace + BEYOND_GRACE;
        place.end(patience, wanted).await.map_err(|error| of_shim(&error))
    }
}

/// Where the output of a job's latest run is kept, and whether the run is over.
pub fn latest_log(data_dir: &Path, job: &Job) -> Option<(PathBuf, bool)> {
    let latest = latest(&data_dir.join(RUNS).join(key_of(job).as_str()))?;
    Some((latest.log(), latest.is_over()))
}

fn latest(runs: &Path) -> Option<Place> {
    Place::all_in(runs).into_iter().max_by_key(Place::began_at)
}

/// The last directory of an attempt, and the next one: a run that was interrupted keeps its log.
fn places(parent: &Path, name: &str) -> (Option<PathBuf>, PathBuf) {
    let mut last = None;
    let mut next = parent.join(name);
    for number in 2.. {
        if !Place::beside(&next).exists() {
            break;
        }
        last = Some(std::mem::replace(&mut next, parent.join(format!("{name}-{number}"))));
    }
    (last, next)
}

/// The assignment with the place of the transcript in it.
fn naming_transcript(told: Vec<u8>, run_dir: &Path) -> Vec<u8> {
    let named = || {
        let mut assignment: Assignment = serde_json::from_slice(&told).ok()?;
        assignment.transcript = Some(RunSpec::transcript_in(run_dir));
        serde_json::to_vec_pretty(&assignment).ok()
    };
    named().unwrap_or(told)
}
