//! `openpod-agentd run`

use std::process::ExitCode;

use clap::Args;
use openpod_agentd::config::load;
use openpod_agentd::{Wiring, run};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Configured, LogFormat, Outcome, runtime, start_log};

#[derive(Args)]
pub(super) struct Run {
    #[command(flatten)]
    configured: Configured,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

impl Run {
    pub(super) fn execute(self) -> Outcome {
        let config = load(self.configured.layers())?.validate()?;
        start_log(self.log_format);
        let wiring = Wiring::system(std::env::current_exe()?);
        runtime()?.block_on(async {
            let mut signals = Signals::new()?;
            let (finish, finished) = tokio::sync::oneshot::channel::<()>();
            let daemon = run(config, wiring, async {
                let _ = finished.await;
            });
            let mut daemon = std::pin::pin!(daemon);
            tokio::select! {
                result = &mut daemon => return done(result),
                name = signals.next() => tracing::info!("{name}: finishing; once more to stop at once"),
            }
            let _ = finish.send(());
            tokio::select! {
                result = &mut daemon => done(result),
                name = signals.next() => {
                    tracing::warn!("{name}: stopped at once; the next start goes on from the journal");
                    Ok(ExitCode::from(130))
                }
            }
        })
    }
}

fn done(result: Result<(), openpod_agentd::RunError>) -> Outcome {
    result?;
    Ok(ExitCode::SUCCESS)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
