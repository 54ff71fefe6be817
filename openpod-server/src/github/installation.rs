//! Tokens, kept until shortly before they expire, and reading with them.
//!
//! Of many who need a token for the same repository at once, one asks GitHub and the others wait for its answer,
//! whichever it is.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use openpod_sdk::Secret;
use openpod_sdk::api::Timestamp;
use openpod_sdk::clock::Clock;

use super::app::{App, PERMISSIONS};
use super::transport::Reply;
use super::{Connected, GithubError, full_name};
use crate::domain::repository::Repository;

/// How long a token that is handed out must still be good for.
const MARGIN: Duration = Duration::from_secs(300);

/// How many repositories are remembered. A token that is forgotten is minted again.
const CAPACITY: usize = 10_000;

/// A new token is not known everywhere at once: 401 and 403 mean nothing for this long.
const SETTLING: Duration = Duration::from_secs(6);

/// How long to wait before asking again with a token that is not known yet.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
    Duration::from_millis(3000),
];

/// A token for one repository.
#[derive(Debug)]
pub struct Minted {
    /// The token.
    pub token: Secret,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// What it may do.
    pub permissions: BTreeMap<String, String>,
    minted_at: Timestamp,
}

/// The tokens of all repositories.
pub(super) struct Tokens {
    app: App,
    clock: Arc<dyn Clock>,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

/// The place of one repository's token. Whoever holds the lock asks for all who wait for it.
#[derive(Default)]
struct Slot {
    answers: AtomicU64,
    last: tokio::sync::Mutex<Option<Result<Arc<Minted>, GithubError>>>,
}

impl Tokens {
    pub(super) fn new(app: App, clock: Arc<dyn Clock>) -> Self {
        Self { app, clock, slots: Mutex::default() }
    }

    /// A token that is good for a while.
    pub(super) async fn get(&self, repository: &Repository) -> Result<Arc<Minted>, GithubError> {
        let slot = self.slot(repository);
        let answers = slot.answers.load(Ordering::SeqCst);
        let mut last = slot.last.lock().await;
        let while_waiting = slot.answers.load(Ordering::SeqCst) != answers;
        match &*last {
            Some(Ok(minted)) if minted.expires_at.since(self.clock.now()) > MARGIN => {
                return Ok(Arc::clone(minted));
            }
            Some(Err(error)) if while_waiting => return Err(error.clone()),
            _ => {}
        }
        let answer = self.mint(repository).await;
        *last = Some(answer.clone());
        slot.answers.fetch_add(1, Ordering::SeqCst);
        answer
    }

    async fn mint(&self, repository: &Repository) -> Result<Arc<Minted>, GithubError> {
        let granted = self.app.mint(repository).await?;
        let mut permissions = granted.permissions;
        if permissions.is_empty() {
            permissions = PERMISSIONS.map(|(name, level)| (name.to_owned(), level.to_owned())).into();
        }
        let minted_at = self.clock.now();
        Ok(Arc::new(Minted { token: granted.token, expires_at: granted.expires_at, permissions, minted_at }))
    }

    /// Forgets a token that GitHub no longer knows.
    async fn forget(&self, repository: &Repository, dead: &Arc<Minted>) {
        let slot = self.slot(repository);
        let mut last = slot.last.lock().await;
        if matches!(&*last, Some(Ok(minted)) if Arc::ptr_eq(minted, dead)) {
            *last = None;
        }
    }

    fn is_settling(&self, minted: &Minted) -> bool {
        self.clock.now().since(minted.minted_at) < SETTLING
    }

    fn slot(&self, repository: &Repository) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let key = full_name(repository).to_ascii_lowercase();
        if slots.len() >= CAPACITY && !slots.contains_key(&key) {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

impl Connected {
    /// Reads a path of the API with the repository's token.
    pub(super) async fn read(
        &self,
        repository: &Repository,
        what: &'static str,
        path: &str,
    ) -> Result<Reply, GithubError> {
        let mut minted = self.tokens.get(repository).await?;
        for pause in PAUSES {
            let reply = self.transport.get(what, path, &minted.token).await?;
            let refused = matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            if !refused || reply.is_exhausted() {
                return Ok(reply);
            }
            if self.tokens.is_settling(&minted) {
                tokio::time::sleep(pause).await;
            } else if reply.status == StatusCode::UNAUTHORIZED {
                self.tokens.forget(repository, &minted).await;
                minted = self.tokens.get(repository).await?;
            } else {
                return Ok(reply);
            }
        }
        self.transport.get(what, path, &minted.token).await
    }
}
