//! Whether workers will be confined as the configuration says, found out before the first one runs.

use std::path::{Path, PathBuf};

use crate::config::{Config, KeySource};
use crate::executor::{SYSTEM, Sandbox};

/// Why workers cannot be confined as the configuration wants it.
#[derive(Debug, thiserror::Error)]
pub enum ConfinementError {
    /// Landlock is missing.
    #[error(
        "this kernel has no Landlock, so a worker could read all that its user may; use Linux 5.13 or later with Landlock \
         enabled, or accept that with executor.sandbox = \"off\""
    )]
    NoLandlock,
    /// What must be closed lies where workers may look.
    #[error("{what} lies in {}, which workers may read; move it, or take that out of executor.{key}", within.display())]
    Exposed { what: String, within: PathBuf, key: &'static str },
    /// What must be closed lies where every worker may look.
    #[error("{what} lies in {}, which every worker may read; move it, or set executor.sandbox = \"off\"", within.display())]
    InTheSystem { what: String, within: PathBuf },
    /// What is to be opened is not there.
    #[error("executor.{key} names {}, which is not there", path.display())]
    Absent { key: &'static str, path: PathBuf },
}

/// Checks the kernel, and that nothing of the daemon's lies where a worker may look.
pub(super) fn check(config: &Config) -> Result<(), ConfinementError> {
    check_where(Sandbox::is_available(), config)
}

fn check_where(landlock_is_there: bool, config: &Config) -> Result<(), ConfinementError> {
    let Some(sandbox) = &config.executor.sandbox else {
        tracing::warn!("executor.sandbox is off: workers may touch all that the daemon's user may");
        return Ok(());
    };
    if !landlock_is_there {
        return Err(ConfinementError::NoLandlock);
    }
    closed(config, sandbox)
}

fn closed(config: &Config, sandbox: &Sandbox) -> Result<(), ConfinementError> {
    let data = real(&config.data_dir);
    let mut closed = vec![(format!("the data directory {}", config.data_dir.display()), data.clone())];
    for agent in &config.agents {
        if let KeySource::File(file) = &agent.key {
            closed.push((format!("the key {}", file.display()), real(file)));
        }
    }
    for (what, path) in &closed {
        if let Some(within) =
            SYSTEM.iter().map(|path| real(Path::new(path))).find(|open| path.starts_with(open))
        {
            return Err(ConfinementError::InTheSystem { what: what.clone(), within });
        }
    }
    for (key, paths) in [("readable", &sandbox.readable), ("writable", &sandbox.writable)] {
        for path in paths {
            let open =
                path.canonicalize().map_err(|_| ConfinementError::Absent { key, path: path.clone() })?;
            if let Some((what, _)) = closed.iter().find(|(_, closed)| closed.starts_with(&open)) {
                return Err(ConfinementError::Exposed { what: what.clone(), within: path.clone(), key });
            }
            if open.starts_with(&data) {
                let what = format!("{}, of the daemon's own,", path.display());
                return Err(ConfinementError::Exposed { what, within: config.data_dir.clone(), key });
            }
        }
    }
    Ok(())
}

/// Where a path leads; as it is when it leads nowhere yet.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RawConfig;

    fn checked(prepare: impl FnOnce(&mut RawConfig, &Path)) -> String {
        checked_where(true, prepare)
    }

    fn checked_where(landlock_is_there: bool, prepare: impl FnOnce(&mut RawConfig, &Path)) -> String {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        std::fs::create_dir_all(data.join("mirrors")).unwrap();
        let mut raw = RawConfig { data_dir: Some(data), ..RawConfig::default() };
        raw.server.url = Some("http://127.0.0.1:1".into());
        raw.executor.command = vec!["worker".into()];
        prepare(&mut raw, root.path());
        let checked = check_where(landlock_is_there, &raw.validate().unwrap());
        checked.map_or_else(|error| error.to_string(), |()| "it begins".into())
    }

    #[test]
    fn where_the_kernel_has_no_landlock_a_daemon_begins_only_if_its_operator_says_so() {
        let refused = checked_where(false, |_, _| {});
        assert!(refused.starts_with("this kernel has no Landlock"), "{refused}");
        assert!(refused.ends_with("executor.sandbox = \"off\""), "{refused}");
        let accepted = checked_where(false, |raw, _| raw.executor.sandbox = "off".into());
        assert_eq!(accepted, "it begins");
    }

    #[test]
    fn what_must_be_closed_may_not_lie_where_workers_look() {
        assert_eq!(checked(|_, _| {}), "it begins");
        let said = checked(|raw, _| raw.server.key_file = Some("/etc/openpod/agent.key".into()));
        assert_eq!(
            said,
            "the key /etc/openpod/agent.key lies in /etc, which every worker may read; move it, or set \
             executor.sandbox = \"off\""
        );
        let said = checked(|raw, root| raw.executor.readable = vec![root.to_owned()]);
        assert!(said.starts_with("the data directory ") && said.contains("executor.readable"), "{said}");
        let said = checked(|raw, root| raw.executor.writable = vec![root.join("data/mirrors")]);
        assert!(said.contains("of the daemon's own") && said.contains("executor.writable"), "{said}");
        let said = checked(|raw, root| raw.executor.readable = vec![root.join("nothing")]);
        assert!(
            said.starts_with("executor.readable names ") && said.ends_with("which is not there"),
            "{said}"
        );
    }
}
