//! What an operator does to a whole database: check it, back it up, restore it, move it to another engine. The command
//! line and the tests use it.
//!
//! ```text
//!              beside a server?   source                 target
//!   check      yes                a snapshot             -
//!   back_up    yes                a snapshot             a new file
//!   restore    no                 a backup               an empty database
//!   copy       no, and alone      a database             an empty database
//! ```
//!
//! A backup is a SQLite database in one file, whichever engine it was taken from. So it can be checked, looked into and
//! served as it is, and restored on either engine. A copy refuses a source that somebody has open: what that would
//! write afterwards would be missed.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::domain::ledger::verify::Findings;
use crate::store::transfer::{self, Tally, Tell, TransferError};
use crate::store::{
    self, Location, OpenError, Opening, STEPS, Sources, Store, StoreError, StoreErrorKind, inspection, ledger,
};

/// What a look at a whole database found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The version of its schema.
    pub version: u32,
    /// What is wrong with its pages, its schema and its references, a sentence for each thing.
    pub faults: Vec<String>,
    /// What is wrong with its payments; `None` when that was not to be judged, because the schema is another version's
    /// or not sound.
    pub ledger: Option<Findings>,
}

/// What was copied, and how it looks where it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Copied {
    /// Every table, the same on both sides.
    pub tallies: Vec<Tally>,
    /// A look at the target.
    pub report: Report,
}

/// Why nothing was backed up, restored or copied.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// A database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Source and target are one.
    #[error("source and target are the same database")]
    Same,
    /// The backup's file is there.
    #[error("there is a file {} already; a backup is a new file", .0.display())]
    Exists(PathBuf),
    /// The backup's file cannot be written.
    #[error("the backup {} cannot be written: {why}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// The rows did not arrive.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Report {
    /// Every fault, a sentence for each.
    pub fn sentences(&self) -> Vec<String> {
        let ledger = self.ledger.iter().flat_map(|findings| &findings.faults);
        self.faults.iter().cloned().chain(ledger.map(ToString::to_string)).collect()
    }

    /// Refuses a schema that is not this program's.
    pub fn require_current(&self) -> Result<(), OpenError> {
        let (found, known) = (self.version, STEPS.len() as u32);
        match found.cmp(&known) {
            std::cmp::Ordering::Less => Err(OpenError::Older { found, known }),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(OpenError::Newer { found, known }),
        }
    }
}

/// Opens a database to look at it: as it is, beside others.
pub async fn look_at(location: Location, sources: Sources) -> Result<Store, OpenError> {
    Store::open_as(location, sources, Opening::AS_IT_IS).await
}

/// Looks at everything in a database, in one snapshot.
pub async fn check(store: &Store) -> Result<Report, StoreError> {
    let version = store.read(|tx| Box::pin(store::version(tx))).await?;
    let look = store.read(move |tx| {
        Box::pin(async move {
            let faults = inspection::faults(tx, version).await?;
            let is_sound = faults.is_empty() && version == STEPS.len() as u32;
            let ledger = if is_sound { Some(ledger::verify(tx).await?) } else { None };
            Ok::<_, StoreError>(Report { version, faults, ledger })
        })
    });
    match look.await {
        // So damaged that it cannot even be looked at.
        Err(error) if error.kind() == StoreErrorKind::Damaged => {
            Ok(Report { version, faults: vec![error.to_string()], ledger: None })
        }
        report => report,
    }
}

/// Copies a database that nobody has open into an empty one, and looks at that.
pub async fn copy(from: Location, to: Location, sources: Sources, tell: Tell) -> Result<Copied, UpkeepError> {
    if from == to {
        return Err(UpkeepError::Same);
    }
    let source = Store::open_as(from, sources.clone(), Opening { alone: true, ..Opening::AS_IT_IS }).await?;
    fill(&source, to, sources, tell).await
}

/// Copies a backup into an empty database, and looks at that.
pub async fn restore(
    backup: PathBuf,
    to: Location,
    sources: Sources,
    tell: Tell,
) -> Result<Copied, UpkeepError> {
    if to == Location::File(backup.clone()) {
        return Err(UpkeepError::Same);
    }
    let source = look_at(Location::File(backup), sources.clone()).await?;
    fill(&source, to, sources, tell).await
}

async fn fill(source: &Store, to: Location, sources: Sources, tell: Tell) -> Result<Copied, UpkeepError> {
    version_of(source).await?.require_current()?;
    let target = Store::open_as(to, sources, Opening { alone: true, ..Opening::NEWEST }).await?;
    let tallies = transfer::transfer(source, &target, tell).await?;
    Ok(Copied { tallies, report: check(&target).await? })
}

/// A report of nothing but the version.
async fn version_of(store: &Store) -> Result<Report, StoreError> {
    let version = store.read(|tx| Box::pin(store::version(tx))).await?;
    Ok(Report { version, faults: Vec::new(), ledger: None })
}

/// Writes a backup of a database into a new file, while servers may be at work on it, and looks at the backup. A file of
/// this name is only ever a whole one.
pub async fn back_up(
    location: Location,
    file: &Path,
    sources: Sources,
    tell: Tell,
) -> Result<Report, UpkeepError> {
    if fs::exists(file).is_ok_and(|exists| exists) {
        return Err(UpkeepError::Exists(file.to_owned()));
    }
    let source = look_at(location, sources.clone()).await?;
    let partial = beside(file, ".partial");
    let failed = |why| UpkeepError::File { path: file.to_owned(), why };
    make_private(&partial).map_err(failed)?;
    let saved = save(&source, &partial, sources, tell).await;
    if saved.is_err() {
        // That it failed is said; what is left of it need not be.
        let _ = fs::remove_file(&partial);
    }
    let report = saved?;
    publish(&partial, file).map_err(failed)?;
    Ok(report)
}

async fn save(source: &Store, partial: &Path, sources: Sources, tell: Tell) -> Result<Report, UpkeepError> {
    let place = Location::File(partial.to_owned());
    if source.is_shared() {
        version_of(source).await?.require_current()?;
        let target = Store::open_as(place.clone(), sources.clone(), Opening::NEWEST).await?;
        transfer::transfer(source, &target, tell).await?;
    } else {
        source.save(partial).await?;
    }
    store::settle_file(partial)?;
    Ok(check(&look_at(place, sources).await?).await?)
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    file.with_file_name(name)
}

/// An empty file that its owner alone can read, because a backup holds the secrets of webhooks.
fn make_private(partial: &Path) -> std::io::Result<()> {
    for leftover in ["", "-wal", "-shm", "-journal", "-lock"] {
        match fs::remove_file(beside(partial, leftover)) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
    }
    fs::File::options().write(true).create_new(true).mode(0o600).open(partial).map(|_| ())
}

/// Gives a whole backup its name, for good.
fn publish(partial: &Path, file: &Path) -> std::io::Result<()> {
    fs::rename(partial, file)?;
    let directory = file.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    fs::File::open(directory)?.sync_all()
}
