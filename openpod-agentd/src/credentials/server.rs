//! The daemon's end of the socket: it answers for one repository, to its own user, while it lives.

use std::collections::HashSet;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openpod_sdk::Secret;
use rustix::process::{Pid, geteuid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::UCred;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::question::{self, LONGEST, Question};
use super::{TokenError, TokenSource};
use crate::crash;
use crate::process::kin;

const QUIT: &str = "quit=1\n";
/// The address of a socket has 108 bytes, its end included. What follows the directory takes less than 30.
const LONGEST_DIRECTORY: usize = 75;
const PATIENCE: Duration = Duration::from_secs(10);

/// Gives git a token for one repository. Dropped, it answers no more, and its socket is gone.
#[derive(Debug)]
pub struct CredentialServer {
    directory: PathBuf,
    socket: PathBuf,
    state: Arc<State>,
    _task: AbortOnDropHandle<()>,
}

/// Repositories whose host refused the last token, so that the next one must be fresh. Clones share the memory.
#[derive(Debug, Clone, Default)]
pub struct Refused(Arc<Mutex<HashSet<Url>>>);

impl Refused {
    fn note(&self, repository: &Url) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(repository.clone());
    }

    fn take(&self, repository: &Url) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(repository)
    }
}

struct State {
    repository: Url,
    tokens: Arc<dyn TokenSource>,
    refused: Refused,
    given: Mutex<Vec<Secret>>,
    failure: Mutex<Option<TokenError>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("repository", &self.repository.as_str()).finish_non_exhaustive()
    }
}

impl CredentialServer {
    /// Opens a socket below `runtime`, or below the system's temporary directory when `runtime` is too long for one.
    pub fn start(
        runtime: &Path,
        repository: &Url,
        tokens: Arc<dyn TokenSource>,
        refused: Refused,
    ) -> io::Result<Self> {
        let directory = private_directory(runtime)?;
        let socket = directory.join("s");
        let listener = UnixListener::bind(&socket)?;
        std::fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
        let state = Arc::new(State {
            repository: repository.clone(),
            tokens,
            refused,
            given: Mutex::default(),
            failure: Mutex::default(),
        });
        let task = AbortOnDropHandle::new(tokio::spawn(accept(listener, Arc::clone(&state))));
        Ok(Self { directory, socket, state, _task: task })
    }

    /// Where the helper asks.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Why there was no token, if that was so.
    pub fn failure(&self) -> Option<TokenError> {
        self.state.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The tokens that were given, to be kept out of what git says.
    pub fn given(&self) -> Vec<Secret> {
        self.state.given.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for CredentialServer {
    fn drop(&mut self) {
        // The next start of the daemon clears what stays behind.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn private_directory(runtime: &Path) -> io::Result<PathBuf> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);

    let short = runtime.as_os_str().len() <= LONGEST_DIRECTORY;
    let parent = if short { runtime.to_owned() } else { std::env::temp_dir() };
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = parent.join(format!("agentd-{}-{number}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| directory),
        }
    }
}

async fn accept(listener: UnixListener, state: Arc<State>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    open.spawn(answer(stream, Arc::clone(&state)));
                }
                Err(error) => {
                    tracing::warn!(%error, "the credential socket broke; git goes on without a token");
                    return;
                }
            },
            Some(_) = open.join_next() => {}
        }
    }
}

async fn answer(mut stream: UnixStream, state: Arc<State>) {
    if !stream.peer_cred().is_ok_and(|peer| is_our_git(&peer)) {
        tracing::warn!("somebody who is not our git asked for a token and got none");
        return;
    }
    let mut text = String::new();
    let mut bounded = (&mut stream).take(LONGEST);
    let read = tokio::time::timeout(PATIENCE, bounded.read_to_string(&mut text)).await;
    let question = match read {
        Ok(Ok(_)) => question::read(&text, &state.repository),
        _ => Question::Foreign,
    };
    let reply = state.reply(question).await;
    // A helper that went away needs no answer.
    let _ = stream.write_all(reply.as_bytes()).await;
    crash::point("git/token");
}

/// Of our user and in our session. A worker is in another one, and nobody can join a session.
fn is_our_git(peer: &UCred) -> bool {
    peer.uid() == geteuid().as_raw()
        && peer.pid().and_then(Pid::from_raw).is_some_and(kin::shares_our_session)
}

impl State {
    async fn reply(&self, question: Question) -> String {
        match question {
            Question::Get => self.token().await,
            Question::Store => String::new(),
            Question::Erase => {
                self.refused.note(&self.repository);
                String::new()
            }
            Question::Foreign => {
                tracing::warn!(repository = %self.repository, "git asked for a token for another place and got none");
                QUIT.to_owned()
            }
        }
    }

    async fn token(&self) -> String {
        match self.tokens.token(self.refused.take(&self.repository)).await {
            Ok(scoped) if scoped.token.expose().chars().any(char::is_control) => {
                self.fail(TokenError::new("it contains a control character"))
            }
            Ok(scoped) => {
                let reply = format!("username=x-access-token\npassword={}\n", scoped.token.expose());
                self.given.lock().unwrap_or_else(PoisonError::into_inner).push(scoped.token);
                reply
            }
            Err(error) => self.fail(error),
        }
    }

    fn fail(&self, error: TokenError) -> String {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        QUIT.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use openpod_sdk::api::Timestamp;

    use super::super::ScopedToken;
    use super::*;

    struct Tokens(Result<&'static str, &'static str>);

    impl TokenSource for Tokens {
        fn token(&self, fresh: bool) -> BoxFuture<'_, Result<ScopedToken, TokenError>> {
            let url = Url::parse("http://127.0.0.1:1/acme/shop.git").unwrap();
            let made = self.0.map_err(TokenError::new).map(|text| ScopedToken {
                token: Secret::new(format!("{text}-{}", if fresh { "fresh" } else { "old" })),
                expires_at: Timestamp::from_micros(0),
                api_url: url.clone(),
                clone_url: url,
                owner: "acme".into(),
                name: "shop".into(),
            });
            std::future::ready(made).boxed()
        }
    }

    fn serve(tokens: Tokens) -> (CredentialServer, tempfile::TempDir) {
        let runtime = tempfile::tempdir().unwrap();
        let url = Url::parse("http://127.0.0.1:1/acme/shop.git").unwrap();
        (
            CredentialServer::start(runtime.path(), &url, Arc::new(tokens), Refused::default()).unwrap(),
            runtime,
        )
    }

    async fn ask(server: &CredentialServer, operation: &str, path: &str) -> String {
        let mut stream = UnixStream::connect(server.socket()).await.unwrap();
        let text = format!("{operation}\nprotocol=http\nhost=127.0.0.1:1\npath={path}\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_token_is_given_for_the_repository_and_for_nothing_else() {
        let (server, _runtime) = serve(Tokens(Ok("ghs_1.a-b")));
        let given = "username=x-access-token\npassword=ghs_1.a-b-old\n";
        assert_eq!(ask(&server, "get", "acme/shop.git").await, given);
        assert_eq!(ask(&server, "get", "acme/other.git").await, QUIT);
        assert_eq!(ask(&server, "frobnicate", "acme/shop.git").await, QUIT);
        assert_eq!(server.given(), [Secret::new("ghs_1.a-b-old")]);
    }

    #[tokio::test]
    async fn after_a_refusal_a_fresh_token_is_given() {
        let (server, _runtime) = serve(Tokens(Ok("ghs_1")));
        assert!(ask(&server, "get", "acme/shop.git").await.contains("ghs_1-old"));
        assert_eq!(ask(&server, "erase", "acme/shop.git").await, "");
        assert!(ask(&server, "get", "acme/shop.git").await.contains("ghs_1-fresh"));
        assert!(ask(&server, "get", "acme/shop.git").await.contains("ghs_1-old"));
    }

    #[tokio::test]
    async fn no_token_and_a_token_that_would_break_the_protocol_end_the_asking() {
        for (tokens, reason) in [(Err("the platform is away"), "platform"), (Ok("a\nhost=evil"), "control")] {
            let (server, _runtime) = serve(Tokens(tokens));
            assert_eq!(ask(&server, "get", "acme/shop.git").await, QUIT);
            assert!(server.failure().unwrap().to_string().contains(reason));
        }
    }

    #[tokio::test]
    async fn the_socket_is_private_and_goes_with_the_server() {
        let (server, _runtime) = serve(Tokens(Ok("ghs_1")));
        let socket = server.socket().to_owned();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
        drop(server);
        assert!(!socket.parent().unwrap().exists());
    }

    #[tokio::test]
    async fn a_long_data_directory_does_not_make_the_socket_s_address_too_long() {
        let runtime = tempfile::tempdir().unwrap();
        let long = runtime.path().join("x".repeat(100));
        std::fs::create_dir(&long).unwrap();
        let url = Url::parse("http://127.0.0.1:1/acme/shop.git").unwrap();
        let server =
            CredentialServer::start(&long, &url, Arc::new(Tokens(Ok("ghs_1"))), Refused::default()).unwrap();
        assert!(server.socket().as_os_str().len() < 100, "{}", server.socket().display());
        assert!(ask(&server, "get", "acme/shop.git").await.contains("ghs_1"));
    }
}
