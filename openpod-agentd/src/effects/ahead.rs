//! What the next effects of a ticket will ask, asked while the one before them is under way.
//!
//! Only questions, which change nothing anywhere: an answer that nobody comes for is dropped, one that is late is waited
//! for, and where there is none whoever needs it asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openpod_sdk::api::TicketId;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::tokens::ProjectTokens;
use super::{Effects, Forges};
use crate::credentials::TokenSource;
use crate::job::Job;
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
        let asked = AbortOnDropHandle::new(tokio::spawn(question));
        self.lock().insert(ticket.clone(), (Instant::now(), asked));
    }

    /// The answer, if there was a question not long ago. It is given once.
    pub(super) async fn answer(&self, ticket: &TicketId) -> Option<T> {
        let (asked_at, asked) = self.lock().remove(ticket)?;
        if asked_at.elapsed() > FRESH {
            return None;
        }
        asked.await.ok()
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
