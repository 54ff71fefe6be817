//! The daemon's side: starts a shim, finds it again, follows it to its end.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

use super::files::at;
use super::{MARK, Place, Resources, ShimError, Status, Task};
use crate::crash;
use crate::executor::{INHERITED, RunSpec};
use crate::process::kin::kill_marked;

/// Between two looks at a shim that has not said yet who it is.
const PAUSE: Duration = Duration::from_millis(10);
/// Between the request to end and the kill of a worker whose work nobody wants any more.
const FOR_WHAT_NOBODY_WANTS: Duration = Duration::from_millis(300);
/// How often it is looked at.
const LOOKS: u32 = 1000;

/// What became of a run.
#[derive(Debug)]
pub(crate) enum Found {
    /// It goes on.
    Living(Living),
    /// It is over.
    Over(Status),
}

/// A shim that lives, or did so when it was last looked at.
#[derive(Debug)]
pub(crate) struct Living {
    handle: Arc<OwnedFd>,
    life: Life,
}

#[derive(Debug)]
enum Life {
    /// This process started it.
    Ours(Child),
    /// An earlier daemon did. The shim holds the other end as long as it lives.
    Found(Receiver),
}

/// A shim that has no run yet. Dropped, it ends, since nobody can tell it of one any more.
#[derive(Debug)]
pub(crate) struct Idle {
    child: Child,
    handle: Arc<OwnedFd>,
}

impl Idle {
    /// Starts one. Whose it becomes, it is told with its task.
    pub(crate) fn start(helper: &Path) -> Result<Self, ShimError> {
        let cannot = |source| ShimError::Spawn { program: helper.to_owned(), source };
        let inherited =
            INHERITED.iter().chain(crash::VARIABLES).filter_map(|name| Some((name, std::env::var_os(name)?)));
        let mut command = Command::new(helper);
        command.arg("shim").current_dir("/").env_clear().envs(inherited);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(cannot)?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pid = pid.ok_or_else(|| cannot(io::ErrorKind::NotFound.into()))?;
        let handle = Arc::new(pidfd_open(pid, PidfdFlags::empty()).map_err(|error| cannot(error.into()))?);
        Ok(Self { child, handle })
    }
}

/// Ends the shim and its worker at once when it is dropped.
#[derive(Debug)]
pub(crate) struct EndOnDrop(Option<Arc<OwnedFd>>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            let _ = pidfd_send_signal(handle, Signal::INT);
        }
    }
}

impl EndOnDrop {
    /// Ends nothing.
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Place {
    /// Has a shim do this run. It lives on when this process ends; but it begins nothing before `told`.
    pub(crate) async fn start(
        &self,
        shim: impl Future<Output = Result<Idle, ShimError>>,
        spec: RunSpec,
        resources: Resources,
        told: impl Future<Output = ()>,
    ) -> Result<Living, ShimError> {
        self.create(&spec.id)?;
        crash::point("run/placed");
        let path = || self.directory.clone();
        let task = serde_json::to_vec(&Task::new(&self.directory, spec, resources))
            .map_err(|source| ShimError::Unreadable { path: path(), source })?;
        let Idle { mut child, handle } = shim.await?;
        crash::point("run/shim");
        told.await;
        if let Some(mut stdin) = child.stdin.take() {
            // One that cannot read its task does not begin, and says so by its end.
            let _ = stdin.write_all(&task).await;
        }
        crash::point("run/told");
        Ok(Living { handle, life: Life::Ours(child) })
    }

    /// Looks what became of the run. What a dead shim left behind is ended first.
    pub(crate) async fn find(&self) -> Result<Found, ShimError> {
        self.find_or(Status::Lost).await
    }

    /// Without a status, one that had begun gets this one.
    async fn find_or(&self, without: Status) -> Result<Found, ShimError> {
        for _ in 0..LOOKS {
            if let Some(lock) = self.lock()? {
                let status = match self.status()? {
                    Some(status) => status,
                    None => self.bury(without).await?,
                };
                drop(lock);
                return Ok(Found::Over(status));
            }
            if let Some(handle) = self.shim()?.and_then(|identity| identity.open()) {
                let path = self.file("alive");
                if let Some(pipe) = held(&path).map_err(at(&path))? {
                    let life = Life::Found(Receiver::from_file(pipe).map_err(at(&path))?);
                    return Ok(Found::Living(Living { handle: Arc::new(handle), life }));
                }
            }
            // It is about to say who it is, or about to let go of the lock.
            tokio::time::sleep(PAUSE).await;
        }
        Err(ShimError::Unknown(self.file("lock")))
    }

    /// Ends what a dead shim left behind, and writes down that it is over.
    async fn bury(&self, without: Status) -> Result<Status, ShimError> {
        let status = if self.had_a_shim() { without } else { Status::Void };
        if let Some(id) = self.id() {
            let killed = kill_marked(MARK, &id).await.map_err(ShimError::Left)?;
            if killed > 0 {
                tracing::warn!(killed, "processes of a run that lost its shim were ended");
            }
        }
        self.write_status(&status)?;
        Ok(status)
    }

    /// Ends the run, whatever it does: asks, waits as long as `patience`, then kills. Where nobody wants its work any
    /// more it is given less time by its shim, too. Returns when it is over, with how it ended if it lived.
    pub(crate) async fn end(&self, patience: Duration, wanted: bool) -> Result<Option<Status>, ShimError> {
        if !self.exists() {
            return Ok(None);
        }
        let Found::Living(mut living) = self.find().await? else { return Ok(None) };
        living.ask_to_end();
        if !wanted && tokio::time::timeout(FOR_WHAT_NOBODY_WANTS, living.gone()).await.is_err() {
            drop(living.end_on_drop());
        }
        if tokio::time::timeout(patience, living.gone()).await.is_err() {
            tracing::warn!(shim = %self.directory.display(), "a shim did not end in time and is killed");
            living.kill();
        }
        let status = self.ended(living, Status::Void).await?;
        self.process_gone().await?;
        Ok(Some(status))
    }

    /// A shim takes a moment to end after it has let go of everything.
    async fn process_gone(&self) -> Result<(), ShimError> {
        let Some(shim) = self.shim()? else { return Ok(()) };
        for _ in 0..LOOKS {
            if !shim.lives() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Returns when the run is over.
    pub(crate) async fn over(&self, living: Living) -> Result<Status, ShimError> {
        self.ended(living, Status::Lost).await
    }

    async fn ended(&self, mut living: Living, without: Status) -> Result<Status, ShimError> {
        loop {
            living.gone().await;
            match self.find_or(without.clone()).await? {
                Found::Over(status) => return Ok(status),
                // It is on its last step.
                Found::Living(same) => living = same,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The pipe, if its other end is held. One whose other end was let go before says nothing when it is waited for.
fn held(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut pipe = match openat(CWD, path, flags, Mode::empty()) {
        Ok(pipe) => File::from(pipe),
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match pipe.read(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(pipe)),
        _ => Ok(None),
    }
}

impl Living {
    /// Returns when the shim is gone, or as good as gone.
    async fn gone(&mut self) {
        match &mut self.life {
            Life::Ours(child) => drop(child.wait().await),
            // Nobody ever writes there: what can be read is its end.
            Life::Found(pipe) => drop(pipe.readable().await),
        }
    }

    /// Asks the shim to end its worker, with the grace that the worker has.
    pub(crate) fn ask_to_end(&self) {
        let _ = pidfd_send_signal(&self.handle, Signal::TERM);
    }

    /// Something that ends shim and worker at once when it is dropped.
    pub(crate) fn end_on_drop(&self) -> EndOnDrop {
        EndOnDrop(Some(Arc::clone(&self.handle)))
    }

    fn kill(&self) {
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }
}
