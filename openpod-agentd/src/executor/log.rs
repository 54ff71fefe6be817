//! The one log of a run: redacted, capped, with its end kept in memory.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::ExecutorError;
use super::files::at;
use crate::redaction::Redactor;

/// Of the end that is kept, in bytes.
const TAIL: usize = 4 << 10;

#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
    redactor: Redactor,
    left: u64,
    tail: Vec<u8>,
    /// What found no space, in bytes, since something did.
    missing: usize,
}

impl Log {
    pub(super) fn create(path: &Path, most: u64, redactor: Redactor) -> Result<Self, ExecutorError> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(at(path))?;
        Ok(Self { path: path.to_owned(), file, redactor, left: most, tail: Vec::new(), missing: 0 })
    }

    /// Takes output. False when the log is full; what comes then is not kept.
    pub(super) fn take(&mut self, chunk: &[u8]) -> Result<bool, ExecutorError> {
        let clean = self.redactor.push(chunk);
        self.keep(&clean)
    }

    /// Writes what is left and gives the end of it all.
    pub(super) fn finish(mut self) -> Result<String, ExecutorError> {
        let rest = self.redactor.finish();
        self.keep(&rest)?;
        let text = String::from_utf8_lossy(&self.tail);
        // A character that the cut went through is not shown as half of one.
        Ok(text.trim_start_matches('\u{fffd}').to_owned())
    }

    /// A full disk costs the log a part of itself, and not the run.
    fn write(&mut self, kept: &[u8]) -> Result<(), ExecutorError> {
        let gap = match self.missing {
            0 => String::new(),
            missing => format!("\n[{missing} bytes are missing here: the disk was full]\n"),
        };
        let written = self.file.write_all(gap.as_bytes()).and_then(|()| {
            self.missing = 0;
            self.file.write_all(kept)
        });
        match written.map_err(at(&self.path)) {
            Err(error) if error.is_for_want_of_space() => self.missing += kept.len(),
            other => return other,
        }
        Ok(())
    }

    fn keep(&mut self, clean: &[u8]) -> Result<bool, ExecutorError> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let kept = &clean[..clean.len().min(most)];
        self.write(kept)?;
        self.left -= kept.len() as u64;
        self.tail.extend_from_slice(kept);
        let over = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..over);
        Ok(kept.len() == clean.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_ends_at_its_cap_and_holds_no_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("output.log");
        let mut log = Log::create(&path, 30, Redactor::new(["opk_secret".into()])).unwrap();
        assert!(log.take(b"the key is opk_se").unwrap());
        assert!(log.take(b"cret, ").unwrap());
        assert!(!log.take(b"and so on and so on").unwrap());
        assert_eq!(log.finish().unwrap(), "the key is [secret], and so on");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "the key is [secret], and so on");
    }

    #[test]
    fn what_only_began_like_a_secret_is_kept_when_nothing_more_comes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("output.log");
        let mut log = Log::create(&path, 1 << 20, Redactor::new(["opk_secret".into()])).unwrap();
        assert!(log.take(b"keys begin with opk_").unwrap());
        assert_eq!(log.finish().unwrap(), "keys begin with opk_");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "keys begin with opk_");
    }

    #[test]
    fn what_found_no_space_is_counted_where_it_is_missing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("output.log");
        let mut log = Log::create(Path::new("/dev/full"), 1 << 20, Redactor::default()).unwrap();
        assert!(log.take(b"some ").unwrap() && log.take(b"words\n").unwrap());
        log.file = File::create(&path).unwrap();
        assert!(log.take(b"and more\n").unwrap());
        assert_eq!(log.finish().unwrap(), "some words\nand more\n");
        let kept = std::fs::read_to_string(path).unwrap();
        assert_eq!(kept, "\n[11 bytes are missing here: the disk was full]\nand more\n");
    }

    #[test]
    fn the_end_of_a_long_log_is_kept_in_memory() {
        let directory = tempfile::tempdir().unwrap();
        let mut log =
            Log::create(&directory.path().join("output.log"), 1 << 20, Redactor::default()).unwrap();
        for number in 0..2_000 {
            log.take(format!("line {number}\n").as_bytes()).unwrap();
        }
        let tail = log.finish().unwrap();
        assert!(tail.ends_with("line 1999\n") && tail.len() <= TAIL, "{}", tail.len());
    }
}
