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
    /// The ticket's number, its project's id and its number (`project#7`), or its own id.
    ticket: String,
}

/// The ticket that is meant, and who works on it.
pub(super) struct Meant {
    /// Of the daemon.
    pub(super) data_dir: PathBuf,
    /// Of the agent.
    pub(super) directory: PathBuf,
    pub(super) job: Job,
}

/// Why no ticket is meant.
#[derive(Debug, thiserror::Error)]
enum NotMeant {
    #[error("no job for {0:?} is in the journal; `openpod-agentd status --all` shows which there are")]
    Unknown(String),
    #[error("{name} may be several tickets; give the id of one: {ids}")]
    Several { name: String, ids: String },
}

impl OfTicket {
    pub(super) fn find(self) -> Result<Meant, Box<dyn std::error::Error>> {
        let config = load(self.configured.layers())?.validate()?;
        let mut found = Vec::new();
        for agent in config.agents {
            let journal = agent.directory.join("journal.db");
            if !journal.exists() {
                continue;
            }
            let jobs = read(&journal)?.jobs.into_values().filter(|job| is_meant(&self.ticket, job));
            found.extend(jobs.map(|job| (agent.directory.clone(), job)));
        }
        // A ticket that passed from one agent to another is the latter's.
        if found.iter().filter(|(_, job)| job.is_open()).count() == 1 {
            found.retain(|(_, job)| job.is_open());
        }
        match (found.pop(), found.is_empty()) {
            (Some((directory, job)), true) => Ok(Meant { data_dir: config.data_dir, directory, job }),
            (None, _) => Err(NotMeant::Unknown(self.ticket).into()),
            (Some(last), false) => {
                let ids: Vec<&str> =
                    found.iter().chain([&last]).map(|(_, job)| job.ticket.as_str()).collect();
                Err(NotMeant::Several { name: self.ticket, ids: ids.join(", ") }.into())
            }
        }
    }
}

fn is_meant(name: &str, job: &Job) -> bool {
    let number = job.number.to_string();
    match name.split_once('#') {
        _ if name == job.ticket.as_str() => true,
        Some((project, given)) => given == number && (project.is_empty() || project == job.project.as_str()),
        None => name == number,
    }
}

#[cfg(test)]
mod tests {
    use openpod_agentd::job::Candidate;
    use openpod_sdk::api::Timestamp;

    use super::*;

    #[test]
    fn a_ticket_has_a_number_a_number_within_its_project_and_an_id() {
        let candidate = Candidate {
            ticket: "0195-a".into(),
            project: "p1".into(),
            number: 7,
            title: "Greet".into(),
            version: None,
            untouched: true,
            free: false,
        };
        let job = Job::new(candidate, "openpod/", Timestamp::from_micros(0));
        for name in ["7", "#7", "p1#7", "0195-a"] {
            assert!(is_meant(name, &job), "{name}");
        }
        for name in ["8", "p2#7", "p1#70", "0195", "#", ""] {
            assert!(!is_meant(name, &job), "{name}");
        }
    }
}
