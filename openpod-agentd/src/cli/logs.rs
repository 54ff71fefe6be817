//! `openpod-agentd logs [--follow] <ticket>`

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use openpod_agentd::effects::latest_log;

use super::ticket::{Meant, OfTicket};
use super::{Outcome, runtime};

/// Between two looks at a log that grows.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(super) struct Logs {
    #[command(flatten)]
    ticket: OfTicket,
    /// Go on until the run is over.
    #[arg(long, short)]
    follow: bool,
}

impl Logs {
    pub(super) fn execute(self) -> Outcome {
        let Meant { directory, job, .. } = self.ticket.find()?;
        let (path, _) = latest_log(&directory, &job).ok_or("the worker was not started for this ticket")?;
        let mut log = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        runtime()?.block_on(async {
            loop {
                // Asked before reading: what is written until then is read after it.
                let over = latest_log(&directory, &job).is_none_or(|(latest, over)| over || latest != path);
                pass_on(&mut log)?;
                if over || !self.follow {
                    return Ok(ExitCode::SUCCESS);
                }
                tokio::time::sleep(PAUSE).await;
            }
        })
    }
}

fn pass_on(log: &mut File) -> io::Result<()> {
    let mut text = Vec::new();
    log.read_to_end(&mut text)?;
    let mut out = io::stdout().lock();
    out.write_all(&text)?;
    out.flush()
}
