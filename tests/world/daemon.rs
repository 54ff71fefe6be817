//! A daemon of this world: its worker is a shell script, its directory survives it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use openpod_agentd::config::{Config, RawConfig, RawMember};
use openpod_agentd::control::{AgentReport, Answer, NotAnswered, Request, ask};
use openpod_agentd::executor::Sandbox;
use openpod_agentd::{RunError, Wiring};
use openpod_sdk::{Client, Secret};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{World, ends};

/// What a daemon is started with.
pub struct DaemonSetup {
    pub config: RawConfig,
    /// The agent's own access, for looking.
    pub agent: Client,
    pub key: Secret,
    webhook: Reached,
}

/// Where public names lead: to what stands behind a proxy that ends TLS.
pub type Hosts = Arc<Mutex<HashMap<String, SocketAddr>>>;

/// Where webhooks reach it.
enum Reached {
    Nowhere,
    /// At its own address.
    Directly,
    /// At a public name.
    Behind(Hosts, String),
}

/// A daemon that runs.
pub struct Daemon {
    stop: CancellationToken,
    running: JoinHandle<Result<(), RunError>>,
}

impl World {
    /// Registers an agent and prepares a daemon for it that claims free tickets and looks only when it is woken.
    pub async fn daemon(&self, name: &str, worker: &str) -> DaemonSetup {
        let agent = self.register(name).await;
        DaemonSetup::prepare(self.directory(name), &self.url, name, worker, agent)
    }
}

impl DaemonSetup {
    /// A daemon in a directory of its own, for an agent of the platform at this address.
    pub fn prepare(
        directory: PathBuf,
        url: &str,
        name: &str,
        worker: &str,
        (agent, key): (Client, Secret),
    ) -> DaemonSetup {
        let script = directory.join("worker.sh");
        std::fs::write(&script, worker).unwrap();
        let mut config = RawConfig { data_dir: Some(directory.join("data")), ..RawConfig::default() };
        config.server.url = Some(url.to_owned());
        config.server.key = Some(key.clone());
        config.agent.name = Some(name.to_owned());
        config.agent.capabilities = vec!["shell".to_owned()];
        config.heartbeat.interval_seconds = 3600.0;
        config.heartbeat.scout_seconds = 3600.0;
        config.executor.command = vec!["sh".to_owned(), script.display().to_string()];
        config.executor.grace_seconds = 1;
        config.policy.tickets.claim_unassigned = true;
        if !Sandbox::is_available() {
            config.executor.sandbox = "off".to_owned();
        }
        DaemonSetup { config, agent, key, webhook: Reached::Directly }
    }

    /// No webhook; the heartbeat comes every twentieth of a second.
    pub fn by_heartbeat_alone(mut self) -> Self {
        self.webhook = Reached::Nowhere;
        self.config.heartbeat.interval_seconds = 0.05;
        self.config.heartbeat.scout_seconds = 0.05;
        self
    }

    /// Webhooks reach it at `https://host/`.
    pub fn behind(mut self, hosts: Hosts, host: String) -> Self {
        self.webhook = Reached::Behind(hosts, host);
        self
    }

    /// Works for these agents instead of one alone.
    pub fn works_for<'a>(&mut self, agents: impl IntoIterator<Item = (&'a str, Secret)>) {
        self.config.server.key = None;
        let member = |(name, key): (&str, Secret)| RawMember {
            name: Some(name.to_owned()),
            key: Some(key),
            ..RawMember::default()
        };
        self.config.agents = agents.into_iter().map(member).collect();
    }

    /// Where the daemon keeps everything.
    pub fn data_dir(&self) -> PathBuf {
        self.config.data_dir.clone().unwrap()
    }

    /// Starts the daemon.
    pub async fn start(&self) -> Daemon {
        let mut raw = self.config.clone();
        let mut webhook_listener = None;
        if !matches!(self.webhook, Reached::Nowhere) {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            raw.webhook.listen = Some(address.to_string());
            raw.webhook.public_url = Some(format!("http://{address}/"));
            if let Reached::Behind(hosts, host) = &self.webhook {
                hosts.lock().unwrap().insert(host.clone(), address);
                raw.webhook.public_url = Some(format!("https://{host}/"));
            }
            webhook_listener = Some(listener);
        }
        let config: Config = raw.validate().unwrap();
        let helper = PathBuf::from(env!("CARGO_BIN_EXE_openpod-tests-agentd"));
        let wiring = Wiring { webhook_listener, ..Wiring::system(helper) };
        let stop = CancellationToken::new();
        let running = tokio::spawn(openpod_agentd::run(config, wiring, stop.clone().cancelled_owned()));
        Daemon { stop, running }
    }
}

impl World {
    /// Asks a daemon that runs how its agents stand, until what one says is what is wanted.
    pub async fn until_said<T>(&self, daemon: &DaemonSetup, wanted: impl Fn(&AgentReport) -> Option<T>) -> T {
        let asking = async {
            loop {
                let directory = daemon.data_dir();
                let asked = tokio::task::spawn_blocking(move || {
                    let answers: Vec<_> = ask(&directory, Request::Status)?.collect::<Result<_, _>>()?;
                    Ok::<_, NotAnswered>(answers)
                });
                let answers = asked.await.unwrap().unwrap_or_default();
                let reports = answers.into_iter().filter_map(|answer| match answer {
                    Answer::Status(report) => Some(report.agents),
                    _ => None,
                });
                if let Some(found) = reports.flatten().find_map(|agent| wanted(&agent)) {
                    return found;
                }
            }
        };
        ends("an agent says so", asking).await
    }
}

impl Daemon {
    /// Waits until it ends by itself, and tells why.
    pub async fn ended(self) -> RunError {
        ends("a daemon ends by itself", self.running).await.unwrap().unwrap_err()
    }

    /// Stops it gracefully.
    pub async fn stop(self) {
        self.stop.cancel();
        ends("a daemon stops when it is told to", self.running).await.unwrap().unwrap();
    }
}
