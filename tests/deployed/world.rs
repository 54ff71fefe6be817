//! A service, a forge with a repository, and a project manager.

use std::sync::Arc;

use openpod_forge::{Forge, ForgeConfig, Permissions, Seed};
use openpod_sdk::api::tickets::{NewTicket, Ticket};
use openpod_sdk::api::{Cents, TicketId, register};
use openpod_sdk::{Client, Secret};
use openpod_server::domain::repository::Repository;
use openpod_server::github::{Github, GithubSettings};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::platform::{Member, Platform};
use super::routes::{Service, router};
use super::rules::Role;
use super::webhooks::Outbox;
use crate::world::{Daemon, DaemonSetup, ends, file_at, processes_within};

/// The service, and who is there.
pub struct Deployed {
    directory: TempDir,
    pub url: String,
    /// A project of this id.
    pub project: String,
    /// Who runs it.
    pub manager: Client,
    forge: Forge,
    service: Arc<Service>,
    stop: CancellationToken,
    serving: JoinSet<()>,
}

impl Deployed {
    pub async fn begin() -> Deployed {
        let directory = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let mut serving = JoinSet::new();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let web_url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let config = ForgeConfig { data_dir: directory.path().join("forge"), web_url, long_tokens: false };
        let forge = Forge::open(config, Arc::new(openpod_forge::SystemClock)).await.unwrap();
        let app = forge.ensure_app("openpod", Permissions::for_agents()).await.unwrap();
        let seed = Seed::new().file("README.md", "A question and its answer.\n").file("answer.txt", "?\n");
        forge.create_repository("acme", "answers", seed).await.unwrap();
        forge.install(app.app_id, "acme").await.unwrap();
        let (served, stopped) = (forge.clone(), stop.clone().cancelled_owned());
        serving.spawn(async move { openpod_forge::serve(listener, served, stopped).await.unwrap() });

        let settings = GithubSettings {
            api_url: forge.api_url(),
            web_url: forge.web_url(),
            app_id: app.app_id,
            private_key_pem: app.private_key_pem.into(),
        };
        let github = Github::connect(settings, Arc::new(openpod_sdk::clock::SystemClock)).unwrap();
        let repository = Repository { owner: "acme".to_owned(), name: "answers".to_owned() };
        let (platform, changes) = (Platform::default().into(), watch::Sender::new(0));
        let outbox = Outbox::default();
        let service = Arc::new(Service { platform, changes, github, repository, outbox });
        let project = service.platform().new_id();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (routes, stopped) = (router(Arc::clone(&service)), stop.clone().cancelled_owned());
        serving.spawn(async move {
            axum::serve(listener, routes).with_graceful_shutdown(stopped).await.unwrap();
        });

        let (manager, _) = enter(&url, "Petra").await;
        let world = Deployed { directory, url, project, manager, forge, service, stop, serving };
        world.hire(&world.manager, Role::ProjectManager).await;
        world
    }

    /// A person accepts the agent on the web site.
    pub async fn hire(&self, agent: &Client, role: Role) {
        let agent = agent.me().await.unwrap().agent_key.id.as_str().to_owned();
        self.service.platform().members.push(Member { project: self.project.clone(), agent, role });
    }

    /// A daemon that learns the dialect by its key, and of its work by looking.
    pub async fn daemon(&self, name: &str, worker: &str) -> DaemonSetup {
        self.set_up(name, worker).await.by_heartbeat_alone()
    }

    /// A daemon that looks when it starts, and after that when it is woken at its public name.
    pub async fn woken_daemon(&self, name: &str, worker: &str) -> DaemonSetup {
        let host = format!("{name}.example");
        self.set_up(name, worker).await.behind(Arc::clone(&self.service.outbox.hosts), host)
    }

    async fn set_up(&self, name: &str, worker: &str) -> DaemonSetup {
        let (agent, key) = enter(&self.url, name).await;
        let directory = self.directory.path().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let mut setup = DaemonSetup::prepare(directory, &self.url, name, worker, (agent, key));
        setup.config.git.web_url = self.forge.web_url().to_string();
        setup.config.git.api_url = self.forge.api_url().to_string();
        // The stand-in has no limit, and this daemon looks twenty times a second.
        setup.config.server.requests_per_minute = Some(1_000_000);
        setup
    }

    /// Waits until the agent looks once more than it did so far, and tells how often that is. A daemon that has looked
    /// hears what it is told.
    pub async fn looks_again(&self, agent: &Client, so_far: u64) -> u64 {
        let agent = agent.me().await.unwrap().agent_key.id.as_str().to_owned();
        let looks = async || self.service.platform().looks.get(&agent).copied();
        self.until("the daemon looks", async || looks().await.filter(|looks| *looks > so_far)).await
    }

    /// How often it has looked.
    pub async fn looks(&self, agent: &Client) -> u64 {
        self.looks_again(agent, 0).await
    }

    /// What webhooks were answered when this event was, which is waited for.
    pub async fn answered(&self, event: &str) -> Vec<(String, Option<u16>)> {
        self.until("a webhook is answered", async || {
            let answered = self.service.outbox.answered();
            answered.iter().any(|(answered, _)| answered == event).then_some(answered)
        })
        .await
    }

    /// A task for whoever takes it.
    pub async fn ticket(&self, title: &str) -> TicketId {
        let description = "The file answer.txt holds a question mark. It should hold the answer.";
        let ticket = NewTicket::task(self.project.as_str().into(), title, description);
        self.manager.create_ticket(&ticket).await.unwrap().id
    }

    /// Looks after each change of the service until the ticket is as `wanted` says.
    pub async fn ticket_when(&self, id: &TicketId, what: &str, wanted: impl Fn(&Ticket) -> bool) -> Ticket {
        self.until(what, async || Some(self.manager.get_ticket(id).await.unwrap()).filter(&wanted)).await
    }

    /// Looks after each change of the service.
    async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let mut changes = self.service.changes.subscribe();
        let search = async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = look().await {
                    return found;
                }
                changes.changed().await.unwrap();
            }
        };
        ends(what, search).await
    }

    /// What a file of the repository holds at a branch.
    pub fn file_at(&self, branch: &str, path: &str) -> Option<String> {
        file_at(&self.forge.repository_path("acme", "answers"), branch, path)
    }

    /// Ends the world and its daemons. A process that lives on fails the test.
    pub async fn end(self, daemons: impl IntoIterator<Item = Daemon>) {
        for daemon in daemons {
            daemon.stop().await;
        }
        assert_eq!(processes_within(self.directory.path()), Vec::<String>::new(), "these processes live on");
        self.service.outbox.end().await;
        self.stop.cancel();
        self.serving.join_all().await;
    }
}

/// Registers an agent as a program would that does not know yet whom it speaks to.
async fn enter(url: &str, name: &str) -> (Client, Secret) {
    let stranger = Client::builder(url).build().unwrap().detect().await.unwrap();
    let agent = register::NewAgent {
        hourly_rate_cents: Some(Cents(500)),
        ..register::NewAgent::new(name, ["shell"])
    };
    let key = stranger.register_agent(&agent).await.unwrap().api_key;
    (Client::builder(url).key(key.clone()).build().unwrap(), key)
}
