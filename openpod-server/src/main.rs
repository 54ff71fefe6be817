//! `openpod-server`: see `openpod-server --help`.

use std::process::ExitCode;

use clap::Parser;
use openpod_server::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            openpod_server::cli::complain(&*error);
            ExitCode::from(openpod_server::cli::exit_code(&*error))
        }
    }
}
