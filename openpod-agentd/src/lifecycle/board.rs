//! Who is at work, and why who is not: what the control socket and the metrics are answered from.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use openpod_sdk::api::{TicketId, Timestamp};
use openpod_sdk::clock::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::control::{AgentReport, Answer, Desk, Report, Request};
use crate::event::{Event, Question};

/// A loop that takes longer to say how it stands is in trouble.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at what is still left when somebody waits for it.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Said of an agent whose loop does not answer.
const MUTE: &str = "it does not say how it stands";

/// The agents of a daemon. Clones show the same.
#[derive(Clone)]
pub(super) struct Board {
    facts: Arc<Facts>,
    agents: Arc<Mutex<Vec<Slot>>>,
    reload: Arc<Mutex<Reload>>,
    /// Cancelled when nothing new is to be taken.
    pub(super) drain: CancellationToken,
    /// Cancelled when that is done.
    pub(super) drained: CancellationToken,
}

struct Facts {
    data_dir: PathBuf,
    started_at: Timestamp,
    clock: Arc<dyn Clock>,
}

/// What became of new configurations.
#[derive(Clone, Default)]
struct Reload {
    taken_at: Option<Timestamp>,
    refused: Option<String>,
}

/// One agent.
struct Slot {
    name: String,
    most: Option<usize>,
    standing: Standing,
}

enum Standing {
    AtWork(mpsc::Sender<Event>),
    Not(String),
}

impl Board {
    pub(super) fn new(data_dir: PathBuf, clock: Arc<dyn Clock>) -> Self {
        let facts = Arc::new(Facts { data_dir, started_at: clock.now(), clock });
        let (drain, drained) = (CancellationToken::new(), CancellationToken::new());
        Self { facts, agents: Arc::default(), reload: Arc::default(), drain, drained }
    }

    /// Nobody is at work yet.
    pub(super) fn begin(&self, config: &Config) {
        let slot = |agent: &crate::config::AgentSettings| Slot {
            name: agent.title().to_owned(),
            most: config.max_runs,
            standing: Standing::Not("it is about to begin".to_owned()),
        };
        *self.slots() = config.agents.iter().map(slot).collect();
    }

    pub(super) fn at_work(&self, agent: &str, events: mpsc::Sender<Event>) {
        self.stands(agent, Standing::AtWork(events.clone()));
        if self.drain.is_cancelled() {
            // It began when the others were told.
            let _ = events.try_send(Event::Asked(Question::Drain));
        }
    }

    pub(super) fn not_at_work(&self, agent: &str, reason: String) {
        self.stands(agent, Standing::Not(reason));
    }

    fn stands(&self, agent: &str, standing: Standing) {
        if let Some(slot) = self.slots().iter_mut().find(|slot| slot.name == agent) {
            slot.standing = standing;
        }
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new configuration is taken.
    pub(super) fn reloaded(&self) {
        self.set_reload(Reload { taken_at: Some(self.facts.clock.now()), refused: None });
    }

    /// A new configuration is not taken.
    pub(super) fn not_reloaded(&self, reason: String) {
        let taken_at = self.reload().taken_at;
        self.set_reload(Reload { taken_at, refused: Some(reason) });
    }

    fn reload(&self) -> Reload {
        self.reload.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_reload(&self, reload: Reload) {
        *self.reload.lock().unwrap_or_else(PoisonError::into_inner) = reload;
    }

    /// The agents whose loop does not answer.
    pub(super) async fn mute(&self) -> Vec<String> {
        let agents = self.report().await.agents.into_iter();
        agents.filter(|agent| agent.not_ready.as_deref() == Some(MUTE)).map(|agent| agent.name).collect()
    }

    /// How everything stands.
    pub(super) async fn report(&self) -> Report {
        let (max_runs, asked) = {
            let slots = self.slots();
            let several = slots.len() > 1;
            let asked: Vec<_> = slots.iter().map(|slot| slot.report(several)).collect();
            (slots.first().and_then(|slot| slot.most), asked)
        };
        let Reload { taken_at, refused } = self.reload();
        Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            data_dir: self.facts.data_dir.clone(),
            started_at: self.facts.started_at,
            at: self.facts.clock.now(),
            draining: self.drain.is_cancelled(),
            max_runs,
            reloaded_at: taken_at,
            not_reloaded: refused,
            agents: join_all(asked).await,
        }
    }

    async fn cancel(&self, ticket: TicketId, keep: bool, answers: mpsc::Sender<Answer>) {
        let report = self.report().await;
        let with_it =
            report.agents.iter().position(|agent| agent.jobs.iter().any(|job| job.ticket == ticket));
        let events = with_it.and_then(|index| match &self.slots().get(index)?.standing {
            Standing::AtWork(events) => Some(events.clone()),
            Standing::Not(_) => None,
        });
        let Some(events) = events else {
            let reason = "no agent that is at work has an open job for it".to_owned();
            let _ = answers.send(Answer::Refused { reason }).await;
            return;
        };
        let _ = events.send(Event::Asked(Question::Cancel { ticket, keep, answers })).await;
    }

    async fn begin_drain(&self) {
        self.drain.cancel();
        let at_work: Vec<_> = self.slots().iter().filter_map(Slot::events).collect();
        for events in at_work {
            let _ = events.send(Event::Asked(Question::Drain)).await;
        }
    }

    async fn wait_until_drained(&self, answers: mpsc::Sender<Answer>) {
        let mut told = None;
        loop {
            let left = self.report().await.agents.iter().map(|agent| agent.places_taken).sum();
            if told != Some(left) && answers.send(Answer::Draining { left }).await.is_err() {
                return;
            }
            told = Some(left);
            tokio::select! {
                () = self.drained.cancelled() => {
                    let _ = answers.send(Answer::Drained {}).await;
                    return;
                }
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }
}

impl Slot {
    fn events(&self) -> Option<mpsc::Sender<Event>> {
        match &self.standing {
            Standing::AtWork(events) => Some(events.clone()),
            Standing::Not(_) => None,
        }
    }

    /// An agent that is alone is known by its name on the platform.
    fn report(&self, several: bool) -> impl Future<Output = AgentReport> + use<> {
        let name = self.name.clone();
        let events = match &self.standing {
            Standing::AtWork(events) => Ok(events.clone()),
            Standing::Not(reason) => Err(reason.clone()),
        };
        async move {
            let not_ready = match events {
                Err(reason) => reason,
                Ok(events) => match asked(events).await {
                    Some(report) if several => return AgentReport { name, ..report },
                    Some(report) => return report,
                    None => MUTE.to_owned(),
                },
            };
            AgentReport { name, not_ready: Some(not_ready), ..AgentReport::default() }
        }
    }
}

async fn asked(events: mpsc::Sender<Event>) -> Option<AgentReport> {
    let (answer, said) = oneshot::channel();
    let asking = async {
        events.send(Event::Asked(Question::Report(answer))).await.ok()?;
        said.await.ok()
    };
    tokio::time::timeout(PATIENCE, asking).await.ok()?
}

impl Desk for Board {
    fn serve(&self, request: Request, answers: mpsc::Sender<Answer>) -> BoxFuture<'_, ()> {
        async move {
            match request {
                Request::Status => {
                    let report = Box::new(self.report().await);
                    let _ = answers.send(Answer::Status(report)).await;
                }
                Request::Cancel { ticket, keep } => self.cancel(ticket, keep, answers).await,
                Request::Drain { wait: true } => {
                    self.begin_drain().await;
                    self.wait_until_drained(answers).await;
                }
                Request::Drain { wait: false } => {
                    self.begin_drain().await;
                    let left = self.report().await.agents.iter().map(|agent| agent.places_taken).sum();
                    let _ = answers.send(Answer::Draining { left }).await;
                }
            }
        }
        .boxed()
    }
}
