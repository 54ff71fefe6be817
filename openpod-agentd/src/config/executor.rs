//! The worker: which command, and what it may cost.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Check;
use crate::executor::RunLimits;

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
    /// Names of variables of the daemon's own environment that the worker gets too. It gets no others, but for those
    /// that every program needs and those that tell it its task.
    pub environment: Vec<String>,
}

impl Default for RawExecutor {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            wall_seconds: 3600,
            idle_seconds: None,
            grace_seconds: 10,
            output_bytes: 64 << 20,
            environment: Vec::new(),
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
        Executor {
            command: self.command,
            limits: RunLimits {
                wall: Duration::from_secs(self.wall_seconds),
                idle: self.idle_seconds.map(Duration::from_secs),
                grace: Duration::from_secs(self.grace_seconds),
                output_bytes: self.output_bytes,
            },
            environment,
        }
    }
}

/// The daemon's own settings hold its key, so they never pass.
fn may_pass(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0']) && !name.to_ascii_uppercase().starts_with("OPENPOD_")
}
