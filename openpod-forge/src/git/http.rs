//! Git's smart protocol over HTTP. The caller has already decided who may do what; see [`super::ref_rules`] for refs.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::pkt_line;
use super::ref_rules::{Push, RefRules};
use super::repository::Bare;

/// The longest command list of a push.
const MAX_COMMANDS_BYTES: usize = 1024 * 1024;
/// The longest list of wants and haves of a fetch, inflated.
const MAX_FETCH_BYTES: u64 = 16 * 1024 * 1024;
/// The longest push, inflated. Git itself refuses the pack a little earlier and says so better.
const MAX_PUSH_BYTES: u64 = 600 * 1024 * 1024;
/// How much compressed input is inflated before the limit is looked at again.
const INFLATE_STEP: usize = 4096;
/// How long one git process may take.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// One half of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    UploadPack,
    ReceivePack,
}

/// Why a request of the protocol cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    #[error("{0}")]
    BadRequest(&'static str),
    #[error("the request is too large")]
    TooLarge,
    #[error("git cannot be run: {0}")]
    Git(#[from] std::io::Error),
}

impl Service {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "git-upload-pack" => Some(Self::UploadPack),
            "git-receive-pack" => Some(Self::ReceivePack),
            _ => None,
        }
    }

    fn subcommand(self) -> &'static str {
        match self {
            Self::UploadPack => "upload-pack",
            Self::ReceivePack => "receive-pack",
        }
    }
}

/// `GET info/refs`: what the repository holds.
pub(crate) async fn advertise(
    bare: &Bare,
    service: Service,
    headers: &HeaderMap,
) -> Result<Response<Body>, TransportError> {
    let mut command = stateless(bare, service, headers)?;
    command.arg("--http-backend-info-refs").arg(bare.path()).stdin(Stdio::null());
    let output = command.kill_on_drop(true).output().await?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(TransportError::Git(std::io::Error::other(text)));
    }
    let mut body = Vec::new();
    pkt_line::push(&mut body, format!("# service=git-{}\n", service.subcommand()).as_bytes());
    pkt_line::push_flush(&mut body);
    body.extend_from_slice(&output.stdout);
    Ok(answer(service, "advertisement", Body::from(body)))
}

/// `POST git-upload-pack`: a clone or fetch.
pub(crate) async fn upload_pack(
    bare: &Bare,
    headers: &HeaderMap,
    body: Body,
    permit: OwnedSemaphorePermit,
) -> Result<Response<Body>, TransportError> {
    let mut reader = Reader::new(headers, body, MAX_FETCH_BYTES)?;
    let mut request = Vec::new();
    while let Some(part) = reader.next().await? {
        request.extend_from_slice(&part);
    }
    let mut child = start(bare, Service::UploadPack, headers)?;
    let stdin = child.stdin.take();
    tokio::spawn(feed(stdin, request, None));
    Ok(answer(Service::UploadPack, "result", pump(child, permit, || ())))
}

/// `POST git-receive-pack`: a push. `after` runs, off the async threads, when git has moved the refs and before the
/// client is told.
pub(crate) async fn receive_pack(
    bare: &Bare,
    headers: &HeaderMap,
    body: Body,
    permit: OwnedSemaphorePermit,
    rules: &RefRules,
    after: impl FnOnce() + Send + 'static,
) -> Result<Response<Body>, TransportError> {
    let mut reader = Reader::new(headers, body, MAX_PUSH_BYTES)?;
    let mut begun = Vec::new();
    let push = loop {
        if let Some((push, _)) = Push::parse(&begun).map_err(|_| TransportError::BadRequest(NOT_A_PUSH))? {
            break push;
        }
        if begun.len() > MAX_COMMANDS_BYTES {
            return Err(TransportError::TooLarge);
        }
        match reader.next().await? {
            Some(part) => begun.extend_from_slice(&part),
            None => return Err(TransportError::BadRequest(NOT_A_PUSH)),
        }
    };
    if push.commands.is_empty() {
        // Before a long push git asks with an empty one whether it may.
        return Ok(answer(Service::ReceivePack, "result", Body::empty()));
    }
    if let Some(refusals) = rules.refusals(&push) {
        // The client reads the answer only after it has sent everything.
        while reader.next().await?.is_some() {}
        return Ok(answer(Service::ReceivePack, "result", Body::from(report(&push, &refusals))));
    }
    let mut child = start(bare, Service::ReceivePack, headers)?;
    let stdin = child.stdin.take();
    tokio::spawn(feed(stdin, begun, Some(reader)));
    Ok(answer(Service::ReceivePack, "result", pump(child, permit, after)))
}

const NOT_A_PUSH: &str = "the body does not begin with the command list of a push";

/// Tells the client that each ref was refused, and why.
fn report(push: &Push, refusals: &[(&str, String)]) -> Vec<u8> {
    let mut lines = Vec::new();
    if push.has("report-status") || push.has("report-status-v2") {
        pkt_line::push(&mut lines, b"unpack ok\n");
        for (name, reason) in refusals {
            pkt_line::push(&mut lines, format!("ng {name} {reason}\n").as_bytes());
        }
        pkt_line::push_flush(&mut lines);
    }
    if !push.has("side-band-64k") {
        return lines;
    }
    let mut banded = Vec::new();
    for part in lines.chunks(60_000) {
        pkt_line::push(&mut banded, &[&[1], part].concat());
    }
    pkt_line::push_flush(&mut banded);
    banded
}

fn answer(service: Service, kind: &str, body: Body) -> Response<Body> {
    let content_type = format!("application/x-git-{}-{kind}", service.subcommand());
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(content_type) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, max-age=0, must-revalidate"));
    response
}

/// The protocol version that the client asks for, if it is one that may reach an environment.
fn protocol(headers: &HeaderMap) -> Result<Option<&str>, TransportError> {
    let Some(value) = headers.get("git-protocol") else { return Ok(None) };
    let text = value.to_str().unwrap_or("?");
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"=:.-".contains(&b);
    if text.len() <= 64 && text.bytes().all(plain) {
        Ok(Some(text))
    } else {
        Err(TransportError::BadRequest("the Git-Protocol header is malformed"))
    }
}

fn stateless(bare: &Bare, service: Service, headers: &HeaderMap) -> Result<Command, TransportError> {
    let mut command = Command::from(bare.command([service.subcommand(), "--stateless-rpc"]));
    if let Some(version) = protocol(headers)? {
        command.env("GIT_PROTOCOL", version);
    }
    Ok(command)
}

fn start(bare: &Bare, service: Service, headers: &HeaderMap) -> Result<Child, TransportError> {
    let mut command = stateless(bare, service, headers)?;
    command.arg(bare.path()).stdin(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    Ok(command.spawn()?)
}

/// Gives git what the client sent. When the client stops half-way git sees the end and refuses the rest by itself.
async fn feed(stdin: Option<ChildStdin>, begun: Vec<u8>, rest: Option<Reader>) {
    let Some(mut stdin) = stdin else { return };
    if stdin.write_all(&begun).await.is_err() {
        return;
    }
    let Some(mut rest) = rest else { return };
    let mut gone = false;
    while let Ok(Some(part)) = rest.next().await {
        // Git may stop reading early; the client is still heard out, so that it gets to see git's answer.
        gone = gone || stdin.write_all(&part).await.is_err();
    }
}

/// Gives the client what git prints, and ends git when the client has gone.
fn pump(mut child: Child, permit: OwnedSemaphorePermit, after: impl FnOnce() + Send + 'static) -> Body {
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(4);
    tokio::spawn(async move {
        let copied = tokio::select! {
            copied = tokio::time::timeout(TIME_LIMIT, copy(&mut child, &sender)) => copied.unwrap_or(Err(())),
            () = sender.closed() => Err(()),
        };
        if copied.is_err()
            && let Err(error) = child.kill().await
        {
            tracing::warn!(%error, "a git process whose client has gone could not be ended");
        }
        if tokio::task::spawn_blocking(after).await.is_err() {
            tracing::error!("what follows a push failed");
        }
        drop(permit);
    });
    Body::from_stream(futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|part| (part, receiver))
    }))
}

async fn copy(child: &mut Child, sender: &mpsc::Sender<Result<Bytes, std::io::Error>>) -> Result<(), ()> {
    let mut stdout = child.stdout.take().ok_or(())?;
    loop {
        let mut part = Vec::with_capacity(64 * 1024);
        match stdout.read_buf(&mut part).await {
            Ok(0) => break,
            Ok(_) => sender.send(Ok(part.into())).await.map_err(drop)?,
            Err(error) => {
                // The client learns that the answer is not whole; it has gone if it cannot be told.
                let _ = sender.send(Err(error)).await;
                return Err(());
            }
        }
    }
    child.wait().await.map(drop).map_err(drop)
}

/// The request's body as the client meant it, inflated if it came compressed, never longer than its limit.
struct Reader {
    stream: BodyDataStream,
    inflate: Option<MultiGzDecoder<Vec<u8>>>,
    pending: Bytes,
    left: u64,
}

impl Reader {
    fn new(headers: &HeaderMap, body: Body, limit: u64) -> Result<Self, TransportError> {
        let inflate = match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"identity") => None,
            Some(b"gzip" | b"x-gzip") => Some(MultiGzDecoder::new(Vec::new())),
            Some(_) => return Err(TransportError::BadRequest("the Content-Encoding must be gzip or absent")),
        };
        Ok(Self { stream: body.into_data_stream(), inflate, pending: Bytes::new(), left: limit })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, TransportError> {
        loop {
            if self.pending.is_empty() {
                match self.stream.next().await {
                    Some(Ok(part)) => self.pending = part,
                    Some(Err(_)) => return Err(TransportError::BadRequest("the body ended too early")),
                    None => return self.finish(),
                }
            }
            let part = self.step()?;
            if !part.is_empty() {
                return self.count(part).map(Some);
            }
        }
    }

    fn step(&mut self) -> Result<Bytes, TransportError> {
        let Some(inflate) = &mut self.inflate else { return Ok(std::mem::take(&mut self.pending)) };
        let input = self.pending.split_to(self.pending.len().min(INFLATE_STEP));
        inflate.write_all(&input).map_err(|_| NOT_GZIP)?;
        Ok(std::mem::take(inflate.get_mut()).into())
    }

    fn finish(&mut self) -> Result<Option<Bytes>, TransportError> {
        let Some(inflate) = self.inflate.take() else { return Ok(None) };
        let rest = inflate.finish().map_err(|_| NOT_GZIP)?;
        if rest.is_empty() { Ok(None) } else { self.count(rest.into()).map(Some) }
    }

    fn count(&mut self, part: Bytes) -> Result<Bytes, TransportError> {
        self.left = self.left.checked_sub(part.len() as u64).ok_or(TransportError::TooLarge)?;
        Ok(part)
    }
}

const NOT_GZIP: TransportError = TransportError::BadRequest("the body is not valid gzip");

impl TransportError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Git(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    async fn read(encoding: Option<&str>, body: Vec<u8>, limit: u64) -> Result<Vec<u8>, TransportError> {
        let mut headers = HeaderMap::new();
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
        }
        let mut reader = Reader::new(&headers, Body::from(body), limit)?;
        let mut all = Vec::new();
        while let Some(part) = reader.next().await? {
            all.extend_from_slice(&part);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn bodies_are_read_plain_and_inflated_up_to_their_limit() {
        let text = b"want ".repeat(100_000);
        assert_eq!(read(None, text.clone(), 1_000_000).await.unwrap(), text);
        assert_eq!(read(Some("gzip"), gzip(&text), 1_000_000).await.unwrap(), text);
        assert!(matches!(read(Some("gzip"), gzip(&text), 1000).await, Err(TransportError::TooLarge)));
        assert!(matches!(read(None, text, 1000).await, Err(TransportError::TooLarge)));
    }

    #[tokio::test]
    async fn what_is_no_gzip_is_refused() {
        let cut = gzip(b"hello").split_last().unwrap().1.to_vec();
        for (encoding, body) in [("gzip", b"hello".to_vec()), ("gzip", cut), ("br", Vec::new())] {
            assert!(matches!(read(Some(encoding), body, 1000).await, Err(TransportError::BadRequest(_))));
        }
    }

    #[test]
    fn a_protocol_header_that_could_do_harm_is_refused() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("git-protocol", value.parse().unwrap());
            protocol(&headers).map(|found| found.map(str::to_owned)).ok()
        };
        assert_eq!(read("version=2"), Some(Some("version=2".into())));
        assert_eq!(read("version=2;id"), None);
        assert_eq!(read(&"a".repeat(65)), None);
    }

    #[tokio::test]
    async fn a_client_that_leaves_takes_its_git_process_along() {
        let processes = std::sync::Arc::new(tokio::sync::Semaphore::new(1));
        let permit = std::sync::Arc::clone(&processes).acquire_owned().await.unwrap();
        // It waits for input that never comes, so only being killed ends it.
        let mut command = Command::new("cat");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let held_open = child.stdin.take();
        let (told, ended) = tokio::sync::oneshot::channel();
        let body = pump(child, permit, move || told.send(()).unwrap_or_default());
        drop(body);
        ended.await.unwrap();
        drop(processes.acquire().await.unwrap());
        drop(held_open);
    }
}
