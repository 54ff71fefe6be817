//! A git host that demands a token, a source of tokens, and repositories to work on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use openpod_agentd::credentials::{Origin, ScopedToken, TokenError, TokenSource};
use openpod_agentd::git::Git;
use openpod_agentd::workspace::{Branches, CommitMessage, JobKey, Workspaces};
use openpod_sdk::Secret;
use openpod_sdk::api::Timestamp;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::patience::PATIENCE;

/// About as long as real ones are, with everything that occurs in them.
pub(crate) const TOKEN: &str = "ghs_123456_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NTYifQ.c2ln-bmF0_dXJl";

/// Of a remote that nobody looked at yet.
pub(crate) fn branches<'a>(base: Option<&'a str>, own: &'a str) -> Branches<'a> {
    Branches { base, own, seen: None }
}

/// Git smart HTTP over the repositories below a directory, for whoever has the token.
pub(crate) struct GitHost {
    pub(crate) url: Url,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    /// How many requests came, also of those who have no token.
    pub(crate) knocks: Arc<AtomicUsize>,
    root: PathBuf,
    _server: AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct Host {
    root: PathBuf,
    token: Arc<Mutex<String>>,
    seen: Arc<Mutex<Vec<String>>>,
    knocks: Arc<AtomicUsize>,
    redirect: Option<String>,
}

impl GitHost {
    pub(crate) async fn start(root: &Path, token: Arc<Mutex<String>>, redirect: Option<String>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let knocks = Arc::new(AtomicUsize::new(0));
        let host = Host {
            root: root.to_owned(),
            token,
            seen: Arc::clone(&seen),
            knocks: Arc::clone(&knocks),
            redirect,
        };
        let app = Router::new().fallback(serve).with_state(host);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = AbortOnDropHandle::new(tokio::spawn(async move {
            axum::serve(listener, app).await.unwrap();
        }));
        Self { url, seen, knocks, root: root.to_owned(), _server: server }
    }

    pub(crate) fn origin(&self, name: &str) -> Origin {
        let clone_url = self.url.join(&format!("acme/{name}.git")).unwrap();
        Origin { clone_url, owner: "acme".into(), name: name.into() }
    }

    pub(crate) fn bare(&self, name: &str) -> PathBuf {
        self.root.join("acme").join(format!("{name}.git"))
    }

    /// How often something was fetched since last asked.
    pub(crate) fn fetches(&self) -> usize {
        let seen: Vec<String> = self.seen.lock().unwrap().drain(..).collect();
        seen.iter().filter(|line| line.contains("fetch")).count()
    }
}

async fn serve(State(host): State<Host>, request: Request) -> Response {
    host.knocks.fetch_add(1, Ordering::SeqCst);
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let path = parts.uri.path().to_owned();
    if let Some(target) = &host.redirect {
        let location = format!("{target}{path}?{query}");
        return plain(StatusCode::FOUND, &[("location", &location)]);
    }
    let expected = format!("x-access-token:{}", host.token.lock().unwrap());
    let expected = format!("Basic {}", STANDARD.encode(expected));
    if parts.headers.get(header::AUTHORIZATION).is_none_or(|given| given != &*expected) {
        return plain(StatusCode::UNAUTHORIZED, &[("www-authenticate", "Basic realm=\"git\"")]);
    }
    let body = body.collect().await.unwrap().to_bytes();
    let what = if body.windows(13).any(|word| word == b"command=fetch") { "fetch" } else { "" };
    host.seen.lock().unwrap().push(format!("{} {path}?{query} {what}", parts.method));
    backend(&host.root, parts.method.as_str(), &path, &query, &parts.headers, body).await
}

fn plain(status: StatusCode, headers: &[(&str, &str)]) -> Response {
    let start = Response::builder().status(status);
    headers
        .iter()
        .fold(start, |response, (name, value)| response.header(*name, *value))
        .body(Body::empty())
        .unwrap()
}

async fn backend(
    root: &Path,
    method: &str,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let mut child = tokio::process::Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("REMOTE_USER", "worker")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", text("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", text("content-encoding"))
        .env("GIT_PROTOCOL", text("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let (_, output) = tokio::join!(async move { stdin.write_all(&body).await }, child.wait_with_output());
    let output = output.unwrap().stdout;
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let mut response = Response::builder();
    for line in std::str::from_utf8(&output[..end]).unwrap().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = match name {
            "Status" => response.status(&value[..3]),
            _ => response.header(name, value),
        };
    }
    response.body(Body::from(output[end + 4..].to_vec())).unwrap()
}

/// Gives the token that the host wants, unless it is told to give another or none.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) stale: Arc<Mutex<Option<String>>>,
    pub(crate) asked: Arc<Mutex<Vec<bool>>>,
    pub(crate) broken: bool,
    valid: Arc<Mutex<String>>,
    origin: Origin,
}

impl TokenSource for Tokens {
    fn token(&self, fresh: bool) -> BoxFuture<'_, Result<ScopedToken, TokenError>> {
        self.asked.lock().unwrap().push(fresh);
        if self.broken {
            return std::future::ready(Err(TokenError::new("the platform is away"))).boxed();
        }
        let stale = self.stale.lock().unwrap().clone().filter(|_| !fresh);
        let token = stale.unwrap_or_else(|| self.valid.lock().unwrap().clone());
        let Origin { clone_url, owner, name } = self.origin.clone();
        let expires_at = Timestamp::from_micros(0);
        let scoped = ScopedToken {
            token: Secret::new(token),
            expires_at,
            api_url: clone_url.clone(),
            clone_url,
            owner,
            name,
        };
        std::future::ready(Ok(scoped)).boxed()
    }
}

/// A host with the repository `acme/shop`, and a daemon's repositories.
pub(crate) struct World {
    pub(crate) host: GitHost,
    pub(crate) origin: Origin,
    pub(crate) workspaces: Workspaces,
    pub(crate) tokens: Tokens,
    pub(crate) root: TempDir,
    pub(crate) token: Arc<Mutex<String>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_path(&std::env::var_os("PATH").unwrap()).await
    }

    pub(crate) async fn with_path(path: &std::ffi::OsStr) -> Self {
        let root = tempfile::tempdir().unwrap();
        let hosted = root.path().join("hosted");
        let token = Arc::new(Mutex::new(TOKEN.to_owned()));
        let host = GitHost::start(&hosted, Arc::clone(&token), None).await;
        let origin = host.origin("shop");
        seed(&host.bare("shop"));
        let home = root.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let git = Git::find_on(path, &home).await.unwrap();
        let workspaces = Workspaces::open(&root.path().join("data"), git, helper()).unwrap();
        let tokens = Tokens {
            stale: Arc::default(),
            asked: Arc::default(),
            broken: false,
            valid: Arc::clone(&token),
            origin: origin.clone(),
        };
        Self { host, origin, workspaces, tokens, root, token }
    }

    /// A host that sends everything on to the real one.
    pub(crate) async fn redirecting(&self) -> GitHost {
        let target = self.host.url.as_str().trim_end_matches('/').to_owned();
        GitHost::start(self.root.path(), Arc::clone(&self.token), Some(target)).await
    }

    pub(crate) fn tokens(&self) -> Arc<dyn TokenSource> {
        Arc::new(self.tokens.clone())
    }

    pub(crate) async fn prepared(&self, job: &str) -> (JobKey, PathBuf) {
        let key: JobKey = job.parse().unwrap();
        let branch = format!("openpod/{job}");
        let prepared = self
            .workspaces
            .prepare(&key, &self.origin, branches(None, &branch), self.tokens())
            .await
            .unwrap();
        (key, prepared.workspace)
    }

    /// What the remote has there, read behind the daemon's back.
    pub(crate) fn remote(&self, args: &[&str]) -> String {
        plain_git(&self.host.bare("shop"), args)
    }

    pub(crate) fn remote_file(&self, branch: &str, path: &str) -> String {
        self.remote(&["show", &format!("{branch}:{path}")])
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }
}

/// The daemon's own binary, which is also git's credential helper.
pub(crate) fn helper() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_openpod-agentd"))
}

pub(crate) fn message(subject: &str) -> CommitMessage {
    CommitMessage {
        subject: subject.into(),
        body: "Ticket 7".into(),
        author_name: "Ada's agent".into(),
        author_email: "agent@openpod.invalid".into(),
        time: Timestamp::from_micros(1_700_000_000_000_000),
    }
}

/// A bare repository whose branch `trunk` has a commit with a few files, and is the default.
fn seed(bare: &Path) {
    let tree = bare.with_extension("seed");
    std::fs::create_dir_all(tree.join("src")).unwrap();
    std::fs::write(tree.join("README.md"), "A shop\n").unwrap();
    std::fs::write(tree.join("src/shop.sh"), "#!/bin/sh\necho shop\n").unwrap();
    std::fs::write(tree.join("src/tax.sh"), "echo 19\n").unwrap();
    std::fs::write(tree.join(".gitignore"), "*.log\n/build/\n").unwrap();
    plain_git(&tree, &["init", "-q", "-b", "trunk"]);
    plain_git(&tree, &["add", "-A"]);
    plain_git(&tree, &["commit", "-q", "-m", "Open the shop"]);
    plain_git(&tree, &["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    std::fs::remove_dir_all(&tree).unwrap();
}

/// Git as a person would use it.
pub(crate) fn plain_git(directory: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(args)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_NAME", "A person")
        .env("GIT_AUTHOR_EMAIL", "person@example.org")
        .env("GIT_COMMITTER_NAME", "A person")
        .env("GIT_COMMITTER_EMAIL", "person@example.org")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until something is so. For what other processes do and nobody reports; it works while the time stands still.
pub(crate) async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what} did not happen");
        tokio::task::yield_now().await;
    }
}

/// Whether the process of this directory of `/proc` is there and not over. Nobody may ever take note of its end: its
/// number stays then. Its first thread may end before the others do.
pub(crate) fn lives(process: &Path) -> bool {
    let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let threads: u64 = fields.get(17).and_then(|threads| threads.parse().ok()).unwrap_or_default();
    !matches!(fields[0], "" | "Z" | "X") || threads > 1
}

/// The process whose number somebody wrote into this file, once it is there.
pub(crate) async fn process_in(file: &Path) -> PathBuf {
    let read = || std::fs::read_to_string(file).ok()?.strip_suffix('\n').map(str::to_owned);
    PathBuf::from("/proc").join(eventually("the process begins", read).await)
}
