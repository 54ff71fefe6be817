//! A worker's process, from its start until nothing of it is left.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use super::disk::Disk;
use super::environment::environment;
use super::files::{RunFiles, at};
use super::log::Log;
use super::meter::{BETWEEN_LOOKS, Meter};
use super::{ExecutorError, Orders, RunEnd, RunLimits, RunSpec};
use crate::process::{Group, find_program, kin};

/// For output that is still on its way after the kill.
const AFTER_THE_KILL: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    group: Group,
    /// Standard output and standard error, in the order they were written.
    output: Output,
    /// Whether everything that descends from this process is the worker's.
    alone: bool,
}

/// What is kept, counted and looked at while a worker works.
pub(super) struct Watch<'a, 'b> {
    pub(super) log: &'a mut Log,
    pub(super) meter: &'a mut Meter<'b>,
    pub(super) disk: &'a mut Disk,
}

/// Why the daemon stopped following.
enum Stop {
    /// The leader ended by itself.
    Natural,
    /// The daemon ends it.
    Because(RunEnd),
}

impl Worker {
    pub(super) fn start(spec: &RunSpec, files: &RunFiles) -> Result<Self, ExecutorError> {
        let (program, arguments) = spec.command.split_first().ok_or(ExecutorError::EmptyCommand)?;
        let environment = environment(spec, files, |name| std::env::var_os(name));
        let path = environment.get(std::ffi::OsStr::new("PATH")).cloned().unwrap_or_default();
        let file = resolve(program, find_program(program, &path))?;
        std::fs::read_dir(&spec.workspace).map_err(at(&spec.workspace))?;
        let cannot = |source| ExecutorError::Spawn { program: program.clone(), source };
        let (reader, writer) = io::pipe().map_err(cannot)?;
        let second = writer.try_clone().map_err(cannot)?;
        let mut command = Command::new(&file);
        command.args(arguments).current_dir(&spec.workspace).env_clear().envs(environment);
        command.stdin(files.standard_input()?).stdout(writer).stderr(second);
        let group = match &spec.sandbox {
            None => Group::spawn(&mut command),
            Some(sandbox) => sandbox.including(spec, &file).within(|| Group::spawn(&mut command))?,
        }
        .map_err(cannot)?;
        let pipe = Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(cannot)?;
        Ok(Self { group, output: Output { pipe, buffer: vec![0; 32 << 10], open: true }, alone: spec.alone })
    }

    pub(super) async fn run_to_end(
        mut self,
        mut watch: Watch<'_, '_>,
        limits: &RunLimits,
        orders: &Orders,
    ) -> Result<RunEnd, ExecutorError> {
        let stop = self.follow(&mut watch, limits, orders).await?;
        let status = self.clear_away(watch.log, limits.grace, orders).await?;
        Ok(match stop {
            Stop::Because(end) => end,
            Stop::Natural => ended(status),
        })
    }

    async fn follow(
        &mut self,
        watch: &mut Watch<'_, '_>,
        limits: &RunLimits,
        orders: &Orders,
    ) -> Result<Stop, ExecutorError> {
        let Watch { log, meter, disk } = watch;
        let wall = sleep(limits.wall);
        let leader = self.group.leader_ended();
        tokio::pin!(wall, leader);
        let mut heard = Instant::now();
        let mut looks = interval(BETWEEN_LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let silent = sleep_until(limits.idle.map_or_else(far_away, |idle| heard + idle));
            tokio::select! {
                biased;
                () = orders.stop.cancelled() => return Ok(Stop::Because(RunEnd::Cancelled)),
                () = &mut wall => return Ok(Stop::Because(RunEnd::TimedOut)),
                ended = &mut leader => return Ok(ended.map(|()| Stop::Natural)?),
                chunk = self.output.read(), if self.output.open => {
                    heard = Instant::now();
                    if !log.take(chunk)? {
                        return Ok(Stop::Because(RunEnd::OutputLimit));
                    }
                }
                _ = looks.tick(), if meter.is_limited() => {
                    if meter.look() {
                        return Ok(Stop::Because(RunEnd::UsageLimit));
                    }
                }
                end = disk.look(), if disk.is_limited() => {
                    if let Some(end) = end {
                        return Ok(Stop::Because(end));
                    }
                }
                () = silent => return Ok(Stop::Because(RunEnd::Idle)),
            }
        }
    }

    /// Asks everybody to end, waits for them and for the output to close, and kills what is left.
    async fn clear_away(
        &mut self,
        log: &mut Log,
        grace: Duration,
        orders: &Orders,
    ) -> Result<ExitStatus, ExecutorError> {
        self.ask_to_end();
        let kin = kin_ended(self.alone);
        let all = async { tokio::join!(self.group.leader_ended(), self.output.drain(log), kin) };
        let in_time = tokio::select! {
            in_time = timeout(grace, all) => in_time.ok(),
            () = orders.at_once.cancelled() => None,
        };
        self.group.kill();
        if self.alone {
            kin::signal(&kin::descendants(), Signal::KILL);
        }
        match in_time {
            Some((ended, drained, ())) => {
                ended?;
                drained?;
            }
            // Somebody who left the group may hold the pipe for ever.
            None => timeout(AFTER_THE_KILL, self.output.drain(log)).await.unwrap_or(Ok(()))?,
        }
        let status = self.group.wait().await?;
        if self.alone {
            kin::kill_descendants().await;
        }
        Ok(status)
    }

    fn ask_to_end(&self) {
        self.group.terminate();
        if self.alone {
            // Also those that left the group.
            kin::signal(&kin::descendants(), Signal::TERM);
        }
    }
}

async fn kin_ended(alone: bool) {
    if alone {
        kin::descendants_ended().await;
    }
}

struct Output {
    pipe: Receiver,
    buffer: Vec<u8>,
    open: bool,
}

impl Output {
    /// The next chunk; empty once at the end.
    async fn read(&mut self) -> &[u8] {
        let read = self.pipe.read(&mut self.buffer).await.unwrap_or(0);
        self.open = read > 0;
        &self.buffer[..read]
    }

    async fn drain(&mut self, log: &mut Log) -> Result<(), ExecutorError> {
        while self.open {
            log.take(self.read().await)?;
        }
        Ok(())
    }
}

fn resolve(program: &str, found: Option<PathBuf>) -> Result<PathBuf, ExecutorError> {
    match found {
        Some(file) => std::path::absolute(&file).map_err(at(&file)),
        None if program.contains('/') && Path::new(program).exists() => Err(ExecutorError::Spawn {
            program: program.to_owned(),
            source: io::Error::new(io::ErrorKind::PermissionDenied, "it is not an executable file"),
        }),
        None => Err(ExecutorError::NotFound { program: program.to_owned() }),
    }
}

fn ended(status: ExitStatus) -> RunEnd {
    match (status.code(), status.signal()) {
        (Some(code), _) => RunEnd::Exited(code),
        (None, Some(signal)) => RunEnd::Signalled(signal),
        (None, None) => RunEnd::Exited(-1),
    }
}

/// About thirty years: no limit.
fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(1 << 30)
}
