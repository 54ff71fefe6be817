//! A journal that is older than what it speaks of, since somebody put a copy of it back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::super::conversation::Conversation;
use super::super::proxy::Proxy;
use super::super::{AT_ONCE, side_by_side};
use super::{Keeper, begin, begin_as};
use crate::world::ends;
use crate::world::program::Log;

/// A step, and which time it is reached.
type Moment = (&'static str, u32);

/// When the journal is copied, and when the daemon is killed and gets the copy.
const RESTORED: [(Moment, Moment); 8] = [
    (("claim", 1), ("fetch", 1)),
    (("claim", 2), ("push", 1)),
    (("fetch", 1), ("open the pull request", 1)),
    (("look before the push", 1), ("verify", 1)),
    (("open the pull request", 1), ("deliver", 1)),
    (("push", 1), ("report", 2)),
    (("deliver", 1), ("push", 2)),
    (("deliver", 1), ("verify", 2)),
];

#[test]
fn a_daemon_with_the_journal_of_yesterday_looks_and_does_nothing_twice() {
    println!("{} old journals", RESTORED.len());
    let walks = RESTORED.map(|(copied, restored)| {
        (format!("copied at {copied:?}, restored at {restored:?}"), (copied, restored))
    });
    side_by_side(AT_ONCE, walks.to_vec(), async |(copied, restored)| {
        let (conversation, proxy) = begin().await;
        let journal = Copied::at(copied, &conversation, &proxy);
        let log = Log::default();
        let _shown = log.shown_on_failure();
        let kill = Arc::new(Notify::new());
        let killing = Arc::clone(&kill);
        proxy.when(restored.0, restored.1, move || killing.notify_one());
        let times = AtomicU32::new(0);
        let between = || {
            assert_eq!(times.fetch_add(1, Ordering::SeqCst), 0, "it is killed once");
            journal.put_back();
        };
        let keeper = Keeper { conversation: &conversation, log: &log, kill: &kill, starter: &[] };
        let held = keeper.hold(between, |_| false).await;
        assert_eq!(times.load(Ordering::SeqCst), 1, "it is killed");
        conversation.check_delivery(&held).await;
        conversation.world.close().await;
    });
}

/// When the journal is copied that is put back when everything is over. The first two know of no ticket, the next two of one
/// or both that were not claimed yet.
const FINISHED: [Moment; 11] = [
    ("apply", 1),
    ("free tickets", 1),
    ("claim", 1),
    ("claim", 2),
    ("fetch", 1),
    ("knowledge", 1),
    ("look before the push", 1),
    ("open the pull request", 1),
    ("deliver", 1),
    ("claim", 3),
    ("push", 2),
];

/// The same of a daemon that keeps the ticket which it gives up.
const FINISHED_AND_LEFT: [Moment; 5] =
    [("apply", 1), ("free tickets", 1), ("claim", 2), ("knowledge", 1), ("deliver", 1)];

#[test]
fn a_journal_from_before_everything_was_finished_begins_nothing_again() {
    let released = FINISHED.map(|moment| (moment, false));
    let left = FINISHED_AND_LEFT.map(|moment| (moment, true));
    let walks = released.into_iter().chain(left).map(|(moment, leaves)| {
        let end = if leaves { "left" } else { "handed back" };
        (format!("copied at {moment:?}, restored at the end, what cannot be done is {end}"), (moment, leaves))
    });
    side_by_side(AT_ONCE, walks.collect(), async |(moment, leaves)| {
        let (conversation, proxy) = begin_as(leaves).await;
        let journal = Copied::at(moment, &conversation, &proxy);
        let log = Log::default();
        let _shown = log.shown_on_failure();
        let kill = Notify::new();
        let keeper = Keeper { conversation: &conversation, log: &log, kill: &kill, starter: &[] };
        let held = keeper.hold(|| {}, |_| false).await;
        let begun = std::fs::read_to_string(&conversation.signs).unwrap();

        journal.put_back();
        let stop = CancellationToken::new();
        let settled = async {
            conversation.until_again_over(&held.circle, log.news()).await;
            let looked = Arc::new(Notify::new());
            let looking = Arc::clone(&looked);
            proxy.when("free tickets", 3, move || looking.notify_one());
            ends("free tickets are looked for", looked.notified()).await;
            conversation.until_again_over(&held.circle, log.news()).await;
            stop.cancel();
        };
        tokio::join!(settled, keeper.keep(&stop, || {}, |_| false));
        assert_eq!(std::fs::read_to_string(&conversation.signs).unwrap(), begun, "no worker is started");
        if FINISHED[..2].contains(&moment) {
            let known = openpod_agentd::journal::read(&journal.journal).unwrap();
            assert!(known.jobs[&held.circle].handed_back.is_some(), "the ticket's own comment is believed");
        }
        conversation.check(&held, super::super::facts::Runs::AsMeant).await;
        conversation.world.close().await;
    });
}

/// A journal that is copied while the daemon works.
struct Copied {
    journal: PathBuf,
    copy: PathBuf,
}

impl Copied {
    fn at(moment: Moment, conversation: &Conversation, proxy: &Proxy) -> Self {
        let copy = conversation.world.directory("copy").join("journal.db");
        let copied = Self { journal: conversation.data_dir.join("journal.db"), copy };
        let (from, to) = (copied.journal.clone(), copied.copy.clone());
        proxy.when(moment.0, moment.1, move || copy_journal(&from, &to));
        copied
    }

    fn put_back(&self) {
        copy_journal(&self.copy, &self.journal);
    }
}

/// With what was written and not yet put in its place.
fn copy_journal(from: &Path, to: &Path) {
    for end in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        if std::fs::copy(name(from), name(to)).is_err() {
            let _ = std::fs::remove_file(name(to));
        }
    }
    let _ = std::fs::remove_file(format!("{}-shm", to.display()));
}
