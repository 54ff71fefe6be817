//! A script on its way to whoever runs it, and back.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::tx::Left;
use super::{StoreError, Tx};

/// What a script came to: its own answer, or the panic that ended it.
type Outcome<T, E> = Result<Result<T, E>, Box<dyn Any + Send>>;

/// A script that a database thread can run without knowing its types.
pub(super) trait Job: Send {
    /// Runs the script. Whether its changes shall stay.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;

    /// Answers the caller: with what the script came to, or with what became of the transaction instead.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What a script may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whatever it wants.
    Any,
    /// Read, and add rows that are written at the end of its group. It may then run at the same time as others that append.
    Append,
}

/// A script that runs as part of a group, and runs again when others were in its way.
pub(super) trait Repeatable: Job {
    /// What it may do.
    fn kind(&self) -> Kind;

    /// Runs a copy of the script, up to what is settled at the end of its group.
    fn run_copy<'r>(&'r mut self, tx: &'r mut Tx<'_>) -> BoxFuture<'r, Ran>;
}

/// What a script of a group came to.
pub(super) enum Ran {
    /// Its changes shall stay, with what it left for the end.
    Stays(Left),
    /// They shall not.
    Refused,
    /// Others were in its way. It may work when it runs again.
    InTheWay(StoreError),
}

/// A script, and who waits for it.
pub(super) struct Pending<S, T, E> {
    script: Option<S>,
    outcome: Option<Outcome<T, E>>,
    caller: oneshot::Sender<Outcome<T, E>>,
    kind: Kind,
}

impl<S, T, E> Job for Pending<S, T, E>
where
    S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let Some(script) = self.script.take() else { return false };
        tx.limit_to(self.kind);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let waited = || Err(E::from(StoreError::waited()));
            perform(script, tx).now_or_never().unwrap_or_else(waited)
        }));
        let stays = matches!(outcome, Ok(Ok(_)));
        self.outcome = Some(outcome);
        stays
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let lost = |error| Ok(Err(E::from(error)));
        let outcome = match (self.outcome, committed) {
            (Some(Ok(Ok(_))), Err(error)) => lost(error),
            (Some(outcome), _) => outcome,
            (None, committed) => lost(committed.err().unwrap_or_else(StoreError::closed)),
        };
        // The caller may have gone; what was committed stays committed.
        let _ = self.caller.send(outcome);
    }
}

impl<S, T, E> Repeatable for Pending<S, T, E>
where
    S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    fn kind(&self) -> Kind {
        self.kind
    }

    fn run_copy<'r>(&'r mut self, tx: &'r mut Tx<'_>) -> BoxFuture<'r, Ran> {
        Box::pin(async move {
            let Some(script) = self.script.clone() else { return Ran::Refused };
            tx.limit_to(self.kind);
            let mut left = None;
            let ran = AssertUnwindSafe(async {
                let answer = script(tx).await?;
                left = Some(tx.leave()?);
                Ok(answer)
            });
            self.outcome = Some(ran.catch_unwind().await);
            match tx.failure().filter(|error| error.is_passing()) {
                Some(error) => Ran::InTheWay(error.clone()),
                None => left.map_or(Ran::Refused, Ran::Stays),
            }
        })
    }
}

/// Runs a script and, when it succeeds, what it left for the end of the transaction.
pub(super) async fn perform<S, T, E>(script: S, tx: &mut Tx<'_>) -> Result<T, E>
where
    S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>>,
    E: From<StoreError>,
{
    let answer = script(tx).await?;
    tx.settle().await?;
    Ok(answer)
}

/// Hands a script to `submit` and waits for its answer. A panic goes on in the caller.
pub(super) async fn deliver<S, T, E>(
    kind: Kind,
    script: S,
    submit: impl FnOnce(Box<Pending<S, T, E>>) -> bool,
) -> Result<T, E>
where
    E: From<StoreError>,
{
    let (caller, answer) = oneshot::channel();
    let job = Pending { script: Some(script), outcome: None, caller, kind };
    if !submit(Box::new(job)) {
        return Err(StoreError::closed().into());
    }
    match answer.await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => Err(StoreError::closed().into()),
    }
}
