//! What the next effects of a ticket will need, begun while the one before them is under way.
//!
//! Questions, which change nothing anywhere: an answer that nobody comes for is dropped, one that is late is waited for, and
//! where there is none whoever needs it asks. And the workspace of a ticket that is ours, as soon as it is written down that
//! we claim it: should the claim fail, it is removed with everything else of that ticket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openpod_sdk::api::TicketId;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::tokens::ProjectTokens;
use super::{Effects, Forges};
use crate::credentials::TokenSource;
use crate::job::Job;
use crate::shim::Idle;
use crate::workspace::Advertised;

/// After this git is asked.
const FOR_A_LOOK: Duration = Duration::from_secs(10);
/// What was asked longer ago may have changed too much since.
const FRESH: Duration = Duration::from_secs(5);

/// What was asked, by the ticket that it was asked for.
pub(super) struct Ahead<T>(Mutex<HashMap<TicketId, (Instant, AbortOnDropHandle<T>)>>);

impl<T> Default for Ahead<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Send + 'static> Ahead<T> {
    /// Asks. What was asked for the ticket before is dropped.
    pub(super) fn ask(&self, ticket: &TicketId, question: impl Future<Output = T> + Send + 'static) {
        let asked = AbortOnDropHandle::new(tokio::spawn(question.in_current_span()));
        self.lock().insert(ticket.clone(), (Instant::now(), asked));
    }

    /// The answer, if there was a question not long ago. It is given once.
    pub(super) fn answer(&self, ticket: &TicketId) -> impl Future<Output = Option<T>> + Send + use<T> {
        let asked = self.lock().remove(ticket).filter(|(asked_at, _)| asked_at.elapsed() <= FRESH);
        async move { asked?.1.await.ok() }
    }

    /// The answer, however long ago the question was. It is given once.
    pub(super) async fn late_answer(&self, ticket: &TicketId) -> Option<T> {
        let (_, asked) = self.lock().remove(ticket)?;
        asked.await.ok()
    }

    /// Returns when nothing is under way any more. Nobody will come for the answers.
    async fn settled(&self) {
        let all: Vec<_> = self.lock().drain().collect();
        for (_, (_, asked)) in all {
            // Whatever came of it.
            let _ = asked.await;
        }
    }

    /// Whether somebody asked and nobody has come for the answer.
    pub(super) fn is_asked(&self, ticket: &TicketId) -> bool {
        self.lock().contains_key(ticket)
    }

    /// Nobody will come for it.
    pub(super) fn drop(&self, ticket: &TicketId) {
        self.lock().remove(ticket);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TicketId, (Instant, AbortOnDropHandle<T>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Effects {
    /// Looks at the branches of a ticket that is ours, while it is being claimed.
    pub fn look_ahead(&self, job: &Job) {
        if !self.workspaces.is_prepared(&super::key_of(job)) {
            self.ahead.ask(&job.ticket, self.branches(job));
        }
    }

    /// Returns when no workspace is being made ahead any more.
    pub async fn none_is_made_ahead(&self) {
        self.ready.settled().await;
    }

    /// Makes the workspace of a ticket whose branches were looked at, while it is being claimed, and starts the shim of its
    /// run.
    pub(super) fn make_ahead(&self, job: &Job) {
        if !self.ahead.is_asked(&job.ticket) {
            return;
        }
        self.ready.ask(&job.ticket, self.readying(job));
        let helper = self.helper.clone();
        self.shims.ask(&job.ticket, async move { Idle::start(&helper) });
    }

    /// What the remote has, asked over a connection that is there already. Git, which needs one of its own and several
    /// processes, asks when this says nothing.
    pub(super) fn branches(&self, job: &Job) -> impl Future<Output = Option<Advertised>> + Send + use<> {
        let (tokens, forges) = (self.tokens.of(&job.project), self.forges.clone());
        let (base, own) = (job.base_branch.clone(), job.branch.clone());
        async move {
            let look = look(&tokens, &forges, base.as_deref(), &own);
            tokio::time::timeout(FOR_A_LOOK, look).await.ok().flatten()
        }
    }
}

async fn look(
    tokens: &Arc<ProjectTokens>,
    forges: &Forges,
    base: Option<&str>,
    own: &str,
) -> Option<Advertised> {
    let token = tokens.token(false).await.ok()?;
    forges.of(token).ok()?.look(base, own).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_given_once_and_not_when_it_is_old() {
        let (ahead, ticket) = (Ahead::default(), TicketId::from("t"));
        assert_eq!(ahead.answer(&ticket).await, None);
        ahead.ask(&ticket, async { 1 });
        ahead.ask(&ticket, async { 2 });
        assert_eq!(ahead.answer(&"another".into()).await, None);
        assert_eq!(ahead.answer(&ticket).await, Some(2));
        assert_eq!(ahead.answer(&ticket).await, None);
        ahead.ask(&ticket, async { 3 });
        tokio::time::advance(FRESH * 2).await;
        assert_eq!(ahead.answer(&ticket).await, None);
    }

    #[tokio::test]
    async fn what_nobody_comes_for_is_broken_off() {
        let (ahead, ticket) = (Ahead::default(), TicketId::from("t"));
        let held = Arc::new(());
        let holding = Arc::clone(&held);
        ahead.ask(&ticket, async move {
            std::future::pending::<()>().await;
            drop(holding);
        });
        ahead.drop(&ticket);
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
