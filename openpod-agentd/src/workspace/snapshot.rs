//! The worker's tree as an object, taken without asking the worker's repository anything.
//!
//! Every command here runs with a repository of the daemon's and a fresh index, and none of them ever sees a gitlink
//! together with the work tree: git would look into the nested repository, with that repository's configuration.
//! `.git`, wherever it lies, is never read. The files of a repository that the worker made within the tree are files
//! like others; a submodule of the project stays at the commit it had.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::error::{WorkspaceError, at};
use super::leftovers::{clear, remove_locks};
use super::{JobKey, Workspaces, bare};
use crate::git::{GitCommand, GitError, GitErrorKind, Sha};

/// Repositories within repositories that are looked into.
const NESTED: usize = 200;

/// A tree entry of the commit that the worker began with.
struct Tracked {
    mode: Vec<u8>,
    sha: Vec<u8>,
    path: Vec<u8>,
}

/// A repository of the daemon's that exists while a change is collected.
pub(super) struct Staging {
    pub(super) git_dir: PathBuf,
    workspace: PathBuf,
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The next one clears what stays behind.
        let _ = fs::remove_dir_all(&self.git_dir);
    }
}

impl Workspaces {
    pub(super) fn stage(&self, job: &JobKey, like: &Sha) -> Result<Staging, WorkspaceError> {
        let workspace = self.layout.workspace(job);
        let kind = fs::symlink_metadata(&workspace).map_err(at(&workspace))?.file_type();
        if !kind.is_dir() {
            return Err(WorkspaceError::refused("the workspace is no longer a directory"));
        }
        let git_dir = self.layout.staging(job);
        clear(&git_dir)?;
        remove_locks(&self.layout.outbound(job))?;
        bare::create(&git_dir, like, true)?;
        let staging = Staging { git_dir, workspace };
        bare::borrow(&staging.git_dir, &self.layout.outbound(job))?;
        Ok(staging)
    }

    /// Writes the tree that the worker left. `parent` is the commit it began with.
    pub(super) async fn snapshot(&self, staging: &Staging, parent: &Sha) -> Result<Sha, WorkspaceError> {
        let (tracked, rules) =
            tokio::join!(self.tracked(staging, parent), self.check_rules(&staging.workspace));
        rules?;
        let (links, files): (Vec<Tracked>, Vec<Tracked>) =
            tracked?.into_iter().partition(|entry| entry.mode == b"160000");
        let mut tree = WorkTree::new(&staging.workspace, &links);
        let kept: Vec<Tracked> = files.into_iter().filter(|entry| tree.holds(&entry.path)).collect();
        let here = |args: &[&str]| self.git.within(&staging.git_dir, args);
        here(&["update-index", "-z", "--index-info"]).input(index_info(&kept)).output().await?;

        let new = self.untracked(staging, &tree).await?;
        let new: Vec<Vec<u8>> = new.into_iter().filter(|path| tree.holds(path)).collect();
        self.refuse_giants(staging, &kept, &new).await?;
        let mut all: BTreeSet<Vec<u8>> = kept.into_iter().map(|entry| entry.path).collect();
        all.extend(new);
        let add = here(&["update-index", "-z", "--add", "--stdin"]).work_tree(&staging.workspace);
        add.input(joined(&all)).output().await.map_err(not_taken)?;
        let taken = here(&["ls-files", "-z"]).output().await?;
        let taken: BTreeSet<&[u8]> = records(&taken).collect();
        if let Some(path) = all.iter().find(|path| !taken.contains(path.as_slice())) {
            let path = String::from_utf8_lossy(path);
            return Err(WorkspaceError::refused(format!("git has no file called {path} in a tree")));
        }

        let links: Vec<Tracked> = links.into_iter().filter(|link| tree.is_directory(&link.path)).collect();
        if !links.is_empty() {
            here(&["update-index", "-z", "--index-info"]).input(index_info(&links)).output().await?;
        }
        let written = here(&["write-tree"]).line().await?;
        written.parse().map_err(|_| WorkspaceError::refused("git wrote no tree"))
    }

    async fn tracked(&self, staging: &Staging, parent: &Sha) -> Result<Vec<Tracked>, WorkspaceError> {
        let args = ["ls-tree", "-r", "-z", "--full-tree", parent.as_str()];
        let output = self.git.within(&staging.git_dir, args).output().await?;
        Ok(records(&output).filter_map(entry).collect())
    }

    /// Files that the project's and the daemon's rules do not ignore, also in nested repositories.
    async fn untracked(&self, staging: &Staging, tree: &WorkTree) -> Result<Vec<Vec<u8>>, WorkspaceError> {
        let mut found = Vec::new();
        let mut nested: Vec<Vec<u8>> = vec![Vec::new()];
        let mut seen = 0;
        while let Some(prefix) = nested.pop() {
            seen += 1;
            if seen > NESTED {
                return Err(WorkspaceError::refused(format!(
                    "it holds more than {NESTED} nested repositories"
                )));
            }
            let directory = staging.workspace.join(OsStr::from_bytes(&prefix));
            for path in records(&self.list(staging, &directory, prefix.is_empty()).await?) {
                let full = [&prefix, path].concat();
                match full.strip_suffix(b"/") {
                    None => found.push(full),
                    Some(inner) if tree.may_enter(inner) => nested.push(full),
                    Some(_) => {}
                }
            }
        }
        Ok(found)
    }

    async fn list(&self, staging: &Staging, directory: &Path, top: bool) -> Result<Vec<u8>, WorkspaceError> {
        let mut command: GitCommand = self
            .git
            .within(&staging.git_dir, ["ls-files", "-z", "--others", "--exclude-standard"])
            .work_tree(directory);
        if !top {
            // The index names files of the whole tree; here it would be taken for files of this directory.
            command = command.env("GIT_INDEX_FILE", staging.git_dir.join("no-index"));
        }
        Ok(command.output().await?)
    }

    /// Git opens them by name and waits for whoever writes to a pipe.
    async fn check_rules(&self, workspace: &Path) -> Result<(), WorkspaceError> {
        let root = workspace.to_owned();
        let found = tokio::task::spawn_blocking(move || rules_that_are_no_files(&root)).await;
        match found.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(None) => Ok(()),
            Ok(Some(path)) => {
                Err(WorkspaceError::refused(format!("{} is neither a file nor a link", path.display())))
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
                Err(WorkspaceError::refused("its directories lie deeper than a path can tell"))
            }
            Err(error) => Err(at(workspace)(error)),
        }
    }

    /// Before they are read: a giant file would fill the disk. What is as large as it was when the worker began may
    /// stay so.
    async fn refuse_giants(
        &self,
        staging: &Staging,
        kept: &[Tracked],
        new: &[Vec<u8>],
    ) -> Result<(), WorkspaceError> {
        let size = |path: &[u8]| {
            let file = staging.workspace.join(OsStr::from_bytes(path));
            fs::symlink_metadata(file).map_or(0, |found| found.len())
        };
        let mut sizes: Vec<(&[u8], u64)> = new.iter().map(|path| (&path[..], size(path))).collect();
        let old: Vec<(&[u8], u64)> = kept.iter().map(|entry| (&entry.path[..], size(&entry.path))).collect();
        if self.check_sizes(sizes.iter().chain(&old)).is_err() {
            let names: Vec<u8> = kept.iter().flat_map(|entry| [&entry.sha[..], b"\n"].concat()).collect();
            let args = ["cat-file", "--batch-check=%(objectsize)"];
            let before = self.git.within(&staging.git_dir, args).input(names).line().await?;
            let grown = old.into_iter().zip(before.lines());
            sizes.extend(grown.filter(|((_, now), before)| before.parse() != Ok(*now)).map(|(file, _)| file));
        }
        self.check_sizes(sizes.iter())
    }

    fn check_sizes<'a>(
        &self,
        sizes: impl Iterator<Item = &'a (&'a [u8], u64)>,
    ) -> Result<(), WorkspaceError> {
        let mut total = 0u64;
        for (path, size) in sizes {
            self.limits.check_file(&String::from_utf8_lossy(path), *size)?;
            total = total.saturating_add(*size);
        }
        self.limits.check_total(total)
    }
}

/// The first file of rules for git that is a pipe or the like. Directories that nobody may read, git does not read
/// either.
fn rules_that_are_no_files(root: &Path) -> io::Result<Option<PathBuf>> {
    let mut left = vec![PathBuf::new()];
    while let Some(directory) = left.pop() {
        let entries = match fs::read_dir(root.join(&directory)) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            let path = directory.join(&name);
            if kind.is_dir() {
                left.extend((name != ".git").then_some(path));
            } else if !kind.is_file()
                && !kind.is_symlink()
                && (name == ".gitignore" || name == ".gitattributes")
            {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// What is really there, without following a link anywhere.
struct WorkTree {
    root: PathBuf,
    submodules: BTreeSet<Vec<u8>>,
    directories: HashMap<PathBuf, bool>,
}

impl WorkTree {
    fn new(root: &Path, links: &[Tracked]) -> Self {
        let submodules = links.iter().map(|link| link.path.clone()).collect();
        Self { root: root.to_owned(), submodules, directories: HashMap::new() }
    }

    /// Whether this is a plain file or a link, in plain directories, and in no submodule.
    fn holds(&mut self, path: &[u8]) -> bool {
        let relative = PathBuf::from(OsString::from_vec(path.to_owned()));
        let parents_are_plain = relative.ancestors().skip(1).all(|parent| self.plain_directory(parent));
        parents_are_plain && self.kind(&relative).is_some_and(|kind| kind.is_file() || kind.is_symlink())
    }

    fn may_enter(&self, path: &[u8]) -> bool {
        !self.submodules.contains(path) && self.is_directory(path)
    }

    fn is_directory(&self, path: &[u8]) -> bool {
        self.kind(Path::new(OsStr::from_bytes(path))).is_some_and(|kind| kind.is_dir())
    }

    fn plain_directory(&mut self, relative: &Path) -> bool {
        if let Some(known) = self.directories.get(relative) {
            return *known;
        }
        let submodule = self.submodules.contains(relative.as_os_str().as_bytes());
        let plain = !submodule && self.kind(relative).is_some_and(|kind| kind.is_dir());
        self.directories.insert(relative.to_owned(), plain);
        plain
    }

    fn kind(&self, relative: &Path) -> Option<FileType> {
        fs::symlink_metadata(self.root.join(relative)).ok().map(|found| found.file_type())
    }
}

fn entry(record: &[u8]) -> Option<Tracked> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let mut words = record[..tab].split(|byte| *byte == b' ');
    let (mode, _kind, sha) = (words.next()?, words.next()?, words.next()?);
    Some(Tracked { mode: mode.to_owned(), sha: sha.to_owned(), path: record[tab + 1..].to_owned() })
}

fn records(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    output.split(|byte| *byte == 0).filter(|record| !record.is_empty())
}

fn index_info(entries: &[Tracked]) -> Vec<u8> {
    let mut text = Vec::new();
    for Tracked { mode, sha, path } in entries {
        text.extend([mode, b" ".as_slice(), sha, b"\t", path, b"\0"].concat());
    }
    text
}

fn joined(paths: &BTreeSet<Vec<u8>>) -> Vec<u8> {
    let mut text = Vec::new();
    for path in paths {
        text.extend_from_slice(path);
        text.push(0);
    }
    text
}

/// What git cannot take from the tree is the worker's doing: files that nobody may read, encodings that nobody knows. A
/// full disk is not.
fn not_taken(error: GitError) -> WorkspaceError {
    match error.stderr().lines().find(|line| !line.is_empty()) {
        Some(line) if error.status().is_some() && *error.kind() != GitErrorKind::NoSpace => {
            WorkspaceError::refused(
                line.trim_start_matches("error: ").trim_start_matches("fatal: ").to_owned(),
            )
        }
        _ => error.into(),
    }
}
