//! What a worker may touch, by Landlock: no root and no container is needed, and what it starts is confined too.
//!
//! | | |
//! |---|---|
//! | workspace, directory of the run, what the configuration calls writable | read, written, executed |
//! | toolchain and system ([`SYSTEM`]), files that the command names, what the configuration calls readable | read, executed |
//! | `/dev/null` and its like | read, written |
//! | everything else: the daemon's data, keys, mirrors, other jobs, other people's files | closed |
//!
//! It has no capabilities, also as root, and can gain no privileges (`no_new_privs`); it can see into no process
//! outside, and signal none (from ABI 6 on). The network is open to it.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, clear_ambient_capability_set, remove_capability_from_bounding_set};
use serde::{Deserialize, Serialize};

use super::{ExecutorError, RunSpec};

/// What every program may need: where toolchains are installed, what the system says of itself.
pub(crate) const SYSTEM: [&str; 15] = [
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/bin",
    "/sbin",
    "/etc",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/proc",
    "/sys",
    "/run/systemd/resolve",
    "/run/current-system",
];
/// Devices that are no way to anything.
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
/// The newest that this was tried with. On an older kernel what it does not know is left out.
const NEWEST: ABI = ABI::V6;

/// What a worker may touch, beside its workspace and the directory of its run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Files and directories to read and execute.
    pub readable: Vec<PathBuf>,
    /// Files and directories to write, too.
    pub writable: Vec<PathBuf>,
}

impl Sandbox {
    /// Whether this kernel confines.
    pub fn is_available() -> bool {
        let required = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        required.handle_access(AccessFs::from_all(ABI::V1)).and_then(Ruleset::create).is_ok()
    }

    /// Whether this kernel also keeps signals in.
    pub fn keeps_signals_in() -> bool {
        let required = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        required.scope(Scope::Signal).and_then(Ruleset::create).is_ok()
    }

    /// With what belongs to the run: its directories, its program, and files that its arguments name.
    pub(super) fn including(&self, spec: &RunSpec, program: &Path) -> Self {
        let named = spec.command.iter().skip(1).map(PathBuf::from);
        let named = named.filter(|path| path.is_absolute() && path.is_file());
        let readable = self.readable.iter().cloned().chain([program.to_owned()]).chain(named).collect();
        let own = [spec.workspace.clone(), spec.run_dir.clone()];
        let writable = self.writable.iter().cloned().chain(own).collect();
        Self { readable, writable }
    }

    /// Starts something that is confined. Landlock binds the thread that asks for it and what that one starts, so it is
    /// a thread of its own.
    pub(super) fn within<T: Send>(&self, start: impl FnOnce() -> T + Send) -> Result<T, ExecutorError> {
        let runtime = tokio::runtime::Handle::current();
        let confined = move || {
            let _runtime = runtime.enter();
            self.enter().map_err(ExecutorError::Sandbox)?;
            Ok(start())
        };
        std::thread::scope(|scope| scope.spawn(confined).join())
            .unwrap_or_else(|_| Err(ExecutorError::Sandbox(io::Error::other("the thread for it crashed"))))
    }

    fn enter(&self) -> io::Result<()> {
        give_up_capabilities()?;
        let status = self.rules().and_then(RulesetCreated::restrict_self).map_err(io::Error::other)?;
        if status.ruleset == RulesetStatus::NotEnforced || !status.no_new_privs {
            return Err(io::Error::other("this kernel has no Landlock"));
        }
        Ok(())
    }

    fn rules(&self) -> Result<RulesetCreated, RulesetError> {
        let everything = AccessFs::from_all(NEWEST);
        let reading = AccessFs::from_read(NEWEST);
        let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
        let rules = Ruleset::default().handle_access(everything)?.scope(Scope::from_all(NEWEST))?.create()?;
        let system = SYSTEM.iter().map(PathBuf::from);
        let readable = system.chain(self.readable.iter().cloned()).map(|path| (path, reading));
        let writable = self.writable.iter().cloned().map(|path| (path, everything));
        let devices = DEVICES.iter().map(|path| (PathBuf::from(path), device));
        readable.chain(writable).chain(devices).try_fold(rules, |rules, (path, access)| {
            // What is not there needs no rule.
            let Ok(open) = PathFd::new(&path) else { return Ok(rules) };
            let access = if path.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
            rules.add_rule(PathBeneath::new(open, access))
        })
    }
}

/// Root without capabilities is an owner of files like any other. With them it could look into processes outside, which
/// Landlock does not forbid to those that may observe the whole system.
fn give_up_capabilities() -> io::Result<()> {
    for capability in CapabilitySet::all().iter() {
        match remove_capability_from_bounding_set(capability) {
            // Who may not give up has none, and gains none; and this kernel may not know all of them.
            Ok(()) | Err(Errno::PERM | Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    match clear_ambient_capability_set() {
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
