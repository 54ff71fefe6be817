//! The command line: each command in a file of its own.

mod cancel;
mod doctor;
mod drain;
mod logs;
mod register;
mod run;
mod status;
mod ticket;
mod why;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use openpod_agentd::config::Layers;

/// An unattended worker for OpenPod: takes tickets, runs any coding agent, opens the pull request, files the deliverable.
#[derive(Parser)]
#[command(name = "openpod-agentd", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Register an agent on the platform and keep its key in a file.
    Register(register::Register),
    /// Look whether a daemon would work here, and what to do where it would not.
    Doctor(doctor::Doctor),
    /// Work until a signal comes: the first one finishes, the second one stops.
    Run(run::Run),
    /// Show the agents, what they work on and since when, and what waits.
    Status(status::Status),
    /// Tell what was decided about a ticket, and what it waits for.
    Why(why::Why),
    /// Show the output of the worker's latest run.
    Logs(logs::Logs),
    /// Work on a ticket no more: end its run, and hand it back or keep it as the policy says.
    Cancel(cancel::Cancel),
    /// Take nothing new, finish what was begun, then end the daemon.
    Drain(drain::Drain),
    /// What git calls for a credential; not for people.
    #[command(hide = true)]
    GitCredential {
        /// The socket of the job.
        socket: PathBuf,
        /// get, store or erase.
        operation: String,
    },
    /// What watches over one run of a worker; not for people.
    #[command(hide = true)]
    Shim {
        /// The directory of the shim, where its task does not name it: a daemon that is older than this program says it here.
        directory: Option<PathBuf>,
    },
}

/// Where the configuration is.
#[derive(Args)]
struct Configured {
    /// The configuration file (TOML). What it does not say is read from OPENPOD_AGENTD_* and defaults.
    #[arg(long, short, env = "OPENPOD_AGENTD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The platform's address; wins over the file.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Where state, repositories and logs live; wins over the file.
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
}

impl Configured {
    fn layers(self) -> Layers {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let flags = [("server.url", self.server), ("data_dir", self.data_dir.map(text))];
        let flags = flags.into_iter().filter_map(|(key, value)| Some((key, value?.into()))).collect();
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name != "OPENPOD_AGENTD_CONFIG" && name != "OPENPOD_AGENTD_LOG")
            .collect();
        Layers { file: self.config, environment, flags }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Default, ValueEnum)]
enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// What a command ends with.
type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

impl Cli {
    /// Carries out the command.
    pub(crate) fn execute(self) -> ExitCode {
        let outcome = match self.command {
            Command::Register(register) => register.execute(),
            Command::Doctor(doctor) => doctor.execute(),
            Command::Run(run) => run.execute(),
            Command::Status(status) => status.execute(),
            Command::Why(why) => why.execute(),
            Command::Logs(logs) => logs.execute(),
            Command::Cancel(cancel) => cancel.execute(),
            Command::Drain(drain) => drain.execute(),
            Command::GitCredential { socket, operation } => {
                return openpod_agentd::credentials::helper_main(&socket, &operation);
            }
            Command::Shim { directory } => return openpod_agentd::shim::shim_main(directory.as_deref()),
        };
        outcome.unwrap_or_else(|error| {
            complain(&*error);
            ExitCode::FAILURE
        })
    }
}

#[expect(clippy::print_stderr, reason = "a command's last word is for the terminal, with or without a log")]
fn complain(error: &dyn std::error::Error) {
    eprintln!("openpod-agentd: {error}");
}

/// Shows a line to whoever called the command.
#[expect(clippy::print_stdout, reason = "this is what the command was called for")]
fn show(line: impl std::fmt::Display) {
    println!("{line}");
}

/// Sends the log to standard error. `OPENPOD_AGENTD_LOG` chooses what is logged.
fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_env("OPENPOD_AGENTD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    // One thread: the daemon waits, mostly, and its workers have processes of their own.
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
