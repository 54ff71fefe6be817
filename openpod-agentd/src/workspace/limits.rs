//! What a change may be, as pure rules over what git says about it.

use super::error::WorkspaceError;

/// What a collected change may be at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Changed files.
    pub changed_files: u32,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all changed files together.
    pub total_bytes: u64,
    /// Bytes of a path.
    pub path_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { changed_files: 5_000, file_bytes: 20 << 20, total_bytes: 100 << 20, path_bytes: 1_000 }
    }
}

/// A file that differs from the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Changed {
    /// What it is now: `100644`, `100755`, `120000`, `160000`, or `000000` when it is gone.
    pub(super) mode: String,
    /// Its content now.
    pub(super) sha: String,
    /// Where it is.
    pub(super) path: String,
}

impl Limits {
    pub(super) fn check_file(&self, path: &str, size: u64) -> Result<(), WorkspaceError> {
        if size > self.file_bytes {
            let most = self.file_bytes;
            return refused(format!("{path} has {size} bytes, and a file may have {most}"));
        }
        Ok(())
    }

    pub(super) fn check_total(&self, total: u64) -> Result<(), WorkspaceError> {
        if total > self.total_bytes {
            let most = self.total_bytes;
            return refused(format!("its files have {total} bytes together, and may have {most}"));
        }
        Ok(())
    }

    /// Number, names and kinds of the changed files.
    pub(super) fn check_paths(&self, changed: &[Changed]) -> Result<(), WorkspaceError> {
        let most = self.changed_files;
        if changed.len() > most as usize {
            return refused(format!("{} files are changed, and at most {most} may be", changed.len()));
        }
        for Changed { mode, path, .. } in changed {
            if path.len() > self.path_bytes {
                return refused(format!("a path has {} bytes, and may have {}", path.len(), self.path_bytes));
            }
            // A backslash parts names where the change may be checked out.
            let mut parts = path.split(['/', '\\']);
            if parts.clone().any(|part| part.eq_ignore_ascii_case(".git")) {
                return refused(format!("{path} lies in a git directory"));
            }
            if parts.any(|part| part == "..") {
                return refused(format!("{path} leaves the tree"));
            }
            if mode == "160000" {
                return refused(format!("{path} is a link to another repository that was added or moved"));
            }
        }
        Ok(())
    }
}

/// A link may lead anywhere within the tree. It goes up only at its beginning: after a name, `..` leads to wherever
/// that name's own link led.
pub(super) fn check_link(path: &str, target: &str) -> Result<(), WorkspaceError> {
    let parents = path.split('/').count() - 1;
    let steps = || target.split('/').filter(|part| !matches!(*part, "" | "."));
    let up = steps().take_while(|part| *part == "..").count();
    let down_only = steps().skip(up).all(|part| part != "..");
    if !target.starts_with('/') && up <= parents && down_only {
        return Ok(());
    }
    refused(format!("{path} is a symbolic link that leaves the tree, to {target}"))
}

fn refused(reason: String) -> Result<(), WorkspaceError> {
    Err(WorkspaceError::Refused { reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(mode: &str, path: &str) -> Changed {
        Changed { mode: mode.into(), sha: "0".repeat(40), path: path.into() }
    }

    #[test]
    fn links_that_leave_the_tree_are_refused() {
        let cases = [
            ("link", "file", true),
            ("a/b/link", "../../file", true),
            ("a/link", "./../b//c/d", true),
            ("link", "a/../b", false),
            ("link", "..", false),
            ("a/link", "../../etc/passwd", false),
            ("a/link", "b/../../../x/a", false),
            ("link", "/etc/passwd", false),
        ];
        for (path, target, allowed) in cases {
            assert_eq!(check_link(path, target).is_ok(), allowed, "{path} -> {target}");
        }
    }

    #[test]
    fn names_and_kinds_that_do_harm_elsewhere_are_refused() {
        let limits = Limits { changed_files: 2, path_bytes: 10, ..Limits::default() };
        let cases = [
            (vec![changed("100644", "a/b"), changed("000000", "c")], None),
            (vec![changed("100644", "a/.git/x")], Some("git directory")),
            (vec![changed("100644", ".GIT")], Some("git directory")),
            (vec![changed("100644", r"a\.git\x")], Some("git directory")),
            (vec![changed("100644", r"a\..\x")], Some("leaves the tree")),
            (vec![changed("160000", "lib")], Some("another repository")),
            (vec![changed("100644", "12345678901")], Some("11 bytes")),
            (vec![changed("100644", "a"), changed("100644", "b"), changed("100644", "c")], Some("3 files")),
        ];
        for (change, reason) in cases {
            let refusal = limits.check_paths(&change).err().map(|error| error.to_string());
            match reason {
                None => assert_eq!(refusal, None),
                Some(reason) => {
                    assert!(refusal.as_ref().is_some_and(|text| text.contains(reason)), "{refusal:?}")
                }
            }
        }
    }

    #[test]
    fn sizes_have_limits() {
        let limits = Limits { file_bytes: 10, total_bytes: 15, ..Limits::default() };
        assert!(limits.check_file("a", 10).is_ok() && limits.check_file("a", 11).is_err());
        assert!(limits.check_total(15).is_ok() && limits.check_total(16).is_err());
    }
}
