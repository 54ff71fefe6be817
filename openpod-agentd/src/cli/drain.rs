//! `openpod-agentd drain [--wait]`

use std::process::ExitCode;

use clap::Args;
use openpod_agentd::config::load;
use openpod_agentd::control::{Answer, Request, ask};

use super::{Configured, Outcome, show};

#[derive(Args)]
pub(super) struct Drain {
    #[command(flatten)]
    configured: Configured,
    /// Return when the daemon is done.
    #[arg(long, short)]
    wait: bool,
}

impl Drain {
    pub(super) fn execute(self) -> Outcome {
        let config = load(self.configured.layers())?.validate()?;
        let mut drained = !self.wait;
        for answer in ask(&config.data_dir, Request::Drain { wait: self.wait })? {
            match answer? {
                Answer::Draining { left: 1 } => show("nothing new is taken; 1 ticket is still worked on"),
                Answer::Draining { left } => {
                    show(format_args!("nothing new is taken; {left} tickets are still worked on"));
                }
                Answer::Drained {} => {
                    show("drained; the daemon ends");
                    drained = true;
                }
                Answer::Refused { reason } => return Err(reason.into()),
                _ => {}
            }
        }
        match drained {
            true => Ok(ExitCode::SUCCESS),
            false => Err("the daemon ended before it was drained; the next one goes on".into()),
        }
    }
}
