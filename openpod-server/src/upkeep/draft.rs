//! A file that has its name only when it is whole: it is written under another name beside it. Whoever is killed
//! meanwhile leaves that one behind, and the next who makes the same file begins it anew.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::store::Location;

/// What SQLite, and this program, put beside a database.
const COMPANIONS: [&str; 5] = ["-wal", "-shm", "-journal", "-lock", "-visitors"];

/// A file in the making. Dropped, it is gone.
#[derive(Debug)]
pub(super) struct Draft {
    partial: PathBuf,
}

impl Draft {
    /// An empty file with this ending after its name. Its owner alone can read it, because a database holds the secrets
    /// of webhooks.
    pub(super) fn beside(file: &Path, ending: &str) -> io::Result<Draft> {
        let draft = Draft { partial: followed_by(file, ending) };
        draft.remove()?;
        File::options().write(true).create_new(true).mode(0o600).open(&draft.partial)?;
        Ok(draft)
    }

    /// The file, as long as it is in the making.
    pub(super) fn path(&self) -> &Path {
        &self.partial
    }

    /// The database that it is.
    pub(super) fn location(&self) -> Location {
        Location::File(self.partial.clone())
    }

    /// Gives it its name, for good. It must be at rest.
    pub(super) fn publish(self, file: &Path) -> io::Result<()> {
        if fs::exists(file)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(&self.partial, file)?;
        let directory = file.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()
    }

    fn remove(&self) -> io::Result<()> {
        for companion in [""].iter().chain(&COMPANIONS) {
            match fs::remove_file(followed_by(&self.partial, companion)) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Published, it has another name. If not, that it failed is said, and what is left of it need not be.
        let _ = self.remove();
    }
}

fn followed_by(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    file.with_file_name(name)
}
