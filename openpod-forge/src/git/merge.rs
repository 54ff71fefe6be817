//! Merging without a working tree.

use super::history::Person;
use super::program::{Git, GitError};
use super::repository::{Bare, Oid};

/// What merging two commits would give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Merged {
    /// The tree of the result.
    Clean(Oid),
    /// The two cannot be put together without a person.
    Conflict,
}

impl Bare {
    /// Merges two commits in memory. No ref moves.
    pub(crate) fn merge_trees(&self, base: &Oid, head: &Oid) -> Result<Merged, GitError> {
        let arguments = ["merge-tree", "--write-tree", "--no-messages", base.as_str(), head.as_str()];
        let output = Git::output(self.command(arguments), None)?;
        let text = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            Some(0) => {
                let tree = text.lines().next().and_then(Oid::parse);
                tree.map(Merged::Clean).ok_or(GitError::Unexpected("merge-tree"))
            }
            // Histories without a common ancestor are refused with another code; a person has to decide there, too.
            _ => Ok(Merged::Conflict),
        }
    }

    /// Writes a commit. No ref moves.
    pub(crate) fn write_commit(
        &self,
        tree: &Oid,
        parents: &[&Oid],
        author: &Person,
        committer: &Person,
        message: &str,
    ) -> Result<Oid, GitError> {
        let mut command = self.command(["commit-tree", tree.as_str(), "-F", "-"]);
        for parent in parents {
            command.args(["-p", parent.as_str()]);
        }
        for (role, person) in [("AUTHOR", author), ("COMMITTER", committer)] {
            command.env(format!("GIT_{role}_NAME"), &person.name);
            command.env(format!("GIT_{role}_EMAIL"), &person.email);
            command.env(format!("GIT_{role}_DATE"), format!("@{} +0000", person.at.as_second()));
        }
        let bytes = Git::stdout(command, Some(message.as_bytes()))?;
        Oid::parse(String::from_utf8_lossy(&bytes).trim()).ok_or(GitError::Unexpected("commit-tree"))
    }
}
