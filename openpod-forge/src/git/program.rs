//! The git program, run with nothing inherited: no configuration of the machine or of a person, no hooks, no prompts.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The oldest git that can merge without a working tree.
const OLDEST: (u32, u32) = (2, 38);

/// The largest pack that a push may bring.
const MAX_PACK_BYTES: u64 = 512 * 1024 * 1024;

/// Settings for every call. Hooks are off because the rules for refs are decided in this process.
const SETTINGS: [(&str, &str); 16] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    // The operator says which directory is the forge's; who owns it is not git's to judge.
    ("safe.directory", "*"),
    ("core.quotePath", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("receive.autogc", "false"),
    ("receive.fsckObjects", "true"),
    ("receive.hideRefs", "refs/pull"),
    ("receive.advertiseAtomic", "true"),
    ("receive.denyCurrentBranch", "ignore"),
    ("receive.denyDeleteCurrent", "refuse"),
    ("transfer.hideRefs", "refs/internal"),
    ("transfer.advertiseSID", "false"),
    ("uploadpack.allowFilter", "true"),
    ("uploadpack.allowAnySHA1InWant", "true"),
];

/// Runs git.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    /// Where it lies. Started by its name alone with an environment of its own, it would be forked, and that copies the
    /// page tables of this whole process each time.
    program: PathBuf,
    /// An empty directory.
    home: PathBuf,
}

/// Why this machine cannot host repositories.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// There is no git program.
    #[error("the forge needs the git program, and it cannot be started: {0}; install git 2.38 or newer")]
    Missing(std::io::Error),
    /// It is too old to merge without a working tree.
    #[error("the forge needs git 2.38 or newer, and this machine has: {0}")]
    TooOld(String),
}

/// A git command that did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It could not be started, fed or read.
    #[error("git {command} cannot be run: {source}")]
    NotRun {
        /// The subcommand.
        command: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended with a failure.
    #[error("git {command} failed: {stderr}")]
    Failed {
        /// The subcommand.
        command: String,
        /// What it printed.
        stderr: String,
    },
    /// It printed something that this program does not understand.
    #[error("git {0} printed something unexpected")]
    Unexpected(&'static str),
}

impl Git {
    pub(crate) fn new(home: PathBuf) -> Self {
        Self { program: program(), home }
    }

    /// Refuses a machine without a git that is new enough.
    pub(crate) fn check(&self) -> Result<(), Unusable> {
        let output = self.command(Path::new(".")).arg("version").output().map_err(Unusable::Missing)?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        match version(&text) {
            Some(found) if found >= OLDEST => Ok(()),
            _ => Err(Unusable::TooOld(text)),
        }
    }

    /// A git command about the repository at `directory`.
    pub(crate) fn command(&self, directory: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
            .env("HOME", &self.home)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_DIR", directory)
            .env("GIT_CONFIG_COUNT", (SETTINGS.len() + 1).to_string());
        let limit = MAX_PACK_BYTES.to_string();
        let settings = SETTINGS.iter().copied().chain([("receive.maxInputSize", limit.as_str())]);
        for (n, (key, value)) in settings.enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{n}"), key).env(format!("GIT_CONFIG_VALUE_{n}"), value);
        }
        command.current_dir(&self.home).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end, whatever the end is.
    pub(crate) fn output(mut command: Command, input: Option<&[u8]>) -> Result<Output, GitError> {
        let name = subcommand(&command);
        let failed = |source| GitError::NotRun { command: name.clone(), source };
        let Some(input) = input else { return command.output().map_err(failed) };
        let mut child = command.stdin(Stdio::piped()).spawn().map_err(failed)?;
        let stdin = child.stdin.take();
        // Written beside the reading, so that neither side waits for the other with a full pipe.
        std::thread::scope(|scope| {
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
            child.wait_with_output()
        })
        .map_err(failed)
    }

    /// Runs a command that must succeed, and gives what it printed.
    pub(crate) fn stdout(command: Command, input: Option<&[u8]>) -> Result<Vec<u8>, GitError> {
        let name = subcommand(&command);
        let output = Self::output(command, input)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(GitError::Failed { command: name, stderr })
    }
}

/// The first git on the path; or its name alone, which then fails with the system's own words.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join("git")).find(|git| git.is_file());
    found.unwrap_or_else(|| PathBuf::from("git"))
}

fn subcommand(command: &Command) -> String {
    command.get_args().next().unwrap_or(OsStr::new("?")).to_string_lossy().into_owned()
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_as_every_packager_writes_it() {
        assert_eq!(version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(version("git version 2.38.GIT"), Some((2, 38)));
        assert_eq!(version("hub version 1"), None);
    }
}
