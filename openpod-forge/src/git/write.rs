//! New trees, and refs that move only from where they were seen.

use std::process::Command;

use super::program::{Git, GitError};
use super::repository::{Bare, Oid, RefName};

/// A file that a tree shall have.
#[derive(Debug, Clone)]
pub(crate) struct NewFile {
    pub path: String,
    pub content: Vec<u8>,
    pub executable: bool,
}

/// Why a ref stayed where it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotMoved {
    /// It is not where it was seen, or exists already.
    #[error("the ref was moved by somebody else")]
    Changed,
    #[error(transparent)]
    Git(#[from] GitError),
}

impl Bare {
    /// The tree of `base` with these files put into it.
    pub(crate) fn write_tree(&self, base: Option<&Oid>, files: &[NewFile]) -> Result<Oid, GitError> {
        let scratch = Scratch::new(self)?;
        if let Some(base) = base {
            Git::stdout(scratch.command(self, &["read-tree", base.as_str()]), None)?;
        }
        let mut records = Vec::new();
        for NewFile { path, content, executable } in files {
            let oid = self.write_blob(content)?;
            let mode = if *executable { "100755" } else { "100644" };
            records.extend_from_slice(format!("{mode} {oid}\t{path}\0").as_bytes());
        }
        Git::stdout(
            scratch.command(self, &["update-index", "-z", "--add", "--replace", "--index-info"]),
            Some(&records),
        )?;
        let bytes = Git::stdout(scratch.command(self, &["write-tree"]), None)?;
        Oid::parse(String::from_utf8_lossy(&bytes).trim()).ok_or(GitError::Unexpected("write-tree"))
    }

    fn write_blob(&self, content: &[u8]) -> Result<Oid, GitError> {
        let bytes =
            Git::stdout(self.command(["hash-object", "-w", "--no-filters", "--stdin"]), Some(content))?;
        Oid::parse(String::from_utf8_lossy(&bytes).trim()).ok_or(GitError::Unexpected("hash-object"))
    }

    /// Moves a ref from `old`, where [`Oid::zero`] means that it must not exist.
    pub(crate) fn move_ref(&self, name: &RefName, new: &Oid, old: &Oid) -> Result<(), NotMoved> {
        let arguments = ["update-ref", "--no-deref", name.as_str(), new.as_str(), old.as_str()];
        self.change_ref(self.command(arguments))
    }

    /// Deletes a ref that still points to `old`.
    pub(crate) fn delete_ref(&self, name: &RefName, old: &Oid) -> Result<(), NotMoved> {
        self.change_ref(self.command(["update-ref", "--no-deref", "-d", name.as_str(), old.as_str()]))
    }

    /// Points a ref somewhere, wherever it was. For refs that only the forge writes.
    pub(crate) fn set_ref(&self, name: &RefName, to: &Oid) -> Result<(), GitError> {
        Git::stdout(self.command(["update-ref", "--no-deref", name.as_str(), to.as_str()]), None).map(drop)
    }

    fn change_ref(&self, command: Command) -> Result<(), NotMoved> {
        match Git::stdout(command, None) {
            Ok(_) => Ok(()),
            Err(GitError::Failed { .. }) => Err(NotMoved::Changed),
            Err(error) => Err(NotMoved::Git(error)),
        }
    }
}

/// An index file for one operation.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(bare: &Bare) -> Result<Self, GitError> {
        let mut name = [0u8; 12];
        let failed = |source| GitError::NotRun { command: "write-tree".into(), source };
        getrandom::fill(&mut name).map_err(|error| failed(std::io::Error::other(error)))?;
        Ok(Self(bare.path().join(format!("index-{}", hex::encode(name)))))
    }

    fn command(&self, bare: &Bare, arguments: &[&str]) -> Command {
        let mut command = bare.command(arguments);
        command.env("GIT_INDEX_FILE", &self.0);
        command
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may never have been written.
        let _ = std::fs::remove_file(&self.0);
    }
}
