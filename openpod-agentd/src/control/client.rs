//! The operator's end of the socket.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use openpod_sdk::Secret;

use super::server::within;
use super::{Answer, LONGEST, Line, Request, TOKEN};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NotAnswered {
    /// There is nobody.
    #[error("no daemon runs in {}; `openpod-agentd run` starts one", .0.display())]
    NobodyThere(PathBuf),
    /// The socket is there, and cannot be used.
    #[error("the daemon in {} cannot be asked: {source}", directory.display())]
    Io { directory: PathBuf, source: io::Error },
    /// The daemon speaks otherwise.
    #[error("the daemon in {} answers what this version does not understand: {source}", directory.display())]
    Unreadable { directory: PathBuf, source: serde_json::Error },
}

/// The answers to a question, until the daemon has nothing more to say.
#[derive(Debug)]
pub struct Asked {
    directory: PathBuf,
    lines: io::Lines<BufReader<io::Take<UnixStream>>>,
}

/// Asks the daemon that works in this data directory.
pub fn ask(directory: &Path, request: Request) -> Result<Asked, NotAnswered> {
    let io = |source: io::Error| match source.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => NotAnswered::NobodyThere(directory.to_owned()),
        _ => NotAnswered::Io { directory: directory.to_owned(), source },
    };
    let token = Secret::new(std::fs::read_to_string(directory.join(TOKEN)).map_err(io)?);
    let mut stream = within(directory, |path| UnixStream::connect(path)).map_err(io)?;
    let unreadable = |source| NotAnswered::Unreadable { directory: directory.to_owned(), source };
    let line = serde_json::to_string(&Line { token, request }).map_err(unreadable)?;
    stream.write_all(format!("{line}\n").as_bytes()).map_err(io)?;
    Ok(Asked { directory: directory.to_owned(), lines: BufReader::new(stream.take(LONGEST)).lines() })
}

impl Iterator for Asked {
    type Item = Result<Answer, NotAnswered>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        let directory = self.directory.clone();
        Some(match line {
            Ok(line) => {
                serde_json::from_str(&line).map_err(|source| NotAnswered::Unreadable { directory, source })
            }
            Err(source) => Err(NotAnswered::Io { directory, source }),
        })
    }
}
