//! A proxy between daemon and server, for what networks and servers do wrong. One request to a connection; what is JSON
//! names the proxy on the one side and the server on the other, so that every address in it leads through the proxy.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::fault::{Cell, Fault, STEPS};

/// What has not gone wrong after this time does not any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// The proxy. Clones share it.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    upstream: SocketAddr,
    plan: Mutex<Plan>,
    requests: watch::Sender<usize>,
}

/// What is to go wrong yet, and what did.
#[derive(Default)]
struct Plan {
    waiting: Vec<Cell>,
    /// How many connections are yet turned away, whatever they are about.
    down: u32,
    happened: BTreeSet<&'static str>,
    /// What is done when a step is reached, and at which time.
    deeds: Vec<(&'static str, u32, Deed)>,
}

type Deed = Box<dyn FnOnce() + Send>;

/// What came over a connection.
struct Message {
    /// Up to the empty line, and with it.
    head: String,
    body: Vec<u8>,
}

impl Proxy {
    /// Listens before `upstream`.
    pub async fn before(upstream: SocketAddr) -> Proxy {
        // Both ports have as many digits, so that a length stays true when one is put for the other.
        let digits = |address: SocketAddr| address.port().to_string().len();
        let listener = loop {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if digits(listener.local_addr().unwrap()) == digits(upstream) {
                break listener;
            }
        };
        let address = listener.local_addr().unwrap();
        let plan = Mutex::default();
        let proxy = Proxy(Arc::new(Inner { address, upstream, plan, requests: watch::Sender::default() }));
        let accepting = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let proxy = accepting.clone();
                // Whoever goes away in the middle is what this is for.
                tokio::spawn(async move { proxy.serve(client).await });
            }
        });
        proxy
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Lets a fault happen at the next requests of its step.
    pub fn plan(&self, cell: Cell) {
        self.0.plan.lock().unwrap().waiting.push(cell);
    }

    /// Does something when a step is reached for this time (from 1), before the server hears of it.
    pub fn when(&self, step: &'static str, time: u32, deed: impl FnOnce() + Send + 'static) {
        self.0.plan.lock().unwrap().deeds.push((step, time, Box::new(deed)));
    }

    /// Changes with each request.
    pub fn news(&self) -> watch::Receiver<usize> {
        self.0.requests.subscribe()
    }

    /// The names of steps that something waits for yet.
    pub fn waits_for(&self) -> Vec<&'static str> {
        self.0.plan.lock().unwrap().deeds.iter().map(|(step, ..)| *step).collect()
    }

    /// Returns when something went wrong at so many steps, or nothing has for long.
    pub async fn until_happened(&self, steps: usize) {
        let mut news = self.news();
        let waiting = news.wait_for(|_| self.happened().len() >= steps);
        let _ = tokio::time::timeout(PATIENCE, waiting).await;
    }

    /// At which steps something went wrong.
    pub fn happened(&self) -> BTreeSet<&'static str> {
        self.0.plan.lock().unwrap().happened.clone()
    }

    /// What is to go wrong with this request.
    fn fault(&self, request: &Message) -> Option<Fault> {
        let mut plan = self.0.plan.lock().unwrap();
        let step = STEPS.iter().find(|step| step.is(&request.head, &request.body)).map(|step| step.name);
        for (_, left, _) in plan.deeds.iter_mut().filter(|(name, ..)| Some(*name) == step) {
            *left -= 1;
        }
        plan.deeds.extract_if(.., |(_, left, _)| *left == 0).for_each(|(.., deed)| deed());
        let is_down = plan.down > 0;
        plan.down = plan.down.saturating_sub(1);
        let mut waiting = plan.waiting.iter_mut();
        let cell = waiting.find(|cell| Some(cell.step.name) == step && cell.times > 0);
        let Some(cell) = cell else { return is_down.then_some(Fault::Down) };
        cell.times -= 1;
        let fault = cell.fault;
        plan.happened.extend(step);
        if fault == Fault::Down && !is_down {
            plan.down = 2;
        }
        Some(fault)
    }

    async fn serve(&self, mut client: TcpStream) -> Option<()> {
        let Inner { address, upstream, requests, .. } = &*self.0;
        let mut request = read(&mut client).await?;
        let fault = self.fault(&request);
        requests.send_modify(|count| *count += 1);
        let (outside, inside) = (address.to_string(), upstream.to_string());
        let is_json = |head: &str| head.to_ascii_lowercase().contains("content-type: application/json");
        let json = is_json(&request.head);
        request.head = request.head.replace(&outside, &inside);
        if json {
            request.body = replaced(&request.body, &outside, &inside);
        }
        if let Some(answer) = fault.and_then(|fault| fault.instead(request.head.contains("/forge/"))) {
            return client.write_all(answer.as_bytes()).await.ok();
        }
        match fault {
            Some(Fault::Down | Fault::CutBefore) => return reset(client),
            Some(Fault::Silent) => return until_gone(client).await,
            _ => {}
        }
        let mut answer = self.forward(&request).await?;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        if is_json(&String::from_utf8_lossy(&answer[..end])) {
            answer = replaced(&answer, &inside, &outside);
        }
        match fault {
            Some(Fault::LostAnswer) => reset(client),
            Some(Fault::SilentAfter) => until_gone(client).await,
            Some(Fault::Truncated) => {
                client.write_all(&answer[..(end + 4 + answer.len()) / 2]).await.ok()?;
                client.shutdown().await.ok()
            }
            Some(Fault::GatewayAfter) => client.write_all(Fault::gateway().as_bytes()).await.ok(),
            _ => client.write_all(&answer).await.ok(),
        }
    }

    async fn forward(&self, request: &Message) -> Option<Vec<u8>> {
        let mut server = TcpStream::connect(self.0.upstream).await.ok()?;
        let keep = |line: &&str| !line.to_ascii_lowercase().starts_with("connection:");
        let lines: Vec<&str> = request.head.trim_end().split("\r\n").filter(keep).collect();
        let head = format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"));
        server.write_all(head.as_bytes()).await.ok()?;
        server.write_all(&request.body).await.ok()?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await.ok()?;
        Some(answer)
    }
}

/// Reads a request with the whole of its body, as it was sent.
async fn read(client: &mut TcpStream) -> Option<Message> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let chunked = header("transfer-encoding").is_some();
    if header("expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    let mut body = bytes.split_off(end);
    while if chunked { !body.ends_with(b"0\r\n\r\n") } else { body.len() < length } {
        if client.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Message { head, body })
}

/// Ends the connection with a reset, as a machine does that loses its power.
fn reset(client: TcpStream) -> Option<()> {
    client.set_zero_linger().ok()
}

/// Says nothing until the other side has had enough.
async fn until_gone(mut client: TcpStream) -> Option<()> {
    while client.read(&mut [0; 64]).await.ok()? > 0 {}
    Some(())
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.replace(from, to).into_bytes(),
        Err(_) => bytes.to_vec(),
    }
}
