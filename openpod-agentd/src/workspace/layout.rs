//! Where everything lies.
//!
//! ```text
//! data_dir/
//!   mirrors/<owner>--<name>-<hash of the address>.git
//!   mirrors/<the same>.seed/<commit>-<boot>/   what the next workspace is copied from
//!   mirrors/<the same>.gone/   a mirror on its way out
//!   jobs/<key>/workspace       the worker's
//!   jobs/<key>/outbound.git    the daemon's: refs/openpod/base, collected, published
//!   jobs/<key>/job.json        what `Prepared` says and no ref does
//!   jobs/<key>/changing        since which boot the workspace may be on its way to the disk
//!   jobs/<key>/cut-off         a workspace that lost its power while a worker worked in it
//!   jobs/<key>/staging.git     only while a change is collected
//!   removed/<key>              a job's directory on its way out
//!   run/                       sockets
//! ```
//!
//! With several agents, each has its jobs in `agents/<name>/jobs`.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::JobKey;
use crate::credentials::Origin;

/// The commit that the change is measured from.
pub(super) const BASE: &str = "refs/openpod/base";
/// What was collected last.
pub(super) const COLLECTED: &str = "refs/openpod/collected";
/// What was pushed last, or what the workspace began with.
pub(super) const PUBLISHED: &str = "refs/openpod/published";
/// In a mirror: what somebody borrows.
pub(super) const LENT: &str = "refs/openpod/lent";

#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
    jobs: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), jobs: root.join("jobs") }
    }

    pub(super) fn with_jobs_in(&self, directory: &Path) -> Self {
        Self { root: self.root.clone(), jobs: directory.join("jobs") }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn agents(&self) -> PathBuf {
        self.root.join("agents")
    }

    pub(super) fn mirrors(&self) -> PathBuf {
        self.root.join("mirrors")
    }

    pub(super) fn jobs(&self) -> PathBuf {
        self.jobs.clone()
    }

    /// Where a job's directory is moved before it is removed.
    pub(super) fn removed(&self, key: &JobKey) -> PathBuf {
        self.jobs.with_file_name("removed").join(key.as_str())
    }

    pub(super) fn runtime(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(super) fn mirror(&self, origin: &Origin) -> PathBuf {
        let plain = |text: &str| -> String {
            text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect()
        };
        let hash = hex::encode(Sha256::digest(origin.clone_url.as_str()));
        let name = format!("{}--{}-{}.git", plain(&origin.owner), plain(&origin.name), &hash[..12]);
        self.mirrors().join(name)
    }

    pub(super) fn seeds(&self, origin: &Origin) -> PathBuf {
        self.mirror(origin).with_extension("seed")
    }

    pub(super) fn job(&self, key: &JobKey) -> PathBuf {
        self.jobs().join(key.as_str())
    }

    pub(super) fn workspace(&self, key: &JobKey) -> PathBuf {
        self.job(key).join("workspace")
    }

    pub(super) fn outbound(&self, key: &JobKey) -> PathBuf {
        self.job(key).join("outbound.git")
    }

    pub(super) fn staging(&self, key: &JobKey) -> PathBuf {
        self.job(key).join("staging.git")
    }

    pub(super) fn changing(&self, key: &JobKey) -> PathBuf {
        self.job(key).join("changing")
    }

    pub(super) fn cut_off(&self, key: &JobKey) -> PathBuf {
        self.job(key).join("cut-off")
    }

    pub(super) fn notes(&self, key: &JobKey) -> PathBuf {
        self.job(key).join("job.json")
    }
}
