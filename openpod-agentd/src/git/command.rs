//! One git command: its environment, its limits, and its output.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use openpod_sdk::Secret;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};

use super::verdict::verdict;
use super::{Git, GitError, GitErrorKind};
use crate::crash;
use crate::process::Group;
use crate::redaction::Redactor;

/// What no repository, user or system may change. Handed over in the environment, which outranks every file.
const CONFIGURATION: [(&str, &str); 20] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.untrackedCache", "false"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("credential.helper", ""),
    ("credential.useHttpPath", "true"),
    ("credential.interactive", "false"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1000"),
    ("protocol.allow", "never"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "no"),
    ("push.recurseSubmodules", "no"),
    ("fetch.fsckObjects", "true"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("commit.gpgSign", "false"),
    ("advice.detachedHead", "false"),
    ("init.defaultBranch", "main"),
];

const LOCAL: Duration = Duration::from_secs(300);
const NETWORK: Duration = Duration::from_secs(1800);
/// Of output that is kept in memory.
const OUTPUT: usize = 256 << 20;
/// Of git's complaints.
const STDERR: usize = 16 << 10;

/// A command that is being put together.
#[derive(Debug)]
pub(crate) struct GitCommand {
    git: Git,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    config: Vec<(String, String)>,
    input: Vec<u8>,
    timeout: Duration,
    networked: bool,
}

impl GitCommand {
    pub(super) fn new<I: AsRef<OsStr>>(git: &Git, args: impl IntoIterator<Item = I>) -> Self {
        Self {
            git: git.clone(),
            args: args.into_iter().map(|arg| arg.as_ref().to_owned()).collect(),
            env: Vec::new(),
            config: CONFIGURATION.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
            input: Vec::new(),
            timeout: LOCAL,
            networked: false,
        }
    }

    /// Adds a variable to the environment.
    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.into(), value.as_ref().to_owned()));
        self
    }

    /// The files that the command is about, and where it runs.
    pub(crate) fn work_tree(self, directory: &Path) -> Self {
        self.env("GIT_WORK_TREE", directory)
    }

    /// What the command reads from its standard input.
    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Lets the command use repositories of this machine.
    pub(crate) fn allow_files(self) -> Self {
        self.config("protocol.file.allow", "always")
    }

    /// Lets the command use HTTP, with what the helper answers. `helper` is a piece of shell.
    pub(crate) fn allow_http(self, helper: &str) -> Self {
        let silence = self.git.silence.as_secs().max(1).to_string();
        let with = self.config("protocol.http.allow", "always").config("protocol.https.allow", "always");
        let with = with.config("http.lowSpeedTime", &silence);
        // A ref stands for its objects, also after a loss of power, and also for objects that come one by one.
        let with = with.config("core.fsync", "committed").config("core.fsyncMethod", "batch");
        Self { timeout: NETWORK, networked: true, ..with.config("credential.helper", helper) }
    }

    fn config(mut self, key: &str, value: &str) -> Self {
        self.config.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Lets the command take as long as one over the network.
    pub(crate) fn patiently(self) -> Self {
        Self { timeout: NETWORK, ..self }
    }

    /// Runs it and takes its output.
    pub(crate) async fn output(self) -> Result<Vec<u8>, GitError> {
        let mut all = Vec::new();
        let name = self.name();
        let mut full = false;
        let keep = |chunk: &[u8]| {
            full |= all.len() + chunk.len() > OUTPUT;
            if !full {
                all.extend_from_slice(chunk);
            }
        };
        self.feed(keep).await?;
        if full {
            let words = format!("its output has more than {OUTPUT} bytes");
            return Err(GitError::new(GitErrorKind::Local, name, None, words));
        }
        Ok(all)
    }

    /// Runs it and takes its output as a line of text.
    pub(crate) async fn line(self) -> Result<String, GitError> {
        let output = self.output().await?;
        Ok(String::from_utf8_lossy(&output).trim_end().to_owned())
    }

    /// Runs it and passes its output on as it comes.
    pub(crate) async fn feed(self, sink: impl FnMut(&[u8]) + Send) -> Result<(), GitError> {
        let name = self.name();
        let failed = |kind, words: String| GitError::new(kind, name.clone(), None, words);
        let kind = |error: &io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => GitErrorKind::Missing,
            _ => GitErrorKind::Local,
        };
        match tokio::time::timeout(self.timeout, self.follow(sink)).await {
            Err(_) => Err(failed(GitErrorKind::Timeout, String::new())),
            Ok(Err(error)) => Err(failed(kind(&error), error.to_string())),
            Ok(Ok((status, stderr))) if !status.success() => {
                let kind = match verdict(&stderr) {
                    kind if self.networked || kind == GitErrorKind::NoSpace => kind,
                    _ => GitErrorKind::Local,
                };
                Err(GitError::new(kind, name, status.code(), stderr))
            }
            Ok(Ok(_)) => Ok(()),
        }
    }

    async fn follow(&self, sink: impl FnMut(&[u8]) + Send) -> io::Result<(std::process::ExitStatus, String)> {
        let mut group = Group::spawn(&mut self.prepared())?;
        if let Some(subcommand) = self.args.first().filter(|first| self.networked && *first != "ls-remote") {
            crash::around("git", &subcommand.to_string_lossy());
        }
        let leader = group.leader();
        let (input, output, words) = (leader.stdin.take(), leader.stdout.take(), leader.stderr.take());
        let (fed, told, stderr) =
            tokio::join!(fill(input, &self.input), drain(output, sink), complaints(words));
        fed?;
        told?;
        Ok((group.wait().await?, stderr))
    }

    fn prepared(&self) -> Command {
        let mut command = Command::new(&self.git.program);
        command.args(&self.args).current_dir(&self.git.home).env_clear();
        command.env("PATH", &self.git.path).env("HOME", &self.git.home).env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("GIT_ATTR_NOSYSTEM", "1").env("GIT_LFS_SKIP_SMUDGE", "1");
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "/bin/false").env("GIT_PAGER", "cat");
        command.env("GIT_CONFIG_COUNT", self.config.len().to_string());
        for (number, (key, value)) in self.config.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{number}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        for (key, value) in &self.env {
            command.env(key, value);
            if key == "GIT_WORK_TREE" {
                command.current_dir(value);
            }
        }
        let stdin = if self.input.is_empty() { Stdio::null() } else { Stdio::piped() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The command as a person would type it, for errors.
    fn name(&self) -> String {
        let words = self.args.iter().map(|arg| arg.to_string_lossy().into_owned());
        std::iter::once("git".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// A command that does not want all of its input has its own reasons, and says so by its status.
async fn fill(pipe: Option<ChildStdin>, bytes: &[u8]) -> io::Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    match pipe.write_all(bytes).await {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

async fn drain(pipe: Option<impl AsyncRead + Unpin>, mut sink: impl FnMut(&[u8])) -> io::Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let mut buffer = vec![0; 32 << 10];
    loop {
        match pipe.read(&mut buffer).await? {
            0 => return Ok(()),
            read => sink(&buffer[..read]),
        }
    }
}

async fn complaints(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept = Vec::new();
    let keep =
        |chunk: &[u8]| kept.extend_from_slice(&chunk[..chunk.len().min(STDERR - kept.len().min(STDERR))]);
    // What was said before the pipe broke is worth keeping.
    let _ = drain(pipe, keep).await;
    String::from_utf8_lossy(&kept).trim().to_owned()
}

impl GitError {
    /// Without these secrets in git's words.
    pub(crate) fn redacted(self, secrets: Vec<Secret>) -> Self {
        let redactor = Redactor::new(secrets);
        let clean = redactor.text(self.stderr());
        self.with_stderr(clean)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    async fn git() -> (Git, tempfile::TempDir) {
        let home = tempfile::tempdir().unwrap();
        (Git::find(home.path()).await.unwrap(), home)
    }

    #[tokio::test]
    async fn a_command_inherits_no_variable_but_the_path() {
        let (git, home) = git().await;
        let program = home.path().join("git-env");
        std::fs::write(&program, "#!/bin/sh\nenv\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path =
            std::env::join_paths([home.path(), Path::new("/usr/local/bin"), Path::new("/usr/bin")]).unwrap();
        let git = Git { path, ..git };
        let seen = git.command(["env"]).line().await.unwrap();
        let names: Vec<&str> =
            seen.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        assert!(!names.contains(&"CARGO_MANIFEST_DIR"), "{seen}");
        assert!(seen.contains("GIT_CONFIG_GLOBAL=/dev/null") && seen.contains("protocol.allow"), "{seen}");
    }

    #[tokio::test]
    async fn a_failure_says_command_status_and_git_s_own_words() {
        let (git, home) = git().await;
        let error =
            git.within(&home.path().join("no.git"), ["rev-parse", "HEAD"]).output().await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (&GitErrorKind::Local, Some(128)));
        let text = error.to_string();
        assert!(
            text.starts_with("`git rev-parse HEAD` failed with exit status 128: fatal: not a git repo"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_stopped() {
        let (git, _home) = git().await;
        let mut command = git.command(["-c", "alias.hang=!sleep 1000", "hang"]);
        command.timeout = Duration::from_millis(50);
        let error = command.output().await.unwrap_err();
        assert_eq!(error.kind(), &GitErrorKind::Timeout);
    }

    #[tokio::test]
    async fn git_asks_nobody_at_a_terminal() {
        let (git, _home) = git().await;
        let asked = git.command(["credential", "fill"]).input("protocol=https\nhost=forge.invalid\n\n");
        let error = asked.output().await.unwrap_err();
        // The first are the words of a git that knows `credential.interactive`.
        let refused = ["unable to get password from user", "terminal prompts disabled"];
        assert!(refused.iter().any(|words| error.stderr().contains(words)), "{error}");
    }

    #[tokio::test]
    async fn no_hook_of_a_repository_runs() {
        let (git, home) = git().await;
        let repository = home.path().join("hooked.git");
        git.command(["init", "--quiet", "--bare"]).env("GIT_DIR", &repository).output().await.unwrap();
        let hook = repository.join("hooks/reference-transaction");
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
        let blob = git.within(&repository, ["hash-object", "-w", "--stdin"]).input("x").line().await.unwrap();
        git.within(&repository, ["update-ref", "refs/tags/x", &blob]).output().await.unwrap();
    }

    #[tokio::test]
    async fn no_protocol_works_unless_it_is_allowed() {
        let (git, home) = git().await;
        let url = format!("file://{}", home.path().display());
        let error = git.command(["ls-remote", &url]).output().await.unwrap_err();
        assert!(error.stderr().contains("transport 'file' not allowed"), "{error}");
    }
}
