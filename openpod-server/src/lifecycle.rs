//! From a configuration to a running server, and to its graceful end.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use openpod_forge::Forge;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use url::Url;

use crate::app::{App, Limits, Parts};
use crate::config::{Config, GithubApp};
use crate::github::{self, Github};
use crate::router::router;
use crate::store::{self, Sources, Store};
use crate::webhooks;

/// Where the forge is mounted, below the server's own address.
const FORGE_PATH: &str = "/forge";

/// A server that is ready to run.
pub struct Server {
    app: App,
    forge: Option<Forge>,
    routes: Router,
    deliveries: webhooks::Worker,
    url: Url,
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] store::OpenError),
    /// The forge cannot be used.
    #[error("the forge: {0}")]
    Forge(#[source] Box<dyn Error + Send + Sync>),
    /// The GitHub App's settings cannot be used.
    #[error(transparent)]
    Github(#[from] github::GithubSetupError),
    /// No HTTP client could be made to deliver webhooks with.
    #[error("webhooks cannot be sent: {0}")]
    Webhooks(#[source] Box<dyn Error + Send + Sync>),
}

impl Server {
    /// Opens database and forge. `address` is where the listener is bound.
    pub async fn start(config: &Config, sources: Sources, address: SocketAddr) -> Result<Server, StartError> {
        let url = public_url(config, address);
        let store = Store::open_for_server(config.database.location.clone(), sources.clone()).await?;
        let (forge, app) = match open_forge(config, &sources, address).await? {
            Some((forge, app)) => (Some(forge), Some(app)),
            None => (None, config.github.clone()),
        };
        let github = match app {
            None => Github::disconnected(),
            Some(app) => github(app, &sources)?,
        };
        let targets = webhooks::TargetPolicy { allow: config.webhooks.allow.clone() };
        let app = App::new(Parts {
            store,
            limits: Limits::new(config.limits),
            trusted_proxies: config.listen.trusted_proxies.clone(),
            webhook_targets: targets.clone(),
            github,
            agents_connect: config.agents_connect,
        });
        let means =
            webhooks::Means { extra_ca: config.webhooks.extra_ca.clone(), ..webhooks::Means::of(targets) };
        let sender = webhooks::Sender::new(means).map_err(|error| StartError::Webhooks(error.into()))?;
        let deliveries = webhooks::Worker::new(app.store().clone(), sender);
        let mut routes = router(app.clone());
        if let Some(forge) = &forge {
            routes = Router::new().nest(FORGE_PATH, forge.router()).fallback_service(routes);
        }
        Ok(Server { app, forge, routes, deliveries, url })
    }

    /// What its handlers share.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The forge that it runs, if it runs one.
    pub fn forge(&self) -> Option<&Forge> {
        self.forge.as_ref()
    }

    /// How others reach it.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Serves until `shutdown` completes, then finishes the requests and deliveries that are under way.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let stop = CancellationToken::new();
        let deliveries = tokio::spawn(webhooks::run(self.deliveries, stop.clone().cancelled_owned()));
        let service = self.routes.into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(listener, service)
            .with_graceful_shutdown({
                let stop = stop.clone();
                async move {
                    shutdown.await;
                    stop.cancel();
                }
            })
            .await;
        stop.cancel();
        if deliveries.await.is_err() {
            warn!("the delivery of webhooks ended by a panic");
        }
        if let Err(error) = self.app.store().leave().await {
            warn!(%error, "other servers on the database may wait a second for this one");
        }
        served
    }
}

fn public_url(config: &Config, address: SocketAddr) -> Url {
    let own = || format!("http://{address}").parse().expect("a socket address is the host of a URL");
    config.listen.public_url.clone().unwrap_or_else(own)
}

fn github(app: GithubApp, sources: &Sources) -> Result<Github, StartError> {
    let settings = github::GithubSettings {
        api_url: app.api_url,
        web_url: app.web_url,
        app_id: app.app_id,
        private_key_pem: app.private_key,
    };
    Ok(Github::connect(settings, Arc::clone(&sources.clock))?)
}

/// Opens the forge that the configuration asks for, with the App that the server is in it.
pub async fn open_forge(
    config: &Config,
    sources: &Sources,
    address: SocketAddr,
) -> Result<Option<(Forge, GithubApp)>, StartError> {
    let Some(local) = &config.forge else { return Ok(None) };
    let mut web_url = public_url(config, address);
    web_url.set_path(&format!("{}{FORGE_PATH}", web_url.path().trim_end_matches('/')));
    let settings =
        openpod_forge::ForgeConfig { data_dir: local.data_dir.clone(), web_url, long_tokens: false };
    let clock = Arc::clone(&sources.clock);
    let clock = move || jiff::Timestamp::from_microsecond(clock.now().as_micros()).unwrap_or_default();
    let forge =
        Forge::open(settings, Arc::new(clock)).await.map_err(|error| StartError::Forge(error.into()))?;
    let app = forge
        .ensure_app("openpod", openpod_forge::Permissions::for_agents())
        .await
        .map_err(|error| StartError::Forge(error.into()))?;
    let app = GithubApp {
        api_url: forge.api_url(),
        web_url: forge.web_url(),
        app_id: app.app_id,
        private_key: app.private_key_pem.into(),
    };
    Ok(Some((forge, app)))
}

/// Completes at the first signal to stop. The second stops the program at once.
pub async fn stop_signal() {
    signal().await;
    info!("stopping: finishing what is under way; a second signal stops at once");
    tokio::spawn(async {
        signal().await;
        std::process::exit(130);
    });
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut stream) => drop(stream.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
    }
}
