//! Crash points: places where a test has this program die, to prove that none of them is a bad place to die.
//!
//! A build with debug assertions has them, a release build has none of them: there `point` is empty. A feature would
//! not do, since one package of a workspace that asks for it lends it to all others. Where they are compiled in, they still do
//! nothing unless `OPENPOD_CRASH_AT` names one:
//!
//! | variable | |
//! |---|---|
//! | `OPENPOD_CRASH_AT` | a point of [`POINTS`], or `point@2` for the second time that this process gets there |
//! | `OPENPOD_CRASH_MARK` | a file that is made when the process dies; while it is there, no process dies again |
//!
//! The process kills itself with SIGKILL, so nothing is dropped, flushed or said. `tests/` walks the table.

/// Every crash point, and what is true there. The words before the slash name an effect or a part of the program.
pub const POINTS: [(&str, &str); 73] = [
    ("start/locked", "the data directory is ours, nothing is read"),
    ("start/opened", "the journal is open"),
    ("start/known", "who we are is written down"),
    ("webhook/registered", "the platform has our webhook, our note does not say so"),
    ("webhook/noted", "our note says so, what is stale is still there"),
    ("apply/intended", "an application is written down, not sent"),
    ("apply/sent", "an application is there, which is not written down"),
    ("apply/noted", "and it is written down"),
    ("claim/intended", "each effect: it is written down, nothing is done"),
    ("claim/done", "each effect: it is done, which is not written down"),
    ("prepare/intended", ""),
    ("prepare/looked", "where the remote's branches are is known"),
    ("prepare/mirror", "the mirror is made, and empty"),
    ("prepare/fetched", "the mirror is filled"),
    ("prepare/outbound-unfinished", "the outbound repository is whole, under its other name"),
    ("prepare/outbound", "it has its name"),
    ("prepare/noted", "the base branch is written down"),
    ("prepare/workspace-unfinished", "the workspace is whole, under its other name"),
    ("prepare/workspace", "it has its name"),
    ("prepare/done", ""),
    ("brief/intended", ""),
    ("brief/written", "the assignment is a file"),
    ("brief/done", ""),
    ("run/intended", ""),
    ("run/placed", "the run has a directory and no shim"),
    ("run/shim", "the shim is started, and has no task"),
    ("run/told", "the shim has its task"),
    ("run/done", ""),
    ("shim/begun", "the shim lives and has no lock"),
    ("shim/locked", "it has the lock, and did not say who it is"),
    ("shim/known", "it said who it is, there is no worker"),
    ("shim/worker", "the worker lives"),
    ("shim/ended", "the worker has ended, which is not written down"),
    ("shim/noted", "and it is written down, the lock is still held"),
    ("collect/intended", ""),
    ("collect/staged", "the staging repository is there"),
    ("collect/committed", "the commit is in the staging repository"),
    ("collect/taken-over", "the commit is in the outbound repository"),
    ("collect/done", ""),
    ("push/intended", ""),
    ("push/pushed", "the branch is on the forge, the outbound repository does not know"),
    ("push/done", ""),
    ("git/fetch", "a git that fetches was started; it lives on"),
    ("git/push", "a git that pushes was started; it lives on"),
    ("git/token", "a git has got a token"),
    ("propose/intended", ""),
    ("propose/looked-up", "whether there is a pull request is known"),
    ("propose/opened", "the pull request was opened"),
    ("propose/updated", "the text of the pull request is that of the second round"),
    ("propose/done", ""),
    ("verify/intended", ""),
    ("verify/done", ""),
    ("deliver/intended", ""),
    ("deliver/done", ""),
    ("report/intended", ""),
    ("report/done", ""),
    ("apologise/intended", ""),
    ("apologise/done", ""),
    ("release/intended", ""),
    ("release/done", ""),
    ("leave/intended", "the ticket stays ours, as the policy says"),
    ("leave/done", ""),
    ("clean/intended", ""),
    ("clean/ended", "what still ran was ended"),
    ("clean/scratch", "the homes of the worker are gone"),
    ("clean/set-aside", "the repositories are out of the way, and not gone"),
    ("clean/done", ""),
    ("forget/set-aside", "the files of a ticket's runs are out of the way, the journal knows the ticket"),
    ("forget/noted", "the journal does not know it, the files are not gone"),
    ("journal/unwritten", "a decision is about to be written down"),
    ("journal/uncommitted", "it is written in a transaction that is not committed"),
    ("journal/committed", "it is durable, and nobody was told"),
    ("stop/asked", "the daemon was told to stop, and waits for what it began"),
];

/// The variables, for processes of the daemon's that are started with an empty environment.
#[cfg(debug_assertions)]
pub(crate) const VARIABLES: &[&str] = &["OPENPOD_CRASH_AT", "OPENPOD_CRASH_MARK"];
#[cfg(not(debug_assertions))]
pub(crate) const VARIABLES: &[&str] = &[];

/// Dies here, if this is the point that was named.
#[cfg(debug_assertions)]
pub(crate) fn point(name: &str) {
    armed::reached(name);
}

/// Dies here, if the point of this part and moment was named.
#[cfg(debug_assertions)]
pub(crate) fn around(part: &str, moment: &str) {
    if armed::is_armed() {
        armed::reached(&format!("{part}/{moment}"));
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn point(_name: &str) {}

#[cfg(not(debug_assertions))]
pub(crate) fn around(_part: &str, _moment: &str) {}

#[cfg(debug_assertions)]
mod armed {
    use std::fs::OpenOptions;
    use std::io::ErrorKind;
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    use super::POINTS;

    struct Order {
        point: String,
        /// The first time is 1.
        time: u32,
        mark: PathBuf,
    }

    static ORDER: OnceLock<Option<Order>> = OnceLock::new();
    static TIMES: AtomicU32 = AtomicU32::new(0);

    fn order() -> Option<&'static Order> {
        let read = || {
            let text = std::env::var("OPENPOD_CRASH_AT").ok()?;
            let mark = std::env::var_os("OPENPOD_CRASH_MARK")?.into();
            let (point, time) = text.split_once('@').unwrap_or((&text, "1"));
            Some(Order { point: point.to_owned(), time: time.parse().ok()?, mark })
        };
        ORDER.get_or_init(read).as_ref()
    }

    pub(super) fn is_armed() -> bool {
        order().is_some()
    }

    pub(super) fn reached(name: &str) {
        let Some(order) = order() else { return };
        if !POINTS.iter().any(|(known, _)| *known == name) {
            // The test that walks the table sees this end, which is not the one that it asked for.
            std::process::abort();
        }
        if order.point != name || TIMES.fetch_add(1, Ordering::SeqCst) + 1 != order.time {
            return;
        }
        match OpenOptions::new().write(true).create_new(true).open(&order.mark) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return,
            Err(_) => std::process::abort(),
            Ok(_) => {}
        }
        let _ = kill_process(getpid(), Signal::KILL);
        // The signal may take a moment to arrive, and nothing must happen in it.
        loop {
            std::thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_point_has_one_name_of_two_words() {
        let names: BTreeSet<&str> = POINTS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), POINTS.len());
        assert!(names.iter().all(|name| name.split('/').count() == 2), "{names:?}");
    }
}
