//! This machine: the user, the data directory, the disk, git, the worker's program and its confinement.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;

use super::Finding;
use crate::config::Config;
use crate::control::{Answer, Report, Request, ask};
use crate::executor::{Sandbox, room};
use crate::git::Git;
use crate::lifecycle::confinement;
use crate::process::find_program;

/// With less than that free, weeks of work may not fit.
const COMFORT: u64 = 5 << 30;
/// With less, hardly a ticket does.
const NEED: u64 = 256 << 20;

pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings =
        vec![user(), data_dir(config), lock(config), disk(config), git(config).await, executor(config)];
    findings.extend(sandbox(config));
    findings.extend(running(&config.data_dir).into_iter().flat_map(|report| kept(&report)));
    findings
}

fn user() -> Finding {
    match geteuid().is_root() {
        false => Finding::ok("user", format!("user {}", geteuid().as_raw())),
        true => Finding::warn(
            "user",
            "the daemon's user is root: workers are root too, and may change the modes of the system's files",
            "give the daemon a user of its own",
        ),
    }
}

fn data_dir(config: &Config) -> Finding {
    let directory = &config.data_dir;
    let shown = directory.display();
    let about = match fs::metadata(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return match nearest(directory).is_some_and(|parent| is_writable(&parent)) {
                true => Finding::ok("data", format!("{shown} is not there yet; `run` makes it")),
                false => Finding::fail(
                    "data",
                    format!("{shown} is not there and cannot be made"),
                    "make it, for the daemon's user alone",
                ),
            };
        }
        Err(error) => {
            return Finding::fail("data", format!("{shown}: {error}"), "let the daemon's user read it");
        }
        Ok(about) => about,
    };
    if !about.is_dir() || !is_writable(directory) {
        return Finding::fail(
            "data",
            format!("{shown} cannot be written"),
            "it must be a directory of the daemon's user",
        );
    }
    match about.permissions().mode() & 0o077 {
        0 => Finding::ok("data", shown.to_string()),
        _ => Finding::warn("data", format!("others may look into {shown}"), format!("chmod 700 {shown}")),
    }
}

fn lock(config: &Config) -> Finding {
    let path = config.data_dir.join("lock");
    let Ok(file) = OpenOptions::new().read(true).open(&path) else {
        return Finding::ok("lock", "no daemon has run here yet");
    };
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
        let _ = flock(&file, FlockOperation::Unlock);
        return Finding::ok("lock", "no daemon runs here");
    }
    match running(&config.data_dir) {
        Some(report) => Finding::ok("lock", format!("a daemon runs here: process {}", report.pid)),
        None => Finding::warn(
            "lock",
            "a daemon runs here, and does not answer at its control socket",
            "it may be about to begin or to end; if it stays so, look at its log",
        ),
    }
}

fn disk(config: &Config) -> Finding {
    let Some(room) = nearest(&config.data_dir).and_then(|place| room(&place)) else {
        return Finding::warn(
            "disk",
            "how much is free is not known",
            "look whether the data directory can be read",
        );
    };
    let says = format!("{} MiB are free for {}", room.free >> 20, config.data_dir.display());
    let remedy = "make room, or put data_dir on a larger disk; `status` names what is kept";
    let floor = config.executor.limits.free_bytes.unwrap_or(NEED);
    match room.free {
        free if free < floor => Finding::fail("disk", says, remedy),
        free if free < COMFORT => Finding::warn("disk", says, remedy),
        _ => Finding::ok("disk", says),
    }
}

async fn git(config: &Config) -> Finding {
    let home = nearest(&config.data_dir).unwrap_or_else(|| PathBuf::from("/"));
    match Git::find(&home).await {
        Ok(git) => Finding::ok("git", git.to_string()),
        Err(error) => Finding::fail("git", error.to_string(), "put a git of that age on the daemon's PATH"),
    }
}

fn executor(config: &Config) -> Finding {
    let command = &config.executor.command;
    let program = command.first().map(String::as_str).unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(found) = find_program(program, &path) else {
        return Finding::fail(
            "executor",
            format!("{program:?} is no program that can be started"),
            "name it by its full path in executor.command, or put it on the daemon's PATH",
        );
    };
    let absent = command.iter().skip(1).find(|word| word.starts_with('/') && !Path::new(word).exists());
    match absent {
        Some(word) => {
            Finding::warn("executor", format!("its argument {word} is not there"), "look at executor.command")
        }
        None => Finding::ok("executor", found.display().to_string()),
    }
}

fn sandbox(config: &Config) -> Vec<Finding> {
    if config.executor.sandbox.is_none() {
        let says = "workers may touch all that the daemon's user may";
        return vec![Finding::warn(
            "sandbox",
            says,
            "set executor.sandbox = \"landlock\", unless something else confines them",
        )];
    }
    if let Err(error) = confinement::check(config) {
        return vec![Finding::fail(
            "sandbox",
            error.to_string(),
            "workers are not started so; see [executor]",
        )];
    }
    let mut findings = vec![Finding::ok("sandbox", "this kernel confines workers (Landlock)")];
    if !Sandbox::keeps_signals_in() {
        let says = "this kernel does not keep a worker's signals in";
        findings.push(Finding::warn(
            "sandbox",
            says,
            "Linux 6.12 or newer does; until then give the daemon a user of its own",
        ));
    }
    findings
}

/// What a daemon says that runs here.
fn running(data_dir: &Path) -> Option<Report> {
    ask(data_dir, Request::Status).ok()?.find_map(|answer| match answer {
        Ok(Answer::Status(report)) => Some(*report),
        _ => None,
    })
}

fn kept(report: &Report) -> Vec<Finding> {
    let all = report.agents.iter().flat_map(|agent| &agent.kept);
    let finding = |kept: &crate::control::KeptReport| {
        let says = format!("{} is kept: {}", kept.directory.display(), kept.why);
        Finding::warn("kept", says, "look at it, and remove it when nobody needs it")
    };
    all.map(finding).collect()
}

/// The directory itself, or the one that it would be made in.
fn nearest(directory: &Path) -> Option<PathBuf> {
    directory.ancestors().find(|path| path.exists()).map(Path::to_owned)
}

fn is_writable(directory: &Path) -> bool {
    use rustix::fs::{Access, access};
    access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}
