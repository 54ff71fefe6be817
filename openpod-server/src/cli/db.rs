//! `openpod-server db migrate|check|backup|restore|copy`

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::{Outcome, answer, open, sources, tell};
use crate::config::{Config, database_location};
use crate::store::transfer::{Tally, Tell};
use crate::store::{Location, STEPS};
use crate::upkeep::{self, Copied, Report};

#[derive(Debug, Subcommand)]
pub(super) enum Db {
    /// Bring the database to this version's schema, or create it, and print the steps that this took.
    Migrate,
    /// Look at everything in the database, also while servers run: pages, schema, references, ledger. Prints every
    /// fault. Ends with 3 when there is one, and with 4 when the schema is another version's.
    Check,
    /// Write a backup into a new file, also while servers run. A backup of either engine is a SQLite database, and can be
    /// restored on either.
    Backup {
        /// The file to make.
        file: PathBuf,
    },
    /// Fill an empty database from a backup, and compare what it holds then. A backup of an older version is brought to
    /// this version's schema in a copy beside it, which is removed then.
    Restore {
        /// The backup.
        file: PathBuf,
    },
    /// Copy a database that nobody has open into an empty one, of another engine for instance, and compare them.
    Copy(Copy),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct Copy {
    /// The database to copy; the one of the configuration unless told.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// The empty database to fill; the one of the configuration unless told.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
}

/// A database that can be looked at, and is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("the database has {}", if *.0 == 1 { "a fault".to_owned() } else { format!("{} faults", .0) })]
pub(super) struct NotInOrder(usize);

impl Db {
    pub(super) async fn run(self, config: Config) -> Outcome {
        match self {
            Db::Migrate => migrate(&config).await,
            Db::Check => check(config).await,
            Db::Backup { file } => {
                let report =
                    upkeep::back_up(config.database.location, &file, sources(), progress("saved")).await?;
                answer(format!("{} holds the whole database", file.display()));
                judge(&report)
            }
            Db::Restore { file } => {
                let restore = upkeep::restore(file, config.database.location, sources(), progress("read"));
                show(&restore.await?)
            }
            Db::Copy(Copy { from, to }) => {
                let chosen = |key, url: Option<String>| match url {
                    Some(url) => database_location(key, &url),
                    None => Ok(config.database.location.clone()),
                };
                let (from, to) = (chosen("--from", from)?, chosen("--to", to)?);
                show(&upkeep::copy(from, to, sources(), progress("read")).await?)
            }
        }
    }
}

async fn migrate(config: &Config) -> Outcome {
    let store = open(config).await?;
    for name in store.migrated() {
        answer(format!("took step {name}"));
    }
    let place = match &config.database.location {
        Location::File(path) => path.display().to_string(),
        Location::Memory => "in memory".to_owned(),
        Location::Postgres(address) => address.to_string(),
    };
    answer(format!("the database {place} has schema version {}, the newest", STEPS.len()));
    Ok(())
}

async fn check(config: Config) -> Outcome {
    let store = upkeep::look_at(config.database.location, sources()).await?;
    let report = upkeep::check(&store).await?;
    judge(&report)?;
    Ok(report.require_current()?)
}

/// Prints every fault, or that there is none.
fn judge(report: &Report) -> Outcome {
    let faults = report.sentences();
    for fault in &faults {
        answer(fault);
    }
    if !faults.is_empty() {
        return Err(NotInOrder(faults.len()).into());
    }
    answer(format!("schema version {}: pages, schema and references are in order", report.version));
    if let Some(ledger) = &report.ledger {
        answer(format!(
            "{} payments of {} cents in all, every one in order",
            ledger.transactions, ledger.paid
        ));
    }
    Ok(())
}

/// Prints what two databases have in common.
fn show(copied: &Copied) -> Outcome {
    copied.migrated.iter().for_each(|name| answer(format!("took step {name}")));
    answer(format!("{:<22} {:>10}  checksum, the same on both sides", "table", "rows"));
    for Tally { table, rows, checksum } in &copied.tallies {
        answer(format!("{table:<22} {rows:>10}  {}", hex::encode(&checksum[..16])));
    }
    judge(&copied.report)
}

fn progress(done: &'static str) -> Tell {
    Arc::new(move |tally: &Tally| tell(format!("{done} {}: {} rows", tally.table, tally.rows)))
}
