//! The git program, run with nothing inherited: no configuration of the system or the user, no hooks, no prompts.

mod error;
mod sha;

use std::path::{Path, PathBuf};

pub use error::{GitError, GitErrorKind};
pub use sha::{NotASha, Sha};

/// The git program of this machine.
#[derive(Debug, Clone)]
pub struct Git {
    program: PathBuf,
    home: PathBuf,
}

/// Why there is no git to work with.
#[derive(Debug, thiserror::Error)]
pub enum GitMissing {
    /// No such program on the path.
    #[error("no git program was found on PATH; install git {FLOOR} or newer")]
    NotFound,
    /// The program is too old.
    #[error("{program} is git {found}, but {FLOOR} or newer is needed")]
    TooOld { program: PathBuf, found: String },
    /// The program does not say what it is.
    #[error("{program} does not answer `git --version`: {reason}")]
    Unusable { program: PathBuf, reason: String },
}

const FLOOR: &str = "2.38";

impl Git {
    /// Finds git on the path and checks its version. `home` is an empty directory of the daemon's.
    pub async fn find(home: &Path) -> Result<Git, GitMissing> {
        let _ = home;
        todo!()
    }
}
