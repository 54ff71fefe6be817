//! The daemon's rounds: from one configuration to the next.
//!
//! A new configuration is checked, and its addresses are bound, before anything of the old one ends. Then the agents stop
//! as they do with the daemon, but leave their workers alone whatever `executor.on_stop` says, and begin again. What is
//! wrong with a new configuration is said, and the last good one goes on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::clock::Clock;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::agent::{self, Shared, Tools};
use super::board::Board;
use super::parts::{self, Place};
use super::supervisor::Supervisor;
use super::{RunError, Wiring, confinement, crashed, monitor, webhook};
use crate::config::{Config, ConfigError};
use crate::control::Listening;
use crate::daemon::Places;
use crate::effects::Forges;
use crate::git::Git;
use crate::sources::webhook::Doors;
use crate::workspace::{MirrorUpkeep, Workspaces};

/// To see that none needs anything costs next to nothing.
const BETWEEN_LOOKS_AT_MIRRORS: Duration = Duration::from_secs(900);

/// New configurations, as they are read.
pub type Reloads = mpsc::Receiver<Result<Config, ConfigError>>;

/// What lasts as long as the daemon.
pub(super) struct House {
    place: Place,
    git: Git,
    tools: Arc<Tools>,
    board: Board,
    doors: Doors,
    supervisor: Supervisor,
    reloads: Option<Reloads>,
    background: JoinSet<()>,
    stop: CancellationToken,
    webhooks: Option<Bound>,
    metrics: Option<Bound>,
}

/// An address that is listened at, until it is let go.
struct Bound {
    address: SocketAddr,
    stop: CancellationToken,
}

/// How a round ended.
enum End {
    /// All agents are done.
    Over,
    /// Go on with this one.
    Next(Box<Config>),
}

impl House {
    /// Everything that the agents need, for the first configuration.
    pub(super) async fn open(
        config: &Config,
        wiring: Wiring,
        stop: CancellationToken,
    ) -> Result<Self, RunError> {
        let place = Place::open(config)?;
        confinement::check(config)?;
        let home = place.data_dir().join("git-home");
        parts::private(&home)?;
        let git = Git::find(&home).await?;
        let Wiring { clock, randomness, webhook_listener, helper, supervisor, reloads } = wiring;
        let board = Board::new(config.data_dir.clone(), Arc::clone(&clock));
        let mut background = JoinSet::new();
        let control = Listening::begin(place.data_dir(), &*randomness)?;
        background.spawn(control.serve(Arc::new(board.clone()), stop.clone()));
        if let Some(interval) = supervisor.wants_life_signs() {
            background.spawn(show_life(supervisor.clone(), board.clone(), interval, stop.clone()));
        }
        let mut house = Self {
            place,
            git,
            tools: Arc::new(Tools { clock, randomness, helper }),
            board,
            doors: Doors::default(),
            supervisor,
            reloads,
            background,
            stop,
            webhooks: None,
            metrics: None,
        };
        house.bind(config, webhook_listener).await?;
        Ok(house)
    }

    /// Works, configuration after configuration, until all agents are done.
    pub(super) async fn run(mut self, mut config: Config) -> Result<(), RunError> {
        loop {
            match self.round(config).await? {
                End::Over => break,
                End::Next(next) => config = *next,
            }
        }
        self.supervisor.stopping();
        if self.board.drain.is_cancelled() {
            tracing::info!("drained: nothing is left to do");
            self.board.drained.cancel();
        }
        self.stop.cancel();
        // The addresses are free again when this returns.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.background.join_all()).await;
        tracing::info!("stopped");
        Ok(())
    }

    async fn round(&mut self, config: Config) -> Result<End, RunError> {
        let round = self.stop.child_token();
        let git = self.git.clone().with_silence(config.git.silence);
        let workspaces = Workspaces::open(self.place.data_dir(), git, self.tools.helper.clone())?;
        let shared = Shared {
            connections: parts::connections(&config)?,
            workspaces: workspaces.with_limits(config.limits.clone()),
            forges: Forges::new(config.git.silence),
            places: Places::new(config.max_runs),
            purse: parts::purse(self.place.data_dir()),
            doors: self.doors.clone(),
            board: self.board.clone(),
            tools: Arc::clone(&self.tools),
            stop: round.clone(),
            end_runs: (!config.executor.leaves_runs).then(|| self.stop.clone()),
            config,
        };
        let (mirrors, clock) = (shared.workspaces.clone(), Arc::clone(&self.tools.clock));
        self.background.spawn(tend(mirrors, shared.config.retention.mirrors, clock, round.clone()));
        self.board.begin(&shared.config);
        self.doors.close_all();
        self.supervisor.ready(&format!("at work for {} agent(s)", shared.config.agents.len()));
        let working = agent::all(&shared);
        let mut working = std::pin::pin!(working);
        loop {
            let next = tokio::select! {
                result = &mut working => return result.map(|()| End::Over),
                crash = crashed(&mut self.background) => return Err(RunError::Crashed(crash)),
                Some(next) = next(&mut self.reloads) => next,
            };
            self.supervisor.reloading();
            match self.accept(&shared.config, next).await {
                Ok(next) => {
                    tracing::info!("the new configuration is taken");
                    self.board.reloaded();
                    round.cancel();
                    working.await?;
                    return Ok(End::Next(Box::new(next)));
                }
                Err(reason) => {
                    tracing::error!(reason, "the new configuration is not taken; the last good one goes on");
                    self.board.not_reloaded(reason);
                    self.supervisor.ready("at work, with the last good configuration");
                }
            }
        }
    }

    /// The new configuration, if the daemon can go on with it.
    async fn accept(&mut self, old: &Config, new: Result<Config, ConfigError>) -> Result<Config, String> {
        let new = new.map_err(|error| error.to_string())?;
        if new.data_dir != old.data_dir {
            return Err(format!(
                "data_dir = {:?}: the daemon works in {:?} as long as it runs; start it again to change that",
                new.data_dir, old.data_dir
            ));
        }
        confinement::check(&new).map_err(|error| error.to_string())?;
        parts::connections(&new).map_err(|error| error.to_string())?;
        self.bind(&new, None).await.map_err(|error| error.to_string())?;
        Ok(new)
    }

    /// Listens where this configuration says, and nowhere else any more. When it cannot, everything stays as it was.
    async fn bind(&mut self, config: &Config, given: Option<TcpListener>) -> Result<(), RunError> {
        let webhooks = config.webhook.as_ref().map(|settings| settings.listen);
        let wants = |wanted: Option<SocketAddr>, bound: &Option<Bound>| {
            wanted.filter(|wanted| bound.as_ref().is_none_or(|bound| bound.address != *wanted))
        };
        let new_webhooks = match wants(webhooks, &self.webhooks) {
            Some(address) => Some((address, webhook::listener(address, given).await?)),
            None => None,
        };
        let new_metrics = match wants(config.metrics, &self.metrics) {
            Some(address) => Some((address, monitor::listener(address).await?)),
            None => None,
        };
        // Nothing can go wrong from here on.
        let Self { webhooks: old_webhooks, metrics: old_metrics, background, doors, board, stop, .. } = self;
        let replace = |old: &mut Option<Bound>, wanted: Option<SocketAddr>, new: Option<SocketAddr>| {
            if new.is_some() || wanted.is_none() {
                old.take().inspect(|bound| bound.stop.cancel());
            }
            let token = stop.child_token();
            if let Some(address) = new {
                *old = Some(Bound { address, stop: token.clone() });
            }
            token
        };
        let token = replace(old_webhooks, webhooks, new_webhooks.as_ref().map(|(address, _)| *address));
        if let Some((_, listener)) = new_webhooks {
            webhook::serve(listener, doors, token, background);
        }
        let token = replace(old_metrics, config.metrics, new_metrics.as_ref().map(|(address, _)| *address));
        if let Some((_, listener)) = new_metrics {
            monitor::serve(listener, board, token, background);
        }
        Ok(())
    }
}

/// The next configuration; never, when none can come.
async fn next(reloads: &mut Option<Reloads>) -> Option<Result<Config, ConfigError>> {
    match reloads {
        Some(reloads) => reloads.recv().await,
        None => std::future::pending().await,
    }
}

/// Looks after the mirrors, which all agents share, until the round is over.
async fn tend(mirrors: Workspaces, upkeep: MirrorUpkeep, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let looking = async {
        loop {
            mirrors.tend_mirrors(&upkeep, clock.now()).await;
            tokio::time::sleep(BETWEEN_LOOKS_AT_MIRRORS).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = looking => {}
    }
}

/// Tells the supervisor that every loop answers, as long as that is so.
async fn show_life(supervisor: Supervisor, board: Board, interval: Duration, stop: CancellationToken) {
    loop {
        if board.mute().await.is_empty() {
            supervisor.alive();
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}
