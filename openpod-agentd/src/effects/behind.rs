//! Whether the journal is older than what it speaks of, since somebody put a copy of it back.
//!
//! Repository and ticket remember what such a journal never knew: the commit that was pushed last, the patch that was
//! filed. They are asked before each push and each deliverable, and before a pull request that may be there already.

use openpod_sdk::api::tickets::Ticket;

use super::failure::of_workspace;
use super::{Effects, key_of};
use crate::job::{Failure, Input, Job, Standing};

impl Effects {
    /// The last look before something is published. What it is told instead when nobody wants it, or it was published
    /// before.
    pub(super) async fn why_not(&self, job: &Job) -> Result<Option<Input>, Failure> {
        let asked_at = self.clock.now();
        let (ticket, standing) = self.standing(job).await?;
        if !matches!(standing, Standing::Open { .. } | Standing::HandedIn { .. }) {
            return Ok(Some(Input::Seen { standing, asked_at }));
        }
        self.behind(job, ticket.as_deref(), &standing)
    }

    /// What follows when the job's change was published before, and more has happened since.
    pub(super) fn behind(
        &self,
        job: &Job,
        ticket: Option<&Ticket>,
        standing: &Standing,
    ) -> Result<Option<Input>, Failure> {
        let Some(change) = job.state.change() else { return Ok(None) };
        let hash = Some(&change.patch_sha256);
        let is_filed = ticket.is_some_and(|ticket| {
            ticket.deliverables.iter().any(|filed| filed.content_hash.as_ref() == hash)
        });
        let pushed = self.workspaces.pushed(&key_of(job)).map_err(|error| of_workspace(&error))?;
        let went_on = pushed
            .map(|sha| sha.to_string())
            .is_some_and(|pushed| pushed != change.head && Some(&pushed) != job.pushed.as_ref());
        let is_behind = match standing {
            Standing::Open { revision, .. } => went_on || (*revision && is_filed),
            Standing::HandedIn { .. } => went_on,
            _ => false,
        };
        if is_behind {
            tracing::warn!("the journal is older than ticket and repository; the work goes on from these");
        }
        Ok(is_behind.then(|| Input::Behind(standing.clone())))
    }
}
