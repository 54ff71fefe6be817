//! `openpod-agentd status`

use std::process::ExitCode;

use clap::Args;
use openpod_agentd::config::load;
use openpod_agentd::journal::read;

use super::{Configured, Outcome, show};

#[derive(Args)]
pub(super) struct Status {
    #[command(flatten)]
    configured: Configured,
    /// Also the jobs that are over.
    #[arg(long)]
    all: bool,
}

impl Status {
    pub(super) fn execute(self) -> Outcome {
        let config = load(self.configured.layers())?.validate()?;
        let mut jobs = Vec::new();
        for agent in &config.agents {
            jobs.extend(read(&agent.directory.join("journal.db"))?.jobs.into_values());
        }
        let mut shown = 0;
        for job in jobs.iter().filter(|job| self.all || job.is_open()) {
            let trouble =
                job.trouble.as_ref().map(|trouble| format!("  {}", trouble.reason)).unwrap_or_default();
            let place =
                job.published.as_ref().map_or(job.branch.as_str(), |published| published.url.as_str());
            let state = job.state.name();
            show(format_args!(
                "#{:<5} {state:<10} round {} attempt {}  {}  {place}{trouble}",
                job.number, job.round, job.attempts, job.title
            ));
            shown += 1;
        }
        if shown == 0 {
            show("no jobs");
        }
        Ok(ExitCode::SUCCESS)
    }
}
