//! A whole world in one process: server with forge, an owner, and daemons that work for pay.
//!
//! Nothing in here waits for a time. What waits, waits for the next commit of the server and looks again.

mod daemon;
pub mod program;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openpod_forge::{Forge, Seed};
use openpod_sdk::api::positions::PositionSpec;
use openpod_sdk::api::projects::NewProject;
use openpod_sdk::api::tickets::{NewTicket, Ticket};
use openpod_sdk::api::{ApplicationStatus, Cents, ProjectId, TicketId};
use openpod_sdk::client::OwnerClient;
use openpod_sdk::clock::SystemClock;
use openpod_sdk::{Client, Secret};
use openpod_server::accounts;
use openpod_server::app::App;
use openpod_server::config::Config;
use openpod_server::ids::SystemRandomness;
use openpod_server::lifecycle::Server;
use openpod_server::store::{Sources, StoreError};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use daemon::{Daemon, DaemonSetup, Hosts};

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(180);

/// What it comes to; what would wait for ever fails instead.
pub async fn ends<T>(what: &str, story: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, story).await;
    ended.unwrap_or_else(|_| panic!("this hangs: {what}"))
}

/// Server, forge and owner.
pub struct World {
    _end: LastResort,
    directory: TempDir,
    /// Where the server is.
    pub url: String,
    /// The server's inside.
    pub app: App,
    /// The forge's inside.
    pub forge: Forge,
    /// Somebody who owns projects.
    pub owner: OwnerClient,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

/// A project with a repository and one open position for as many workers as like.
#[derive(Clone)]
pub struct Project {
    pub id: ProjectId,
    /// `owner/name`.
    pub repository: String,
}

impl World {
    pub async fn begin() -> World {
        Self::begin_in(tempfile::tempdir().unwrap()).await
    }

    /// The same, with all its files here.
    pub async fn begin_in(directory: TempDir) -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let sources = Sources { clock: Arc::new(SystemClock), randomness: Arc::new(SystemRandomness) };
        let server = Server::start(&configuration(directory.path()), sources, address).await.unwrap();
        let (app, forge, url) =
            (server.app().clone(), server.forge().unwrap().clone(), format!("http://{address}"));
        let owner = accounts::create_owner(app.store(), "olga", "correct horse battery").await.unwrap();
        let token = accounts::create_owner_token(app.store(), &owner, None).await.unwrap().text;
        let owner = Client::builder(&url).key(token).build_owner().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.run(listener, stop.clone().cancelled_owned()));
        let _end = LastResort(directory.path().to_owned());
        World { _end, directory, url, app, forge, owner, stop, serving }
    }

    /// A directory of this name, gone with the world.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// A client for this key.
    pub fn client(&self, key: &Secret) -> Client {
        Client::builder(&self.url).key(key.clone()).build().unwrap()
    }

    /// Registers an agent and answers with its key.
    pub async fn register(&self, name: &str) -> (Client, Secret) {
        let agent = openpod_sdk::api::register::NewAgent::new(name, ["shell"]);
        let anonymous = Client::builder(&self.url).build().unwrap();
        let key = anonymous.register_agent(&agent).await.unwrap().api_key;
        (self.client(&key), key)
    }

    /// Has the owner post a project with a repository that holds one question.
    pub async fn project(&self) -> Project {
        self.project_with("answers").await
    }

    /// The same with a repository of this name.
    pub async fn project_with(&self, repository: &str) -> Project {
        let seed = Seed::new().file("README.md", "A question and its answer.\n").file("answer.txt", "?\n");
        let made = self.forge.create_repository("acme", repository, seed).await.unwrap();
        let app = self.forge.ensure_app("openpod", openpod_forge::Permissions::for_agents()).await.unwrap();
        self.forge.install(app.app_id, "acme").await.unwrap();
        let position = PositionSpec { max_agents: Some(100), ..PositionSpec::worker("Worker") };
        let project = NewProject {
            github_repo: Some(made.html_url),
            budget_cents: Some(Cents(1_000_000)),
            positions: vec![position],
            ..NewProject::new("Answers", "Questions want answers.")
        };
        let created = self.owner.create_project(&project).await.unwrap();
        Project { id: created.project.id, repository: format!("acme/{repository}") }
    }

    /// Has an agent apply to the project's worker position and the owner accept it.
    pub async fn hire(&self, project: &Project, agent: &Client) {
        use openpod_sdk::api::applications::{ApplicationDecision, NewApplication};
        use openpod_sdk::api::positions::PositionFilter;
        let filter = PositionFilter {
            project_id: Some(project.id.clone()),
            role_level: Some(openpod_sdk::api::RoleLevel::Worker),
            ..PositionFilter::default()
        };
        let position = agent.list_positions(&filter).await.unwrap().data.remove(0);
        let letter = NewApplication { position_id: position.id, cover_letter: "I answer.".into() };
        let application = agent.apply(&letter).await.unwrap();
        let accept = ApplicationDecision { decision: openpod_sdk::api::Decision::Accept, comment: None };
        self.owner.decide_application(&application.id, &accept).await.unwrap();
    }

    /// Has the owner accept whoever applies, once somebody does.
    pub async fn accept_the_next_applicant(&self) {
        use openpod_sdk::api::applications::ApplicationDecision;
        use openpod_sdk::api::owner::OwnerApplicationFilter;
        let pending =
            OwnerApplicationFilter { status: Some(ApplicationStatus::Pending), ..Default::default() };
        let application = self
            .until("somebody applies", async || {
                let page = self.owner.list_applications(&pending).await.unwrap();
                page.data.into_iter().next()
            })
            .await;
        let accept = ApplicationDecision { decision: openpod_sdk::api::Decision::Accept, comment: None };
        self.owner.decide_application(&application.id, &accept).await.unwrap();
    }

    /// Has the owner create a task for whoever takes it.
    pub async fn ticket(&self, project: &Project, title: &str) -> TicketId {
        let description = "The file answer.txt holds a question mark. It should hold the answer.";
        let ticket = NewTicket::task(project.id.clone(), title, description);
        self.owner.create_ticket(&ticket).await.unwrap().id
    }

    /// Waits until a ticket is as `wanted` says.
    pub async fn ticket_when(&self, id: &TicketId, what: &str, wanted: impl Fn(&Ticket) -> bool) -> Ticket {
        self.until(what, async || {
            let ticket = self.owner.get_ticket(id).await.unwrap();
            wanted(&ticket).then_some(ticket)
        })
        .await
    }

    /// Looks after each commit of the server until there is something to see.
    pub async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let mut commits = self.app.store().commits();
        let search = async {
            loop {
                commits.borrow_and_update();
                if let Some(found) = look().await {
                    return found;
                }
                commits.changed().await.unwrap();
            }
        };
        ends(what, search).await
    }

    /// What a file holds at a branch of the repository, as the forge has it.
    pub fn file_at(&self, project: &Project, branch: &str, path: &str) -> Option<String> {
        file_at(&self.repository(project), branch, path)
    }

    /// What git says of the repository, as the forge has it, without the last line's end.
    pub fn git(&self, project: &Project, args: &[&str]) -> String {
        let output = self.git_in(project, args);
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn git_in(&self, project: &Project, args: &[&str]) -> std::process::Output {
        let mut git = std::process::Command::new("git");
        git.arg("-C").arg(self.repository(project)).args(args).output().unwrap()
    }

    /// Where the forge keeps the repository.
    pub fn repository(&self, project: &Project) -> PathBuf {
        let (owner, name) = project.repository.split_once('/').unwrap();
        self.forge.repository_path(owner, name)
    }

    /// Ends the world, with events on their way to whom nobody is.
    pub async fn close(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }

    /// Ends the world and its daemons. What was left undone fails the test: an event that nobody got, a process that
    /// lives on.
    pub async fn end(self, daemons: impl IntoIterator<Item = Daemon>) {
        self.until("every event is delivered", async || (self.undelivered().await == 0).then_some(())).await;
        for daemon in daemons {
            daemon.stop().await;
        }
        assert_eq!(self.processes(), Vec::<String>::new(), "these processes live on");
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

impl World {
    /// The command lines of processes that work in this world.
    pub fn processes(&self) -> Vec<String> {
        processes_within(self.directory.path())
    }

    async fn undelivered(&self) -> i64 {
        let left: Result<i64, StoreError> = self
            .app
            .store()
            .read(|tx| {
                Box::pin(async move {
                    let sql = "SELECT count(*) AS n FROM deliveries WHERE status = 'pending'";
                    Ok(tx.first(sql, &[], |row| row.get("n")).await?.unwrap_or(0))
                })
            })
            .await;
        left.unwrap()
    }
}

/// Kills what a test that fails leaves behind: workers and their shims outlive the daemon, as they should.
struct LastResort(PathBuf);

impl Drop for LastResort {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = std::process::Command::new("kill").arg("-KILL").args(pids_within(&self.0)).output();
        }
    }
}

fn configuration(directory: &Path) -> Config {
    let file = directory.join("server.toml");
    let text = format!(
        "[database]\nurl = \"sqlite:{0}/openpod.db\"\n\
         [limits]\nrequests_per_minute = 1000000\nburst = 1000000\nregistrations_per_hour = 1000000\n\
         [webhooks]\nallow = [\"127.0.0.0/8\"]\n\
         [forge]\nenabled = true\ndata_dir = \"{0}/forge\"\n",
        directory.display()
    );
    std::fs::write(&file, text).unwrap();
    Config::load(Some(&file), &[]).unwrap()
}

/// What a file of a bare repository holds at a branch.
pub fn file_at(repository: &Path, branch: &str, path: &str) -> Option<String> {
    let spec = format!("{branch}:{path}");
    let shown =
        std::process::Command::new("git").arg("-C").arg(repository).args(["show", &spec]).output().unwrap();
    shown.status.success().then(|| String::from_utf8(shown.stdout).unwrap())
}

/// The command lines of processes whose working directory lies in here.
pub fn processes_within(directory: &Path) -> Vec<String> {
    found_within(directory).into_iter().map(|(_, command)| command).collect()
}

/// The numbers of these processes.
pub fn pids_within(directory: &Path) -> Vec<String> {
    found_within(directory).into_iter().map(|(pid, _)| pid).collect()
}

fn found_within(directory: &Path) -> Vec<(String, String)> {
    let directory = directory.canonicalize().unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let within =
            std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&directory));
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if within && !command.is_empty() {
            let pid = entry.file_name().to_string_lossy().into_owned();
            found.push((pid, String::from_utf8_lossy(&command).replace('\0', " ")));
        }
    }
    found
}
