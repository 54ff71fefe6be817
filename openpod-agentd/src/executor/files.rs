//! The directory of a run.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};

use super::ExecutorError;
use crate::redaction::Redactor;

const SUMMARY: &str = "summary.md";
pub(super) const TRANSCRIPT: &str = "transcript.txt";
const USAGE: &str = "usage.json";
/// Of the claim, in bytes.
const LONGEST_USAGE: u64 = 16 << 10;
/// Of the summary, in bytes.
const LONGEST_SUMMARY: u64 = 16 << 10;

/// A run's directory, kept open: what the worker puts in its place is not looked at.
#[derive(Debug)]
pub(super) struct RunFiles {
    directory: PathBuf,
    open: OwnedFd,
}

impl RunFiles {
    pub(super) fn create(directory: &Path, ticket_json: &[u8]) -> Result<Self, ExecutorError> {
        let private =
            |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path));
        private(directory)?;
        let open = File::open(directory).map_err(at(directory))?.into();
        let files = Self { directory: directory.to_owned(), open };
        private(&files.home())?;
        private(&files.tmp())?;
        write(&files.ticket(), ticket_json)?;
        // An earlier run's words are not this one's.
        for word in [files.summary_file(), files.usage_file()] {
            match std::fs::remove_file(&word) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&word)(error)),
                _ => {}
            }
        }
        Ok(files)
    }

    /// What earlier runs wrote.
    pub(super) fn write_transcript(&self, text: &[u8]) -> Result<(), ExecutorError> {
        write(&self.directory.join(TRANSCRIPT), text)
    }

    pub(super) fn home(&self) -> PathBuf {
        self.directory.join("home")
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.directory.join("tmp")
    }

    pub(super) fn ticket(&self) -> PathBuf {
        self.directory.join("ticket.json")
    }

    pub(super) fn summary_file(&self) -> PathBuf {
        self.directory.join(SUMMARY)
    }

    pub(super) fn usage_file(&self) -> PathBuf {
        self.directory.join(USAGE)
    }

    /// The assignment as standard input: a file, so a worker that does not read it holds nobody up.
    pub(super) fn standard_input(&self) -> Result<File, ExecutorError> {
        let ticket = self.ticket();
        File::open(&ticket).map_err(at(&ticket))
    }

    /// What the worker says it did.
    pub(super) fn summary(&self, redactor: &Redactor) -> Option<String> {
        let bytes = self.own(SUMMARY, LONGEST_SUMMARY)?;
        let said = String::from_utf8_lossy(&bytes);
        let clean = redactor.text(&said);
        if clean != said {
            // It is kept, and read by others.
            self.replace_summary(&clean).ok()?;
        }
        let text = clean.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn replace_summary(&self, text: &str) -> io::Result<()> {
        unlinkat(&self.open, SUMMARY, AtFlags::empty())?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.open, SUMMARY, flags, Mode::RUSR | Mode::WUSR)?;
        File::from(file).write_all(text.as_bytes())
    }

    /// What the worker says it used, as it stands there.
    pub(super) fn usage_claim(&self) -> Option<Vec<u8>> {
        self.own(USAGE, LONGEST_USAGE)
    }

    /// A file of the worker's. Only a plain one of its own counts: a link could lead to the daemon's files.
    fn own(&self, name: &str, longest: u64) -> Option<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&self.open, name, flags, Mode::empty()).ok()?);
        let about = file.metadata().ok()?;
        if !about.is_file() || about.nlink() != 1 {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(longest).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ExecutorError> {
    let made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    made.and_then(|mut file| file.write_all(bytes)).map_err(at(path))
}

/// Names the file in an I/O error.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> ExecutorError {
    let path = path.to_owned();
    move |source| ExecutorError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_a_plain_file_of_the_worker_s_is_a_summary() {
        let root = tempfile::tempdir().unwrap();
        let key = root.path().join("key");
        std::fs::write(&key, "opk_secret").unwrap();
        let files = RunFiles::create(&root.path().join("run"), b"{}").unwrap();
        let summary = files.summary_file();
        let read = || files.summary(&Redactor::default());
        assert_eq!(read(), None);
        symlink(&key, &summary).unwrap();
        assert_eq!(read(), None);
        std::fs::remove_file(&summary).unwrap();
        std::fs::hard_link(&key, &summary).unwrap();
        assert_eq!(read(), None);
        std::fs::remove_file(&summary).unwrap();
        std::fs::create_dir(&summary).unwrap();
        assert_eq!(read(), None);
        std::fs::remove_dir(&summary).unwrap();
        std::fs::write(&summary, " It works.\n").unwrap();
        assert_eq!(read().as_deref(), Some("It works."));
    }

    #[test]
    fn a_directory_put_in_the_run_s_place_is_not_looked_at() {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("run");
        let files = RunFiles::create(&run, b"{}").unwrap();
        std::fs::rename(&run, root.path().join("moved")).unwrap();
        std::fs::create_dir(&run).unwrap();
        std::fs::write(run.join(SUMMARY), "of another run").unwrap();
        assert_eq!(files.summary(&Redactor::default()), None);
    }

    #[test]
    fn summaries_are_cut_and_redacted() {
        let root = tempfile::tempdir().unwrap();
        let files = RunFiles::create(root.path(), b"{}").unwrap();
        std::fs::write(files.summary_file(), format!("key opk_secret {}", "x".repeat(20_000))).unwrap();
        let text = files.summary(&Redactor::new(["opk_secret".into()])).unwrap();
        assert!(text.starts_with("key [secret] xxx") && text.len() < 17_000);
        assert!(std::fs::read_to_string(files.summary_file()).unwrap().starts_with("key [secret] xxx"));
    }
}
