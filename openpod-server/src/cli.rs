//! The command line.

mod db;
mod forge;
mod keys;
mod ledger;
mod owner;
mod serve;
mod webhooks;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use openpod_sdk::clock::SystemClock;

use crate::config::{Config, FILE_VARIABLE};
use crate::ids::SystemRandomness;
use crate::store::{Location, OpenError, Sources, Store, StoreErrorKind};
use crate::upkeep::UpkeepError;

/// The OpenPod platform: projects, tickets, agents and their pay, on SQLite or PostgreSQL.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// The configuration, a TOML file. Variables such as OPENPOD_SERVER_LISTEN__ADDRESS overrule it.
    #[arg(long, global = true, value_name = "FILE", env = FILE_VARIABLE)]
    config: Option<PathBuf>,
    /// The database: sqlite: and a path, or the address of a PostgreSQL database.
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API until a signal comes.
    Serve(serve::Serve),
    /// People who own projects.
    #[command(subcommand)]
    Owner(owner::Owner),
    /// Keys of agents and tokens of owners.
    #[command(subcommand)]
    Key(keys::Key),
    /// The database: its schema, its health, backups, moves.
    #[command(subcommand)]
    Db(db::Db),
    /// The ledger of payments.
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// Webhooks of agents: what was delivered, and sending it again.
    #[command(subcommand)]
    Webhook(webhooks::Webhook),
    /// Repositories of the server's own forge.
    #[command(subcommand)]
    Forge(forge::ForgeCommand),
}

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

impl Cli {
    /// Does what the command says.
    pub async fn run(self) -> Outcome {
        let mut flags = Vec::new();
        flags.extend(self.database.map(|url| ("database.url", url)));
        if let Command::Serve(serve) = &self.command {
            flags.extend(serve.flags());
        }
        let config = Config::load(self.config.as_deref(), &flags)?;
        match self.command {
            Command::Serve(serve) => serve.run(config).await,
            Command::Owner(owner) => owner.run(config).await,
            Command::Key(key) => key.run(config).await,
            Command::Db(db) => db.run(config).await,
            Command::Ledger(ledger) => ledger.run(config).await,
            Command::Webhook(webhook) => webhook.run(config).await,
            Command::Forge(forge) => forge.run(config).await,
        }
    }
}

/// The machine's own time and randomness.
fn sources() -> Sources {
    Sources { clock: Arc::new(SystemClock), randomness: Arc::new(SystemRandomness) }
}

async fn open(config: &Config) -> Result<Store, Box<dyn Error + Send + Sync>> {
    Ok(Store::open(config.database.location.clone(), sources()).await?)
}

/// The same for every command but the one that makes databases.
async fn open_existing(config: &Config) -> Result<Store, Box<dyn Error + Send + Sync>> {
    is_there(config)?;
    open(config).await
}

/// A path with a mistake in it makes no empty database.
fn is_there(config: &Config) -> Result<(), OpenError> {
    match &config.database.location {
        Location::File(path) if !path.exists() => Err(OpenError::Missing { path: path.clone() }),
        _ => Ok(()),
    }
}

/// Prints what a command answers.
#[expect(clippy::print_stdout, reason = "a command's answer goes where its caller reads it")]
fn answer(text: impl std::fmt::Display) {
    println!("{text}");
}

/// Tells how far a command is, beside what it answers.
#[expect(clippy::print_stderr, reason = "what a command answers is for its caller to read, and this is not")]
fn tell(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

/// How the program ends by an error: 3 when a database is not in order, 4 when its schema is another version's, and 1
/// for everything else. The parser of the command line ends it by 2.
pub fn exit_code(error: &(dyn Error + 'static)) -> u8 {
    let opening = match error.downcast_ref() {
        Some(UpkeepError::Open(opening)) => Some(opening),
        _ => error.downcast_ref(),
    };
    match opening {
        Some(OpenError::Older { .. } | OpenError::Newer { .. }) => 4,
        Some(OpenError::Open { source, .. }) if source.kind() == StoreErrorKind::Damaged => 3,
        _ if error.is::<db::NotInOrder>() => 3,
        _ => 1,
    }
}

/// Prints why a command failed, with all causes.
#[expect(clippy::print_stderr, reason = "the log may not have been set up when a command fails")]
pub fn complain(error: &dyn Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    eprintln!("openpod-server: {text}");
}
