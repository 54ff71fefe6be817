//! `openpod-agentd why <ticket>`

use std::process::ExitCode;

use clap::Args;
use openpod_agentd::job::{Effect, Job};
use openpod_agentd::journal::decisions;

use super::ticket::{Meant, OfTicket};
use super::{Outcome, show};

#[derive(Args)]
pub(super) struct Why {
    #[command(flatten)]
    ticket: OfTicket,
}

impl Why {
    pub(super) fn execute(self) -> Outcome {
        let Meant { directory, job, .. } = self.ticket.find()?;
        show(format_args!("#{} {}: {}", job.number, job.title, now(&job)));
        show(format_args!("so far: {}", job.spent));
        for told in decisions(&directory.join("journal.db"), &job.ticket)? {
            let becomes = match told.state == told.becomes {
                true => told.state,
                false => format!("{} -> {}", told.state, told.becomes),
            };
            let effect = told.effect.map(|effect| format!(", so: {effect}")).unwrap_or_default();
            show(format_args!("{}  {becomes}  ({}{effect})", told.at, told.news));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn now(job: &Job) -> String {
    let state = job.state.name();
    if let Some(until) = job.kept_until {
        return format!("{state}; its workspace is kept until {until}, in case it is reopened");
    }
    match (&job.trouble, job.pending().as_ref().map(Effect::name)) {
        (Some(trouble), _) if job.is_held() => {
            let until = trouble.not_before.map(|time| format!(" until {time}")).unwrap_or_default();
            format!("{state}; no run begins{until}, because {}", trouble.reason)
        }
        (Some(trouble), Some(effect)) => {
            let when = trouble.not_before.map(|time| format!(" at {time}")).unwrap_or_default();
            format!("{state}; {effect} is tried again{when}, because {}", trouble.reason)
        }
        (_, Some(effect)) => format!("{state}; {effect} is under way"),
        (_, None) if job.is_open() => format!("{state}; it waits for others"),
        (_, None) => format!("{state}; nothing is left to do"),
    }
}
