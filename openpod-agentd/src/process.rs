//! A child in a process group of its own, which dies with its guard; and programs on a path.

pub(crate) mod kin;

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{Child, Command};

/// A child and everything it started that stayed in its group. Dropped before [`Group::wait`] ended, it kills them all.
///
/// The leader's number is the group's, and stays taken while the leader is not waited for. So the group is only
/// ever signalled before that.
#[derive(Debug)]
pub(crate) struct Group {
    id: Option<Pid>,
    child: Child,
}

impl Group {
    /// Starts the command as the leader of a new group.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Self { id, child })
    }

    /// The leader, for its pipes.
    pub(crate) fn leader(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Asks every member to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends every member.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Returns when the leader has ended, and leaves it to be waited for.
    pub(crate) async fn leader_ended(&self) -> io::Result<()> {
        let Some(id) = self.id else { return Ok(()) };
        let look = move || waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        tokio::task::spawn_blocking(look).await.map_err(io::Error::other)??;
        Ok(())
    }

    /// Waits for the leader. Afterwards the group can no longer be signalled.
    pub(crate) async fn wait(&mut self) -> io::Result<std::process::ExitStatus> {
        let status = self.child.wait().await;
        self.id = None;
        status
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // Nobody left to signal is what was wanted.
            let _ = kill_process_group(id, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The first executable file of this name in the directories of `path`. A name with a slash is taken as it is.
pub(crate) fn find_program(name: &str, path: &OsStr) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(executable);
    }
    std::env::split_paths(path).map(|directory| directory.join(name)).find(executable)
}

fn executable(file: &PathBuf) -> bool {
    use std::os::unix::fs::PermissionsExt;

    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdout(std::process::Stdio::piped());
        command
    }

    #[tokio::test]
    async fn dropping_the_guard_kills_what_the_child_started() {
        let mut group = Group::spawn(&mut shell("sleep 1000 & echo started; wait")).unwrap();
        let mut output = BufReader::new(group.leader().stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).await.unwrap();
        drop(group);
        // The sleeper holds the pipe too: it ends when both are gone.
        assert_eq!(output.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn the_end_of_the_leader_is_seen_before_it_is_waited_for() {
        let mut group = Group::spawn(&mut shell("exit 3")).unwrap();
        group.leader_ended().await.unwrap();
        assert_eq!(group.wait().await.unwrap().code(), Some(3));
    }

    #[test]
    fn programs_are_found_on_the_path_in_its_order() {
        assert!(find_program("sh", OsStr::new("/nowhere:/bin")).is_some_and(|file| file.ends_with("bin/sh")));
        assert_eq!(find_program("sh", OsStr::new("/nowhere")), None);
        assert_eq!(find_program("/bin/sh", OsStr::new("")), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find_program("/etc/passwd", OsStr::new("")), None);
    }
}
