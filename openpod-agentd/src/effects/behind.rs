//! Whether the journal is older than what it speaks of, since somebody put a copy of it back.
//!
//! Repository and ticket remember what such a journal never knew: the commit that was pushed last, the patch that was
//! filed. They are asked before each push and each deliverable, and before a pull request that may be there already.

use openpod_sdk::api::tickets::Ticket;

use super::failure::of_workspace;
use super::{Effects, key_of};
use crate::job::{Failure, Input, Job, Standing};

impl Effects {
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
