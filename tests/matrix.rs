//! One conversation between an owner and a daemon, held again and again while something else goes wrong each time, and
//! always with the same end.

mod conversation;
mod crash;
mod facts;
mod fault;
mod machine;
mod proxy;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// Whether the long forms were asked for: `OPENPOD_TEST_LONG=1`.
fn long_form() -> bool {
    std::env::var("OPENPOD_TEST_LONG").is_ok_and(|value| value == "1")
}

/// How many worlds at a time. They wait more than they work.
const AT_ONCE: usize = 4;

/// Which sample is taken: `OPENPOD_TEST_SEED`.
fn seed() -> u64 {
    std::env::var("OPENPOD_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// Does the same with each of many things, so many at a time, each with a runtime of its own. Fails with all that failed.
fn side_by_side<T: Send>(at_once: usize, things: Vec<(String, T)>, deed: impl AsyncFn(T) + Sync) {
    let (queue, failed) = (Mutex::new(VecDeque::from(things)), Mutex::new(Vec::new()));
    let next = || queue.lock().unwrap().pop_front();
    let work = || {
        while let Some((name, thing)) = next() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let done = catch_unwind(AssertUnwindSafe(|| runtime.block_on(deed(thing))));
            if let Err(panic) = done {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
                eprintln!("{name}: {text}");
                failed.lock().unwrap().push(name);
            }
        }
    };
    std::thread::scope(|scope| (0..at_once).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} did not end well:\n{}", failed.len(), failed.join("\n"));
}
