//! One agent at work: from its key to its daemon, and what the agents have in common.
//!
//! Each has a journal, a heartbeat, a webhook and a budget of calls of its own, so what goes wrong with one is not the
//! others' trouble. They share connections, mirrors and, in turn, the places for work.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use openpod_sdk::api::TicketStatus;
use openpod_sdk::clock::Clock;
use openpod_sdk::{Client, Dialect};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::board::Board;
use super::parts::{self, Start};
use super::{RunError, crashed, webhook};
use crate::config::{AgentSettings, Config};
use crate::daemon::{self, Daemon, Places, Purse};
use crate::effects::{self, Effects, Forges};
use crate::sources::heartbeat::Heartbeat;
use crate::sources::webhook::Doors;
use crate::workspace::Workspaces;

/// An agent that cannot work is tried again after this time at first, and then ever more seldom.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What comes from outside.
pub(super) struct Tools {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) randomness: Arc<dyn Fn() -> u64 + Send + Sync>,
    pub(super) helper: PathBuf,
}

/// What the agents of a daemon have in common.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) connections: Client,
    pub(super) workspaces: Workspaces,
    pub(super) forges: Forges,
    pub(super) places: Places,
    pub(super) purse: Purse,
    pub(super) doors: Doors,
    pub(super) board: Board,
    pub(super) tools: Arc<Tools>,
    pub(super) stop: CancellationToken,
    /// Ends the runs, where they end with the daemon.
    pub(super) end_runs: Option<CancellationToken>,
}

/// Works for all agents until the daemon stops. With one alone, what stops that one stops the daemon.
pub(super) async fn all(shared: &Shared) -> Result<(), RunError> {
    if let [agent] = &shared.config.agents[..] {
        return work(agent, shared).await;
    }
    let mut agents: FuturesUnordered<_> = shared
        .config
        .agents
        .iter()
        .map(|agent| keep_at_work(agent, shared).instrument(tracing::info_span!("agent", name = agent.name)))
        .collect();
    while agents.next().await.is_some() {}
    Ok(())
}

/// Begins again when something was wrong with this agent: a key may be mended while the daemon runs.
async fn keep_at_work(agent: &AgentSettings, shared: &Shared) {
    let mut pause = FIRST_PAUSE;
    while let Err(error) = work(agent, shared).await {
        tracing::error!(%error, "this agent does not work; the others do. It is tried again in {pause:?}");
        shared.board.not_at_work(agent.title(), error.to_string());
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = shared.board.drain.cancelled() => return,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
}

async fn work(agent: &AgentSettings, shared: &Shared) -> Result<(), RunError> {
    let Shared { config, tools, .. } = shared;
    // Whatever ends this agent ends its heartbeat, too.
    let stop = shared.stop.child_token();
    let _guard = stop.clone().drop_guard();
    parts::private(&agent.directory)?;
    let key = parts::key(&agent.key)?;
    let client = parts::client(&shared.connections, config, key.clone(), tools)?;
    if client.dialect() == Dialect::Deployed && agent.policy.tickets.finish_as == TicketStatus::Done {
        return Err(RunError::CannotFinish);
    }
    shared.board.not_at_work(agent.title(), "the platform has not said yet who it is".to_owned());
    let start = tokio::select! {
        start = Start::load(&agent.directory, &client, tools, &stop) => start?,
        () = shared.board.drain.cancelled() => None,
    };
    let Some(Start { journal, replay, me }) = start else { return Ok(()) };
    let closed = journal.closed();
    tracing::info!(agent = me.name, id = %me.id, platform = config.server.url, "at work");

    let (events, inbox) = mpsc::channel(256);
    let wake = Arc::new(Notify::new());
    let mut background = JoinSet::new();
    let mut secrets = vec![key];
    if let Some(settings) = &config.webhook {
        let (events, stop, doors) = (&events, &stop, &shared.doors);
        let door = webhook::Door { settings, agent, client: &client, events, tools, doors, stop };
        secrets.extend(door.open(&mut background).await?);
    }
    let heartbeat = Heartbeat {
        client: client.clone(),
        clock: Arc::clone(&tools.clock),
        random: Arc::clone(&tools.randomness),
        pace: config.heartbeat,
        wake: Arc::clone(&wake),
        events: events.clone(),
    };
    background.spawn(heartbeat.run(stop.clone()));

    let grace = config.executor.limits.grace + Duration::from_secs(20);
    let effects = Effects::new(effects::Parts {
        client: client.clone(),
        me: me.clone(),
        policy: agent.policy.clone(),
        executor: config.executor.clone(),
        git: config.git.clone(),
        workspaces: shared.workspaces.of_agent(&agent.directory)?,
        forges: shared.forges.clone(),
        clock: Arc::clone(&tools.clock),
        runs_dir: agent.directory.join(effects::RUNS),
        retention: config.retention.jobs,
        secrets,
        helper: tools.helper.clone(),
        stop: stop.clone(),
        end_runs: shared.end_runs.clone(),
    });
    effects.clear_forgotten();
    let daemon = Daemon::new(daemon::Parts {
        me,
        policy: agent.policy.clone(),
        rules: config.rules(&agent.policy, client.dialect()),
        pace: config.heartbeat,
        retention: config.retention.jobs,
        branch_prefix: config.git.branch_prefix.clone(),
        client,
        effects: Arc::new(effects),
        journal,
        replay,
        clock: Arc::clone(&tools.clock),
        wake,
        seat: shared.places.seat(),
        share: shared.purse.share(&parts::part_of(&agent.directory)),
    });
    shared.board.at_work(agent.title(), events);
    tokio::select! {
        result = daemon.run(inbox, stop, grace) => result?,
        crash = crashed(&mut background) => return Err(RunError::Crashed(crash)),
    }
    // The journal's file is free again when this returns.
    closed.cancelled().await;
    let _ = tokio::time::timeout(Duration::from_secs(2), background.join_all()).await;
    Ok(())
}
