//! The shim itself: one run, from its task to its status.

use std::error::Error;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::clock::SystemClock;
use rustix::process::{Resource, Rlimit, getpid, getrlimit, set_child_subreaper, setrlimit, setsid};
use tokio::signal::unix::{SignalKind, signal};

use super::{Place, Resources, ShimError, Status, Task};
use crate::crash;
use crate::executor::{self, ExecutorError, Orders};
use crate::process::kin::Identity;
use crate::workspace::settle;

/// Between two tries to write to a disk that is full.
const FOR_SPACE: Duration = Duration::from_secs(5);

/// What `shim` does: runs the worker that standard input describes, and writes down how it ended. SIGTERM ends the worker
/// with its grace, SIGINT at once. Where standard input ends without a word, so does the shim.
pub fn shim_main(directory: Option<&Path>) -> ExitCode {
    match serve(directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&*error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "this is the shim's log")]
fn complain(error: &dyn Error) {
    eprintln!("shim: {error}");
}

fn serve(directory: Option<&Path>) -> Result<(), Box<dyn Error>> {
    // A session of its own: no terminal and no daemon takes it along.
    setsid()?;
    // Whoever leaves the worker's group becomes a child of this process in the end.
    set_child_subreaper(Some(getpid()))?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(directory))
}

async fn run(directory: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let orders = Orders::default();
    let obeying = tokio::spawn(obey(orders.clone())?);
    let mut task = Vec::new();
    std::io::stdin().read_to_end(&mut task)?;
    if task.is_empty() {
        return Ok(());
    }
    let task: Task = serde_json::from_slice(&task)?;
    let directory = task.directory.as_deref().or(directory).ok_or("a task without a directory")?;
    let place = &Place { directory: directory.to_owned() };
    place.settle_in()?;
    crash::point("shim/begun");
    let lock = place.lock()?.ok_or("another shim has this run")?;
    if place.status()?.is_some() {
        return Err("this run is over".into());
    }
    crash::point("shim/locked");
    let _alive = place.live()?;
    place.write_shim(&Identity::own()?)?;
    crash::point("shim/known");
    let begun = place.clone();
    // Beside the worker's start, which nothing is to hold up. What the disk refuses here, it refuses the status too.
    tokio::task::spawn_blocking(move || begun.keep_shim());
    task.resources.apply()?;
    let status = match executor::run(task.into_spec(), Arc::new(SystemClock), orders).await {
        Ok(outcome) => match outcome.is_kept().then(|| settle(&place.directory)) {
            Some(Err(error)) => {
                complain(&error);
                Status::Lost
            }
            _ => Status::Ended { outcome },
        },
        Err(ExecutorError::Lost(error)) => {
            complain(&error);
            Status::Lost
        }
        Err(error) => Status::NotStarted { reason: error.to_string(), full: error.is_for_want_of_space() },
    };
    crash::point("shim/ended");
    write_down(place, &status).await?;
    crash::point("shim/noted");
    drop(lock);
    obeying.abort();
    Ok(())
}

impl Place {
    /// Makes it the current directory, and what is complained about its log.
    fn settle_in(&self) -> Result<(), Box<dyn Error>> {
        std::env::set_current_dir(&self.directory)?;
        rustix::stdio::dup2_stderr(File::create("shim.log")?)?;
        Ok(())
    }
}

/// A disk that is full does not stay so: the work of hours is not given up for it.
async fn write_down(place: &Place, status: &Status) -> Result<(), ShimError> {
    loop {
        match place.write_status(status) {
            Err(ShimError::Io { source, .. })
                if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
            {
                tokio::time::sleep(FOR_SPACE).await;
            }
            written => return written,
        }
    }
}

/// Listens from this call on.
fn obey(orders: Orders) -> std::io::Result<impl Future<Output = ()>> {
    let mut stop = signal(SignalKind::terminate())?;
    let mut at_once = signal(SignalKind::interrupt())?;
    Ok(async move {
        loop {
            tokio::select! {
                Some(()) = stop.recv() => {}
                Some(()) = at_once.recv() => orders.at_once.cancel(),
                else => return,
            }
            orders.stop.cancel();
        }
    })
}

impl Resources {
    /// For this process and what it starts.
    fn apply(self) -> std::io::Result<()> {
        let limits = [
            (Resource::Core, Some(0)),
            (Resource::Nofile, self.open_files),
            (Resource::Fsize, self.file_bytes),
            (Resource::Nproc, self.processes),
        ];
        for (resource, limit) in limits {
            let Some(limit) = limit else { continue };
            let most = getrlimit(resource).maximum.map_or(limit, |most| most.min(limit));
            setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
        }
        Ok(())
    }
}
