//! One loop: select, decide, write down, act.
//!
//! ```text
//!   webhook ──▶ Hint ─┐                       ┌─▶ journal: job, decision, intent ─▶ effect as a task ─┐
//!   timer ────▶ Beat ─┼─▶ reconcile ─▶ decide ┤                                                       │
//!   due ──────▶ Tick ─┘       ▲               └─▶ nothing                                             │
//!                             └────────────────────────── Ended ◀─────────────────────────────────────┘
//! ```
//!
//! Only this loop changes jobs, so two of its mechanisms never undo each other.

mod desk;
mod enact;
mod log;
mod places;
mod purse;
mod sweep;
mod tally;
mod work;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::Client;
use openpod_sdk::api::{PositionId, TicketId, Timestamp};
use openpod_sdk::clock::Clock;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use desk::Stop;
pub use places::{Places, Seat};
pub use purse::{Purse, Share};
use tally::Tally;

use crate::config::Pace;
use crate::control::KeptReport;
use crate::crash;
use crate::effects::Effects;
use crate::event::Event;
use crate::job::brakes::{Brake, Brakes};
use crate::job::policy::Policy;
use crate::job::retention::is_over;
use crate::job::{Candidate, Effect, Input, Job, Me, Retention, Rules, Step};
use crate::journal::{Decision, Entry, Journal, JournalError, Replay};

/// What a daemon is made of.
pub struct Parts {
    /// Who we are.
    pub me: Me,
    /// Which work to take.
    pub policy: Policy,
    /// What holds for every job.
    pub rules: Rules,
    /// How often we look.
    pub pace: Pace,
    /// How long what is over is kept.
    pub retention: Retention,
    /// How branches begin.
    pub branch_prefix: String,
    /// The platform, to look at it.
    pub client: Client,
    /// What can be done.
    pub effects: Arc<Effects>,
    /// Where it is written down.
    pub journal: Journal,
    /// What was written down before.
    pub replay: Replay,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Wakes the heartbeat.
    pub wake: Arc<Notify>,
    /// The way to a place for work.
    pub seat: Seat,
    /// The part of what all agents spend.
    pub share: Share,
}

/// The daemon's state.
pub struct Daemon {
    me: Me,
    policy: Policy,
    rules: Rules,
    brakes: Brakes,
    /// Why no ticket is begun, as it was last said.
    kept_back: Option<Brake>,
    pace: Pace,
    retention: Retention,
    branch_prefix: String,
    client: Client,
    effects: Arc<Effects>,
    journal: Journal,
    clock: Arc<dyn Clock>,
    wake: Arc<Notify>,
    seat: Seat,
    share: Share,
    jobs: BTreeMap<TicketId, Job>,
    applied: BTreeSet<PositionId>,
    /// Positions that were to be applied to, of which we do not know the outcome.
    applying: BTreeSet<PositionId>,
    /// Tickets that wait for a free place: those assigned to us, and those that are nobody's.
    assigned: VecDeque<Candidate>,
    free: VecDeque<Candidate>,
    /// When a ticket was last looked at on its own.
    looked: BTreeMap<TicketId, Timestamp>,
    /// Tickets that are being looked at, and whether there was a hint since.
    looking: BTreeMap<TicketId, bool>,
    scouted_at: Option<Timestamp>,
    scouting: bool,
    /// Breaks off what is being done for a ticket.
    acting: BTreeMap<TicketId, CancellationToken>,
    tasks: JoinSet<Event>,
    /// The effect that is under way for a ticket.
    busy: BTreeMap<TicketId, &'static str>,
    /// Jobs that an operator wants stopped as soon as that has ended.
    stops: BTreeMap<TicketId, Stop>,
    /// Since when a job is in its state.
    since: BTreeMap<TicketId, Timestamp>,
    /// When what is over was last looked at.
    swept_at: Option<Timestamp>,
    /// What is over and lies here all the same.
    kept: Vec<KeptReport>,
    tally: Tally,
    draining: bool,
    stopping: bool,
}

/// Why a daemon stopped although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// What cannot be written down is not done.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A task ended in a panic. The journal knows what it was about; the next start takes it up.
    #[error("a task of the daemon crashed: {0}")]
    Crashed(String),
}

impl Daemon {
    /// A daemon that knows what its journal knows.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            me,
            policy,
            rules,
            pace,
            retention,
            branch_prefix,
            client,
            effects,
            journal,
            replay,
            clock,
            wake,
            seat,
            share,
        } = parts;
        Self {
            me,
            policy,
            rules,
            brakes: replay.brakes,
            kept_back: None,
            pace,
            retention,
            branch_prefix,
            client,
            effects,
            journal,
            clock,
            wake,
            seat,
            share,
            jobs: replay.jobs,
            applied: replay.applied,
            applying: begun_applications(&replay.open_intents),
            assigned: VecDeque::new(),
            free: VecDeque::new(),
            looked: BTreeMap::new(),
            looking: BTreeMap::new(),
            scouted_at: None,
            scouting: false,
            acting: BTreeMap::new(),
            tasks: JoinSet::new(),
            busy: BTreeMap::new(),
            stops: BTreeMap::new(),
            since: replay.changed,
            swept_at: None,
            kept: Vec::new(),
            tally: Tally::default(),
            draining: false,
            stopping: false,
        }
    }

    /// Runs until `stop`, or until it is drained, and then until what was begun has ended or `grace` is over.
    pub async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Event>,
        stop: CancellationToken,
        grace: Duration,
    ) -> Result<(), DaemonError> {
        self.resume().await?;
        while !stop.is_cancelled() && !self.is_drained() {
            let due = self.time_to_next_due();
            tokio::select! {
                () = stop.cancelled() => {}
                Some(event) = inbox.recv() => self.handle(event).await?,
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => self.ended(ended).await?,
                () = self.seat.called() => self.fill().await?,
                () = self.share.given_back() => {
                    self.ease().await?;
                    self.fill().await?;
                }
                () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => {
                    self.handle(Event::Tick).await?;
                }
            }
        }
        self.stopping = true;
        crash::point("stop/asked");
        let open = self.tasks.len();
        tracing::info!(open, "stopping: no new work, what was begun is written down");
        let drained = tokio::time::timeout(grace, async {
            while let Some(ended) = self.tasks.join_next().await {
                self.ended(ended).await?;
            }
            self.effects.none_is_made_ahead().await;
            Ok(())
        });
        match drained.await {
            Ok(result) => result,
            Err(_) => {
                tracing::warn!("some effects did not end in time; the next start looks what became of them");
                Ok(())
            }
        }
    }

    /// Takes up what the journal says is open.
    async fn resume(&mut self) -> Result<(), DaemonError> {
        self.seat.holds(self.places_taken());
        for ticket in self.jobs.keys().cloned().collect::<Vec<_>>() {
            self.tell(&ticket, Input::Restarted, None).await?;
        }
        Ok(())
    }

    async fn ended(&mut self, ended: Result<Event, tokio::task::JoinError>) -> Result<(), DaemonError> {
        let event = ended.map_err(|error| DaemonError::Crashed(error.to_string()))?;
        self.handle(event).await
    }

    fn time_to_next_due(&self) -> Option<Duration> {
        let now = self.clock.now();
        let sweep = self.sweep_at().since(now);
        self.jobs.values().filter_map(|job| job.due_in(now)).chain([sweep]).min()
    }

    /// Tells a job something: decide, write down, act. `settled` is the key of the effect that ended with it.
    async fn tell(
        &mut self,
        ticket: &TicketId,
        input: Input,
        settled: Option<String>,
    ) -> Result<(), DaemonError> {
        let Some(before) = self.jobs.get(ticket) else { return Ok(()) };
        let now = self.clock.now();
        let was_seen = matches!(input, Input::Seen { .. });
        let mut news = log::news(&input);
        let mut brakes = self.brakes.clone();
        let Step { job, effect } =
            self.share.decide(&mut brakes, now, |brakes| brakes.decide(before, input, now, &self.rules));
        news.extend(log::because(before, &job));
        let moved = brakes.is_moved(&self.brakes);
        let effect = effect.filter(|_| !self.stopping && !self.is_to_be_stopped(&job));
        let changed = job != *before;
        // What is not wanted any more is settled, too.
        let left = before.intent().filter(|_| before.intent() != job.intent());
        let over: BTreeSet<String> = settled.into_iter().chain(left).collect();
        let mut entries: Vec<Entry> = over.into_iter().map(|key| Entry::Settled(key, now)).collect();
        if brakes != self.brakes {
            log::tell_brakes(&self.brakes, &brakes);
            entries.push(Entry::Brakes(Box::new(brakes.clone())));
            self.brakes = brakes;
        }
        if changed || effect.is_some() {
            entries.push(Entry::Decided(Decision {
                at: now,
                ticket: ticket.clone(),
                news,
                state: before.state.name(),
                becomes: job.state.name(),
                effect: effect.as_ref().map(Effect::name),
            }));
        }
        log::tell(before, &job);
        let gave_place = before.state.takes_place() && !job.state.takes_place();
        if was_seen && before.intent() != job.intent() {
            // What is under way is not wanted any more: it must not be published.
            if let Some(effect) = self.acting.remove(ticket) {
                effect.cancel();
                self.busy.remove(ticket);
            }
        }
        let waits_now = before.pending().is_some() && job.pending().is_none();
        let is_over_now = !is_over(before) && is_over(&job);
        self.enact(job, effect, entries).await?;
        if is_over_now && self.is_over_full() && !self.stopping {
            self.sweep().await?;
        }
        if moved {
            self.ease().await?;
        }
        if gave_place || waits_now {
            // What was seen in the meantime may not have fitted the state that the job was in.
            self.wake.notify_one();
        }
        if gave_place {
            self.scouted_at = None;
            self.fill().await?;
        }
        Ok(())
    }

    /// Has those whom a brake holds ask again.
    async fn ease(&mut self) -> Result<(), DaemonError> {
        let held = self.jobs.values().filter(|job| job.is_held());
        for ticket in held.map(|job| job.ticket.clone()).collect::<Vec<_>>() {
            Box::pin(self.tell(&ticket, Input::Eased, None)).await?;
        }
        Ok(())
    }
}

fn begun_applications(open_intents: &[String]) -> BTreeSet<PositionId> {
    open_intents.iter().filter_map(|key| key.strip_prefix("apply/")).map(PositionId::from).collect()
}
