//! The worker's runs: their files, their start, their end.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use openpod_sdk::api::TicketId;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::failure::of_executor;
use super::{Effects, Outcome, key_of};
use crate::executor::{self, RunEnd, RunSpec};
use crate::job::{Assignment, Class, Failure, Input, Job, RunEnding};
use crate::wording;

/// What runs now. A ticket has one run at a time.
pub(super) struct Runs {
    stop: CancellationToken,
    running: StdMutex<HashMap<TicketId, Run>>,
}

#[derive(Clone)]
struct Run {
    cancel: CancellationToken,
    /// Held while the worker runs.
    busy: Arc<Mutex<()>>,
}

impl Runs {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { stop, running: StdMutex::default() }
    }

    fn begin(&self, ticket: &TicketId) -> Run {
        let run = Run { cancel: self.stop.child_token(), busy: Arc::default() };
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket.clone(), run.clone());
        run
    }

    /// Stops the run of a ticket and waits until its processes are gone.
    pub(super) async fn end(&self, ticket: &TicketId) {
        let run = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(ticket);
        if let Some(run) = run {
            run.cancel.cancel();
            drop(run.busy.lock().await);
        }
    }
}

impl Effects {
    fn run_directory(&self, job: &Job) -> PathBuf {
        self.runs_dir.join(key_of(job).as_str())
    }

    /// Writes down what the worker will be told, so that the run needs nobody but this machine.
    pub(super) async fn write_assignment(&self, job: &Job, assignment: &Assignment) -> Result<(), Failure> {
        let directory = self.run_directory(job);
        let file = directory.join("assignment.json");
        let text = serde_json::to_vec_pretty(assignment).map_err(|error| {
            Failure::new(Class::Final, format!("the assignment cannot be written: {error}"))
        })?;
        let unwritable = |error| Failure::new(Class::Passing, format!("{}: {error}", directory.display()));
        tokio::fs::create_dir_all(&directory).await.map_err(unwritable)?;
        tokio::fs::write(file, text).await.map_err(unwritable)
    }

    /// Runs the worker to its end.
    pub(super) async fn run(&self, job: &Job, attempt: u32) -> Outcome {
        let directory = self.run_directory(job);
        let assignment = directory.join("assignment.json");
        let ticket_json = tokio::fs::read(&assignment)
            .await
            .map_err(|error| Failure::new(Class::Worker, format!("{}: {error}", assignment.display())))?;
        let spec = RunSpec {
            command: self.executor.command.clone(),
            workspace: self.workspaces.workspace_dir(&key_of(job)),
            run_dir: unused(&directory, &format!("round-{}-attempt-{attempt}", job.round)),
            ticket_json,
            attempt,
            environment: self.executor.environment.clone(),
            limits: self.executor.limits,
            secrets: self.secrets.clone(),
        };
        let log = spec.run_dir.join("output.log");
        tracing::info!(log = %log.display(), "the worker begins");
        let run = self.runs.begin(&job.ticket);
        let busy = run.busy.lock().await;
        let outcome = executor::run(spec, Arc::clone(&self.clock), run.cancel.clone()).await;
        drop(busy);
        let outcome = outcome.map_err(|error| of_executor(&error))?;
        tracing::info!(end = ?outcome.end, "the worker ended");
        let ending = match outcome.end {
            RunEnd::Exited(0) => RunEnding::Well { summary: outcome.summary },
            RunEnd::Cancelled => RunEnding::Interrupted,
            end => {
                tracing::warn!(output = outcome.output_tail, "the worker failed");
                RunEnding::Badly { reason: wording::run_failure(end) }
            }
        };
        Ok(Input::RunEnded(ending))
    }
}

/// The directory by this name, or by the first name after it that is not taken: a run that was interrupted keeps its log.
fn unused(parent: &std::path::Path, name: &str) -> PathBuf {
    let names = std::iter::once(name.to_owned()).chain((2..).map(|n| format!("{name}-{n}")));
    names.map(|name| parent.join(name)).find(|path| !path.exists()).unwrap_or_else(|| parent.join(name))
}
