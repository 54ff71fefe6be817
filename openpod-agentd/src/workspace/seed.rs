//! What a workspace begins as, kept ready for the commit that most tickets begin with.
//!
//! A seed is a work tree with its repository, made by git once, and belongs to the daemon. Each ticket gets a copy, which
//! shares nothing with it: what a worker does to its own reaches no other. Only the newest commit's seed is kept, and only until the machine
//! loses its power: nobody waits until it is on the disk.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::durability::of_this_boot;
use super::error::{WorkspaceError, at};
use super::layout::{BASE, PUBLISHED};
use super::leftovers::clear;
use super::{JobKey, Origin, Workspaces, bare};
use crate::git::Sha;

impl Workspaces {
    /// Fills `new` with what the job begins with.
    pub(super) async fn sow(&self, job: &JobKey, origin: &Origin, new: &Path) -> Result<(), WorkspaceError> {
        let refs = self.refs(job)?;
        if refs.published != refs.base {
            return self.grow(job, &refs.published, new).await;
        }
        let seeds = self.layout.seeds(origin);
        let seed = of_this_boot(&seeds, refs.base.as_str()).map_err(at(&seeds))?;
        let lock = self.lock(&seeds);
        let _held = lock.lock().await;
        if !seed.exists() {
            clear(&seeds)?;
            let unfinished = seed.with_extension("new");
            fs::create_dir_all(&unfinished).map_err(at(&unfinished))?;
            self.grow(job, &refs.base, &unfinished).await?;
            fs::rename(&unfinished, &seed).map_err(at(&seed))?;
        }
        let (from, to) = (seed, new.to_owned());
        let copied = tokio::task::spawn_blocking(move || copy(&from, &to)).await;
        copied.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(at(new))
    }

    /// A repository with a work tree at this commit, of objects of its own.
    async fn grow(&self, job: &JobKey, commit: &Sha, directory: &Path) -> Result<(), WorkspaceError> {
        let git_dir = directory.join(".git");
        bare::create(&git_dir, commit, false)?;
        let source = format!("file://{}", self.layout.outbound(job).display());
        let args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", &source, BASE, PUBLISHED];
        self.git.within(&git_dir, args).allow_files().output().await?;
        let args = ["checkout", "--quiet", "--detach", commit.as_str(), "--"];
        self.git.within(&git_dir, args).work_tree(directory).output().await?;
        Ok(())
    }
}

/// Copies directories, files and links, which are not followed. Where the file system can, the copies share their
/// blocks until one is written.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut left = vec![PathBuf::new()];
    while let Some(directory) = left.pop() {
        fs::create_dir_all(to.join(&directory))?;
        for entry in fs::read_dir(from.join(&directory))? {
            let entry = entry?;
            let path = directory.join(entry.file_name());
            match entry.file_type()? {
                kind if kind.is_dir() => left.push(path),
                kind if kind.is_symlink() => symlink(fs::read_link(entry.path())?, to.join(path))?,
                _ => drop(fs::copy(entry.path(), to.join(path))?),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn a_copy_is_the_same_and_shares_nothing() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = (root.path().join("from"), root.path().join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::create_dir_all(from.join("empty")).unwrap();
        fs::write(from.join("a/b/tool"), "text").unwrap();
        fs::set_permissions(from.join("a/b/tool"), fs::Permissions::from_mode(0o555)).unwrap();
        symlink("/nowhere/at/all", from.join("a/link")).unwrap();
        copy(&from, &to).unwrap();
        let tool = fs::metadata(to.join("a/b/tool")).unwrap();
        assert_eq!((tool.mode() & 0o777, tool.nlink()), (0o555, 1));
        assert_ne!(tool.ino(), fs::metadata(from.join("a/b/tool")).unwrap().ino());
        assert_eq!(fs::read_to_string(to.join("a/b/tool")).unwrap(), "text");
        assert_eq!(fs::read_link(to.join("a/link")).unwrap(), Path::new("/nowhere/at/all"));
        assert!(to.join("empty").is_dir());
    }
}
