//! A server with agents who have tickets and webhooks, and clients who comment on these tickets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openpod_sdk::clock::{Clock, SystemClock};
use openpod_server::config::{CallLimits, Config, Database, Webhooks};
use openpod_server::ids::SystemRandomness;
use openpod_server::lifecycle::Server;
use openpod_server::store::{Location, Sources, Store, StoreError, ToValue};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::receivers::Receivers;
use crate::load;

/// One of the above.
pub(super) struct Scene {
    address: SocketAddr,
    /// The owner's, who comments.
    key: String,
    tickets: Vec<String>,
    store: Store,
    stop: CancellationToken,
    running: JoinHandle<std::io::Result<()>>,
}

/// What came of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// Events a second, accepted and delivered.
    pub(super) rate: f64,
    /// Processor time for each, in microseconds, of this process: clients, server and receivers.
    pub(super) micros: f64,
}

impl Scene {
    /// An agent with a ticket and a webhook for each receiver.
    pub(super) async fn set(location: Location, receivers: &Receivers) -> Scene {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be listened at");
        let address = listener.local_addr().expect("a listener has an address");
        let many = 1_000_000_000;
        let config = Config {
            database: Database { location: location.clone() },
            limits: CallLimits {
                requests_per_minute: many,
                burst: many,
                registrations_per_hour: many,
                ..CallLimits::default()
            },
            webhooks: Webhooks {
                allow: vec!["127.0.0.0/8".parse().expect("a network")],
                extra_ca: Vec::new(),
            },
            ..Config::default()
        };
        let sources = Sources { clock: Arc::new(SystemClock), randomness: Arc::new(SystemRandomness) };
        let server = Server::start(&config, sources.clone(), address).await.expect("the server starts");
        let stop = CancellationToken::new();
        let running = tokio::spawn(server.run(listener, stop.clone().cancelled_owned()));
        let store = Store::open(location, sources).await.expect("a database can be opened twice");
        let guest = Caller { client: reqwest::Client::new(), address, id: String::new(), key: String::new() };
        let owner = guest.register("olga").await;
        let mut tickets = Vec::new();
        let project = json!({"title": "Build it", "description": "A service that does it."});
        let project = text(&owner.post("projects", project).await["project"]["id"]);
        let position =
            json!({"project_id": project, "title": "Wanted", "role_level": "worker", "max_agents": 1000});
        let position = text(&owner.post("positions", position).await["id"]);
        for (n, receiver) in receivers.addresses.iter().enumerate() {
            let agent = guest.register(&format!("agent-{n}")).await;
            let letter = json!({"position_id": position, "cover_letter": "I can."});
            let application = text(&agent.post("apply", letter).await["id"]);
            let decide = format!("applications/{application}/decide");
            owner.post(&decide, json!({"decision": "accept"})).await;
            let webhook = json!({"url": format!("http://{receiver}/hook"), "events": ["ticket_updated"]});
            agent.post("webhooks", webhook).await;
            let ticket = json!({
                "project_id": project, "title": "Fix it", "ticket_type": "spike", "assignee_agent_key_id": agent.id,
            });
            tickets.push(text(&owner.post("tickets", ticket).await["id"]));
        }
        Scene { address, key: owner.key, tickets, store, stop, running }
    }

    /// Has so many clients comment for so long, and waits until everything has arrived.
    pub(super) async fn run(&self, clients: usize, time: Duration, receivers: &Receivers) -> Outcome {
        let (before, begun, spent) = (receivers.received(), Instant::now(), spent());
        let end = begun + time;
        let calls: Vec<Vec<u8>> = (0..clients).map(|n| self.comment(n)).collect();
        let address = self.address;
        let thread = std::thread::Builder::new().name("bench-callers".to_owned());
        let call = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async {
                let callers: Vec<_> = calls
                    .into_iter()
                    .map(|call| tokio::spawn(load::ask(address, vec![call], 0, end)))
                    .collect();
                let mut accepted = 0;
                for caller in callers {
                    accepted += caller.await.expect("no caller panics").expect("every call is answered");
                }
                accepted
            })
        };
        let callers = thread.spawn(call).expect("a thread can be started");
        let accepted: u64 = tokio::task::spawn_blocking(|| callers.join().expect("the callers do not panic"))
            .await
            .expect("a thread can be waited for");
        while receivers.received() - before < accepted {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(receivers.received() - before, accepted, "nothing is sent twice while nothing fails");
        let events = accepted as f64;
        let micros = (self::spent() - spent).as_secs_f64() * 1e6 / events;
        Outcome { rate: events / begun.elapsed().as_secs_f64(), micros }
    }

    fn comment(&self, client: usize) -> Vec<u8> {
        let ticket = &self.tickets[client % self.tickets.len()];
        let body = json!({"content": "I had a look, and it is as you say: the second case was forgotten."})
            .to_string();
        let head = "Host: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n";
        format!(
            "POST /api/agent/v1/tickets/{ticket}/comments HTTP/1.1\r\n{head}Authorization: Bearer {}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        )
        .into_bytes()
    }

    /// How long, in milliseconds, the events since a time waited for their first attempt: half of them, and 99 of 100.
    pub(super) async fn waits(&self, since: openpod_sdk::api::Timestamp) -> (f64, f64) {
        let read = self.store.read(move |tx| {
            Box::pin(async move {
                let sql = "SELECT a.begun_at - d.created_at AS waited FROM deliveries d JOIN delivery_attempts a \
                           ON a.delivery_id = d.id AND a.attempt = 1 WHERE d.created_at >= $1 ORDER BY 1";
                tx.all(sql, &[since.to_value()], |row| row.get::<i64>("waited")).await
            })
        });
        let waits: Vec<i64> = read.await.map_err(|error: StoreError| error).expect("the log can be read");
        let at = |part: usize| waits.get(waits.len() * part / 100).copied().unwrap_or_default() as f64 / 1e3;
        (at(50), at(99))
    }

    /// The time now, as events are dated.
    pub(super) fn now(&self) -> openpod_sdk::api::Timestamp {
        SystemClock.now()
    }

    /// Stops the server.
    pub(super) async fn end(self) {
        self.stop.cancel();
        self.running.await.expect("the server does not panic").expect("the server stops");
    }
}

/// Somebody who calls the server.
struct Caller {
    client: reqwest::Client,
    address: SocketAddr,
    id: String,
    key: String,
}

impl Caller {
    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("http://{}/api/agent/v1/{path}", self.address);
        let mut call = self.client.post(url).body(body.to_string());
        if !self.key.is_empty() {
            call = call.bearer_auth(&self.key);
        }
        let answer =
            call.send().await.expect("the server answers").bytes().await.expect("an answer has an end");
        let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
        if answer["data"].is_null() { panic!("{path}: {answer}") } else { answer["data"].clone() }
    }

    async fn register(&self, name: &str) -> Caller {
        let made = self.post("register", json!({"name": name, "capabilities": ["rust"]})).await;
        Caller {
            client: self.client.clone(),
            address: self.address,
            id: text(&made["id"]),
            key: text(&made["api_key"]),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// The processor time that this process has had, by what Linux counts in hundredths of a second; nothing elsewhere.
fn spent() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let hundredths =
        after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(hundredths.sum::<u64>() * 10)
}
