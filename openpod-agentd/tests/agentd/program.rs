//! The daemon's program as a child of the test: what it says, and how it ends.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::patience::ends;

/// So many lines of its log are shown with a test that fails.
const SHOWN: usize = 60;

/// Where tests keep a configuration and find the platform.
pub(crate) struct Setting<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) platform: &'a str,
    pub(crate) worker: &'a str,
    pub(crate) more: &'a str,
}

impl Setting<'_> {
    /// The command that starts this program as a daemon.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let config = self.directory.join("agentd.toml");
        let text = format!(
            "data_dir = {:?}\n[server]\nurl = {:?}\n[heartbeat]\ninterval_seconds = 0.1\n\
             [executor]\ncommand = [\"/bin/sh\", \"-c\", {:?}]\nwritable = [{:?}]\ngrace_seconds = 600\n{}\n",
            self.directory.join("data"),
            self.platform,
            self.worker,
            self.directory.join("signs"),
            self.more,
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        command.args(["run", "--log-format", "json", "--config"]).arg(&config);
        command.env("OPENPOD_AGENTD_SERVER__KEY", "opk_secret_of_the_agent");
        command
    }
}

/// A daemon that runs. Dropped, it is killed, and a test that fails shows what it said last.
pub(crate) struct Program {
    child: Child,
    said: watch::Receiver<Said>,
    /// So many lines were looked at by who waits for words.
    heard: usize,
}

#[derive(Default)]
struct Said {
    lines: Vec<String>,
    is_over: bool,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (saying, said) = watch::channel(Said::default());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                saying.send_modify(|said| said.lines.push(line));
            }
            saying.send_modify(|said| said.is_over = true);
        });
        Self { child, said, heard: 0 }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Everything that it said so far.
    pub(crate) fn log(&self) -> String {
        self.said.borrow().lines.join("\n")
    }

    /// The next line with these words, after the one that was waited for last.
    pub(crate) async fn until_said(&mut self, words: &str) -> String {
        let heard = self.heard;
        let found = |said: &Said| said.lines[heard..].iter().position(|line| line.contains(words));
        let line = async {
            let said = self.said.wait_for(|said| found(said).is_some() || said.is_over).await.unwrap();
            let place = found(&said).unwrap_or_else(|| panic!("it ended and never said: {words}"));
            (heard + place + 1, said.lines[heard + place].clone())
        };
        let (heard, line) = ends(words, line).await;
        self.heard = heard;
        line
    }

    /// Returns when it is gone, and its last word is in the log.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let end = async {
            let status = self.child.wait().await.unwrap();
            self.said.wait_for(|said| said.is_over).await.unwrap();
            status
        };
        ends("the daemon's program ends", end).await
    }

    /// Kills it, as a power cut does.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = self.said.borrow();
            let tail = said.lines[said.lines.len().saturating_sub(SHOWN)..].join("\n");
            eprintln!("what the daemon said last:\n{tail}");
        }
    }
}
