//! Which ticket is meant.

use std::path::PathBuf;

use clap::Args;
use openpod_agentd::config::load;
use openpod_agentd::job::Job;
use openpod_agentd::journal::read;

use super::Configured;

#[derive(Args)]
pub(super) struct OfTicket {
    #[command(flatten)]
    configured: Configured,
    /// The ticket's number, or its id.
    ticket: String,
}

/// Why no ticket is meant.
#[derive(Debug, thiserror::Error)]
enum NotMeant {
    #[error("no job for {0:?} is in the journal; `openpod-agentd status --all` shows which there are")]
    Unknown(String),
    #[error("{number} is the number of several tickets; give the id of one: {ids}")]
    Several { number: String, ids: String },
}

impl OfTicket {
    /// The directory of the agent that works on it, and the job.
    pub(super) fn find(self) -> Result<(PathBuf, Job), Box<dyn std::error::Error>> {
        let config = load(self.configured.layers())?.validate()?;
        let number = self.ticket.trim_start_matches('#');
        let means = |job: &Job| job.ticket.as_str() == self.ticket || job.number.to_string() == number;
        let mut found = Vec::new();
        for agent in config.agents {
            let jobs = read(&agent.directory.join("journal.db"))?.jobs;
            found.extend(jobs.into_values().filter(means).map(|job| (agent.directory.clone(), job)));
        }
        match (found.pop(), found.is_empty()) {
            (Some(job), true) => Ok(job),
            (None, _) => Err(NotMeant::Unknown(self.ticket).into()),
            (Some(last), false) => {
                let ids: Vec<&str> =
                    found.iter().chain([&last]).map(|(_, job)| job.ticket.as_str()).collect();
                Err(NotMeant::Several { number: self.ticket, ids: ids.join(", ") }.into())
            }
        }
    }
}
