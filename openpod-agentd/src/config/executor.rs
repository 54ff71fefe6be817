//! The worker: which command, and what it may cost.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Check;
use crate::executor::{RunLimits, Sandbox};
use crate::shim::Resources;

/// `[executor]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawExecutor {
    /// Program and arguments. Required. No shell is between.
    pub command: Vec<String>,
    /// Seconds from start to end: 3600 unless told.
    pub wall_seconds: u64,
    /// Seconds without any output; no limit unless told.
    pub idle_seconds: Option<u64>,
    /// Seconds between the request to end and the kill: 10 unless told.
    pub grace_seconds: u64,
    /// Bytes of the log of a run: 64 MiB unless told.
    pub output_bytes: u64,
    /// Bytes of each file that it writes: 4 GiB unless told; 0 is no limit.
    pub file_bytes: u64,
    /// Bytes of disk for its workspace, HOME and temporary directory together: 20 GiB unless told; 0 is no limit.
    pub disk_bytes: u64,
    /// A run ends, and none begins, when less than that is free where it writes, or less than a fiftieth of a small file
    /// system: 512 MiB unless told; 0 is no limit.
    pub free_bytes: u64,
    /// Names of variables of the daemon's own environment that the worker gets too. It gets no others, but for those
    /// that every program needs and those that tell it its task.
    pub environment: Vec<String>,
    /// `landlock` unless told: the worker touches its workspace and what is named here. `off`: what its user may.
    pub sandbox: String,
    /// Files and directories that the worker may read and execute, beside the system's own.
    pub readable: Vec<PathBuf>,
    /// Files and directories that it may write, too.
    pub writable: Vec<PathBuf>,
    /// Open files of each process: 4096 unless told.
    pub open_files: u64,
    /// Processes of the daemon's user; no limit unless told.
    pub processes: Option<u64>,
    /// What becomes of runs when the daemon stops: `leave` unless told; or `kill`.
    pub on_stop: String,
}

impl Default for RawExecutor {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            wall_seconds: 3600,
            idle_seconds: None,
            grace_seconds: 10,
            output_bytes: 64 << 20,
            file_bytes: 4 << 30,
            disk_bytes: 20 << 30,
            free_bytes: 512 << 20,
            environment: Vec::new(),
            sandbox: "landlock".into(),
            readable: Vec::new(),
            writable: Vec::new(),
            open_files: 4096,
            processes: None,
            on_stop: "leave".into(),
        }
    }
}

/// The worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executor {
    /// Program and arguments.
    pub command: Vec<String>,
    /// What a run may cost.
    pub limits: RunLimits,
    /// Further variables of its environment.
    pub environment: BTreeMap<String, String>,
    /// What it may touch; everything that its user may when absent.
    pub sandbox: Option<Sandbox>,
    /// What the kernel counts.
    pub resources: Resources,
    /// Whether runs go on when the daemon stops.
    pub leaves_runs: bool,
}

impl RawExecutor {
    pub(super) fn validate(self, check: &mut Check) -> Executor {
        let named = self.command.first().is_some_and(|program| !program.trim().is_empty());
        check.require(
            named,
            "executor.command",
            "is missing: name the worker's program and its arguments, as a list",
        );
        check.require(self.wall_seconds > 0, "executor.wall_seconds", "must be at least 1");
        check.require(self.idle_seconds != Some(0), "executor.idle_seconds", "must be at least 1");
        check.require(self.output_bytes >= 1024, "executor.output_bytes", "must be at least 1024");
        // The log is a file, too, and written under the same limit.
        check.require(
            self.file_bytes == 0 || self.file_bytes >= self.output_bytes.max(1 << 20),
            "executor.file_bytes",
            "must be at least output_bytes and 1048576, or 0 for no limit",
        );
        let limit = |bytes: u64| Some(bytes).filter(|bytes| *bytes > 0);
        let wrong: Vec<&String> = self.environment.iter().filter(|name| !may_pass(name)).collect();
        if !wrong.is_empty() {
            let problem = format!("must be names of variables other than OPENPOD_*, which {wrong:?} is not");
            check.wrong("executor.environment", problem);
        }
        let environment = self
            .environment
            .iter()
            .filter_map(|name| std::env::var(name).ok().map(|value| (name.clone(), value)))
            .collect();
        check.require(self.open_files >= 64, "executor.open_files", "must be at least 64");
        check.require(
            self.processes.is_none_or(|most| most >= 16),
            "executor.processes",
            "must be at least 16",
        );
        for (key, paths) in [("executor.readable", &self.readable), ("executor.writable", &self.writable)] {
            let relative = paths.iter().find(|path| !path.is_absolute());
            if let Some(path) = relative {
                check.wrong(key, format!("must be full paths, which {} is not", path.display()));
            }
        }
        let known = matches!(&*self.sandbox, "landlock" | "off");
        check.require(known, "executor.sandbox", "must be landlock or off");
        let known = matches!(&*self.on_stop, "leave" | "kill");
        check.require(known, "executor.on_stop", "must be leave or kill");
        let sandbox = Sandbox { readable: self.readable, writable: self.writable };
        Executor {
            command: self.command,
            limits: RunLimits {
                wall: Duration::from_secs(self.wall_seconds),
                idle: self.idle_seconds.map(Duration::from_secs),
                grace: Duration::from_secs(self.grace_seconds),
                output_bytes: self.output_bytes,
                disk_bytes: limit(self.disk_bytes),
                free_bytes: limit(self.free_bytes),
            },
            environment,
            sandbox: (self.sandbox != "off").then_some(sandbox),
            resources: Resources {
                open_files: Some(self.open_files),
                file_bytes: limit(self.file_bytes),
                processes: self.processes,
            },
            leaves_runs: self.on_stop != "kill",
        }
    }
}

/// The daemon's own settings hold its key, so they never pass.
fn may_pass(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0']) && !name.to_ascii_uppercase().starts_with("OPENPOD_")
}
