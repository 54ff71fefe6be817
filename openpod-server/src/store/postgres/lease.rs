//! The lease of a server on what it remembers: a row in `leases`, which every write sees.
//!
//! ```text
//!   take ─▶ writes that did not see it are over ─▶ memory begins anew ─▶ look, a few times a second ─┐
//!     ▲                                                                  └─ whole: believed a while ◀┘
//!     └── a pause ◀── revoked, unheard of, or a write whose end is unknown
//! ```

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openpod_sdk::api::Timestamp;
use tokio::time::sleep;
use tokio_postgres::{Client, Error};

use super::session::TIME_OF_READ;
use super::trust::{Round, Trust};
use crate::store::memory::{Memory, Moving, News};
use crate::store::uptime::uptime;

/// How often a server looks after its lease, and at writes that it waits for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
const BETWEEN_LOOKS_AT_WRITES: Duration = Duration::from_millis(10);

/// How long others may take to commit what they have told of. Later than that their end was missed.
const LONGEST_MOVE: Duration = Duration::from_secs(10);

/// How long to wait before a lease is taken again: longer each time, until one was kept for as long as that.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The names of a process's leases begin with its own.
pub(super) const GIVE_UP: &str = "DELETE FROM leases WHERE starts_with(name, $1)";

const TAKE: &str = "INSERT INTO leases (name) VALUES ($1)";

/// The writes under way, each by a name of its own.
const WRITES: &str = "SELECT pid || ' ' || CAST(xact_start AS TEXT) FROM pg_stat_get_activity(NULL) \
    WHERE application_name = 'openpod-server writer' AND xact_start IS NOT NULL AND datid = \
    (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Who looks after these finds them revoked.
pub(super) const REVOKE: &str = "UPDATE leases SET revoked = TRUE WHERE name = ANY($1) AND NOT revoked";

/// Of leases that were revoked and outlasted nobody needs to know.
pub(super) const REMOVE: &str = "DELETE FROM leases WHERE name = ANY($1)";

/// What a server remembers, and what it has heard that others are about to change.
#[derive(Debug, Clone)]
pub(super) struct Remembers {
    memory: Memory,
    trust: Arc<Trust>,
    /// By who they are, and their number.
    moves: Arc<Mutex<HashMap<(String, u64), Move>>>,
}

#[derive(Debug)]
struct Move {
    since: Duration,
    _moving: Moving,
}

impl Remembers {
    pub(super) fn new(memory: Memory, trust: Arc<Trust>) -> Self {
        Self { memory, trust, moves: Arc::default() }
    }

    pub(super) fn moving(&self, who: &str, number: u64, news: News) {
        let moving = Move { since: uptime(), _moving: self.memory.moving(news) };
        self.lock().insert((who.to_owned(), number), moving);
    }

    pub(super) fn moved(&self, who: &str, number: u64) {
        self.lock().remove(&(who.to_owned(), number));
    }

    /// From now on nobody tells of anything.
    pub(super) fn hears_nothing(&self) {
        self.trust.end();
        self.lock().clear();
    }

    /// Whoever told of what is forgotten here began before the lease that is taken next, which waits for them.
    fn begin(&self) -> Round {
        let round = self.trust.begin();
        self.lock().clear();
        round
    }

    fn waits_for_ever(&self, now: Duration) -> bool {
        self.lock().values().any(|moving| now.saturating_sub(moving.since) >= LONGEST_MOVE)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, u64), Move>> {
        self.moves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a lease, and whose it is.
fn name(process: &str, round: Round) -> String {
    format!("{process}.{round}")
}

pub(super) fn holder(lease: &str) -> &str {
    lease.split_once('.').map_or(lease, |(process, _)| process)
}

/// Keeps a lease while the connection lasts by which the process hears of what others do.
pub(super) async fn keep(client: &Client, process: &str, remembers: &Remembers) -> Result<Infallible, Error> {
    let mut pause = SHORTEST_PAUSE;
    loop {
        let round = remembers.begin();
        let lease = name(process, round);
        take(client, process, &lease).await?;
        remembers.memory.forget();
        let taken = uptime();
        while is_whole(client, &lease, remembers, round).await? {
            tokio::select! {
                () = remembers.trust.lost() => {}
                () = sleep(BETWEEN_LOOKS) => {}
            }
        }
        remembers.trust.end();
        give_up(client, process).await?;
        if uptime().saturating_sub(taken) >= LONGEST_PAUSE {
            pause = SHORTEST_PAUSE;
        }
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Takes a lease, in place of the last one. Whoever writes afterwards asks before anything changes.
async fn take(client: &Client, process: &str, lease: &str) -> Result<(), Error> {
    give_up(client, process).await?;
    client.execute(TAKE, &[&lease]).await?;
    // Those that are under way may not have seen it.
    let unaware = writes(client).await?;
    while !writes(client).await?.is_disjoint(&unaware) {
        sleep(BETWEEN_LOOKS_AT_WRITES).await;
    }
    Ok(())
}

async fn writes(client: &Client) -> Result<HashSet<String>, Error> {
    client.query(WRITES, &[]).await?.iter().map(|row| row.try_get(0)).collect()
}

async fn give_up(client: &Client, process: &str) -> Result<(), Error> {
    client.execute(GIVE_UP, &[&format!("{process}.")]).await.map(drop)
}

/// Looks after a lease, and believes what is remembered for another while. Whether it does.
async fn is_whole(client: &Client, lease: &str, remembers: &Remembers, round: Round) -> Result<bool, Error> {
    let begun = uptime();
    if remembers.waits_for_ever(begun) {
        return Ok(false);
    }
    let sql = format!("{TIME_OF_READ} FROM leases WHERE name = $1 AND NOT revoked");
    let Some(found) = client.query_opt(&sql, &[&lease]).await? else { return Ok(false) };
    Ok(remembers.trust.prolong(round, begun, Timestamp::from_micros(found.try_get(0)?)))
}
