//! `openpod-agentd cancel [--keep] <ticket>`

use std::process::ExitCode;

use clap::Args;
use openpod_agentd::control::{Answer, Request, ask};

use super::ticket::{Meant, OfTicket};
use super::{Outcome, show};

#[derive(Args)]
pub(super) struct Cancel {
    #[command(flatten)]
    ticket: OfTicket,
    /// Keep the ticket assigned to the agent, whatever policy.tickets.on_give_up says.
    #[arg(long)]
    keep: bool,
}

impl Cancel {
    pub(super) fn execute(self) -> Outcome {
        let Meant { data_dir, job, .. } = self.ticket.find()?;
        for answer in ask(&data_dir, Request::Cancel { ticket: job.ticket, keep: self.keep })? {
            match answer? {
                Answer::Cancelling { after } => show(format_args!("#{}: {after} is under way", job.number)),
                Answer::Cancelled {} => {
                    show(format_args!("#{}: not worked on any more", job.number));
                    return Ok(ExitCode::SUCCESS);
                }
                Answer::Refused { reason } => return Err(format!("#{}: {reason}", job.number).into()),
                _ => {}
            }
        }
        Err("the daemon ended before the ticket was given up; the next one goes on with it".into())
    }
}
