//! Effects on repositories: prepare, collect, push, clean.

use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::api::Timestamp;

use super::failure::{of_token, of_workspace};
use super::{Effects, Outcome, key_of};
use crate::crash;
use crate::credentials::{Origin, TokenSource};
use crate::git::{GitErrorKind, Sha};
use crate::job::{Change, Class, Failure, Input, Job};
use crate::wording;
use crate::workspace::{Branches, Collected, CommitMessage, WorkspaceError};

/// A token works some seconds after it was made: 401 and 403 within that time mean nothing.
pub(super) const SETTLING: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2), Duration::from_millis(2500)];

impl Effects {
    async fn origin(&self, job: &Job) -> Result<(Arc<dyn TokenSource>, Origin), Failure> {
        origin_of(self.tokens.of(&job.project)).await
    }

    /// Mirror, workspace and branch. A workspace that is there stays as it is. What the worker must know is asked meanwhile.
    pub(super) async fn prepare(&self, job: &Job) -> Outcome {
        self.told.ask(&job.ticket, self.gather(job));
        self.make_ready(job).await
    }

    pub(super) async fn make_ready(&self, job: &Job) -> Outcome {
        match self.ready.late_answer(&job.ticket).await {
            // A failure may be over by now.
            Some(Ok(ready)) => Ok(ready),
            _ => self.readying(job).await,
        }
    }

    /// Makes the three repositories.
    pub(super) fn readying(&self, job: &Job) -> impl Future<Output = Outcome> + Send + use<> {
        let (tokens, workspaces) = (self.tokens.of(&job.project), self.workspaces.clone());
        let (key, base, own) = (key_of(job), job.base_branch.clone(), job.branch.clone());
        let (asked, asking) = (self.ahead.answer(&job.ticket), self.branches(job));
        async move {
            let (tokens, origin) = origin_of(tokens).await?;
            let seen = match asked.await {
                _ if workspaces.is_prepared(&key) => None,
                Some(seen) => seen,
                None => asking.await,
            };
            let branches = Branches { base: base.as_deref(), own: &own, seen: seen.as_ref() };
            let prepared =
                settled(|| workspaces.prepare(&key, &origin, branches, Arc::clone(&tokens))).await?;
            let pushed = (prepared.head != prepared.base).then(|| prepared.head.to_string());
            Ok(Input::Prepared { pushed, base_branch: prepared.base_branch })
        }
    }

    /// The worker's changes as a commit. The time makes it the same commit however often it is collected.
    pub(super) async fn collect(&self, job: &Job, summary: Option<&str>, ended_at: Timestamp) -> Outcome {
        let message = CommitMessage {
            subject: wording::subject(job),
            body: wording::commit_body(job, summary),
            author_name: self.git.author_name.clone().unwrap_or_else(|| self.me.name.clone()),
            author_email: self.git.author_email.clone(),
            time: ended_at,
        };
        let key = key_of(job);
        let collected = match self.workspaces.collect(&key, &message).await {
            // What is on the branch already may be news for a journal that is older than the repository.
            Ok(Collected::Nothing) => self.workspaces.published(&key).await,
            Ok(Collected::Change(change)) => Ok(Some(change)),
            Err(error) => Err(error),
        };
        let change = collected.map_err(|error| of_workspace(&error))?;
        Ok(Input::Collected(change.map(|change| Change {
            base: change.base.to_string(),
            head: change.head.to_string(),
            commits: change.commits,
            files: change.files,
            patch_sha256: hex::encode(change.patch_sha256),
            patch_id: hex::encode(change.patch_id),
        })))
    }

    /// The branch on the forge. A later round replaces exactly what the round before pushed.
    pub(super) async fn push(&self, job: &Job, head: &str, again: bool) -> Outcome {
        if let Some(instead) = self.why_not(job).await? {
            return Ok(instead);
        }
        let (tokens, origin) = self.origin(job).await?;
        let head = sha(head)?;
        if again {
            let there =
                settled(|| self.workspaces.remote_head(&origin, &job.branch, Arc::clone(&tokens))).await?;
            if there.as_ref() == Some(&head) {
                let noted = self.workspaces.note_published(&key_of(job), &head);
                noted.map_err(|error| of_workspace(&error))?;
                return Ok(Input::Pushed);
            }
        }
        let expected = job.pushed.as_deref().map(sha).transpose()?;
        let key = key_of(job);
        settled(|| {
            self.workspaces.push(&key, &origin, &job.branch, &head, expected.as_ref(), Arc::clone(&tokens))
        })
        .await?;
        Ok(Input::Pushed)
    }

    /// Stops what still runs, then removes the workspace. Work that was not pushed is kept.
    pub(super) async fn clean(&self, job: &Job) -> Outcome {
        self.ahead.drop(&job.ticket);
        self.told.drop(&job.ticket);
        self.shims.drop(&job.ticket);
        // Not broken off: what it has others do would go on in the directory that is removed.
        let _ = self.ready.late_answer(&job.ticket).await;
        self.end_runs(job).await?;
        crash::point("clean/ended");
        self.discard_scratch(job).await;
        crash::point("clean/scratch");
        match self.workspaces.remove(&key_of(job), false).await {
            Ok(()) => {}
            Err(WorkspaceError::NotPrepared { .. }) => {}
            Err(WorkspaceError::Unpushed { directory }) => {
                tracing::warn!(directory = %directory.display(), "kept: it holds work that was not pushed");
            }
            Err(error) => return Err(of_workspace(&error)),
        }
        Ok(Input::Cleaned)
    }
}

async fn origin_of(
    tokens: Arc<impl TokenSource + 'static>,
) -> Result<(Arc<dyn TokenSource>, Origin), Failure> {
    let origin = tokens.token(false).await.map_err(|error| of_token(&error))?.origin();
    Ok((tokens, origin))
}

fn sha(text: &str) -> Result<Sha, Failure> {
    text.parse().map_err(|_| Failure::lasting(Class::Git, format!("{text:?} is not the name of a commit")))
}

/// Tries again while a fresh token may not have arrived everywhere.
async fn settled<T, F>(operation: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, WorkspaceError>>,
{
    let mut pauses = SETTLING.into_iter();
    loop {
        match operation().await {
            Ok(value) => return Ok(value),
            Err(WorkspaceError::Git(error)) if *error.kind() == GitErrorKind::Auth => match pauses.next() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(of_workspace(&WorkspaceError::Git(error))),
            },
            Err(error) => return Err(of_workspace(&error)),
        }
    }
}
