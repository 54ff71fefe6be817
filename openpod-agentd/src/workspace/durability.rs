//! What a loss of power leaves of a workspace: maybe half of a file that nobody has touched for a while.
//!
//! Nothing waits for the disk while a workspace is made, nor while a worker works in it. So a note beside it, written
//! before, says in which run of the machine it may be changed, and the note goes when all of it is on the disk: after a
//! run whose shim has seen to that. A workspace whose note names another run of the machine is not given to a worker.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::error::{WorkspaceError, at};
use super::remove::remove_all;
use super::{JobKey, Workspaces};
use crate::process::kin;

/// Who may be changing a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changing {
    /// The daemon, which makes it. What is lost can be made again.
    Made,
    /// A worker.
    Worked,
}

impl Changing {
    const fn word(self) -> &'static str {
        match self {
            Self::Made => "made in",
            Self::Worked => "worked in since",
        }
    }
}

impl Workspaces {
    /// Notes that a worker is about to change the workspace.
    pub fn note_worker(&self, job: &JobKey) -> Result<(), WorkspaceError> {
        self.note_changing(job, Changing::Worked)
    }

    /// Notes that the workspace is on the disk as it is.
    pub fn note_settled(&self, job: &JobKey) -> Result<(), WorkspaceError> {
        let note = self.layout.changing(job);
        match fs::remove_file(&note) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(at(&note)(error)),
            _ => Ok(()),
        }
    }

    /// Whether no loss of power can have taken anything of the workspace. One that cannot be looked at counts as whole:
    /// whoever needs it says what is wrong.
    pub fn is_whole(&self, job: &JobKey) -> bool {
        match (fs::read_to_string(self.layout.changing(job)), kin::boot()) {
            (Ok(note), Ok(boot)) => note.ends_with(&boot),
            _ => true,
        }
    }

    pub(super) fn note_changing(&self, job: &JobKey, who: Changing) -> Result<(), WorkspaceError> {
        let note = self.layout.changing(job);
        let new = note.with_extension("new");
        let boot = kin::boot().map_err(at(&note))?;
        // On a full disk the old one stays: an empty one would speak against a workspace that is whole.
        let written =
            fs::write(&new, format!("{} {boot}", who.word())).and_then(|()| fs::rename(&new, &note));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written.map_err(at(&note))
    }

    /// Takes a workspace away that is not whole. What a worker may have left in it is kept beside it; what was collected
    /// is in the outbound repository, and safe.
    pub(super) fn give_up_half(&self, job: &JobKey) -> Result<(), WorkspaceError> {
        let (workspace, note) = (self.layout.workspace(job), self.layout.changing(job));
        let was_made = fs::read_to_string(&note).is_ok_and(|text| text.starts_with(Changing::Made.word()));
        let aside = self.layout.cut_off(job);
        tracing::warn!(workspace = %workspace.display(), "the power was lost: the workspace is made again");
        remove_all(&aside).map_err(at(&aside))?;
        let taken = if was_made { remove_all(&workspace) } else { absent_or(fs::rename(&workspace, &aside)) };
        taken.map_err(at(&workspace))?;
        if self.refs(job).map_or(true, |refs| refs.collected.is_none()) {
            // Its small files were never waited for, either.
            let outbound = self.layout.outbound(job);
            remove_all(&outbound).map_err(at(&outbound))?;
        }
        self.note_settled(job)
    }
}

fn absent_or(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Waits until everything that was written on the file system of this directory is on the disk.
pub(crate) fn settle(directory: &Path) -> io::Result<()> {
    rustix::fs::syncfs(fs::File::open(directory)?).map_err(io::Error::from)
}

/// A name that no other run of the machine gives.
pub(super) fn of_this_boot(directory: &Path, name: &str) -> io::Result<PathBuf> {
    Ok(directory.join(format!("{name}-{}", kin::boot()?)))
}
