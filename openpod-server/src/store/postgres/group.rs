//! A group of scripts in one transaction.
//!
//! ```text
//!   BEGIN, the time ─▶ those that only append, side by side ─▶ script ─▶ script ─▶ … ─▶ settle, consent ─▶ COMMIT
//! ```
//!
//! Scripts that only append hold nothing and change nothing before the group is settled, so they need neither turns nor
//! savepoints: their questions travel together. The others run one after another, each in a savepoint of its own.

use futures_util::future::try_join_all;
use futures_util::{FutureExt, TryFutureExt};

use super::Engine;
use super::retry::Failure;
use super::session::{self, Begun, Session, UnderWay};
use super::together::Together;
use crate::store::script::{Kind, Ran, Repeatable};
use crate::store::tx::Left;
use crate::store::{StoreError, Tx};

/// What a group came to so far.
pub(super) struct Written {
    /// For each script what was in its way, if anything was: it left nothing behind, and is to run again.
    pub(super) in_the_way: Vec<Option<StoreError>>,
    /// When the answers may go out.
    pub(super) flushed: UnderWay<()>,
}

/// How long scripts wait for what others hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// In a lane, where others wait for them in turn.
    AMoment,
    /// Alone.
    AsLongAsItTakes,
}

/// Writes a group.
pub(super) async fn write(
    engine: &Engine,
    group: &mut [Box<dyn Repeatable>],
    waits: Waits,
) -> Result<Written, Failure> {
    let writing = engine.keeps_own_time.then(|| engine.times.begin_write());
    let own = writing.as_ref().map(|writing| writing.since());
    let begun = session::write(&engine.writers, own).await;
    let Begun { session, now, leases } = begun.map_err(Failure::before_commit)?;
    let shared = group.len() > 1;
    let begin = || Tx::postgres(&session, &engine.times, now);
    let savepoints = Savepoints::of(&session, waits, shared);
    let together = Together::default();
    let mut ran = if shared {
        let appending = append_all(group, || begin().asking_with(&together));
        together.run(&session, appending).await.map_err(Failure::of_one)??
    } else {
        vec![None]
    };
    run_others(group, &mut ran, begin, savepoints).await;
    let (stays, in_the_way) = come_to(ran.into_iter().flatten());
    let Some(left) = stays else {
        // What refused them may have been seen before it was on disk.
        let flushes = engine.flushes.clone();
        let flushed = async move {
            flushes.over().await;
            Ok(())
        };
        return Ok(Written { in_the_way, flushed: flushed.boxed() });
    };
    let mut end = begin();
    end.take_over(left);
    let consent = engine.consents.to(end.news(), &leases, &engine.readers);
    let settled = end.settle();
    let (consent, ()) = tokio::try_join!(
        consent.map_err(Failure::before_commit),
        // Whose statement it was that failed unwaited for shows when each runs alone.
        settled.map_err(|error| Failure { may_pass: shared || error.is_passing(), error }),
    )?;
    let wakes = end.wakes_deliveries();
    drop(end);
    let flushed = engine.commit(session, writing, consent, wakes).await.map_err(Failure::at_commit)?;
    Ok(Written { in_the_way, flushed })
}

/// What the scripts whose changes shall stay leave, if there are any, and what was in the way of each.
fn come_to(ran: impl Iterator<Item = Ran>) -> (Option<Left>, Vec<Option<StoreError>>) {
    let (mut stays, mut in_the_way) = (None, Vec::new());
    for ran in ran {
        in_the_way.push(match ran {
            Ran::Stays(left) => {
                stays.get_or_insert_with(Left::default).extend(left);
                None
            }
            Ran::Refused => None,
            Ran::InTheWay(error) => Some(error),
        });
    }
    (stays, in_the_way)
}

/// Runs the scripts that have not run yet, one after another.
async fn run_others<'t>(
    group: &mut [Box<dyn Repeatable>],
    ran: &mut [Option<Ran>],
    begin: impl Fn() -> Tx<'t>,
    mut savepoints: Savepoints<'_>,
) {
    for (job, ran) in group.iter_mut().zip(ran).filter(|(_, ran)| ran.is_none()) {
        savepoints.set();
        let came_to = job.run_copy(&mut begin()).await;
        match &came_to {
            Ran::Stays(_) => {}
            Ran::Refused => savepoints.undo(),
            Ran::InTheWay(_) => savepoints.undo_held_up(),
        }
        *ran = Some(came_to);
    }
    savepoints.close();
}

/// Runs those that only append, side by side. A statement that fails undoes all of them: who is to blame shows when each
/// runs alone.
async fn append_all<'t>(
    group: &mut [Box<dyn Repeatable>],
    begin: impl Fn() -> Tx<'t>,
) -> Result<Vec<Option<Ran>>, Failure> {
    let begin = &begin;
    let each = group.iter_mut().map(|job| async move {
        if job.kind() != Kind::Append {
            return Ok(None);
        }
        let mut tx = begin();
        let ran = job.run_copy(&mut tx).await;
        match tx.failure() {
            Some(error) => Err(Failure::of_one(error.clone())),
            None => Ok(Some(ran)),
        }
    });
    try_join_all(each).await
}

/// The savepoints of a group's scripts, and how long these wait. All of it is sent and not waited for. A group of one
/// needs no savepoint: what undoes its script undoes all.
struct Savepoints<'s> {
    session: &'s Session,
    waits: Waits,
    shared: bool,
    next: &'static str,
    is_set: bool,
}

impl<'s> Savepoints<'s> {
    fn of(session: &'s Session, waits: Waits, shared: bool) -> Self {
        let next = match (waits, shared) {
            (Waits::AsLongAsItTakes, _) => "",
            (Waits::AMoment, false) => "SET LOCAL lock_timeout = '10ms'",
            (Waits::AMoment, true) => "SET LOCAL lock_timeout = '10ms'; SAVEPOINT script",
        };
        Self { session, waits, shared, next, is_set: false }
    }

    fn set(&mut self) {
        self.say(self.next);
        self.is_set = true;
        self.next = "RELEASE SAVEPOINT script; SAVEPOINT script";
    }

    fn undo(&self) {
        if self.shared {
            self.say("ROLLBACK TO SAVEPOINT script");
        }
    }

    /// Where one has waited in vain others may do so too: they wait less.
    fn undo_held_up(&mut self) {
        self.undo();
        self.next = "RELEASE SAVEPOINT script; SET LOCAL lock_timeout = '1ms'; SAVEPOINT script";
    }

    fn close(&self) {
        match (self.waits, self.shared) {
            _ if !self.is_set => {}
            (Waits::AsLongAsItTakes, _) => {}
            (Waits::AMoment, false) => self.say("SET LOCAL lock_timeout TO DEFAULT"),
            (Waits::AMoment, true) => {
                self.say("RELEASE SAVEPOINT script; SET LOCAL lock_timeout TO DEFAULT");
            }
        }
    }

    fn say(&self, words: &'static str) {
        if !words.is_empty() {
            self.session.say(words);
        }
    }
}
