//! What `/proc` tells of processes: who descends from whom, who carries a mark, and who is who after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process, pidfd_open, waitpid};
use serde::{Deserialize, Serialize};

/// Between two looks at processes whose end nobody announces.
const PAUSE: Duration = Duration::from_millis(5);
/// After so many rounds of killing, what is left will not die.
const ROUNDS: u32 = 2000;

/// A process, told apart from every other one that ever has its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pid: i32,
    /// In ticks since the machine began.
    started: u64,
    /// Of this run of the machine.
    boot: String,
}

impl Identity {
    /// This process.
    pub(crate) fn own() -> io::Result<Self> {
        Self::of(getpid())
    }

    /// Its number.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    fn of(pid: Pid) -> io::Result<Self> {
        let pid = pid.as_raw_nonzero().get();
        let boot = boot()?;
        let stat = Stat::of(pid).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Self { pid, started: stat.started, boot })
    }

    /// Whether it is there and not over.
    pub(crate) fn lives(&self) -> bool {
        let over = |pid: Pid| Stat::of(pid.as_raw_nonzero().get()).is_none_or(|stat| stat.is_over());
        let pid = Pid::from_raw(self.pid).filter(|pid| Self::of(*pid).is_ok_and(|found| found == *self));
        pid.is_some_and(|pid| !over(pid))
    }

    /// A handle that stays with this process, if it is still there.
    pub(crate) fn open(&self) -> Option<OwnedFd> {
        let pid = Pid::from_raw(self.pid)?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // The number may be another's by now. Once the handle is open it cannot change hands any more.
        Self::of(pid).is_ok_and(|found| found == *self).then_some(handle)
    }
}

/// The run of the machine, which ends when its power does.
pub(crate) fn boot() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

struct Stat {
    /// Its first thread has ended.
    headless: bool,
    /// With the first one, as long as nobody has taken note of its end.
    threads: u64,
    parent: i32,
    session: i32,
    started: u64,
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before it may hold anything, also blanks and brackets.
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
        Some(Self {
            headless: matches!(*fields.first()?, "Z" | "X"),
            threads: fields.get(17)?.parse().ok()?,
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    /// Ended, though perhaps nobody has taken note of it: the first process of a container may never do so. One whose
    /// first thread alone has ended looks the same in all but the number of its threads, and works on.
    fn is_over(&self) -> bool {
        self.headless && self.threads <= 1
    }
}

/// Whether a process is in the session of this one.
pub(crate) fn shares_our_session(pid: Pid) -> bool {
    // Read here and not asked of getsid(2): in a container whose session began outside of it the number is 0, which
    // is no process id.
    let session = |pid: Pid| Stat::of(pid.as_raw_nonzero().get()).map(|stat| stat.session);
    session(pid).is_some_and(|found| Some(found) == session(getpid()))
}

fn all() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Every living process that descends from this one.
pub(crate) fn descendants() -> Vec<Pid> {
    let known: BTreeMap<i32, Stat> = all().filter_map(|pid| Some((pid, Stat::of(pid)?))).collect();
    let mut kin = BTreeSet::from([getpid().as_raw_nonzero().get()]);
    loop {
        let more: Vec<i32> = known
            .iter()
            .filter(|(pid, stat)| kin.contains(&stat.parent) && !kin.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            break;
        }
        kin.extend(more);
    }
    kin.remove(&getpid().as_raw_nonzero().get());
    let living = kin.into_iter().filter(|pid| known.get(pid).is_some_and(|stat| !stat.is_over()));
    living.filter_map(Pid::from_raw).collect()
}

/// Sends a signal to each. Who is gone already needs none.
pub(crate) fn signal(processes: &[Pid], signal: Signal) {
    for process in processes {
        let _ = kill_process(*process, signal);
    }
}

/// Returns when nobody descends from this process any more.
pub(crate) async fn descendants_ended() {
    while !descendants().is_empty() {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Kills whoever descends from this process, and whoever is born meanwhile, until nobody is left. Only for a process
/// that adopts orphans and has no child that anybody else waits for.
pub(crate) async fn kill_descendants() {
    loop {
        signal(&descendants(), Signal::KILL);
        loop {
            match waitpid(None, WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                // No child is left, so no grandchild either: it would have become a child.
                Err(_) => return,
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Kills every process whose environment says `variable=value`, until there is none. Answers how many there were.
pub(crate) async fn kill_marked(variable: &str, value: &str) -> io::Result<usize> {
    let mut killed = BTreeSet::new();
    for _ in 0..ROUNDS {
        let found = marked(&format!("{variable}={value}"));
        if found.is_empty() {
            return Ok(killed.len());
        }
        signal(&found, Signal::KILL);
        killed.extend(found.iter().map(|pid| pid.as_raw_nonzero()));
        tokio::time::sleep(PAUSE).await;
    }
    Err(io::Error::other("processes of an earlier run cannot be killed"))
}

fn marked(entry: &str) -> Vec<Pid> {
    let carries = |pid: &i32| {
        let holds = |environment: Vec<u8>| {
            environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes())
        };
        environments(*pid).any(holds)
    };
    let living = |pid: &i32| Stat::of(*pid).is_some_and(|stat| !stat.is_over());
    all().filter(carries).filter(living).filter_map(Pid::from_raw).collect()
}

/// Of a process, as each of its threads shows it: one that has ended shows none.
fn environments(pid: i32) -> impl Iterator<Item = Vec<u8>> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.filter_map(|thread| std::fs::read(thread.path().join("environ")).ok())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_is_in_our_session_until_it_begins_its_own() {
        let shares = |program: &str| {
            let mut child = Command::new(program).args(["sleep", "600"]).spawn().unwrap();
            let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
            // Until the other program runs, the child is as it was forked.
            let runs =
                || std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n");
            while !runs() {
                std::thread::yield_now();
            }
            let shares = shares_our_session(pid);
            child.kill().unwrap();
            child.wait().unwrap();
            shares
        };
        assert!(shares("env"));
        assert!(!shares("setsid"));
    }

    #[test]
    fn a_process_is_known_by_more_than_its_number() {
        let own = Identity::own().unwrap();
        assert!(own.open().is_some());
        let another = Identity { started: own.started + 1, ..own.clone() };
        assert!(another.open().is_none());
        let before = Identity { boot: "another boot".into(), ..own };
        assert!(before.open().is_none());
    }

    #[tokio::test]
    async fn marked_processes_are_found_wherever_they_went() {
        let mut child = tokio::process::Command::new("/bin/sh")
            .args(["-c", "exec sleep 1000"])
            .env("OPENPOD_TEST_MARK", "of this test")
            .spawn()
            .unwrap();
        assert_eq!(kill_marked("OPENPOD_TEST_MARK", "of another test").await.unwrap(), 0);
        assert_eq!(kill_marked("OPENPOD_TEST_MARK", "of this test").await.unwrap(), 1);
        assert!(!child.wait().await.unwrap().success());
    }
}
