//! Repositories of the daemon's, read and written as the few small files that they are. A git process for each would
//! cost more than all the rest of a ticket's preparation.
//!
//! Only what belongs to the daemon is treated so, and only refs that nobody else writes: never a workspace that a worker
//! has seen.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::error::{WorkspaceError, at};
use crate::git::Sha;

/// Makes an empty repository, bare or the `.git` of a work tree.
pub(super) fn create(git_dir: &Path, like: &Sha, bare: bool) -> Result<(), WorkspaceError> {
    for directory in ["objects/info", "objects/pack", "refs/heads"] {
        let directory = git_dir.join(directory);
        fs::create_dir_all(&directory).map_err(at(&directory))?;
    }
    let (version, format) =
        if like.is_sha256() { (1, "[extensions]\n\tobjectFormat = sha256\n") } else { (0, "") };
    let config = format!(
        "[core]\n\trepositoryFormatVersion = {version}\n\tfilemode = true\n\tbare = {bare}\n\
         \tlogAllRefUpdates = {}\n{format}",
        !bare
    );
    // Its HEAD is last: whoever sees that sees a whole repository.
    for (name, text) in [("config", &*config), ("HEAD", "ref: refs/heads/main\n")] {
        let file = git_dir.join(name);
        fs::write(&file, text).map_err(at(&file))?;
    }
    Ok(())
}

/// Lets a repository read another one's objects.
pub(super) fn borrow(borrower: &Path, lender: &Path) -> Result<(), WorkspaceError> {
    let file = borrower.join("objects/info/alternates");
    fs::write(&file, format!("{}\n", lender.join("objects").display())).map_err(at(&file))
}

/// Gives a new repository its first refs, which are no more durable than the rest of it.
pub(super) fn write_first_refs(git_dir: &Path, refs: &[(&str, &Sha)]) -> Result<(), WorkspaceError> {
    let mut lines: Vec<String> = refs.iter().map(|(name, sha)| format!("{sha} {name}\n")).collect();
    lines.sort_by(|one, other| {
        one.split_once(' ').map(|(_, name)| name).cmp(&other.split_once(' ').map(|(_, name)| name))
    });
    let file = git_dir.join("packed-refs");
    let text = format!("# pack-refs with: sorted \n{}", lines.concat());
    fs::write(&file, text).map_err(at(&file))
}

/// Moves a ref as git does it: the new value under a lock, durable, then under its own name.
pub(super) fn write_ref(git_dir: &Path, name: &str, sha: &Sha) -> Result<(), WorkspaceError> {
    let file = git_dir.join(name);
    let lock = PathBuf::from(format!("{}.lock", file.display()));
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).map_err(at(parent))?;
    }
    let written = OpenOptions::new().write(true).create_new(true).open(&lock).and_then(|mut open| {
        writeln!(open, "{sha}")?;
        open.sync_all()
    });
    let moved = written.and_then(|()| fs::rename(&lock, &file));
    if moved.as_ref().is_err_and(|error| error.kind() != ErrorKind::AlreadyExists) {
        // The next one would find it and give up.
        let _ = fs::remove_file(&lock);
    }
    moved.map_err(at(&file))
}

/// Where a ref is; `None` when there is none.
pub(super) fn read_ref(git_dir: &Path, name: &str) -> Result<Option<Sha>, WorkspaceError> {
    let file = git_dir.join(name);
    if let Some(text) = read(&file).map_err(at(&file))? {
        return Ok(text.trim().parse().ok());
    }
    let packed = git_dir.join("packed-refs");
    let text = read(&packed).map_err(at(&packed))?.unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' '));
    Ok(line.and_then(|sha| sha.parse().ok()))
}

fn read(file: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::IsADirectory | ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn git(git_dir: &Path, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.arg("--git-dir").arg(git_dir).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null");
        let output = git.env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn what_is_written_here_git_reads_and_the_other_way_round() {
        for zeros in [40, 64] {
            let directory = tempfile::tempdir().unwrap();
            let repository = directory.path().join("a.git");
            create(&repository, &"0".repeat(zeros).parse().unwrap(), true).unwrap();
            let tree = git(&repository, &["hash-object", "-t", "tree", "-w", "/dev/null"]);
            assert_eq!(tree.len(), zeros);
            let commit = |text: &str| {
                let words = ["-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", "-m", text, &tree];
                git(&repository, &words).parse::<Sha>().unwrap()
            };
            let (first, second) = (commit("first"), commit("second"));
            write_first_refs(&repository, &[("refs/heads/x/y", &first), ("refs/a/base", &second)]).unwrap();
            assert_eq!(git(&repository, &["rev-parse", "x/y"]), first.as_str());
            assert_eq!(git(&repository, &["rev-parse", "refs/a/base"]), second.as_str());
            write_ref(&repository, "refs/heads/x/y", &second).unwrap();
            assert_eq!(git(&repository, &["rev-parse", "x/y"]), second.as_str());
            assert_eq!(read_ref(&repository, "refs/heads/x/y").unwrap(), Some(second.clone()));
            assert_eq!(read_ref(&repository, "refs/a/base").unwrap(), Some(second.clone()));
            assert_eq!(read_ref(&repository, "a/base").unwrap(), None);
            assert_eq!(read_ref(&repository, "refs/heads/x").unwrap(), None);
            git(&repository, &["update-ref", "refs/a/base", first.as_str()]);
            git(&repository, &["pack-refs", "--all"]);
            assert_eq!(read_ref(&repository, "refs/a/base").unwrap(), Some(first.clone()));
            git(&repository, &["fsck", "--strict"]);

            let lender = repository;
            let borrower = directory.path().join("b.git");
            create(&borrower, &first, true).unwrap();
            borrow(&borrower, &lender).unwrap();
            assert_eq!(git(&borrower, &["cat-file", "-t", first.as_str()]), "commit");
        }
    }

    #[test]
    fn a_ref_that_somebody_holds_is_not_moved() {
        let directory = tempfile::tempdir().unwrap();
        let sha = "1".repeat(40).parse().unwrap();
        create(directory.path(), &sha, true).unwrap();
        fs::write(directory.path().join("refs/heads/x.lock"), "").unwrap();
        assert!(write_ref(directory.path(), "refs/heads/x", &sha).is_err());
        assert_eq!(read_ref(directory.path(), "refs/heads/x").unwrap(), None);
        assert!(directory.path().join("refs/heads/x.lock").exists());
    }
}
