//! The git program, run with nothing inherited: no configuration of the system or the user, no hooks, no filters,
//! no prompts, and no protocol but the one a command is given.

mod command;
mod error;
mod sha;
mod verdict;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use command::GitCommand;
pub use error::{GitError, GitErrorKind};
pub use sha::{NotASha, Sha};
pub(crate) use verdict::refusal;

use crate::process::find_program;

/// The git program of this machine.
#[derive(Debug, Clone)]
pub struct Git {
    program: PathBuf,
    path: OsString,
    home: PathBuf,
    version: Version,
    /// How long a remote may be silent.
    silence: Duration,
}

/// Why there is no git to work with.
#[derive(Debug, thiserror::Error)]
pub enum GitMissing {
    /// No such program on the path.
    #[error("no git program was found on PATH; install git {FLOOR} or newer")]
    NotFound,
    /// The program is too old.
    #[error("{} is git {found}, but {FLOOR} or newer is needed", program.display())]
    TooOld { program: PathBuf, found: String },
    /// The program does not say what it is.
    #[error("{} does not answer `git --version` as git does: {reason}", program.display())]
    Unusable { program: PathBuf, reason: String },
}

const FLOOR: Version = Version(2, 38);

/// As much of a version as matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl Git {
    /// Finds git on the process's path and checks its version. `home` is an empty directory of the daemon's.
    pub async fn find(home: &Path) -> Result<Git, GitMissing> {
        Self::find_on(&std::env::var_os("PATH").unwrap_or_default(), home).await
    }

    /// The same on a path of the caller's choice, which git and what it starts see too.
    pub async fn find_on(path: &OsStr, home: &Path) -> Result<Git, GitMissing> {
        let path = absolute_entries(path);
        let program = find_program("git", &path).ok_or(GitMissing::NotFound)?;
        let silence = Duration::from_secs(60);
        let git = Git { program, path, home: home.to_owned(), version: Version(0, 0), silence };
        let unusable = |reason: String| GitMissing::Unusable { program: git.program.clone(), reason };
        let answer = git.command(["--version"]).line().await.map_err(|error| unusable(error.to_string()))?;
        match version(&answer) {
            None => Err(unusable(answer)),
            Some(found) if found < FLOOR => {
                Err(GitMissing::TooOld { program: git.program, found: found.to_string() })
            }
            Some(version) => Ok(Git { version, ..git }),
        }
    }

    /// With another time that a remote may be silent, in whole seconds.
    #[must_use]
    pub fn with_silence(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    /// A command that belongs to no repository.
    pub(crate) fn command<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> GitCommand {
        GitCommand::new(self, args)
    }

    /// A command in this repository of the daemon's, and in no other that may lie around it.
    pub(crate) fn within<I: AsRef<OsStr>>(
        &self,
        git_dir: &Path,
        args: impl IntoIterator<Item = I>,
    ) -> GitCommand {
        GitCommand::new(self, args).env("GIT_DIR", git_dir)
    }
}

impl std::fmt::Display for Git {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, git {}", self.program.display(), self.version)
    }
}

/// A relative entry would be looked for in whatever directory a command runs.
fn absolute_entries(path: &OsStr) -> OsString {
    let entries = std::env::split_paths(path).filter(|entry| entry.is_absolute());
    std::env::join_paths(entries).unwrap_or_default()
}

/// Reads `git version 2.39.5 (Apple Git-154)`.
fn version(answer: &str) -> Option<Version> {
    let mut numbers = answer.strip_prefix("git version ")?.split('.').map(|part| part.parse().ok());
    Some(Version(numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    async fn find_a_git_that_answers(answer: &str) -> Result<Git, GitMissing> {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("git");
        std::fs::write(&program, format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Git::find_on(directory.path().as_os_str(), directory.path()).await
    }

    #[tokio::test]
    async fn a_missing_or_old_git_is_said_plainly() {
        let missing = Git::find_on(OsStr::new("/nowhere"), Path::new("/")).await.unwrap_err();
        assert_eq!(missing.to_string(), "no git program was found on PATH; install git 2.38 or newer");
        let old = find_a_git_that_answers("git version 2.30.2").await.unwrap_err().to_string();
        assert!(old.ends_with("/git is git 2.30, but 2.38 or newer is needed"), "{old}");
        let other = find_a_git_that_answers("hello").await.unwrap_err().to_string();
        assert!(other.ends_with("does not answer `git --version` as git does: hello"), "{other}");
        assert!(find_a_git_that_answers("git version 2.39.5 (Apple Git-154)").await.is_ok());
    }

    #[test]
    fn git_is_not_looked_for_in_the_directory_at_hand() {
        assert_eq!(absolute_entries(OsStr::new("/bin:.:bin::/usr/bin")), "/bin:/usr/bin");
    }

    #[test]
    fn versions_are_read_whatever_follows_them() {
        let cases = [
            ("git version 2.47.3", Some(Version(2, 47))),
            ("git version 2.9.GIT", Some(Version(2, 9))),
            ("git version 3.0.0-rc1.windows.1", Some(Version(3, 0))),
            ("git version two", None),
            ("hub version 2.14.2", None),
        ];
        for (answer, expected) in cases {
            assert_eq!(version(answer), expected, "{answer}");
        }
    }
}
