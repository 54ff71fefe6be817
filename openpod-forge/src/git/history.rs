//! Commits, and which of them lie between two points.

use std::collections::HashSet;

use jiff::Timestamp;

use super::program::{Git, GitError};
use super::repository::{Bare, Oid, RefName};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub name: String,
    pub email: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub oid: Oid,
    pub tree: Oid,
    pub parents: Vec<Oid>,
    pub author: Person,
    pub committer: Person,
    pub message: String,
}

const FORMAT: &str = "--format=tformat:%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B";
const FIELDS: usize = 10;

impl Bare {
    pub(crate) fn commit(&self, oid: &Oid) -> Result<Commit, GitError> {
        let found = self.log(&["--no-walk", oid.as_str()])?;
        found.into_iter().next().ok_or(GitError::Unexpected("log"))
    }

    /// A part of the commits reachable from `head`, newest first, and how many there are in all; only those that touch
    /// `path`, if one is given.
    pub(crate) fn commits(
        &self,
        head: &Oid,
        path: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<(Vec<Commit>, usize), GitError> {
        let within: Vec<&str> = path.map_or_else(Vec::new, |path| vec!["--", path]);
        let mut counting = self.command(["rev-list", "--count", head.as_str()]);
        counting.env("GIT_LITERAL_PATHSPECS", "1").args(&within);
        let total = String::from_utf8_lossy(&Git::stdout(counting, None)?).trim().parse();
        let (skip, limit) = (format!("--skip={skip}"), format!("--max-count={limit}"));
        let arguments = [&[skip.as_str(), &limit, head.as_str()], within.as_slice()].concat();
        Ok((self.log(&arguments)?, total.map_err(|_| GitError::Unexpected("rev-list"))?))
    }

    /// The commits that `head` has and `base` lacks, oldest first.
    pub(crate) fn commits_between(&self, base: &Oid, head: &Oid) -> Result<Vec<Commit>, GitError> {
        self.log(&["--reverse", "--topo-order", &format!("{base}..{head}")])
    }

    /// How many commits `head` has and `base` lacks.
    pub(crate) fn count_between(&self, base: &Oid, head: &Oid) -> Result<u64, GitError> {
        let text = self.text(["rev-list", "--count", &format!("{base}..{head}")])?;
        text.trim().parse().map_err(|_| GitError::Unexpected("rev-list"))
    }

    /// The branches whose tips a commit contains.
    pub(crate) fn branches_within(&self, commit: &Oid) -> Result<HashSet<String>, GitError> {
        let merged = format!("--merged={commit}");
        let text = self.text(["for-each-ref", "--format=%(refname:lstrip=2)", &merged, "refs/heads/"])?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Where two histories parted; `None` when they share nothing.
    pub(crate) fn merge_base(&self, one: &Oid, other: &Oid) -> Result<Option<Oid>, GitError> {
        let output = Git::output(self.command(["merge-base", one.as_str(), other.as_str()]), None)?;
        Ok(Oid::parse(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default()))
    }

    /// What a pull request brings: from where its head left the base, to the head. While it is open the base is where
    /// the branch is now; afterwards it is what was recorded, so that a merged one still shows what it brought.
    pub(crate) fn span(
        &self,
        open: bool,
        base_branch: &str,
        base: &str,
        head: &str,
    ) -> Result<(Oid, Oid), GitError> {
        let recorded = |sha: &str| Oid::parse(sha).ok_or(GitError::Unexpected("pull"));
        let (base, head) = (recorded(base)?, recorded(head)?);
        let branch = RefName::branch(base_branch).filter(|_| open);
        let tip = branch.map(|name| self.read_ref(&name)).transpose()?.flatten();
        let base = tip.unwrap_or(base);
        Ok((self.merge_base(&base, &head)?.unwrap_or(base), head))
    }

    fn log(&self, arguments: &[&str]) -> Result<Vec<Commit>, GitError> {
        let mut command = self.command(["log", "-z", "--no-show-signature", "--no-color", FORMAT]);
        command.env("GIT_LITERAL_PATHSPECS", "1").args(arguments);
        let bytes = Git::stdout(command, None)?;
        let text = String::from_utf8_lossy(&bytes);
        let fields: Vec<&str> = text.split('\0').collect();
        let whole = fields.chunks_exact(FIELDS);
        whole.map(|record| parse(record).ok_or(GitError::Unexpected("log"))).collect()
    }
}

fn parse(record: &[&str]) -> Option<Commit> {
    let &[oid, tree, parents, an, ae, at, cn, ce, ct, message] = record else { return None };
    Some(Commit {
        oid: Oid::parse(oid)?,
        tree: Oid::parse(tree)?,
        parents: parents.split_ascii_whitespace().map(Oid::parse).collect::<Option<_>>()?,
        author: Person { name: an.into(), email: ae.into(), at: seconds(at) },
        committer: Person { name: cn.into(), email: ce.into(), at: seconds(ct) },
        message: message.trim_end_matches('\n').into(),
    })
}

/// Git takes times that no calendar has; such a commit shows the end of time.
fn seconds(text: &str) -> Timestamp {
    text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::MAX)
}
