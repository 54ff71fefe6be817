//! Pull requests follow their branches, whoever moved them.
//!
//! ```text
//! head moved                   the pull request shows the new head; refs/pull/<n>/head, too
//! head deleted                 closed, with its last head
//! base moved onto the head     merged, by a push
//! head moved back to its base  closed
//! ```

use std::collections::{HashMap, HashSet};

use super::Forge;
use crate::git::{Bare, GitError, Oid, RefName};
use crate::store::{Pull, Repository, StoreError};

/// Why pull requests cannot follow.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Git(#[from] GitError),
}

impl From<FollowError> for super::OpenError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Store(error) => Self::Store(error),
            FollowError::Git(error) => Self::Repository(error),
        }
    }
}

impl Forge {
    /// Looks where all branches are, and moves the open pull requests there. Call it after every change of refs.
    pub(crate) fn follow_refs(&self, repository: &Repository) -> Result<(), FollowError> {
        let bare = self.bare(repository);
        let now = self.now();
        self.inner().store.write(|tx| {
            let pulls = Pull::all_open(tx, repository.id).map_err(StoreError::from)?;
            if pulls.is_empty() {
                return Ok(());
            }
            let mut branches = Branches::read(&bare)?;
            for mut pull in pulls {
                if branches.carry(&mut pull, now)? {
                    bare.set_ref(&pull_ref(pull.number)?, &head(&pull)?)?;
                    pull.save(tx).map_err(StoreError::from)?;
                }
            }
            Ok(())
        })
    }
}

/// Where the branches are, and which of them are contained in which.
struct Branches<'b> {
    bare: &'b Bare,
    at: HashMap<String, Oid>,
    /// Tip of a base → the branches whose tips it contains.
    contained: HashMap<String, HashSet<String>>,
}

impl<'b> Branches<'b> {
    fn read(bare: &'b Bare) -> Result<Self, GitError> {
        let short = |name: String| name.trim_start_matches("refs/heads/").to_owned();
        let at = bare.refs("refs/heads/")?.into_iter().map(|(name, oid, _)| (short(name), oid)).collect();
        Ok(Self { bare, at, contained: HashMap::new() })
    }

    /// Brings a pull request to where its branches are; says whether that changed it.
    fn carry(&mut self, pull: &mut Pull, now: i64) -> Result<bool, GitError> {
        let (head, base) = (self.at.get(&pull.head_ref).cloned(), self.at.get(&pull.base_ref).cloned());
        let (Some(head), Some(base)) = (head, base) else {
            close(pull, now);
            return Ok(true);
        };
        let head_moved = head.as_str() != pull.head_sha;
        let base_moved = base.as_str() != pull.base_sha;
        let nothing_left = (head_moved || base_moved) && self.contains(&base, &pull.head_ref)?;
        if nothing_left {
            close(pull, now);
            if base_moved {
                pull.merged_at = Some(now);
                pull.merge_commit_sha = Some(head.to_string());
            }
        }
        if head_moved {
            head.as_str().clone_into(&mut pull.head_sha);
            if !nothing_left {
                base.as_str().clone_into(&mut pull.base_sha);
            }
            pull.updated_at = now;
        }
        Ok(head_moved || nothing_left)
    }

    fn contains(&mut self, base: &Oid, branch: &str) -> Result<bool, GitError> {
        if !self.contained.contains_key(base.as_str()) {
            self.contained.insert(base.to_string(), self.bare.branches_within(base)?);
        }
        Ok(self.contained.get(base.as_str()).is_some_and(|branches| branches.contains(branch)))
    }
}

fn close(pull: &mut Pull, now: i64) {
    pull.open = false;
    pull.closed_at = Some(now);
    pull.updated_at = now;
}

fn head(pull: &Pull) -> Result<Oid, GitError> {
    Oid::parse(&pull.head_sha).ok_or(GitError::Unexpected("pull"))
}

/// `refs/pull/<n>/head`, under which a pull request's commits stay fetchable.
pub(crate) fn pull_ref(number: i64) -> Result<RefName, GitError> {
    RefName::parse(&format!("refs/pull/{number}/head")).ok_or(GitError::Unexpected("pull"))
}
