//! The files of a shim: its lock, and what is written once and must be there after a crash.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, FlockOperation, Mode, flock, mknodat};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Place, ShimError, Status};
use crate::process::kin::Identity;

/// What a file must outlive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasts {
    /// Every process. It speaks of processes, and those end with the machine.
    WithTheMachine,
    /// A loss of power.
    BeyondTheMachine,
}

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A process that is just being started may hold a copy of the file.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

impl Place {
    /// Makes the directory, its lock and its mark.
    pub(super) fn create(&self, id: &str) -> Result<(), ShimError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        made.map_err(at(&self.directory))?;
        self.write("id", id.as_bytes(), Lasts::WithTheMachine)?;
        let pipe = self.file("alive");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .map_err(|error| at(&pipe)(error.into()))?;
        private(&self.file("lock")).map_err(at(&self.file("lock"))).map(drop)
    }

    /// `None` when somebody else has it.
    pub(super) fn lock(&self) -> Result<Option<Lock>, ShimError> {
        let path = self.file("lock");
        let file = private(&path).map_err(at(&path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(at(&path)(error.into())),
        }
    }

    /// Says that the shim lives, to whoever waits for its end, until it is dropped.
    pub(super) fn live(&self) -> Result<File, ShimError> {
        let path = self.file("alive");
        OpenOptions::new().read(true).write(true).open(&path).map_err(at(&path))
    }

    pub(super) fn id(&self) -> Option<String> {
        std::fs::read_to_string(self.file("id")).ok().filter(|id| !id.is_empty())
    }

    pub(super) fn shim(&self) -> Result<Option<Identity>, ShimError> {
        self.read("shim.json")
    }

    /// Whether a shim ever said who it is. A machine that lost its power may have kept no more than that.
    pub(super) fn had_a_shim(&self) -> bool {
        self.file("shim.json").exists()
    }

    pub(super) fn write_shim(&self, identity: &Identity) -> Result<(), ShimError> {
        self.write_json("shim.json", identity, Lasts::WithTheMachine)
    }

    /// That there was a shim outlives the machine, too, from here on.
    pub(super) fn keep_shim(&self) -> io::Result<()> {
        File::open(self.file("shim.json"))?.sync_all()?;
        File::open(&self.directory)?.sync_all()
    }

    pub(super) fn status(&self) -> Result<Option<Status>, ShimError> {
        self.read("status.json")
    }

    pub(super) fn write_status(&self, status: &Status) -> Result<(), ShimError> {
        self.write_json("status.json", status, Lasts::BeyondTheMachine)?;
        // Whoever reads all files of a directory would wait at a pipe for ever.
        let _ = std::fs::remove_file(self.file("alive"));
        Ok(())
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ShimError> {
        let path = self.file(name);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path)(error)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| ShimError::Unreadable { path, source })
    }

    fn write_json(&self, name: &str, value: &impl Serialize, lasts: Lasts) -> Result<(), ShimError> {
        let path = self.file(name);
        let text = serde_json::to_vec(value).map_err(|source| ShimError::Unreadable { path, source })?;
        self.write(name, &text, lasts)
    }

    /// The whole file or none of it.
    fn write(&self, name: &str, bytes: &[u8], lasts: Lasts) -> Result<(), ShimError> {
        let (path, new) = (self.file(name), self.file(&format!("{name}.new")));
        let written = private(&new).and_then(|mut file| {
            file.set_len(0)?;
            file.write_all(bytes)?;
            if lasts == Lasts::WithTheMachine {
                return std::fs::rename(&new, &path);
            }
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            File::open(&self.directory)?.sync_all()
        });
        if written.is_err() {
            // A disk that is full would keep what it took of it.
            let _ = std::fs::remove_file(&new);
        }
        written.map_err(at(&path))
    }
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Names the file in an I/O error.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> ShimError {
    let path = path.to_owned();
    move |source| ShimError::Io { path, source }
}
