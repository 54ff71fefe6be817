//! `openpod-agentd run`

use std::process::ExitCode;

use clap::Args;
use openpod_agentd::config::{Config, ConfigError, Layers, Loaded, load};
use openpod_agentd::{Supervisor, Wiring, run};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

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
        let layers = self.configured.layers();
        let config = load(layers.clone())?.validate()?;
        start_log(self.log_format);
        runtime()?.block_on(async {
            let (reload, reloads) = mpsc::channel(1);
            let wiring = Wiring {
                supervisor: Supervisor::from_environment(),
                reloads: Some(reloads),
                ..Wiring::system(std::env::current_exe()?)
            };
            let mut signals = Signals::new()?;
            tokio::spawn(reload_when_told(signal(SignalKind::hangup())?, layers, reload));
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

/// Reads the configuration again at each SIGHUP, from the same places.
async fn reload_when_told(
    mut hangup: Signal,
    layers: Layers,
    reload: mpsc::Sender<Result<Config, ConfigError>>,
) {
    while hangup.recv().await.is_some() {
        tracing::info!("SIGHUP: reading the configuration");
        let config = load(layers.clone()).and_then(Loaded::validate);
        if reload.send(config).await.is_err() {
            return;
        }
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
