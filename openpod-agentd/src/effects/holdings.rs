//! What lies in an agent's directory, by the names of its jobs.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::{Effects, key_of};
use crate::job::Job;
use crate::workspace::remove_all;

/// Within the agent's directory: what is known of it is forgotten already.
const FORGOTTEN: &str = "forgotten";

/// What lies there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Jobs whose repositories are there.
    pub repositories: BTreeSet<String>,
    /// Jobs whose runs left files.
    pub runs: BTreeSet<String>,
    jobs_dir: PathBuf,
    runs_dir: PathBuf,
}

impl Holdings {
    /// Every directory, with the name of its job.
    pub fn directories(&self) -> impl Iterator<Item = (&str, PathBuf)> {
        let within = |directory: &Path, name: &str| directory.join(name);
        let repositories = self.repositories.iter().map(move |name| (&**name, within(&self.jobs_dir, name)));
        repositories.chain(self.runs.iter().map(move |name| (&**name, within(&self.runs_dir, name))))
    }
}

impl Effects {
    /// Looks what lies there.
    pub fn holdings(&self) -> io::Result<Holdings> {
        let (jobs_dir, runs_dir) = (self.workspaces.jobs_dir(), self.runs_dir.clone());
        Ok(Holdings { repositories: names(&jobs_dir)?, runs: names(&runs_dir)?, jobs_dir, runs_dir })
    }

    /// Where a job's repositories are.
    pub fn job_directory(&self, job: &Job) -> PathBuf {
        self.workspaces.jobs_dir().join(key_of(job).as_str())
    }

    /// Takes the files of a job's runs away from where anybody looks. Answers where they are to be removed.
    pub fn set_runs_aside(&self, job: &Job) -> io::Result<PathBuf> {
        let (from, aside) = (self.run_directory(job), self.forgotten_dir().join(key_of(job).as_str()));
        remove_all(&aside)?;
        std::fs::create_dir_all(self.forgotten_dir())?;
        match std::fs::rename(&from, &aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(aside),
        }
    }

    /// Removes what an earlier daemon had forgotten and not removed yet.
    pub fn clear_forgotten(&self) {
        if let Err(error) = remove_all(&self.forgotten_dir()) {
            tracing::warn!(%error, "what was forgotten could not be removed");
        }
    }

    fn forgotten_dir(&self) -> PathBuf {
        self.runs_dir.with_file_name(FORGOTTEN)
    }
}

fn names(directory: &Path) -> io::Result<BTreeSet<String>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries?,
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
