//! A database file belongs to one server at a time, and lies on a disk of this machine.
//!
//! Commands may change it meanwhile, as a [`visit`](super::visit). They write a word into the file of the server's lock.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::visit::{Visits, last_word, presence};
use crate::store::StoreError;
use crate::store::error::OpenError;

/// How often to look for the word of another program.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Proof that this process is the only server on a file, until it is dropped or the process is gone.
#[derive(Debug)]
pub(crate) struct Claim {
    lock: File,
    /// The last word that was heard by waiting for one.
    heard: AtomicU64,
    visits: Visits,
}

impl Claim {
    /// Takes the lock beside the file. The file itself stays free for commands that run meanwhile.
    pub(in crate::store) fn take(database: &Path) -> Result<Claim, OpenError> {
        let lock = open(database).map_err(|why| unfit(database, &why))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let visits = Visits::of(database, lock.try_clone().map_err(|why| unfit(database, &why))?);
                Ok(Claim { lock, heard: AtomicU64::new(0), visits })
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::Taken { path: database.to_owned() }),
            Err(why) => Err(unfit(database, &why.into())),
        }
    }

    /// Those who change the file beside this server.
    pub(in crate::store) fn visits(&self) -> &Visits {
        &self.visits
    }

    /// Completes when another program has said something that was not waited for before. It looks now and then: eight
    /// bytes are cheap to read, and nobody has to be told who listens.
    pub(in crate::store) async fn news(&self) {
        loop {
            if last_word(&self.lock).is_ok_and(|word| self.heard.swap(word, Ordering::Relaxed) != word) {
                return;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}

impl Drop for Claim {
    /// Closing the file would not do: a child that is being started has it, too, until it is another program.
    fn drop(&mut self) {
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}

/// Says, as a program that is no server, that something changes.
pub(super) fn speak(database: &Path, word: [u8; 8]) -> Result<(), StoreError> {
    let spoken = open(database).and_then(|lock| lock.write_all_at(&word, 0));
    spoken.map_err(|why| StoreError::unreadable(format!("its lock, beside it with -lock at its name: {why}")))
}

/// Removes the files of the lock and of the visitors of a database that nobody has open.
pub(super) fn remove(database: &Path) -> io::Result<()> {
    for file in [file(database), presence(database)] {
        match std::fs::remove_file(file) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
    }
    Ok(())
}

/// The database's own file stays free for programs that are no server.
fn file(database: &Path) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push("-lock");
    database.with_file_name(name)
}

fn open(database: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).read(true).write(true).open(file(database))
}

fn unfit(database: &Path, why: &io::Error) -> OpenError {
    OpenError::Open {
        path: database.to_owned(),
        source: StoreError::unreadable(format!("its lock, beside it with -lock at its name: {why}")),
    }
}

/// Refuses a file on a network file system, where locks and shared memory cannot be relied on.
#[cfg(target_os = "linux")]
pub(super) fn is_local(database: &Path) -> Result<(), OpenError> {
    let directory = match database.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    // What cannot be looked at cannot be opened either, and that says why.
    let Ok(found) = rustix::fs::statfs(&directory) else { return Ok(()) };
    match name_of(u64::from(found.f_type as u32)) {
        Some(system) => Err(OpenError::Network { path: database.to_owned(), system }),
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_local(_: &Path) -> Result<(), OpenError> {
    Ok(())
}

/// The name of a network file system by its number.
#[cfg(target_os = "linux")]
fn name_of(magic: u64) -> Option<&'static str> {
    let systems = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB"),
        (0x0102_1997, "9p"),
        (0x6573_5546, "FUSE"),
        (0x00c3_6400, "Ceph"),
        (0x0bd0_0bd0, "Lustre"),
        (0x4750_4653, "GPFS"),
        (0x1983_0326, "BeeGFS"),
        (0x5346_414f, "AFS"),
        (0x786f_4256, "a shared folder of a virtual machine"),
    ];
    systems.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_server_until_that_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let first = Claim::take(&path).unwrap();
        let refused = Claim::take(&path).unwrap_err();
        assert!(matches!(&refused, OpenError::Taken { path: taken } if *taken == path), "{refused}");
        let inherited = first.lock.try_clone().unwrap();
        drop(first);
        Claim::take(&path).unwrap();
        drop(inherited);
    }

    #[test]
    fn a_server_hears_the_last_word_of_a_command() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let claim = Claim::take(&path).unwrap();
        assert_eq!(last_word(&claim.lock).unwrap(), 0);
        for word in [7_u64, 9] {
            speak(&path, word.to_be_bytes()).unwrap();
            assert_eq!(last_word(&claim.lock).unwrap(), word);
        }
    }

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        assert_eq!(name_of(0x6969), Some("NFS"));
        assert_eq!(name_of(u64::from(0xff53_4d42_u32 as i32 as u32)), Some("CIFS"));
        assert_eq!(name_of(0xef53), None);
        assert!(is_local(Path::new("/proc/nothing.db")).is_ok());
    }
}
