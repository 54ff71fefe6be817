//! `openpod-server serve`

use std::io::IsTerminal;

use clap::Args;
use tokio::net::TcpListener;
use tracing::info;

use super::{Outcome, is_there, sources};
use crate::config::{Config, Log, LogFormat, Override};
use crate::lifecycle::{Server, stop_signal};

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The address to listen at, such as 127.0.0.1:8080.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Run a forge too, in place of GitHub, with its repositories in this directory.
    #[arg(long, value_name = "DIRECTORY")]
    forge: Option<String>,
}

impl Serve {
    pub(super) fn flags(&self) -> Vec<Override> {
        let mut flags = Vec::new();
        flags.extend(self.listen.clone().map(|address| ("listen.address", address)));
        if let Some(directory) = &self.forge {
            flags.push(("forge.enabled", "true".to_owned()));
            flags.push(("forge.data_dir", directory.clone()));
        }
        flags
    }

    pub(super) async fn run(self, config: Config) -> Outcome {
        set_up_log(&config.log);
        is_there(&config)?;
        let listener = TcpListener::bind(config.listen.address)
            .await
            .map_err(|why| format!("cannot listen at {}: {why}", config.listen.address))?;
        let address = listener.local_addr()?;
        let server = Server::start(&config, sources(), address).await?;
        info!(%address, url = %server.url(), "serving");
        server.run(listener, stop_signal()).await?;
        info!("stopped");
        Ok(())
    }
}

fn set_up_log(log: &Log) {
    let filter = tracing_subscriber::EnvFilter::new(&log.filter);
    let colours = std::io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    match log.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
