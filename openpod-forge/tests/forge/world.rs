//! A forge on a free port, with one repository, an App that is installed there, and a clock that stands still.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use openpod_forge::{AppCredentials, Clock, Forge, ForgeConfig, Permissions, Repository, Seed, SystemClock};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::schemas;

pub(crate) struct World {
    pub(crate) forge: Forge,
    pub(crate) repository: Repository,
    pub(crate) app: AppCredentials,
    pub(crate) installation: u64,
    /// A person's token.
    pub(crate) person: String,
    pub(crate) directory: TempDir,
    hand: Arc<Mutex<jiff::Timestamp>>,
    http: reqwest::Client,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    server: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub(crate) fn must_be(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(false).await
    }

    pub(crate) async fn start_with(long_tokens: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let hand = Arc::new(Mutex::new(SystemClock.now()));
        let (forge, listener) = open(directory.path(), &hand, long_tokens).await;
        let app = forge.ensure_app("openpod", Permissions::for_agents()).await.unwrap();
        let seed = Seed::new()
            .file("README.md", "# Shop\n")
            .file("src/price.py", "def price():\n    return 1\n")
            .executable("run-tests", "#!/bin/sh\nexit 1\n");
        let repository = forge.create_repository("acme", "shop", seed).await.unwrap();
        let installation = forge.install(app.app_id, "acme").await.unwrap();
        let person = forge.create_user("olivia").await.unwrap();
        let http = reqwest::Client::builder().user_agent("forge-tests").build().unwrap();
        let mut world = Self {
            forge,
            repository,
            app,
            installation,
            person,
            directory,
            hand,
            http,
            stop: None,
            server: None,
        };
        world.serve(listener);
        world
    }

    fn serve(&mut self, listener: tokio::net::TcpListener) {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let shutdown = async move { drop(stopped.await) };
        self.server = Some(tokio::spawn(openpod_forge::serve(listener, self.forge.clone(), shutdown)));
        self.stop = Some(stop);
    }

    /// Stops the forge and opens it again on the same data, at another port.
    pub(crate) async fn restart(&mut self) {
        drop(self.stop.take());
        self.server.take().unwrap().await.unwrap().unwrap();
        let (forge, listener) = open(self.directory.path(), &self.hand, false).await;
        self.forge = forge;
        self.serve(listener);
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut hand = self.hand.lock().unwrap();
        *hand += jiff::SignedDuration::try_from(by).unwrap();
    }

    pub(crate) fn now(&self) -> i64 {
        self.hand.lock().unwrap().as_second()
    }

    /// The JWT of the world's App.
    pub(crate) fn jwt(&self) -> String {
        self.jwt_with(&json!({"iat": self.now() - 60, "exp": self.now() + 540, "iss": self.app.app_id}))
    }

    pub(crate) fn jwt_with(&self, claims: &Value) -> String {
        let key = EncodingKey::from_rsa_pem(self.app.private_key_pem.expose_secret().as_bytes()).unwrap();
        encode(&Header::new(Algorithm::RS256), claims, &key).unwrap()
    }

    /// A new installation token with this scope.
    pub(crate) async fn token(&self, scope: Value) -> String {
        let path = format!("/app/installations/{}/access_tokens", self.installation);
        let body = self.post(&self.jwt(), &path, scope).await.must_be(201);
        body["token"].as_str().unwrap().to_owned()
    }

    /// A token for everything that the App may do in the world's repository.
    pub(crate) async fn shop_token(&self) -> String {
        self.token(json!({"repositories": ["shop"]})).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(self.request(Method::GET, token, path)).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, token, path).json(&body)).await
    }

    pub(crate) async fn put(&self, token: &str, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PUT, token, path).json(&body)).await
    }

    pub(crate) async fn patch(&self, token: &str, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, token, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, token: &str, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, token, path)).await
    }

    /// A request to the API; `path` may also be a whole address that the forge gave.
    pub(crate) fn request(&self, method: Method, token: &str, path: &str) -> reqwest::RequestBuilder {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.forge.api_url())
        };
        self.http.request(method, url).bearer_auth(token)
    }

    /// Sends a request; whatever JSON comes back must be as GitHub describes it.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, url) = (request.method().to_string(), request.url().clone());
        let response = self.http.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers, text: response.text().await.unwrap() };
        let is_json = answer.header("content-type").starts_with("application/json");
        if is_json && let Some(path) = url.path().strip_prefix("/api/v3") {
            schemas::check(&method, &self.by_name(path), status.as_u16(), &answer.json());
        }
        answer
    }

    /// Links between pages name a repository by its number.
    fn by_name(&self, path: &str) -> String {
        let path = if path.is_empty() { "/" } else { path };
        path.replace(&format!("/repositories/{}", self.repository.id), "/repos/acme/shop")
    }

    /// Runs git in a directory of the world, with a credential helper that knows this token.
    pub(crate) async fn git(&self, token: &str, directory: &Path, arguments: &[&str]) -> Output {
        let helper =
            format!("!printf 'username=x-access-token\\npassword=%s\\n' '{token}'; cat >/dev/null; :");
        let mut command = Command::new("git");
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .args(["-c", "credential.helper=", "-c", &format!("credential.helper={helper}")])
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
            .args(arguments)
            .current_dir(directory);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Runs git, which must succeed, and gives what it printed.
    #[track_caller]
    pub(crate) fn git_ok(
        &self,
        token: &str,
        directory: &Path,
        arguments: &[&str],
    ) -> impl Future<Output = String> {
        let place = std::panic::Location::caller();
        async move {
            let output = self.git(token, directory, arguments).await;
            assert!(output.status.success(), "{place}: git {arguments:?}: {}", stderr(&output));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        }
    }

    /// A fresh clone of the world's repository.
    pub(crate) async fn clone_shop(&self, token: &str, name: &str) -> PathBuf {
        let target = self.directory.path().join(name);
        let address = self.clone_url();
        self.git_ok(token, self.directory.path(), &["clone", "-q", &address, target.to_str().unwrap()]).await;
        target
    }

    pub(crate) fn clone_url(&self) -> String {
        format!("{}acme/shop.git", self.forge.web_url())
    }

    /// Commits a file on a branch of a clone; gives the commit's id.
    pub(crate) async fn commit(&self, clone: &Path, branch: &str, path: &str, content: &str) -> String {
        self.git_ok("", clone, &["checkout", "-q", "-B", branch]).await;
        std::fs::write(clone.join(path), content).unwrap();
        self.git_ok("", clone, &["add", "-A"]).await;
        self.git_ok("", clone, &["commit", "-q", "-m", &format!("Change {path}")]).await;
        self.git_ok("", clone, &["rev-parse", "HEAD"]).await
    }

    /// Puts a branch with many empty commits into a clone, in one go.
    pub(crate) async fn history(&self, clone: &Path, branch: &str, commits: usize) {
        let mut stream = String::new();
        for n in 0..commits {
            let message = format!("{branch} {n}");
            stream.push_str(&format!(
                "commit refs/heads/{branch}\ncommitter Ada <ada@example.org> {n} +0000\ndata {}\n{message}\n",
                message.len()
            ));
        }
        let file = self.directory.path().join("stream");
        std::fs::write(&file, stream).unwrap();
        let mut command = Command::new("git");
        let input = std::fs::File::open(file).unwrap();
        command.args(["fast-import", "--quiet"]).current_dir(clone).stdin(input);
        let status = tokio::task::spawn_blocking(move || command.status().unwrap()).await.unwrap();
        assert!(status.success());
    }

    /// Pushes a new branch with one commit; gives the commit's id.
    pub(crate) async fn push_branch(&self, token: &str, branch: &str) -> String {
        let clone = self.clone_shop(token, &format!("clone-{}", branch.replace('/', "-"))).await;
        let sha = self
            .commit(&clone, branch, "src/price.py", &format!("def price():\n    return '{branch}'\n"))
            .await;
        self.git_ok(token, &clone, &["push", "-q", "origin", branch]).await;
        sha
    }

    /// Opens a pull request for a branch that is there.
    pub(crate) async fn open_pull(&self, token: &str, branch: &str) -> Value {
        let body =
            json!({"title": format!("Work on {branch}"), "head": branch, "base": "main", "body": "Done."});
        self.post(token, "/repos/acme/shop/pulls", body).await.must_be(201)
    }
}

async fn open(
    directory: &Path,
    hand: &Arc<Mutex<jiff::Timestamp>>,
    long_tokens: bool,
) -> (Forge, tokio::net::TcpListener) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let web_url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let config = ForgeConfig { data_dir: directory.join("data"), web_url, long_tokens };
    let hand = Arc::clone(hand);
    let clock = move || *hand.lock().unwrap();
    (Forge::open(config, Arc::new(clock)).await.unwrap(), listener)
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
