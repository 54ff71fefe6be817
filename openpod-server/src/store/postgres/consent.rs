//! Asking before a commit: whoever believes what they remember forgets what is about to change.
//!
//! ```text
//!   whom a write concerns ─▶ own memory ─▶ "moving" ─▶ each holder of a lease: "heard" ─▶ COMMIT ─▶ "moved"
//!                                             └─ no answer ─▶ its lease is revoked and outlasted ─┘
//! ```
//!
//! So a server that died holds writes up once, for as long as a lease outlasts it. A write that is alone with its own
//! server, as most are, asks nobody.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_postgres::Pool;
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::lease::{REMOVE, REVOKE, holder};
use super::trust::{OUTLASTS, Trust};
use super::voice::Voice;
use super::words::{Word, parts};
use crate::store::StoreError;
use crate::store::memory::{Memory, Moving, News};

/// How long to wait for an answer. A server that is alive has forgotten within a millisecond; one that is only slow would
/// lose its lease for nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// The questions of one process.
#[derive(Debug)]
pub(super) struct Consents {
    memory: Memory,
    trust: Arc<Trust>,
    voice: Voice,
    waiting: Arc<Waiting>,
}

/// Who has yet to answer which question.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    last: AtomicU64,
    questions: Mutex<HashMap<u64, Question>>,
}

#[derive(Debug)]
struct Question {
    silent: BTreeSet<String>,
    answered: Option<oneshot::Sender<()>>,
}

/// What everybody who remembers anything has agreed to. It lasts until it is dropped, which is to be when the commit is
/// over.
#[derive(Debug)]
#[must_use]
pub(super) struct Consent {
    trust: Arc<Trust>,
    voice: Voice,
    waiting: Arc<Waiting>,
    numbers: Vec<u64>,
    /// Whether a commit is on its way, so that nobody knows whether it happens.
    is_open: bool,
    /// Dropped last.
    _own: Moving,
}

impl Consents {
    pub(super) fn new(memory: Memory, trust: Arc<Trust>, voice: Voice, waiting: Arc<Waiting>) -> Self {
        Self { memory, trust, voice, waiting }
    }

    /// Waits until nobody who holds one of these leases remembers what these news are about. What takes a connection takes
    /// one of `readers`: whoever writes has one of the others already.
    pub(super) async fn to(
        &self,
        news: News,
        leases: &[String],
        readers: &Pool,
    ) -> Result<Consent, StoreError> {
        let mut consent = Consent {
            trust: Arc::clone(&self.trust),
            voice: self.voice.clone(),
            waiting: Arc::clone(&self.waiting),
            numbers: Vec::new(),
            is_open: false,
            _own: self.memory.moving(news.clone()),
        };
        let others: Vec<&str> =
            leases.iter().map(|lease| holder(lease)).filter(|holder| *holder != self.voice.name()).collect();
        if others.is_empty() || news.is_empty() {
            return Ok(consent);
        }
        let mut answers = Vec::new();
        for News { agents, keys } in parts(news) {
            let (number, answer) = self.waiting.ask(&others);
            consent.numbers.push(number);
            answers.push(answer);
            self.voice.say(Word::Moving { number, agents, keys });
        }
        let mut answered = join_all(answers);
        if timeout(PATIENCE, &mut answered).await.is_ok() {
            return Ok(consent);
        }
        let silent = self.waiting.silent(&consent.numbers);
        let silent: Vec<&String> = leases.iter().filter(|lease| silent.contains(holder(lease))).collect();
        tokio::select! {
            _ = answered => {}
            outlasted = outlast(&silent, readers) => outlasted?,
        }
        Ok(consent)
    }
}

/// Waits until nobody believes anything by these leases any more.
async fn outlast(leases: &[&String], readers: &Pool) -> Result<(), StoreError> {
    tracing::warn!(?leases, "another server does not answer, so what it remembers is outlasted");
    let client = readers.get().await?;
    client.execute(REVOKE, &[&leases]).await?;
    sleep(OUTLASTS).await;
    client.execute(REMOVE, &[&leases]).await?;
    Ok(())
}

impl Consent {
    /// The commit is sent.
    pub(super) fn opens(&mut self) {
        self.is_open = true;
    }

    /// It is over.
    pub(super) fn closes(mut self) {
        self.is_open = false;
    }
}

impl Drop for Consent {
    fn drop(&mut self) {
        self.waiting.drop_all(&self.numbers);
        if self.is_open {
            // It may yet be committed. Nobody is told, so the others lose patience and begin anew, as this process does:
            // a lease that is taken waits for it.
            self.trust.end();
            return;
        }
        for number in self.numbers.drain(..) {
            self.voice.say(Word::Moved { number });
        }
    }
}

impl Waiting {
    /// Notes that those are asked. The answer comes when all of them have answered.
    fn ask(&self, whom: &[&str]) -> (u64, oneshot::Receiver<()>) {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let (answered, answer) = oneshot::channel();
        let silent = whom.iter().map(|&holder| holder.to_owned()).collect();
        self.lock().insert(number, Question { silent, answered: Some(answered) });
        (number, answer)
    }

    /// A process has answered.
    pub(super) fn heard(&self, number: u64, process: &str) {
        if let Some(question) = self.lock().get_mut(&number) {
            question.silent.remove(process);
            if question.silent.is_empty() {
                // The one who asked may be gone.
                let _ = question.answered.take().map(|answered| answered.send(()));
            }
        }
    }

    fn silent(&self, numbers: &[u64]) -> BTreeSet<String> {
        let questions = self.lock();
        numbers
            .iter()
            .filter_map(|number| questions.get(number))
            .flat_map(|question| question.silent.clone())
            .collect()
    }

    fn drop_all(&self, numbers: &[u64]) {
        let mut questions = self.lock();
        numbers.iter().for_each(|number| drop(questions.remove(number)));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Question>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use deadpool_postgres::{Manager, Pool};
    use futures_util::FutureExt;
    use openpod_sdk::api::{AgentKeyId, Timestamp};

    use super::*;
    use crate::store::postgres::trust::Round;
    use crate::store::postgres::voice::Words;
    use crate::store::postgres::words::Message;
    use crate::store::uptime::uptime;

    /// A process that holds a lease, what it says, and connections to nowhere.
    struct Process {
        consents: Consents,
        words: Words,
        readers: Pool,
        round: Round,
    }

    impl Process {
        fn new() -> Self {
            let (voice, words) = Voice::new("me".to_owned());
            let trust = Arc::new(Trust::default());
            let round = trust.begin();
            trust.prolong(round, uptime(), Timestamp::from_micros(0));
            let manager = Manager::new(tokio_postgres::Config::new(), tokio_postgres::NoTls);
            let readers = Pool::builder(manager).build().unwrap();
            Self {
                consents: Consents::new(Memory::default(), trust, voice, Arc::default()),
                words,
                readers,
                round,
            }
        }

        /// What it has said since it was listened to.
        fn said(&mut self) -> Vec<Word> {
            let said = self.consents.voice.next(&mut self.words).now_or_never().unwrap_or_default();
            said.iter().map(|text| Message::parse(text).unwrap().word).collect()
        }

        fn believes(&self) -> bool {
            self.consents.trust.prolong(self.round, uptime(), Timestamp::from_micros(0))
        }

        /// Whether anything of Ada's may be kept.
        fn keeps(&self) -> bool {
            self.consents.memory.reserve_pending(AgentKeyId::from("ada")).is_kept()
        }
    }

    fn news() -> News {
        News { agents: vec![AgentKeyId::from("ada")], keys: vec!["key".to_owned()] }
    }

    fn moving(number: u64) -> Word {
        let News { agents, keys } = news();
        Word::Moving { number, agents, keys }
    }

    fn leases(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[tokio::test]
    async fn who_is_alone_asks_nobody_and_keeps_nothing_until_it_is_over() {
        let mut process = Process::new();
        for leases in [leases(&[]), leases(&["me.1"])] {
            let consent =
                process.consents.to(news(), &leases, &process.readers).now_or_never().unwrap().unwrap();
            assert!(!process.keeps());
            drop(consent);
            assert!(process.keeps() && process.said().is_empty());
        }
    }

    #[tokio::test]
    async fn each_holder_of_a_lease_is_asked_once_and_told_of_the_end() {
        let mut process = Process::new();
        let leases = leases(&["me.1", "them.3", "others.1"]);
        let waiting = Arc::clone(&process.consents.waiting);
        let mut asking = Box::pin(process.consents.to(news(), &leases, &process.readers));
        assert!((&mut asking).now_or_never().is_none());
        waiting.heard(0, "them");
        waiting.heard(0, "them");
        waiting.heard(7, "others");
        assert!((&mut asking).now_or_never().is_none(), "the others have not answered");
        waiting.heard(0, "others");
        let mut consent = asking.await.unwrap();
        consent.opens();
        assert_eq!(process.said(), [moving(0)]);
        consent.closes();
        assert_eq!(process.said(), [Word::Moved { number: 0 }]);
        assert!(process.believes() && process.keeps());
    }

    #[tokio::test]
    async fn a_commit_whose_end_is_unknown_is_never_said_to_be_over_and_ends_the_own_lease() {
        let mut process = Process::new();
        let waiting = Arc::clone(&process.consents.waiting);
        let leases = leases(&["them.3"]);
        let mut asking = Box::pin(process.consents.to(news(), &leases, &process.readers));
        assert!((&mut asking).now_or_never().is_none());
        waiting.heard(0, "them");
        let mut consent = asking.await.unwrap();
        consent.opens();
        drop(consent);
        assert_eq!(process.said(), [moving(0)]);
        assert!(!process.believes());
    }

    #[tokio::test]
    async fn who_asks_and_goes_away_takes_it_back() {
        let mut process = Process::new();
        let leases = leases(&["them.3"]);
        let mut asking = Box::pin(process.consents.to(news(), &leases, &process.readers));
        assert!((&mut asking).now_or_never().is_none());
        drop(asking);
        assert_eq!(process.said(), [moving(0), Word::Moved { number: 0 }]);
        assert!(process.keeps() && process.consents.waiting.lock().is_empty());
    }
}
