//! The daemon's end of the socket.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use openpod_sdk::Secret;
use rustix::process::geteuid;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Answer, LONGEST, Line, Request, SOCKET, TOKEN};

/// A question that takes longer is not listened to.
const PATIENCE: Duration = Duration::from_secs(10);
/// For those who wait for the daemon's end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Who answers.
pub trait Desk: Send + Sync {
    /// Answers a question, as often as there is something to say. Whoever asked may be gone: then nobody listens.
    fn serve(&self, request: Request, answers: mpsc::Sender<Answer>) -> BoxFuture<'_, ()>;
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
#[error("the control socket {}: {source}", path.display())]
pub struct ControlError {
    path: PathBuf,
    source: io::Error,
}

/// A socket that is listened at. Dropped, it is gone.
pub struct Listening {
    listener: UnixListener,
    token: Secret,
    directory: PathBuf,
}

impl Listening {
    /// Listens in a data directory, of which the caller holds the lock. What another daemon left there is replaced.
    pub fn begin(directory: &Path, random: &dyn Fn() -> u64) -> Result<Self, ControlError> {
        let token: String = (0..4).map(|_| format!("{:016x}", random())).collect();
        let path = directory.join(SOCKET);
        let wrong = |path: &Path| {
            let path = path.to_owned();
            move |source| ControlError { path, source }
        };
        let file = directory.join(TOKEN);
        write_private(&file, &token).map_err(wrong(&file))?;
        let listener = bind(directory).map_err(wrong(&path))?;
        Ok(Self { listener, token: Secret::new(token), directory: directory.to_owned() })
    }

    /// Answers until it is stopped, and then whoever has still something to hear.
    pub async fn serve(self, desk: Arc<dyn Desk>, stop: CancellationToken) {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        open.spawn(converse(stream, self.token.clone(), Arc::clone(&desk)));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a caller at the control socket was not heard");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = open.join_next() => {}
            }
        }
        let _ = tokio::time::timeout(LAST_WORDS, open.join_all()).await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // The next start replaces what stays behind.
        let _ = std::fs::remove_file(self.directory.join(SOCKET));
        let _ = std::fs::remove_file(self.directory.join(TOKEN));
    }
}

fn write_private(file: &Path, text: &str) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(text.as_bytes())
}

fn bind(directory: &Path) -> io::Result<UnixListener> {
    let path = directory.join(SOCKET);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = within(directory, |path| UnixListener::bind(path))?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The address of a socket has 108 bytes at most; this one is short however long the directory's name is.
pub(super) fn within<T>(directory: &Path, call: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let directory = File::open(directory)?;
    call(&Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(SOCKET))
}

async fn converse(mut stream: UnixStream, token: Secret, desk: Arc<dyn Desk>) {
    let ours = stream.peer_cred().is_ok_and(|peer| [geteuid().as_raw(), 0].contains(&peer.uid()));
    let (reader, mut writer) = stream.split();
    let mut text = String::new();
    let mut reader = BufReader::new(reader.take(LONGEST));
    let read = tokio::time::timeout(PATIENCE, reader.read_line(&mut text)).await;
    let question = match read {
        Ok(Ok(_)) if ours => serde_json::from_str::<Line>(&text),
        _ => return,
    };
    let (answers, mut said) = mpsc::channel(4);
    let asking = async {
        match question {
            Ok(line) if same(&line.token, &token) => desk.serve(line.request, answers).await,
            Ok(_) => refuse(&answers, "the token is not the one in control.token").await,
            Err(error) => refuse(&answers, &format!("the question is not understood: {error}")).await,
        }
    };
    let telling = async {
        while let Some(answer) = said.recv().await {
            let mut line = serde_json::to_vec(&answer).unwrap_or_default();
            line.push(b'\n');
            if writer.write_all(&line).await.is_err() {
                return;
            }
        }
    };
    // Who is gone needs no more answers: what was asked for is done nevertheless.
    tokio::join!(asking, telling);
}

async fn refuse(answers: &mpsc::Sender<Answer>, reason: &str) {
    tracing::warn!(reason, "a question at the control socket was refused");
    let _ = answers.send(Answer::Refused { reason: reason.to_owned() }).await;
}

/// Compares what does not tell anything about the token by the time that it takes.
fn same(given: &Secret, token: &Secret) -> bool {
    Sha256::digest(given.expose()) == Sha256::digest(token.expose())
}
