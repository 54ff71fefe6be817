//! The daemon's own program, as an operator starts it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use openpod_sdk::Secret;

use super::stage::write;

/// A daemon that runs. Dropped, it is killed.
pub(crate) struct Program {
    child: Child,
}

impl Program {
    /// Starts it for one agent.
    pub(crate) fn start(home: &Path, url: &str, key: &Secret, more: &str) -> Program {
        write(&home.join("agent.key"), key.expose());
        let key_file = format!("key_file = \"{}\"\n", home.join("agent.key").display());
        Self::configured(home, url, &(key_file + more))
    }

    /// Starts it with this configuration, which begins within `[server]`.
    pub(crate) fn configured(home: &Path, url: &str, more: &str) -> Program {
        let file = home.join("agentd.toml");
        let data = home.join("data");
        write(&file, &format!("data_dir = \"{}\"\n[server]\nurl = \"{url}\"\n{more}", data.display()));
        let log = std::fs::File::options().create(true).append(true).open(home.join("log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_openpod-tests-agentd"));
        command.args(["run", "--config"]).arg(file).current_dir(home);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("the log can be written"));
        Program { child: command.spawn().expect("the program runs") }
    }

    /// Resident memory in MiB.
    pub(crate) fn megabytes(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kilobytes: f64 =
            line.trim().trim_end_matches(" kB").parse().expect("Linux tells the memory of a process");
        kilobytes / 1024.0
    }

    /// What it has used of the processor. The kernel counts it in nanoseconds, for each thread.
    pub(crate) fn busy(&self) -> Duration {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let threads = threads.into_iter().flatten().flatten();
        let spent = threads.filter_map(|thread| {
            let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(spent.sum())
    }

    /// Kills it, as the kernel does when memory runs out.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
