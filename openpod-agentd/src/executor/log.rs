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
}

impl Log {
    pub(super) fn create(path: &Path, most: u64, redactor: Redactor) -> Result<Self, ExecutorError> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(at(path))?;
        Ok(Self { path: path.to_owned(), file, redactor, left: most, tail: Vec::new() })
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

    fn keep(&mut self, clean: &[u8]) -> Result<bool, ExecutorError> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let kept = &clean[..clean.len().min(most)];
        self.file.write_all(kept).map_err(at(&self.path))?;
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
