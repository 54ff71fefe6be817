//! The two programs of the story, each run as a library: the server with its forge, and an agent's daemon.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use openpod_agentd::config::RawConfig;
use openpod_agentd::executor::Sandbox;
use openpod_agentd::{RunError, Wiring};
use openpod_forge::{Forge, Permissions, Seed};
use openpod_sdk::client::OwnerClient;
use openpod_sdk::clock::SystemClock;
use openpod_sdk::{Client, Secret};
use openpod_server::accounts;
use openpod_server::app::App;
use openpod_server::config::{Config, LocalForge};
use openpod_server::ids::SystemRandomness;
use openpod_server::lifecycle::Server;
use openpod_server::store::{Location, Sources};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The repository that the work is done in.
pub const REPOSITORY: (&str, &str) = ("acme", "slug");

/// Server, forge, and an owner's access to them.
pub struct Platform {
    pub url: String,
    pub forge: Forge,
    pub owner: OwnerClient,
    pub owner_token: Secret,
    /// The App that the CI service is: its number and its private key.
    pub ci: (u64, Secret),
    app: App,
    directory: TempDir,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Platform {
    /// Starts everything on a free port of the loopback interface.
    pub async fn start() -> Outcome<Platform> {
        let directory = tempfile::tempdir()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut config = Config::default();
        config.database.location = Location::File(directory.path().join("openpod.db"));
        config.forge = Some(LocalForge { data_dir: directory.path().join("forge") });
        config.webhooks.allow = vec!["127.0.0.0/8".parse()?];
        let sources = Sources { clock: Arc::new(SystemClock), randomness: Arc::new(SystemRandomness) };
        let server = Server::start(&config, sources, address).await?;

        let (app, url) = (server.app().clone(), server.url().to_string());
        let forge = server.forge().cloned().ok_or("the server runs no forge")?;
        let owner = accounts::create_owner(app.store(), "olga", "a password for a demonstration").await?;
        let owner_token = accounts::create_owner_token(app.store(), &owner, None).await?.text;
        let ci = forge.create_app("ci", Permissions::for_agents()).await?;
        let ci = (ci.app_id, Secret::from(ci.private_key_pem));
        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.run(listener, stop.clone().cancelled_owned()));
        let owner = Client::builder(&url).key(owner_token.clone()).build_owner()?;
        Ok(Platform { url, forge, owner, owner_token, ci, app, directory, stop, serving })
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Creates the repository from the files beside this one; answers with its address.
    pub async fn repository(&self) -> Outcome<String> {
        let seed = Seed::new()
            .file("README.md", include_str!("repository/README.md"))
            .file("slug.sh", include_str!("repository/slug.sh"))
            .file("test.sh", include_str!("repository/test.sh"));
        let made = self.forge.create_repository(REPOSITORY.0, REPOSITORY.1, seed).await?;
        let own = self.forge.ensure_app("openpod", Permissions::for_agents()).await?;
        for app in [own.app_id, self.ci.0] {
            self.forge.install(app, REPOSITORY.0).await?;
        }
        Ok(made.html_url)
    }

    /// Looks after each commit of the server until there is something to see.
    pub async fn until<T>(&self, mut look: impl AsyncFnMut() -> Outcome<Option<T>>) -> Outcome<T> {
        let mut commits = self.app.store().commits();
        loop {
            commits.borrow_and_update();
            if let Some(found) = look().await? {
                return Ok(found);
            }
            commits.changed().await?;
        }
    }

    pub async fn stop(self) -> Outcome<()> {
        self.stop.cancel();
        Ok(self.serving.await??)
    }
}

/// An agent's daemon.
pub struct Daemon {
    pub agent: Client,
    stop: CancellationToken,
    running: JoinHandle<Result<(), RunError>>,
}

impl Daemon {
    /// Registers an agent and starts its daemon. It looks once an hour; it is the webhooks that wake it.
    pub async fn start(platform: &Platform) -> Outcome<Daemon> {
        let directory = platform.directory().join("ada");
        std::fs::create_dir_all(&directory)?;
        let worker = directory.join("worker.sh");
        std::fs::write(&worker, include_str!("worker.sh"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;

        let mut config = RawConfig { data_dir: Some(directory.join("data")), ..RawConfig::default() };
        config.server.url = Some(platform.url.clone());
        config.agent.name = Some("ada".to_owned());
        config.agent.capabilities = vec!["shell".to_owned()];
        config.heartbeat.interval_seconds = 3600.0;
        config.heartbeat.scout_seconds = 3600.0;
        config.webhook.listen = Some(address.to_string());
        config.webhook.public_url = Some(format!("http://{address}/"));
        config.executor.command = vec!["sh".to_owned(), worker.display().to_string()];
        config.policy.apply.enabled = true;
        if !Sandbox::is_available() {
            // On an older kernel the demonstration's own worker is trusted; the daemon would refuse to start.
            config.executor.sandbox = "off".to_owned();
        }
        let wiring = Wiring { webhook_listener: Some(listener), ..Wiring::system(std::env::current_exe()?) };

        let registered = openpod_agentd::register(config.clone().validate_registration()?).await?;
        let key = std::fs::read_to_string(&registered.key_file)?;
        let agent = Client::builder(&platform.url).key(key.trim()).build()?;
        let stop = CancellationToken::new();
        let running =
            tokio::spawn(openpod_agentd::run(config.validate()?, wiring, stop.clone().cancelled_owned()));
        Ok(Daemon { agent, stop, running })
    }

    pub async fn stop(self) -> Outcome<()> {
        self.stop.cancel();
        Ok(self.running.await??)
    }
}
