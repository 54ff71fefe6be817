//! `openpod-agentd status [--json] [--all]`

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use openpod_agentd::config::{AgentSettings, Config, load};
use openpod_agentd::control::{
    AgentReport, Answer, JobReport, NotAnswered, Report, Request, SpentReport, ask,
};
use openpod_agentd::journal::read;
use openpod_sdk::api::Timestamp;

use super::{Configured, Outcome, show};

#[derive(Args)]
pub(super) struct Status {
    #[command(flatten)]
    configured: Configured,
    /// For programs: what the control socket answers.
    #[arg(long)]
    json: bool,
    /// Also the jobs that are over, from the journal.
    #[arg(long, conflicts_with = "json")]
    all: bool,
}

impl Status {
    pub(super) fn execute(self) -> Outcome {
        let config = load(self.configured.layers())?.validate()?;
        let report = match live(&config.data_dir) {
            Err(NotAnswered::NobodyThere(_)) if !self.json => None,
            other => Some(other?),
        };
        match &report {
            Some(report) if self.json => show(serde_json::to_string(report)?),
            Some(report) if !self.all => tell(report),
            _ => from_journals(&config, report.is_some(), self.all)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What the daemon says.
pub(super) fn live(data_dir: &Path) -> Result<Report, NotAnswered> {
    for answer in ask(data_dir, Request::Status)? {
        if let Answer::Status(report) = answer? {
            return Ok(*report);
        }
    }
    Err(NotAnswered::NobodyThere(data_dir.to_owned()))
}

fn tell(report: &Report) {
    let drain = if report.draining { ", draining: nothing new is taken" } else { "" };
    let up = ago(report.at, report.started_at);
    show(format_args!("openpod-agentd {}, process {}, up {up}{drain}", report.version, report.pid));
    if let Some(reason) = &report.not_reloaded {
        show(format_args!("the last configuration that it was given is not in use: {reason}"));
    }
    for agent in &report.agents {
        tell_agent(agent, report.at);
    }
}

fn tell_agent(agent: &AgentReport, now: Timestamp) {
    let name = &agent.name;
    if let Some(reason) = &agent.not_ready {
        return show(format_args!("{name}: not at work: {reason}"));
    }
    let seen = match (agent.seen_at, &agent.unseen) {
        (Some(seen), None) => format!("saw the platform {} ago", ago(now, seen)),
        (Some(seen), Some(why)) => format!("last saw the platform {} ago: {why}", ago(now, seen)),
        (None, Some(why)) => format!("has not seen the platform: {why}"),
        (None, None) => "is looking at the platform for the first time".to_owned(),
    };
    let next = agent.next_look_at.map(|next| format!(", next in {}", ago(next, now))).unwrap_or_default();
    show(format_args!("{name}: {seen}{next}; {} of {} places taken", agent.places_taken, agent.places));
    let SpentReport { runs, run_seconds, tokens, cost_micros } = agent.spent_today;
    let cost = cost_micros as f64 / 1e6;
    show(format_args!("  today {runs} runs, {run_seconds:.0} s; as they say {tokens} tokens, {cost:.2} USD"));
    if let Some(brake) = &agent.held_back {
        show(format_args!("  no ticket is begun: {brake}"));
    }
    for job in &agent.jobs {
        tell_job(job, now);
    }
    for kept in &agent.kept {
        show(format_args!("  kept: {}: {}", kept.directory.display(), kept.why));
    }
    for wanted in &agent.waiting {
        show(format_args!("  #{:<5} waiting    for {}  {}", wanted.number, wanted.waits_for, wanted.title));
    }
}

fn tell_job(job: &JobReport, now: Timestamp) {
    let since = job.since.map(|since| format!(" for {}", ago(now, since))).unwrap_or_default();
    let run = match &job.run {
        Some(run) => {
            let pid = run.pid.map(|pid| format!("process {pid}, ")).unwrap_or_default();
            format!("  ({pid}{})", ago(now, run.started_at))
        }
        None => String::new(),
    };
    let place = job.pull_request.as_deref().unwrap_or(&job.branch);
    show(format_args!(
        "  #{:<5} {}{since}{run}  round {} attempt {}  {}  {place}",
        job.number, job.state, job.round, job.attempts, job.title
    ));
    if let Some(trouble) = &job.trouble {
        let next = trouble.next_at.map(|next| format!("; again at {next}")).unwrap_or_default();
        show(format_args!("         {} times: {}{next}", trouble.times, trouble.reason));
    }
}

/// How long that is, in the two largest units.
fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.since(then).as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

fn from_journals(config: &Config, runs: bool, all: bool) -> Result<(), Box<dyn std::error::Error>> {
    if !runs {
        show(format_args!("no daemon runs in {}; this is what its journal says", config.data_dir.display()));
    }
    let several = config.agents.len() > 1;
    for agent in &config.agents {
        from_journal(agent, several, all)?;
    }
    Ok(())
}

fn from_journal(agent: &AgentSettings, several: bool, all: bool) -> Result<(), Box<dyn std::error::Error>> {
    let journal = agent.directory.join("journal.db");
    if !journal.exists() {
        show(format_args!("{}: nothing was begun yet", agent.title()));
        return Ok(());
    }
    let replay = read(&journal)?;
    let mut jobs: Vec<_> = replay.jobs.values().filter(|job| all || job.is_open()).collect();
    jobs.sort_by_key(|job| replay.changed.get(&job.ticket));
    if several || jobs.is_empty() {
        let none = if jobs.is_empty() { " no jobs" } else { "" };
        show(format_args!("{}:{none}", agent.title()));
    }
    for job in jobs {
        // The journal does not know the time; its report counts from its last word.
        let now = replay.changed.get(&job.ticket).copied().unwrap_or(job.touched);
        tell_job(&JobReport::of(job), now);
    }
    Ok(())
}
