//! The turns that are under way, and how many more there may be.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::store::deliveries::Lane;
use crate::store::turns::Turn;

/// How many turns of each lane may hold a place at once. Dead receivers wait for each other, not the living for them.
pub(super) const PLACES: [(Lane, usize); 2] = [(Lane::Working, 64), (Lane::Struggling, 128)];

/// A turn that lasts longer gives its place up and goes on without: receivers that begin to hang are known by then, and
/// those that work do not wait for them.
const HOLDS_ITS_PLACE: Duration = Duration::from_secs(1);

/// How many turns may be under way in all.
const MOST: usize = 1024;

/// The turns that are under way.
pub(super) struct Flights {
    turns: JoinSet<Turn>,
    ended: Vec<Turn>,
    places: [Arc<Semaphore>; PLACES.len()],
    freed: Arc<Notify>,
    stop: CancellationToken,
}

impl Flights {
    /// None yet. When `stop` is cancelled no more begin, and those under way take up nothing more.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            turns: JoinSet::new(),
            ended: Vec::new(),
            places: PLACES.map(|(_, count)| Arc::new(Semaphore::new(count))),
            freed: Arc::default(),
            stop,
        }
    }

    /// Begins a turn.
    pub(super) fn start(&mut self, lane: Lane, turn: impl Future<Output = Turn> + Send + 'static) {
        let lane = PLACES.iter().position(|(known, _)| *known == lane).unwrap_or_default();
        let place = Arc::clone(&self.places[lane]).try_acquire_owned();
        let freed = Arc::clone(&self.freed);
        self.turns.spawn(async move {
            let mut turn = std::pin::pin!(turn);
            match tokio::time::timeout(HOLDS_ITS_PLACE, &mut turn).await {
                Ok(turn) => turn,
                Err(_) => {
                    drop(place);
                    freed.notify_one();
                    turn.await
                }
            }
        });
    }

    /// How many more turns of each lane may begin.
    pub(super) fn free(&self) -> [usize; PLACES.len()] {
        let left = MOST.saturating_sub(self.turns.len());
        let of = |places: &Arc<Semaphore>| {
            if self.stop.is_cancelled() { 0 } else { places.available_permits().min(left) }
        };
        self.places.each_ref().map(of)
    }

    /// The turns that have ended and were not noted yet.
    pub(super) fn ended(&mut self) -> Vec<Turn> {
        while let Some(landed) = self.turns.try_join_next() {
            self.land(landed);
        }
        std::mem::take(&mut self.ended)
    }

    /// Has turns be noted later.
    pub(super) fn keep(&mut self, turns: Vec<Turn>) {
        self.ended.extend(turns);
    }

    /// Completes when a turn has ended or has given its place up; `false` when none is under way.
    pub(super) async fn landed(&mut self) -> bool {
        tokio::select! {
            landed = self.turns.join_next() => {
                let Some(landed) = landed else { return !self.ended.is_empty() };
                self.land(landed);
            }
            () = self.freed.notified() => {}
        }
        true
    }

    /// Whether everything has ended and was noted.
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty() && self.ended.is_empty()
    }

    /// What tells turns to take up nothing more.
    pub(super) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    fn land(&mut self, landed: Result<Turn, tokio::task::JoinError>) {
        match landed {
            Ok(turn) => self.ended.push(turn),
            // A mistake of this program. The lease runs out, and the deliveries are attempted again.
            Err(error) => tracing::error!(%error, "a turn at a webhook crashed"),
        }
    }
}
