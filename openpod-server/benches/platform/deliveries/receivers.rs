//! Receivers that cost as little as possible: they answer 204 to each request and count it, on a thread of their own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Some receivers, each at a port of its own.
pub(super) struct Receivers {
    pub(super) addresses: Vec<SocketAddr>,
    received: Arc<AtomicU64>,
    /// Dropped, it ends them.
    _stop: oneshot::Sender<()>,
}

impl Receivers {
    pub(super) async fn start(count: usize) -> Receivers {
        let received = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let counter = Arc::clone(&received);
        let thread = std::thread::Builder::new().name("bench-receivers".to_owned());
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async {
                let mut addresses = Vec::new();
                for _ in 0..count {
                    let listener =
                        TcpListener::bind("127.0.0.1:0").await.expect("loopback can be listened at");
                    addresses.push(listener.local_addr().expect("a listener has an address"));
                    tokio::spawn(accept(listener, Arc::clone(&counter)));
                }
                let _ = tell.send(addresses);
                let _ = stopped.await;
            });
        };
        thread.spawn(serve).expect("a thread can be started");
        Receivers { addresses: told.await.expect("the receivers start"), received, _stop: stop }
    }

    /// How many requests they have had.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// What a bare loop of POSTs to them comes to in a second, with so many requests at once.
    pub(super) async fn bare(&self, at_once: usize, time: Duration) -> f64 {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
        let (before, begun) = (self.received(), Instant::now());
        let loops = (0..at_once).map(|n| {
            let url = format!("http://{}/hook", self.addresses[n % self.addresses.len()]);
            let client = client.clone();
            tokio::spawn(async move {
                while begun.elapsed() < time {
                    let answer = client.post(&url).body("x".repeat(300)).send().await;
                    answer.expect("a receiver answers").bytes().await.expect("an answer has an end");
                }
            })
        });
        for each in loops.collect::<Vec<_>>() {
            each.await.expect("no loop panics");
        }
        (self.received() - before) as f64 / begun.elapsed().as_secs_f64()
    }
}

async fn accept(listener: TcpListener, received: Arc<AtomicU64>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, Arc::clone(&received)));
    }
}

async fn answer(mut stream: TcpStream, received: Arc<AtomicU64>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut buffer, mut there) = (vec![0; 64 * 1024], 0);
    loop {
        let more = stream.read(&mut buffer[there..]).await?;
        if more == 0 {
            return Ok(());
        }
        there += more;
        while let Some(length) = request(&buffer[..there]) {
            buffer.copy_within(length..there, 0);
            there -= length;
            received.fetch_add(1, Ordering::Relaxed);
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        }
    }
}

/// How long the first request is, if all of it is there.
fn request(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let name = b"content-length:";
    let mut lines = bytes[..head].split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name))?;
    let length: usize = std::str::from_utf8(&line[name.len()..]).ok()?.trim().parse().ok()?;
    (bytes.len() >= head + length).then_some(head + length)
}
