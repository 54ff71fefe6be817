//! The three repositories of a ticket.
//!
//! ```text
//!            fetch, token            file://, copied            the worker's own .git:
//!   remote ───────────────▶ mirror ────────────────▶ workspace   hostile once the worker ran
//!     ▲                       ╎ objects lent             │
//!     │ push, token           ▼                          │ files only, fresh index
//!     └─────────────────── outbound ◀──── staging ◀──────┘
//!                                  a pack, with fsck
//! ```
//!
//! Mirror, outbound and staging belong to the daemon. No command of the daemon's ever runs in the workspace's `.git`,
//! and no command that holds a credential runs anywhere near the workspace.

mod bare;
mod collect;
mod durability;
mod error;
mod key;
mod layout;
mod leftovers;
mod limits;
mod mirrors;
mod patch_id;
mod prepare;
mod remote;
mod remove;
mod seed;
mod snapshot;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use openpod_sdk::api::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use durability::settle;
pub use error::WorkspaceError;
pub use key::{JobKey, NotAJobKey};
pub use limits::Limits;
pub use mirrors::{MirrorUpkeep, Tended};
pub use prepare::Branches;
pub use remote::Advertised;
pub(crate) use remove::remove_all;

use self::error::at;
use self::layout::Layout;
pub use crate::credentials::Origin;
use crate::credentials::Refused;
use crate::git::{Git, Sha};

/// A workspace that is ready for the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The worker's directory.
    pub workspace: PathBuf,
    /// The branch that the change is for.
    pub base_branch: String,
    /// The commit that the change is measured from.
    pub base: Sha,
    /// What was published of the job before, or the base.
    pub head: Sha,
}

/// Who made a commit, when, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitMessage {
    /// One line.
    pub subject: String,
    /// Further paragraphs, may be empty.
    pub body: String,
    /// Author and committer.
    pub author_name: String,
    /// Their address.
    pub author_email: String,
    /// The same time gives the same commit again.
    pub time: Timestamp,
}

/// What the worker left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collected {
    /// The tree is that of the last published head, or of the base.
    Nothing,
    /// A commit in the outbound repository.
    Change(Change),
}

/// A commit that is ready to be pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What the whole change is measured from.
    pub base: Sha,
    /// The commit to push.
    pub head: Sha,
    /// How many commits lie between them.
    pub commits: u32,
    /// How many files differ between them.
    pub files: u32,
    /// SHA-256 of `git diff --binary --full-index base head`.
    pub patch_sha256: [u8; 32],
    /// The same for the same change, wherever its base and its lines have moved.
    pub patch_id: [u8; 32],
    /// Which files differ.
    pub changed_paths: Vec<String>,
}

/// All repositories of a daemon. Clones share the locks.
#[derive(Debug, Clone)]
pub struct Workspaces {
    layout: Layout,
    git: Git,
    helper: PathBuf,
    limits: Limits,
    refused: Refused,
    locks: Arc<Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>>,
}

impl Workspaces {
    /// Uses `data_dir`, of which the caller holds the lock, for all repositories. `helper` is the program that
    /// understands `git-credential <socket> <operation>`.
    pub fn open(data_dir: &Path, git: Git, helper: PathBuf) -> Result<Self, WorkspaceError> {
        let data_dir = std::path::absolute(data_dir).map_err(at(data_dir))?;
        let layout = Layout::new(&data_dir);
        // Sockets of a daemon that was killed.
        leftovers::clear(&layout.runtime())?;
        for directory in [layout.mirrors(), layout.jobs(), layout.runtime()] {
            private(&directory).map_err(at(&directory))?;
        }
        Ok(Self {
            layout,
            git,
            helper,
            limits: Limits::default(),
            refused: Refused::default(),
            locks: Arc::default(),
        })
    }

    /// With other limits for what may be collected.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same mirrors, for an agent that has its jobs in a directory of its own.
    pub fn of_agent(&self, directory: &Path) -> Result<Self, WorkspaceError> {
        let layout = self.layout.with_jobs_in(directory);
        private(&layout.jobs()).map_err(at(&layout.jobs()))?;
        Ok(Self { layout, ..self.clone() })
    }

    /// The daemon's data directory.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.layout.root().to_owned()
    }

    /// Where jobs have their directories.
    pub fn jobs_dir(&self) -> PathBuf {
        self.layout.jobs()
    }

    /// Where the worker of this job works.
    pub fn workspace_dir(&self, job: &JobKey) -> PathBuf {
        self.layout.workspace(job)
    }
}

fn private(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}
