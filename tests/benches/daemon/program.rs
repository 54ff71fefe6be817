//! The daemon's own program, as a process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use openpod_sdk::Secret;

/// Builds it beside this benchmark, with the same profile.
pub fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--locked", "-p", "openpod-agentd", "--bin", "openpod-agentd"]);
    assert!(command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).status().unwrap().success());
    // target/release/deps/daemon-1234 → target/release
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(2).unwrap().join("openpod-agentd")
}

pub struct Program {
    child: Child,
}

impl Program {
    /// Starts it with its key in a file, as a person would.
    pub fn start(daemon: &Path, directory: &Path, server: &str, key: &Secret, more: &str) -> Self {
        let data = directory.join("data");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("agent.key"), key.expose()).unwrap();
        let file = directory.join("agentd.toml");
        let text = format!(
            "data_dir = \"{}\"\n[server]\nurl = \"{server}\"\n[agent]\nname = \"ada\"\n{more}",
            data.display()
        );
        std::fs::write(&file, text).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(directory.join("log")).unwrap();
        let mut command = Command::new(daemon);
        command.arg("run").arg("--config").arg(file).env("OPENPOD_AGENTD_LOG", "info");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self { child: command.spawn().unwrap() }
    }

    /// Resident, in KiB.
    pub fn memory_kib(&self) -> u64 {
        let text = self.proc("status");
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// What it has used of the processor.
    pub fn cpu(&self) -> Duration {
        // schedstat counts in nanoseconds, for each thread.
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().flatten();
        let spent = tasks.filter_map(|task| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(spent.sum())
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn stop(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        self.child.wait().unwrap();
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }
}
