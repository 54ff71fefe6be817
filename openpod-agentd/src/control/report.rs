//! How things stand, as JSON.

use std::collections::BTreeMap;
use std::path::PathBuf;

use openpod_sdk::api::{AgentKeyId, ProjectId, TicketId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::job::brakes::Spent;
use crate::job::{Effect, Job};

/// A daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Of the program.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Where its state lives.
    pub data_dir: PathBuf,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// When this was said.
    pub at: Timestamp,
    /// Whether it takes nothing new and ends when it is done.
    pub draining: bool,
    /// How many tickets all agents together work on at a time.
    pub max_runs: Option<usize>,
    /// When it last took a new configuration.
    #[serde(default)]
    pub reloaded_at: Option<Timestamp>,
    /// Why it did not take the last one that it was given.
    #[serde(default)]
    pub not_reloaded: Option<String>,
    /// Whom it works for.
    pub agents: Vec<AgentReport>,
}

/// An agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentReport {
    /// What it is called here, or on the platform when it is alone here.
    pub name: String,
    /// Whom tickets are assigned to; unknown before the platform has said so.
    pub id: Option<AgentKeyId>,
    /// Why it does not work.
    pub not_ready: Option<String>,
    /// When the platform was last seen.
    pub seen_at: Option<Timestamp>,
    /// Why it was not seen since.
    pub unseen: Option<String>,
    /// When the platform is looked at next, unless something happens before.
    #[serde(default)]
    pub next_look_at: Option<Timestamp>,
    /// What is written down to be done outside of the daemon, and is not done yet.
    #[serde(default)]
    pub outbox: usize,
    /// How many tickets it works on.
    pub places_taken: usize,
    /// How many it may.
    pub places: usize,
    /// What its runs took today, by UTC.
    pub spent_today: SpentReport,
    /// What they ever took.
    pub spent: SpentReport,
    /// Which brake keeps it from beginning a ticket.
    pub held_back: Option<String>,
    /// `closed`, `open` or `probing`.
    pub breaker: String,
    /// Its jobs, those that are over left out.
    pub jobs: Vec<JobReport>,
    /// What is over and lies here all the same, for people to decide about.
    #[serde(default)]
    pub kept: Vec<KeptReport>,
    /// What it could begin if it had a place.
    pub waiting: Vec<WaitingReport>,
    /// How many jobs there are in each state, those that are over included.
    pub states: BTreeMap<String, u64>,
    /// What was counted since the daemon began, as `effect/outcome`.
    pub effects: BTreeMap<String, u64>,
    /// Heartbeats since the daemon began, and how many of them failed.
    pub heartbeats: (u64, u64),
}

/// What runs took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SpentReport {
    /// How many began.
    pub runs: u32,
    /// What they took, and what those that go on may take.
    pub run_seconds: f64,
    /// As they claim.
    pub tokens: u64,
    /// As they claim, in millionths of a US dollar.
    pub cost_micros: u64,
}

impl From<Spent> for SpentReport {
    fn from(Spent { runs, run_time, usage }: Spent) -> Self {
        let run_seconds = run_time.as_secs_f64();
        Self { runs, run_seconds, tokens: usage.tokens, cost_micros: usage.cost_micros }
    }
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobReport {
    /// The ticket.
    pub ticket: TicketId,
    /// Its project.
    pub project: ProjectId,
    /// Its number within the project.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub state: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// 1 for the first time, one more for each revision.
    pub round: u32,
    /// How often the worker was started in this round.
    pub attempts: u32,
    /// Its branch.
    pub branch: String,
    /// Its pull request.
    pub pull_request: Option<String>,
    /// What is being done.
    pub doing: Option<String>,
    /// The worker's run.
    pub run: Option<RunReport>,
    /// What went wrong.
    pub trouble: Option<TroubleReport>,
}

/// A worker's run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The process that watches over it.
    pub pid: Option<i32>,
    /// When it began.
    pub started_at: Timestamp,
    /// Where its output is.
    pub log: Option<PathBuf>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TroubleReport {
    /// What it was.
    pub reason: String,
    /// How often in a row.
    pub times: u32,
    /// When it is tried again.
    pub next_at: Option<Timestamp>,
}

/// What lies here and cannot be proven to be published, so that it is not removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptReport {
    /// Where.
    pub directory: PathBuf,
    /// Whose; unknown when the journal does not know either.
    pub ticket: Option<TicketId>,
    /// Why.
    pub why: String,
}

/// A ticket that is not begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitingReport {
    /// The ticket.
    pub ticket: TicketId,
    /// Its project.
    pub project: ProjectId,
    /// Its number within the project.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// What it waits for.
    pub waits_for: String,
}

impl JobReport {
    /// What the job itself tells.
    pub fn of(job: &Job) -> Self {
        let trouble = job.trouble.as_ref().map(|trouble| TroubleReport {
            reason: trouble.reason.clone(),
            times: trouble.times,
            next_at: trouble.not_before,
        });
        Self {
            ticket: job.ticket.clone(),
            project: job.project.clone(),
            number: job.number,
            title: job.title.clone(),
            state: job.state.name().to_owned(),
            since: None,
            round: job.round,
            attempts: job.attempts,
            branch: job.branch.clone(),
            pull_request: job.published.as_ref().map(|published| published.url.clone()),
            doing: job.pending().as_ref().map(Effect::name).map(str::to_owned),
            run: None,
            trouble,
        }
    }
}
