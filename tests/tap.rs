//! A tap between daemon and server: hears every answer, and can refuse calls for a while.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The tap.
#[derive(Clone)]
pub struct Tap {
    /// Where it listens.
    pub url: String,
    inner: Arc<Inner>,
}

struct Inner {
    upstream: String,
    client: reqwest::Client,
    heard: Mutex<Vec<(String, String)>>,
    told: Mutex<Vec<(String, String)>>,
    refused: watch::Sender<usize>,
    refuses: Mutex<Option<&'static str>>,
}

impl Tap {
    /// Listens in front of a server.
    pub async fn before(upstream: &str) -> Tap {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            upstream: upstream.to_owned(),
            client: reqwest::Client::new(),
            heard: Mutex::default(),
            told: Mutex::default(),
            refused: watch::Sender::default(),
            refuses: Mutex::default(),
        });
        let service = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, service).await });
        Tap { url, inner }
    }

    /// From now on answers 500 with HTML to every call whose path ends like this.
    pub fn refuse(&self, path: &'static str) {
        *self.inner.refuses.lock().unwrap() = Some(path);
    }

    /// Refuses nothing any more.
    pub fn relent(&self) {
        *self.inner.refuses.lock().unwrap() = None;
    }

    /// Waits until this many calls were refused.
    pub async fn refused(&self, times: usize) {
        self.inner.refused.subscribe().wait_for(|refused| *refused >= times).await.unwrap();
    }

    /// The answers to calls whose path ends like this.
    pub fn heard(&self, path: &str) -> Vec<String> {
        let heard = self.inner.heard.lock().unwrap();
        heard.iter().filter(|(called, _)| called.ends_with(path)).map(|(_, body)| body.clone()).collect()
    }
}

impl Tap {
    /// Path and body of every call.
    pub fn told(&self) -> Vec<(String, String)> {
        self.inner.told.lock().unwrap().clone()
    }
}

async fn pass(State(tap): State<Arc<Inner>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let refuses = *tap.refuses.lock().unwrap();
    if refuses.is_some_and(|refused| path.ends_with(refused)) {
        tap.refused.send_modify(|refused| *refused += 1);
        return (StatusCode::INTERNAL_SERVER_ERROR, "<html>out of order</html>").into_response();
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let told = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    tap.told.lock().unwrap().push((told, String::from_utf8_lossy(&body).into_owned()));
    let address = format!("{}{}", tap.upstream, parts.uri.path_and_query().unwrap());
    let mut headers = parts.headers;
    headers.remove("host");
    let sent = tap.client.request(parts.method, address).headers(headers).body(body).send().await;
    let Ok(answer) = sent else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove("transfer-encoding");
    let bytes = answer.bytes().await.unwrap_or_default();
    tap.heard.lock().unwrap().push((path, String::from_utf8_lossy(&bytes).into_owned()));
    let mut response = Response::new(Body::from(bytes));
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    response
}
