//! The daemon as an operator runs it: a program with a configuration file, which understands signals.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ends;

/// What programs say, in one text. Clones share it.
#[derive(Clone, Default)]
pub struct Log(Arc<Said>);

#[derive(Default)]
struct Said {
    text: Mutex<String>,
    lines: watch::Sender<usize>,
}

impl Log {
    /// Everything that was said so far.
    pub fn text(&self) -> String {
        self.0.text.lock().unwrap().clone()
    }

    /// Changes with each line.
    pub fn news(&self) -> watch::Receiver<usize> {
        self.0.lines.subscribe()
    }

    /// Returns when this was said.
    pub async fn until(&self, words: &str) {
        let said = async { self.news().wait_for(|_| self.text().contains(words)).await.map(drop) };
        ends(&format!("somebody says {words:?}"), said).await.unwrap();
    }

    /// Something that shows the end of it, should the test fail before it is dropped.
    pub fn shown_on_failure(&self) -> Shown {
        Shown(self.clone())
    }

    async fn keep(self, mut lines: Lines<BufReader<ChildStderr>>) {
        while let Ok(Some(line)) = lines.next_line().await {
            self.0.text.lock().unwrap().extend([line.as_str(), "\n"]);
            self.0.lines.send_modify(|lines| *lines += 1);
        }
    }
}

/// Shows what was said last when it is dropped by a panic.
pub struct Shown(Log);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.0.text();
            let lines: Vec<&str> =
                text.lines().filter(|line| !line.contains("the platform was seen")).collect();
            eprintln!("{}", lines[lines.len().saturating_sub(80)..].join("\n"));
        }
    }
}

/// A daemon that runs. Dropped, it is killed.
pub struct Program {
    child: Child,
    reading: JoinHandle<()>,
    log: Log,
    /// How much of the log was there before.
    before: usize,
}

impl Program {
    pub fn start(config: &Path, environment: Vec<(&'static str, String)>, log: &Log) -> Program {
        Self::start_by(&[], config, environment, log)
    }

    /// The same by another program, whose last arguments are what it starts.
    pub fn start_by(
        starter: &[&str],
        config: &Path,
        environment: Vec<(&'static str, String)>,
        log: &Log,
    ) -> Program {
        let daemon = env!("CARGO_BIN_EXE_openpod-tests-agentd");
        let words = [starter, &[daemon, "run", "--config"]].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(config).current_dir(config.parent().unwrap());
        command.env("OPENPOD_AGENTD_LOG", "openpod_agentd=debug,warn").envs(environment);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let before = log.text().len();
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let reading = tokio::spawn(log.clone().keep(lines));
        Program { child, reading, log: log.clone(), before }
    }

    /// What `status --json` says to an operator; `None` when no daemon answers.
    pub async fn status(config: &Path) -> Option<serde_json::Value> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openpod-tests-agentd"));
        command.args(["status", "--json", "--config"]).arg(config).kill_on_drop(true);
        let output = command.output().await.unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Returns when it is gone, and its last word is in the log.
    pub async fn ended(&mut self) -> ExitStatus {
        let status = self.child.wait().await.unwrap();
        if !self.reading.is_finished() {
            (&mut self.reading).await.unwrap();
        }
        status
    }

    /// Kills it, as a power cut does.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to stop as soon as it listens, and returns when it is gone.
    pub async fn stop(&mut self) -> ExitStatus {
        let stopped = async {
            let mut news = self.log.news();
            while !self.log.text()[self.before..].contains("at work") {
                tokio::select! {
                    changed = news.changed() => changed.unwrap(),
                    status = self.child.wait() => return status.unwrap(),
                }
            }
            let pid = self.child.id().map(|pid| pid.to_string());
            if let Some(pid) = pid {
                let killed = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
                assert!(killed.success());
            }
            self.child.wait().await.unwrap()
        };
        let _shown = self.log.shown_on_failure();
        ends("the daemon stops", stopped).await
    }
}
