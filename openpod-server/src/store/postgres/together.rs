//! What scripts ask that run side by side: the same question about many things is one statement.
//!
//! ```text
//!   scripts ─▶ ask, each about its own ─▶ all of them wait ─▶ one statement ─▶ to each its row ─▶ scripts go on
//! ```

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio_postgres::Row;

use super::Session;
use crate::store::batch::Question;
use crate::store::{StoreError, Value};

/// The questions of scripts that run side by side.
#[derive(Debug, Default)]
pub(in crate::store) struct Together(Mutex<Vec<Asked>>);

#[derive(Debug)]
struct Asked {
    question: &'static Question,
    about: Vec<Value>,
    caller: oneshot::Sender<Option<Row>>,
}

impl Together {
    /// Asks together with others. Who asks must be run by [`Together::run`].
    pub(in crate::store) async fn ask(
        &self,
        question: &'static Question,
        about: &[Value],
    ) -> Result<Option<Row>, StoreError> {
        let (caller, answer) = oneshot::channel();
        self.lock().push(Asked { question, about: about.to_vec(), caller });
        answer.await.map_err(|_| StoreError::closed())
    }

    /// Runs scripts to their end. When none of them can go on, what they ask is sent.
    pub(super) async fn run<T>(
        &self,
        session: &Session,
        scripts: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        let mut scripts = pin!(scripts);
        let mut answering: Option<BoxFuture<'_, Result<(), StoreError>>> = None;
        poll_fn(|cx| {
            loop {
                // Also while an answer is on its way: another may be in front of it that a script has to take.
                if let Poll::Ready(done) = scripts.as_mut().poll(cx) {
                    return Poll::Ready(Ok(done));
                }
                if answering.is_none() {
                    let asked = std::mem::take(&mut *self.lock());
                    answering = (!asked.is_empty()).then(|| Box::pin(answer(session, asked)) as _);
                }
                match answering.as_mut().map(|answering| answering.as_mut().poll(cx)) {
                    None | Some(Poll::Pending) => return Poll::Pending,
                    Some(Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
                    Some(Poll::Ready(Ok(()))) => answering = None,
                }
            }
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(session: &Session, mut asked: Vec<Asked>) -> Result<(), StoreError> {
    while let Some(question) = asked.first().map(|asked| asked.question) {
        let (alike, others) = asked.into_iter().partition(|asked| std::ptr::eq(asked.question, question));
        asked = others;
        let (about, callers): (Vec<_>, Vec<_>) =
            Vec::into_iter(alike).map(|Asked { about, caller, .. }| (about, Some(caller))).unzip();
        answer_alike(session, question, about, callers).await?;
    }
    Ok(())
}

async fn answer_alike(
    session: &Session,
    question: &Question,
    about: Vec<Vec<Value>>,
    mut callers: Vec<Option<oneshot::Sender<Option<Row>>>>,
) -> Result<(), StoreError> {
    let (sql, columns) = question.of_many(about);
    for row in session.query(sql, &columns).await? {
        let n: i64 = row.try_get("n")?;
        let caller = usize::try_from(n).ok().and_then(|n| callers.get_mut(n)?.take());
        // A script that was dropped needs no answer.
        let _ = caller.map(|caller| caller.send(Some(row)));
    }
    for caller in callers.into_iter().flatten() {
        let _ = caller.send(None);
    }
    Ok(())
}
