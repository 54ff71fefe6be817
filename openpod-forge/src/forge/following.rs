//! Pull requests follow their branches, whoever moved them.
//!
//! ```text
//! head moved                   the pull request shows the new head; refs/pull/<n>/head, too
//! head deleted                 closed, with its last head
//! base moved onto the head     merged, by a push
//! head moved back to its base  closed
//! ```

use std::collections::HashMap;

use super::Forge;
use crate::git::{GitError, Oid, RefName};
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
            let refs: HashMap<String, Oid> =
                bare.refs("refs/heads/")?.into_iter().map(|(name, oid, _)| (name, oid)).collect();
            let at = |branch: &str| refs.get(&format!("refs/heads/{branch}"));
            for mut pull in pulls {
                let (head, base) = (at(&pull.head_ref), at(&pull.base_ref));
                let moved = head.is_none_or(|head| head.as_str() != pull.head_sha);
                let base_moved = base.is_none_or(|base| base.as_str() != pull.base_sha);
                if !moved && !base_moved {
                    continue;
                }
                match (head, base) {
                    (Some(head), Some(base)) => {
                        if bare.count_between(base, head)? == 0 {
                            pull.open = false;
                            pull.closed_at = Some(now);
                            if base_moved {
                                pull.merged_at = Some(now);
                                pull.merge_commit_sha = Some(head.to_string());
                            }
                        }
                        if moved {
                            head.as_str().clone_into(&mut pull.head_sha);
                            base.as_str().clone_into(&mut pull.base_sha);
                            bare.set_ref(&pull_ref(pull.number)?, head)?;
                        }
                    }
                    _ => {
                        pull.open = false;
                        pull.closed_at = Some(now);
                    }
                }
                pull.updated_at = now;
                pull.save(tx).map_err(StoreError::from)?;
            }
            Ok(())
        })
    }
}

/// `refs/pull/<n>/head`, under which a pull request's commits stay fetchable.
pub(crate) fn pull_ref(number: i64) -> Result<RefName, GitError> {
    RefName::parse(&format!("refs/pull/{number}/head")).ok_or(GitError::Unexpected("pull"))
}
