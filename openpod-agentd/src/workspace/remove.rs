//! The end of a job's repositories.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::error::{WorkspaceError, at};
use super::{JobKey, Workspaces};
use crate::crash;

impl Workspaces {
    /// Removes workspace and outbound repository. Work that was not pushed stays, unless `force`. A job that has
    /// nothing here is removed already.
    pub async fn remove(&self, job: &JobKey, force: bool) -> Result<(), WorkspaceError> {
        let directory = self.layout.job(job);
        let complete = self.layout.workspace(job).exists() && self.layout.outbound(job).exists();
        let cut_off = self.layout.cut_off(job).exists();
        if !force && (cut_off || complete && self.has_unpublished(job).await?) {
            return Err(WorkspaceError::Unpushed { directory });
        }
        let (from, aside) = (directory.clone(), self.layout.removed(job));
        let removed = tokio::task::spawn_blocking(move || remove_at_once(&from, &aside)).await;
        removed.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(at(&directory))
    }
}

/// Whole or not at all, as the next start sees it: what was removed by half would look like work that was not pushed.
fn remove_at_once(directory: &Path, aside: &Path) -> io::Result<()> {
    remove_all(aside)?;
    if directory.exists() {
        fs::create_dir_all(aside.parent().unwrap_or(aside))?;
        fs::rename(directory, aside)?;
        crash::point("clean/set-aside");
    }
    remove_all(aside)
}

/// Removes a directory, also when the worker took away the right to. One that is not there is removed already.
pub(crate) fn remove_all(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(directory)?;
            fs::remove_dir_all(directory)
        }
        other => other,
    }
}

fn open_up(root: &Path) -> io::Result<()> {
    let mut left: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                left.push(entry.path());
            }
        }
    }
    Ok(())
}
