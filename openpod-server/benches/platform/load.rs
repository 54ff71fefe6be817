//! Callers who keep their connections and ask again as soon as they are answered, on a thread of their own, so that
//! their cost is the same whatever answers them and can be told from the server's.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The name of the callers' thread.
const CALLERS: &str = "bench-callers";

/// Requests, and how many ask them at once.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    /// Whole requests as they travel; the callers begin with one after another of them, and go on in turn.
    pub(crate) requests: Vec<Vec<u8>>,
    pub(crate) connections: usize,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Processor time for each answer, in microseconds, of everything in this process but the callers.
    pub(crate) micros: f64,
}

/// A GET with this path and key.
pub(crate) fn get(path: &str, key: &str) -> Vec<u8> {
    let head = "Host: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n";
    format!("GET {path} HTTP/1.1\r\n{head}Authorization: Bearer {key}\r\n\r\n").into_bytes()
}

/// A POST of this JSON.
pub(crate) fn post(path: &str, key: &str, body: &str) -> Vec<u8> {
    let head = "Host: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\nContent-Type: application/json\r\n";
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\n{head}Authorization: Bearer {key}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

impl Load {
    /// Asks for so long.
    pub(crate) fn run(&self, time: Duration) -> Outcome {
        let load = self.clone();
        let (busy, begun) = (busy(), Instant::now());
        let callers = std::thread::Builder::new().name(CALLERS.to_owned());
        let callers = callers.spawn(move || load.ask_until(Instant::now() + time));
        let answers = callers.expect("a thread can be started").join().expect("the callers do not panic");
        let elapsed = begun.elapsed().as_secs_f64();
        let spent = busy.elapsed().as_secs_f64() * 1e6;
        Outcome { rate: answers as f64 / elapsed, micros: spent / answers as f64 }
    }

    fn ask_until(&self, end: Instant) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(async {
            let callers: Vec<_> = (0..self.connections)
                .map(|n| tokio::spawn(ask(self.address, self.requests.clone(), n, end)))
                .collect();
            let mut answers = 0;
            for caller in callers {
                answers += caller.await.expect("no caller panics").expect("every call is answered");
            }
            answers
        })
    }
}

/// One caller, who asks one after another of these, from the `first` on and in turn, until the time is up. How many
/// answers there were.
pub(crate) async fn ask(
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    first: usize,
    end: Instant,
) -> io::Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut answers, mut buffer) = (0, vec![0; 64 * 1024]);
    let mut requests = requests.iter().cycle().skip(first);
    while Instant::now() < end
        && let Some(request) = requests.next()
    {
        stream.write_all(request).await?;
        let mut read = 0;
        while read == 0 || read < length(&buffer[..read])? {
            let more = stream.read(&mut buffer[read..]).await?;
            if more == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            read += more;
        }
        answers += 1;
    }
    Ok(answers)
}

/// How long an answer is, which is a success and says its length; more than is there while its head is incomplete.
fn length(answer: &[u8]) -> io::Result<usize> {
    let bad = || io::Error::other(String::from_utf8_lossy(answer).into_owned());
    let Some(head) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(usize::MAX) };
    if !answer.starts_with(b"HTTP/1.1 2") {
        return Err(bad());
    }
    let lines = answer[..head].split(|byte| *byte == b'\n');
    let name = b"content-length:";
    let value = lines
        .into_iter()
        .find(|line| line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name));
    let value = value.and_then(|line| std::str::from_utf8(&line[name.len()..]).ok());
    let value: Option<usize> = value.and_then(|text| text.trim().parse().ok());
    Ok(head + 4 + value.ok_or_else(bad)?)
}

/// The processor time that all threads but the callers have had so far.
fn busy() -> Busy {
    Busy(spent())
}

struct Busy(Duration);

impl Busy {
    fn elapsed(&self) -> Duration {
        spent().saturating_sub(self.0)
    }
}

/// From what Linux says of each thread; nothing elsewhere.
fn spent() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_one = |path: std::path::PathBuf| {
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        let line = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        let nanos = line.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or_default();
        if name.trim() == CALLERS { 0 } else { nanos }
    };
    Duration::from_nanos(tasks.map(|task| of_one(task.path())).sum())
}
