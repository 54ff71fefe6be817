//! Commands that change a file beside its server, which believes what it remembers.
//!
//! ```text
//!   command   in ─▶ a word ─▶ a moment ─▶ COMMIT ─▶ another word ─▶ out
//!   server    look: is nobody in, and is there no new word? ─▶ believed for less than that moment
//! ```
//!
//! So the server believes nothing while a commit of somebody else's may happen, and forgets everything before it believes
//! anything again, also when a command was killed on the way: its lock is gone then, and its first word is there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use openpod_sdk::api::Timestamp;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::store::StoreError;
use crate::store::memory::Memory;
use crate::store::uptime::{micros, uptime};

/// How long after a look a server believes what it remembers.
const BELIEF: Duration = Duration::from_millis(2);

/// How long a command that has gone in waits: longer than whoever looked before believes anything.
const MOMENT: Duration = Duration::from_millis(4);

/// What the server of a file knows of those who visit it.
#[derive(Debug)]
pub(in crate::store) struct Visits {
    presence: PathBuf,
    /// Where words are written.
    words: File,
    /// By [`uptime`], in microseconds.
    believed_until: AtomicU64,
    /// When the last look began, by the time of transactions.
    time: AtomicI64,
    /// One looks at a time: who looked at the same time would seem to be a visitor.
    looking: Mutex<()>,
}

/// Somebody who is in.
#[derive(Debug)]
#[must_use]
pub(in crate::store) struct Visit {
    database: PathBuf,
    presence: Option<File>,
}

impl Visits {
    pub(super) fn of(database: &Path, words: File) -> Self {
        let (believed_until, time, looking) = Default::default();
        Self { presence: presence(database), words, believed_until, time, looking }
    }

    /// A time before which nothing happened that is not in memory; `None` when that may not be believed. `now` is asked for
    /// when a look is due.
    pub(in crate::store) fn time_of_memory(
        &self,
        memory: &Memory,
        now: impl FnOnce() -> Timestamp,
    ) -> Option<Timestamp> {
        self.believed().or_else(|| {
            let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
            self.believed().or_else(|| self.look(memory, now()).ok()?)
        })
    }

    fn believed(&self) -> Option<Timestamp> {
        let holds = micros(uptime()) < self.believed_until.load(Ordering::Acquire);
        holds.then(|| Timestamp::from_micros(self.time.load(Ordering::Acquire)))
    }

    fn look(&self, memory: &Memory, now: Timestamp) -> io::Result<Option<Timestamp>> {
        let begun = uptime();
        if self.is_anybody_in()? {
            return Ok(None);
        }
        memory.listen(last_word(&self.words)?);
        self.time.store(now.as_micros(), Ordering::Release);
        self.believed_until.store(micros(begun + BELIEF), Ordering::Release);
        Ok(Some(now))
    }

    fn is_anybody_in(&self) -> io::Result<bool> {
        let presence = match File::open(&self.presence) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        match flock(&presence, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => flock(&presence, FlockOperation::Unlock).map(|()| false),
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(why) => Err(why),
        }
        .map_err(io::Error::from)
    }
}

impl Visit {
    /// Goes in, and waits until the server believes nothing. That the word can be written proves that there is room for
    /// the second.
    pub(in crate::store) async fn begin(database: &Path, word: [u8; 8]) -> Result<Visit, StoreError> {
        let presence = File::options().create(true).append(true).open(presence(database));
        let locked = presence.and_then(|file| {
            flock(&file, FlockOperation::LockShared)?;
            Ok(file)
        });
        let why = |why| {
            StoreError::unreadable(format!(
                "the file of its visitors, beside it with -visitors at its name: {why}"
            ))
        };
        let presence = Some(locked.map_err(why)?);
        let visit = Visit { database: database.to_owned(), presence };
        super::claim::speak(database, word)?;
        tokio::time::sleep(MOMENT).await;
        Ok(visit)
    }

    /// Goes out after the commit, or after there was none.
    pub(in crate::store) fn end(mut self, word: [u8; 8]) -> Result<(), StoreError> {
        let spoken = super::claim::speak(&self.database, word);
        if let Some(presence) = self.presence.take() {
            // Closing it would not do where a child is being started, which has it, too.
            let _ = flock(&presence, FlockOperation::Unlock);
        }
        spoken
    }
}

impl Drop for Visit {
    /// Nobody waited for the commit, which may yet happen: the visit lasts as long as the process.
    fn drop(&mut self) {
        if let Some(presence) = self.presence.take() {
            std::mem::forget(presence);
        }
    }
}

/// The last word that a command wrote there, 0 before the first.
pub(super) fn last_word(words: &File) -> io::Result<u64> {
    let mut word = [0; 8];
    match words.read_exact_at(&mut word, 0) {
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        read => read.map(|()| u64::from_be_bytes(word)),
    }
}

/// The file that visitors lock together.
pub(super) fn presence(database: &Path) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push("-visitors");
    database.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use openpod_sdk::api::AgentKeyId;
    use openpod_sdk::api::heartbeat::{PendingApplications, PendingTickets, UnreadMessages};

    use super::*;
    use crate::domain::heartbeat::Pending;
    use crate::store::sqlite::claim::Claim;

    /// A server that remembers something of Ada's, and its file.
    struct Server {
        directory: tempfile::TempDir,
        claim: Claim,
        memory: Memory,
    }

    impl Server {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let claim = Claim::take(&directory.path().join("test.db")).unwrap();
            Self { directory, claim, memory: Memory::default() }
        }

        async fn visit(&self, word: u64) -> Visit {
            Visit::begin(&self.directory.path().join("test.db"), word.to_be_bytes()).await.unwrap()
        }

        fn believes(&self) -> bool {
            self.claim.visits().time_of_memory(&self.memory, || Timestamp::from_micros(0)).is_some()
        }

        fn reads(&self) {
            let pending = Pending {
                tickets: PendingTickets::default(),
                messages: UnreadMessages::default(),
                applications: PendingApplications::default(),
                last_change: None,
            };
            let reserved = self.memory.reserve_pending(AgentKeyId::from("ada"));
            self.memory.keep_pending(reserved, Timestamp::from_micros(0), Arc::new(pending));
        }

        fn remembers(&self) -> bool {
            self.memory.pending(&AgentKeyId::from("ada")).is_some()
        }
    }

    #[tokio::test]
    async fn while_somebody_is_in_nothing_is_believed_and_what_was_read_then_is_forgotten() {
        let server = Server::new();
        assert!(server.believes());
        server.reads();
        let (first, second) = (server.visit(1).await, server.visit(2).await);
        assert!(!server.believes());
        first.end([3; 8]).unwrap();
        server.reads();
        assert!(!server.believes(), "the second is in");
        second.end([4; 8]).unwrap();
        assert!(server.believes() && !server.remembers());
        server.reads();
        assert!(server.believes() && server.remembers(), "nothing happened since");
    }

    #[tokio::test]
    async fn what_was_read_beside_a_visitor_that_was_killed_is_forgotten() {
        let server = Server::new();
        let mut killed = server.visit(1).await;
        assert!(!server.believes());
        server.reads();
        drop(killed.presence.take());
        assert!(server.believes() && !server.remembers());
    }

    #[tokio::test]
    async fn a_visitor_that_does_not_say_that_it_is_done_stays_in() {
        let server = Server::new();
        drop(server.visit(1).await);
        assert!(!server.believes());
    }

    #[test]
    fn a_visitor_waits_longer_than_a_look_is_believed() {
        assert!(MOMENT >= 2 * BELIEF);
    }
}
