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
//! served as it is, and restored on either engine. Whoever is killed leaves no half: a new file has its name when it is
//! whole, and what is there already is filled in one transaction. A copy refuses a source that somebody has open: what that would
//! write afterwards would be missed.

mod draft;

use std::fs;
use std::path::{Path, PathBuf};

use crate::domain::ledger::verify::Findings;
use crate::store::transfer::{self, Tally, Tell, TransferError};
use crate::store::{
    self, Location, OpenError, Opening, STEPS, Sources, Store, StoreError, StoreErrorKind, inspection, ledger,
};
use draft::Draft;

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
    /// The steps of the schema that were taken on the way, because the backup was an older version's.
    pub migrated: Vec<&'static str>,
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
    /// A file of this name, or one beside it, cannot be written.
    #[error("{}, or what becomes it beside it, cannot be written: {why}", path.display())]
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

/// Copies a backup into an empty database, and looks at that. A backup that an older version made stays as it is: a copy
/// of it is brought to this version's schema, and that is restored.
pub async fn restore(
    backup: PathBuf,
    to: Location,
    sources: Sources,
    tell: Tell,
) -> Result<Copied, UpkeepError> {
    if to == Location::File(backup.clone()) {
        return Err(UpkeepError::Same);
    }
    let source = look_at(Location::File(backup.clone()), sources.clone()).await?;
    let version = version_of(&source).await?.version;
    if version == 0 || version >= STEPS.len() as u32 {
        return fill(&source, to, sources, tell).await;
    }
    let draft =
        Draft::beside(&backup, ".migrating").map_err(|why| UpkeepError::File { path: backup, why })?;
    source.save(draft.path()).await?;
    let newer = Store::open(draft.location(), sources.clone()).await?;
    let copied = fill(&newer, to, sources, tell).await?;
    Ok(Copied { migrated: newer.migrated().to_vec(), ..copied })
}

async fn fill(source: &Store, to: Location, sources: Sources, tell: Tell) -> Result<Copied, UpkeepError> {
    version_of(source).await?.require_current()?;
    let Location::File(file) = to else { return pour(source, to, sources, tell).await };
    if fs::exists(&file).is_ok_and(|exists| exists) {
        return pour(source, Location::File(file), sources, tell).await;
    }
    // Whoever else would make this file, or serve it, is refused until it is whole.
    let _claim = store::claim_file(&file)?;
    let failed = |why| UpkeepError::File { path: file.clone(), why };
    let draft = Draft::beside(&file, ".partial").map_err(failed)?;
    let copied = pour(source, draft.location(), sources, tell).await?;
    store::settle_file(draft.path())?;
    draft.publish(&file).map_err(failed)?;
    Ok(copied)
}

/// Copies everything into a database without rows.
async fn pour(source: &Store, to: Location, sources: Sources, tell: Tell) -> Result<Copied, UpkeepError> {
    let target = Store::open_as(to, sources, Opening { alone: true, ..Opening::NEWEST }).await?;
    let tallies = transfer::transfer(source, &target, tell).await?;
    Ok(Copied { migrated: Vec::new(), tallies, report: check(&target).await? })
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
    let failed = |why| UpkeepError::File { path: file.to_owned(), why };
    let draft = Draft::beside(file, ".partial").map_err(failed)?;
    if source.is_shared() {
        version_of(&source).await?.require_current()?;
        let target = Store::open(draft.location(), sources.clone()).await?;
        transfer::transfer(&source, &target, tell).await?;
    } else {
        source.save(draft.path()).await?;
    }
    store::settle_file(draft.path())?;
    let report = check(&look_at(draft.location(), sources).await?).await?;
    draft.publish(file).map_err(failed)?;
    Ok(report)
}
