//! A bare repository: names, objects and trees.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::{Git, GitError};

/// The id of an object: 40 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Oid(String);

impl Oid {
    /// Stands for "no object" where a ref is created or deleted.
    pub(crate) fn zero() -> Self {
        Self("0".repeat(40))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let valid =
            text.len() == 40 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        valid.then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Oid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The full name of a ref, such as `refs/heads/main`, in the form that git accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefName(String);

impl RefName {
    pub(crate) fn parse(full: &str) -> Option<Self> {
        let parts_are_fine = full
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with(".lock"));
        let characters_are_fine =
            full.chars().all(|c| !c.is_ascii_control() && !" ~^:?*[\\".contains(c) && c != '\u{7f}');
        let fine = full.starts_with("refs/")
            && full.matches('/').count() >= 2
            && parts_are_fine
            && characters_are_fine
            && !full.contains("..")
            && !full.contains("@{")
            && !full.ends_with('.')
            && full.len() <= 255;
        fine.then(|| Self(full.to_owned()))
    }

    pub(crate) fn branch(name: &str) -> Option<Self> {
        Self::parse(&format!("refs/heads/{name}"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The branch's short name, if it is a branch.
    pub(crate) fn branch_name(&self) -> Option<&str> {
        self.0.strip_prefix("refs/heads/")
    }
}

/// What a tree holds under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub kind: EntryKind,
    pub oid: String,
    pub size: u64,
    /// From the root.
    pub path: String,
    pub executable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Directory,
    Symlink,
    Submodule,
}

/// A bare repository on disk. All calls run git and wait for it: keep them off the async threads.
#[derive(Debug, Clone)]
pub(crate) struct Bare {
    git: Git,
    path: PathBuf,
}

impl Bare {
    pub(crate) fn at(git: Git, path: PathBuf) -> Self {
        Self { git, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes an empty repository whose default branch will be `branch`.
    pub(crate) fn init(&self, branch: &str) -> Result<(), GitError> {
        let mut command = self.git.command(&self.path);
        command
            .args(["init", "--quiet", "--bare", "--template=", "--initial-branch", branch])
            .arg(&self.path);
        Git::stdout(command, None).map(drop)
    }

    pub(super) fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.git.command(&self.path);
        command.args(arguments);
        command
    }

    pub(super) fn text<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<String, GitError> {
        let bytes = Git::stdout(self.command(arguments), None)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What a ref points to.
    pub(crate) fn read_ref(&self, name: &RefName) -> Result<Option<Oid>, GitError> {
        let output = Git::output(self.command(["rev-parse", "--verify", "--quiet", name.as_str()]), None)?;
        Ok(Oid::parse(String::from_utf8_lossy(&output.stdout).trim()))
    }

    /// All refs that begin with `prefix`, by name, with the kind of object they point to.
    pub(crate) fn refs(&self, prefix: &str) -> Result<Vec<(String, Oid, String)>, GitError> {
        let text = self.text(["for-each-ref", "--format=%(objectname) %(objecttype) %(refname)", prefix])?;
        let parse = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let (oid, kind) = (Oid::parse(words.next()?)?, words.next()?.to_owned());
            Some((words.next()?.to_owned(), oid, kind))
        };
        text.lines().map(|line| parse(line).ok_or(GitError::Unexpected("for-each-ref"))).collect()
    }

    /// The commit that a branch, a tag or a (possibly shortened) id names.
    pub(crate) fn commit_named(&self, name: &str) -> Result<Option<Oid>, GitError> {
        let refs = ["refs/heads/", "refs/tags/"].map(|prefix| format!("{prefix}{name}"));
        let mut candidates: Vec<String> = Vec::new();
        if name.starts_with("refs/") || name == "HEAD" {
            candidates.push(name.to_owned());
        }
        candidates.extend(refs);
        candidates.retain(|name| name == "HEAD" || RefName::parse(name).is_some());
        if (7..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_hexdigit()) {
            candidates.push(name.to_owned());
        }
        for candidate in candidates {
            let peeled = format!("{candidate}^{{commit}}");
            let output = Git::output(self.command(["rev-parse", "--verify", "--quiet", &peeled]), None)?;
            if let Some(oid) = Oid::parse(String::from_utf8_lossy(&output.stdout).trim()) {
                return Ok(Some(oid));
            }
        }
        Ok(None)
    }

    /// The kind of an object, if there is one: commit, tree, blob or tag.
    pub(crate) fn kind_of(&self, oid: &Oid) -> Result<Option<String>, GitError> {
        let output = Git::output(self.command(["cat-file", "-t", oid.as_str()]), None)?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(output.status.success().then_some(text))
    }

    pub(crate) fn blob(&self, oid: &str) -> Result<Vec<u8>, GitError> {
        Git::stdout(self.command(["cat-file", "blob", oid]), None)
    }

    /// The entry at `path` in a commit's tree.
    pub(crate) fn entry(&self, commit: &Oid, path: &str) -> Result<Option<Entry>, GitError> {
        let bytes = Git::stdout(self.ls_tree(commit, &[path]), None)?;
        Ok(parse_tree(&bytes)?.into_iter().find(|entry| entry.path == path))
    }

    /// What lies directly in the directory `path`; an empty path is the root.
    pub(crate) fn directory(&self, commit: &Oid, path: &str) -> Result<Vec<Entry>, GitError> {
        let inside = format!("{path}/");
        let paths: &[&str] = if path.is_empty() { &[] } else { &[&inside] };
        parse_tree(&Git::stdout(self.ls_tree(commit, paths), None)?)
    }

    fn ls_tree(&self, commit: &Oid, paths: &[&str]) -> Command {
        let mut command = self.command(["ls-tree", "-z", "--long", "--full-tree", commit.as_str(), "--"]);
        // Otherwise a path such as `:(glob)*` would be a pattern.
        command.env("GIT_LITERAL_PATHSPECS", "1").args(paths);
        command
    }
}

fn parse_tree(bytes: &[u8]) -> Result<Vec<Entry>, GitError> {
    let parse = |record: &[u8]| {
        let text = String::from_utf8_lossy(record).into_owned();
        let (meta, path) = text.split_once('\t')?;
        let mut words = meta.split_ascii_whitespace();
        let (mode, _, oid, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let kind = match mode {
            "040000" => EntryKind::Directory,
            "120000" => EntryKind::Symlink,
            "160000" => EntryKind::Submodule,
            _ => EntryKind::File,
        };
        let size = size.parse().unwrap_or(0);
        Some(Entry { kind, oid: oid.into(), size, path: path.into(), executable: mode == "100755" })
    };
    let records = bytes.split(|byte| *byte == 0).filter(|record| !record.is_empty());
    records.map(|record| parse(record).ok_or(GitError::Unexpected("ls-tree"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ref_names_are_accepted_as_git_accepts_them() {
        for good in
            ["refs/heads/main", "refs/heads/a/b#c", "refs/tags/v1.0", "refs/pull/1/head", "refs/heads/ü"]
        {
            assert!(RefName::parse(good).is_some(), "{good}");
        }
        for bad in [
            "main",
            "refs/heads",
            "refs/heads/",
            "refs/heads/a..b",
            "refs/heads/a.lock",
            "refs/heads/.a",
            "refs/heads/a b",
            "refs/heads/a~1",
            "refs/heads/a^{tree}",
            "refs/heads/a:b",
            "refs/heads/a@{1}",
            "refs/heads/a//b",
            "refs/heads/-a",
            "refs/heads/a.",
            "refs/heads/a\n",
            "",
        ] {
            assert!(RefName::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_object_id_is_forty_small_hexadecimal_digits() {
        assert!(Oid::parse(&"a1".repeat(20)).is_some());
        assert!(Oid::parse(&"A1".repeat(20)).is_none());
        assert!(Oid::parse("a1").is_none());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_name_is_accepted_here_is_accepted_by_git(name in "[a-z.@{}~^:/\\\\ -]{1,12}|[a-zü./]{1,12}") {
            let full = format!("refs/heads/{name}");
            if RefName::parse(&full).is_some() {
                let output = Command::new("git").args(["check-ref-format", &full]).status().unwrap();
                proptest::prop_assert!(output.success(), "{}", full);
            }
        }
    }
}
