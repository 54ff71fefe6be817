//! A platform and a forge of one project, one ticket and one repository, just large enough for a daemon to work with.
//! The journeys with the real ones are in the workspace's own tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use openpod_sdk::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::patience::PATIENCE;
use super::support::{GitHost, TOKEN};

/// What the platform knows. Tests look at it and change it.
pub(crate) struct World {
    pub(crate) ticket: Value,
    pub(crate) position: Option<Value>,
    pub(crate) applications: Vec<Value>,
    pub(crate) pulls: Vec<Value>,
    pub(crate) webhooks: Vec<Value>,
    /// Each call, such as `PATCH /tickets/t1`.
    pub(crate) calls: Vec<String>,
    /// Calls that take effect, but whose answer is lost: the first so many that begin so.
    pub(crate) lost_answers: Vec<&'static str>,
    /// How far its clock is ahead.
    pub(crate) clock_ahead: Duration,
    /// It knows the key no more.
    pub(crate) refuses: bool,
    repository: PathBuf,
    clone_url: String,
    address: String,
}

impl World {
    pub(crate) fn count(&self, call: &str) -> usize {
        self.calls.iter().filter(|made| *made == call).count()
    }

    pub(crate) fn status(&self) -> &str {
        self.ticket["status"].as_str().unwrap()
    }

    /// Changes the ticket as a person would: its version grows.
    pub(crate) fn change_ticket(&mut self, fields: Value) {
        for (name, value) in fields.as_object().unwrap() {
            self.ticket[name] = value.clone();
        }
        let version = self.ticket["version"].as_u64().unwrap() + 1;
        self.ticket["version"] = version.into();
    }

    pub(crate) fn comment(&mut self, author: &str, text: &str) {
        let comment = json!({
            "content": text, "author_agent_key_id": author, "author_name": author, "created_at": "2026-03-12T10:30:00Z",
        });
        self.ticket["comments"].as_array_mut().unwrap().push(comment);
    }

    pub(crate) fn branch_head(&self, branch: &str) -> Option<String> {
        let git = Command::new("git")
            .args(["--git-dir", self.repository.to_str().unwrap(), "rev-parse", "--verify", "-q"])
            .arg(format!("refs/heads/{branch}"))
            .output()
            .unwrap();
        git.status.success().then(|| String::from_utf8(git.stdout).unwrap().trim().to_owned())
    }

    pub(crate) fn file_on(&self, branch: &str, path: &str) -> String {
        let git = Command::new("git")
            .args(["--git-dir", self.repository.to_str().unwrap(), "show", &format!("{branch}:{path}")])
            .output()
            .unwrap();
        String::from_utf8(git.stdout).unwrap()
    }
}

/// The platform, running.
#[derive(Clone)]
pub(crate) struct Platform {
    pub(crate) address: String,
    world: Arc<Mutex<World>>,
    moved: watch::Sender<()>,
    _git: Arc<GitHost>,
}

impl Platform {
    /// Begins with one ticket, which is ours to do, and a repository in `directory`.
    pub(crate) async fn start(directory: &Path) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let repository = make_repository(directory);
        let token = Arc::new(Mutex::new(TOKEN.to_owned()));
        let git = GitHost::start(&directory.join("git"), token, None).await;
        let world = World {
            ticket: json!({
                "id": "t1", "project_id": "p1", "ticket_number": 7, "title": "Greet the world",
                "description": "Write a greeting into greeting.txt, please.", "status": "todo", "priority": "high",
                "ticket_type": "task", "acceptance_criteria": ["greeting.txt exists"], "labels": [],
                "assignee_agent_key_id": "me", "approval_status": null, "branch_name": null, "deliverables": [],
                "version": 1, "comments": [],
            }),
            position: None,
            applications: Vec::new(),
            pulls: Vec::new(),
            webhooks: Vec::new(),
            calls: Vec::new(),
            lost_answers: Vec::new(),
            clock_ahead: Duration::ZERO,
            refuses: false,
            repository,
            clone_url: git.origin("greetings").clone_url.to_string(),
            address: address.clone(),
        };
        let platform = Self {
            address,
            world: Arc::new(Mutex::new(world)),
            moved: watch::Sender::new(()),
            _git: Arc::new(git),
        };
        let router = Router::new().fallback(answer).with_state(platform.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        platform
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Waits until something holds; looks whenever a call was answered.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&World) -> bool) {
        let mut moved = self.moved.subscribe();
        let waiting = async {
            while !holds(&self.world()) {
                moved.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let world = self.world();
            let calls: Vec<_> = world.calls.iter().filter(|call| *call != "GET /heartbeat").collect();
            panic!("never: {what}\n{:#}\n{calls:#?}", world.ticket);
        }
    }
}

fn make_repository(directory: &Path) -> PathBuf {
    let bare = directory.join("git/acme/greetings.git");
    let work = directory.join("origin-work");
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=owner",
                "-c",
                "user.email=owner@example.com",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let (bare_text, work_text) = (bare.to_str().unwrap(), work.to_str().unwrap());
    git(&["init", "-q", work_text]);
    std::fs::write(work.join("README.md"), "A repository.\n").unwrap();
    git(&["-C", work_text, "add", "."]);
    git(&["-C", work_text, "commit", "-q", "-m", "Begin"]);
    git(&["clone", "-q", "--bare", work_text, bare_text]);
    bare
}

async fn answer(
    State(platform): State<Platform>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().trim_start_matches("/api/agent/v1").to_owned();
    let call = format!("{method} {path}");
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (status, answer, lost) = {
        let mut world = platform.world();
        world.calls.push(call.clone());
        let if_match = headers.get("if-match").map(|value| value.to_str().unwrap().to_owned());
        let (status, answer) = world.answer(&call, uri.query().unwrap_or_default(), if_match, &body);
        let lost = world.lost_answers.iter().position(|lost| call.starts_with(lost));
        let lost = lost.map(|at| world.lost_answers.remove(at)).is_some();
        (status, answer, lost)
    };
    platform.moved.send_replace(());
    if lost {
        // A proxy that has lost its backend: whether the call took effect cannot be seen.
        return (StatusCode::BAD_GATEWAY, "<html>Bad gateway</html>").into_response();
    }
    let json = [("content-type", "application/json")];
    (StatusCode::from_u16(status).unwrap(), json, answer.to_string()).into_response()
}

fn refusal(status: u16, code: &str) -> (u16, Value) {
    (status, json!({"error": "No.", "code": code, "request_id": "r"}))
}

impl World {
    fn answer(&mut self, call: &str, query: &str, if_match: Option<String>, body: &Value) -> (u16, Value) {
        let data = |value: Value| (200, json!({ "data": value }));
        match call {
            _ if self.refuses => refusal(401, "unauthorized"),
            "GET /me" => data(json!({
                "agent_key": {"id": "me", "name": "crab", "capabilities": ["shell"], "is_active": true,
                              "created_at": "2026-03-12T10:30:00Z"},
                "memberships": [{"project_id": "p1", "project_title": "Greetings", "project_status": "open",
                                 "role_level": "worker"}],
                "active_ticket_count": 1,
            })),
            "GET /heartbeat" => data(self.heartbeat()),
            "GET /tickets" => {
                assert!(query.contains("status=todo") && query.contains("assignee=none"), "{query}");
                let free = self.ticket["assignee_agent_key_id"].is_null() && self.status() == "todo";
                data(if free { json!([self.ticket]) } else { json!([]) })
            }
            "GET /tickets/t1" => data(self.ticket.clone()),
            "PATCH /tickets/t1" => self.patch(if_match, body),
            "POST /tickets/t1/comments" => {
                self.comment("me", body["content"].as_str().unwrap());
                (201, json!({"data": self.ticket["comments"].as_array().unwrap().last()}))
            }
            "GET /knowledge" => data(json!([{
                "id": "k1", "title": "Greetings", "content": "We greet in English.", "category": "patterns",
                "importance": "high", "version": 1,
            }])),
            "GET /github/token" => (
                200,
                json!({
                    "token": TOKEN, "expires_at": "2126-03-12T10:30:00Z", "permissions": {"contents": "write"},
                    "repo_owner": "acme", "repo_name": "greetings", "repo_full_name": "acme/greetings",
                    "clone_url": self.clone_url,
                    "api_url": format!("{}/api/v3", self.address),
                }),
            ),
            "POST /github/verify-deliverable" => {
                let known = self.pulls.iter().any(|pull| pull["html_url"] == body["pr_url"]);
                (200, json!({"valid": known, "checks_summary": "no_checks"}))
            }
            "GET /positions" => data(self.position.iter().cloned().collect()),
            "GET /apply" => data(self.applications.clone().into()),
            "POST /apply" => {
                let application = json!({"id": "a1", "position_id": body["position_id"], "status": "pending",
                                         "cover_letter": body["cover_letter"]});
                self.applications.push(application.clone());
                (201, json!({ "data": application }))
            }
            "GET /webhooks" => data(self.webhooks.clone().into()),
            "POST /webhooks" => {
                let webhook = json!({"id": "w1", "url": body["url"], "events": ["*"], "is_active": true});
                self.webhooks
                    .push(json!({"id": "w1", "url": body["url"], "events": ["*"], "is_active": true,
                                          "secret": body["secret"]}));
                (201, json!({ "data": webhook }))
            }
            "GET /api/v3/repos/acme/greetings/pulls" => (200, self.refreshed_pulls().into()),
            "POST /api/v3/repos/acme/greetings/pulls" => self.open_pull(body),
            "PATCH /api/v3/repos/acme/greetings/pulls/1" => {
                for field in ["title", "body"] {
                    self.pulls[0][field] = body[field].clone();
                }
                (200, self.refreshed_pulls()[0].clone())
            }
            _ => refusal(404, "not_found"),
        }
    }

    fn heartbeat(&self) -> Value {
        let ours = self.ticket["assignee_agent_key_id"] == "me";
        let pending = matches!(self.status(), "todo" | "in_progress" | "in_review");
        let assigned = if ours && pending { vec![self.ticket.clone()] } else { vec![] };
        json!({
            "has_changes": true, "timestamp": SystemClock.now().plus(self.clock_ahead),
            "tickets": {"assigned_to_you": assigned, "awaiting_approval": []},
            "messages": {"unread_count": 0, "channels": []}, "applications": {"pending": []},
        })
    }

    fn patch(&mut self, if_match: Option<String>, body: &Value) -> (u16, Value) {
        let current = format!("\"{}\"", self.ticket["version"]);
        if if_match.is_some_and(|version| version != current) {
            return refusal(412, "precondition_failed");
        }
        let assignee = self.ticket["assignee_agent_key_id"].clone();
        if !(assignee == "me" || assignee.is_null() && body["status"] == "in_progress") {
            return refusal(409, "already_claimed");
        }
        if body["status"].as_str() != Some(self.status()) || !body["deliverables"].is_null() {
            self.change_ticket(body.clone());
        }
        match self.status() {
            "in_progress" => self.ticket["assignee_agent_key_id"] = "me".into(),
            "todo" => self.ticket["assignee_agent_key_id"] = Value::Null,
            _ => self.ticket["approval_status"] = "pending".into(),
        }
        (200, json!({ "data": self.ticket }))
    }

    fn refreshed_pulls(&mut self) -> Vec<Value> {
        let heads: Vec<_> =
            self.pulls.iter().map(|pull| self.branch_head(pull["head"]["ref"].as_str().unwrap())).collect();
        for (pull, head) in self.pulls.iter_mut().zip(heads) {
            pull["head"]["sha"] = head.into();
        }
        self.pulls.clone()
    }

    fn open_pull(&mut self, body: &Value) -> (u16, Value) {
        let branch = body["head"].as_str().unwrap();
        if self.pulls.iter().any(|pull| pull["head"]["ref"] == branch) {
            return (
                422,
                json!({"message": "Validation Failed", "errors": [{"message": "A pull request already exists"}]}),
            );
        }
        self.pulls.push(json!({
            "number": 1, "html_url": format!("{}/acme/greetings/pull/1", self.address), "title": body["title"],
            "body": body["body"], "head": {"ref": branch, "sha": self.branch_head(branch)},
            "base": {"ref": body["base"]},
        }));
        (201, self.pulls[0].clone())
    }
}
