//! The program as a process of its own, that can be killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use openpod_sdk::Secret;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use super::databases;

/// Limits that no test reaches by accident, and webhooks that reach this machine.
const CONFIGURATION: &str = "\
[limits]
requests_per_minute = 1000000
registrations_per_hour = 1000000
[webhooks]
allow = [\"127.0.0.0/8\"]
[log]
format = \"json\"
";

/// The program with its configuration and its database.
pub(super) struct Program {
    home: PathBuf,
    pub database: String,
}

/// The program while it serves. Dropped, it is killed.
pub(super) struct Running {
    child: Child,
    pub address: String,
}

impl Program {
    /// In this directory, on an empty database of the engine that all stories run on.
    pub(super) async fn new(home: &Path) -> Program {
        Self::on(home, databases::lasting(home).await).await
    }

    pub(super) async fn on(home: &Path, database: String) -> Program {
        std::fs::write(home.join("server.toml"), CONFIGURATION).unwrap();
        let program = Program { home: home.to_owned(), database };
        let made = program.command().args(["db", "migrate"]).output().await.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        program
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openpod-server"));
        command.current_dir(&self.home).args(["--config", "server.toml", "--database", &self.database]);
        command.kill_on_drop(true).stdin(Stdio::piped()).stderr(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    /// Makes an owner, and answers with the token.
    pub(super) async fn owner(&self, login: &str) -> Secret {
        let mut child = self.command().args(["owner", "create", login]).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"correct horse battery\n").await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Secret::new(String::from_utf8(output.stdout).unwrap().trim())
    }

    /// Begins to serve; whether it gets that far is not waited for.
    pub(super) fn spawn(&self, listen: &str) -> Child {
        self.command().args(["serve", "--listen", listen]).spawn().unwrap()
    }

    /// Serves at this address.
    pub(super) async fn serve(&self, listen: &str) -> Running {
        let mut child = self.spawn(listen);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = loop {
            let Some(line) = lines.next_line().await.unwrap() else { panic!("it does not serve: {said:#?}") };
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if event["fields"]["message"] == "serving" {
                break event["fields"]["address"].as_str().unwrap().to_owned();
            }
            said.push(line);
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Running { child, address }
    }
}

impl Running {
    /// Ends it as a power cut would.
    pub(super) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(super) async fn stop(mut self) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        assert!(self.child.wait().await.unwrap().success());
    }
}
