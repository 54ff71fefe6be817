//! The daemon's configuration: a TOML file, then `OPENPOD_AGENTD_*`, then flags; what comes later wins.
//!
//! [`RawConfig`] is what can be written, [`Config`] what is meant: it cannot be wrong any more. In the environment,
//! two underscores stand between section and key (`OPENPOD_AGENTD_HEARTBEAT__INTERVAL_SECONDS=10`), and commas
//! between the entries of a list.

mod agent;
mod agents;
mod brakes;
mod check;
mod executor;
mod git;
mod heartbeat;
mod load;
mod metrics;
mod policy;
mod retention;
mod server;
mod webhook;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use agent::RawAgent;
pub use agents::{AgentSettings, RawMember};
pub use brakes::{Brakes, RawAllowance, RawBrakes, RawBudget};
pub use check::{ConfigError, Mistake};
pub use executor::{Executor, RawExecutor};
pub use git::{GitSettings, RawGit, RawLimits};
pub use heartbeat::{Pace, RawHeartbeat};
pub use load::{Layers, Loaded, load};
pub use metrics::RawMetrics;
pub use policy::{RawApply, RawPolicy, RawTickets};
pub use retention::{RawRetention, RetentionSettings};
pub use server::{KeySource, RawServer, Server};
pub use webhook::{RawWebhook, WebhookSettings};

use crate::job::Rules;
use crate::job::policy::Policy;
use crate::workspace::Limits;
use check::Check;
use openpod_sdk::Dialect;
use openpod_sdk::api::register::NewAgent;

/// What can be written in the file. Every key has a default but `server.url`, `data_dir` and `executor.command`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawConfig {
    /// Where state, repositories and logs live. One daemon to a directory.
    pub data_dir: Option<PathBuf>,
    /// The platform.
    pub server: RawServer,
    /// How many tickets all agents together work on at a time; as many as each may, unless told.
    pub max_runs: Option<usize>,
    /// Who we are; for `register`.
    pub agent: RawAgent,
    /// Whom the daemon works for, when that is not one agent alone.
    pub agents: Vec<RawMember>,
    /// How often we look.
    pub heartbeat: RawHeartbeat,
    /// How we are woken.
    pub webhook: RawWebhook,
    /// Where the daemon is watched.
    pub metrics: RawMetrics,
    /// The worker.
    pub executor: RawExecutor,
    /// Which work to take.
    pub policy: RawPolicy,
    /// What the work may cost.
    pub brakes: RawBrakes,
    /// How commits and branches look.
    pub git: RawGit,
    /// How large a change may be.
    pub limits: RawLimits,
    /// How long what is over is kept.
    pub retention: RawRetention,
}

/// A configuration that is right.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where state, repositories and logs live.
    pub data_dir: PathBuf,
    /// How many tickets all agents together work on at a time.
    pub max_runs: Option<usize>,
    /// The platform.
    pub server: Server,
    /// Whom the daemon works for: at least one.
    pub agents: Vec<AgentSettings>,
    /// How often we look.
    pub heartbeat: Pace,
    /// How we are woken, if at all.
    pub webhook: Option<WebhookSettings>,
    /// Where the daemon is watched, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// The worker.
    pub executor: Executor,
    /// What the work may cost.
    pub brakes: Brakes,
    /// How commits and branches look.
    pub git: GitSettings,
    /// How large a change may be.
    pub limits: Limits,
    /// How long what is over is kept.
    pub retention: RetentionSettings,
}

/// What `register` needs of a configuration.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The platform's address.
    pub url: String,
    /// How it speaks; it is asked where nothing is said.
    pub dialect: Option<Dialect>,
    /// Where the key goes.
    pub key_file: PathBuf,
    /// Who we are.
    pub agent: NewAgent,
}

impl RawConfig {
    /// What is meant, for a daemon that runs. Names every mistake, not only the first.
    pub fn validate(self) -> Result<Config, ConfigError> {
        let check = Check::of(&self);
        self.validated(check)
    }

    fn validated(self, mut check: Check) -> Result<Config, ConfigError> {
        let data_dir = data_dir(self.data_dir.as_ref(), &mut check);
        check.require(self.max_runs != Some(0), "max_runs", "must be at least 1");
        let config = Config {
            max_runs: self.max_runs,
            server: Server {
                url: self.server.url(&mut check),
                requests_per_minute: self.server.requests_per_minute(&mut check),
                dialect: self.server.dialect(&mut check),
                timeout: self.server.timeout(&mut check),
            },
            agents: agents::validate(self.agents, self.server, self.policy, &data_dir, &mut check),
            heartbeat: self.heartbeat.validate(&mut check),
            webhook: self.webhook.validate(&mut check),
            metrics: self.metrics.validate(&mut check),
            executor: self.executor.validate(&mut check),
            brakes: self.brakes.validate(&mut check),
            git: self.git.validate(&mut check),
            limits: self.limits.validate(&mut check),
            retention: self.retention.validate(&mut check),
            data_dir,
        };
        check.done(config)
    }

    /// What is meant, for registering an agent.
    pub fn validate_registration(self) -> Result<Registration, ConfigError> {
        let check = Check::of(&self);
        self.validated_registration(check)
    }

    fn validated_registration(self, mut check: Check) -> Result<Registration, ConfigError> {
        let data_dir = match &self.server.key_file {
            Some(_) => PathBuf::new(),
            None => data_dir(self.data_dir.as_ref(), &mut check),
        };
        let agent = self.agent.validate(&mut check);
        let named = |member: &&RawMember| member.name.as_ref() == Some(&agent.name);
        let member = self.agents.iter().find(named).filter(|_| self.server.key_file.is_none());
        let key_file = match member {
            Some(member) => member.key_file(&RawMember::directory(&data_dir, &agent.name)),
            None => self.server.key_file(&data_dir),
        };
        let (url, dialect) = (self.server.url(&mut check), self.server.dialect(&mut check));
        check.done(Registration { url, dialect, key_file, agent })
    }
}

impl Config {
    /// What all that says about the jobs of an agent with this policy.
    pub fn rules(&self, policy: &Policy, dialect: Dialect) -> Rules {
        let tickets = &policy.tickets;
        Rules {
            max_attempts: tickets.max_attempts,
            max_still: self.brakes.max_still,
            on_give_up: tickets.on_give_up,
            keep_rejected: tickets.keep_rejected,
            wall: self.executor.limits.wall,
            budgets: self.brakes.budgets,
            breaker: self.brakes.breaker,
            silent_revisions: dialect == Dialect::Deployed,
        }
    }
}

fn data_dir(given: Option<&PathBuf>, check: &mut Check) -> PathBuf {
    match given {
        Some(path) if path.as_os_str().is_empty() => check.wrong("data_dir", "name a directory"),
        Some(_) => {}
        None => check.wrong("data_dir", "is missing: name the directory for state, repositories and logs"),
    }
    let given = given.cloned().unwrap_or_default();
    std::path::absolute(&given).unwrap_or(given)
}

/// A path of the configuration, made absolute.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests;
