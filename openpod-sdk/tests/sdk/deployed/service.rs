//! A service that always gives the same answer, and remembers what it was asked.

use std::pin::Pin;
use std::time::Duration;

use openpod_sdk::client::RetryPolicy;
use openpod_sdk::dialect::Unsupported;
use openpod_sdk::webhook::{Delivery, Event};
use openpod_sdk::{Client, Dialect, Error};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

pub(crate) const KEY: &str = "openpod_0123456789abcdef0123456789abcdef";

/// A call of any operation; its result as JSON in our names.
pub(crate) type Call = fn(&Client) -> Pin<Box<dyn Future<Output = Result<Value, Error>> + '_>>;

/// A [`Call`] from an expression with a client.
macro_rules! call {
    (|$client:ident| $expression:expr) => {{
        const CALL: crate::deployed::service::Call = |$client| {
            Box::pin(async move { $expression.await.map(|value| serde_json::to_value(value).unwrap()) })
        };
        CALL
    }};
}
pub(crate) use call;

pub(crate) struct Service {
    server: MockServer,
}

impl Service {
    pub(crate) async fn answering(status: u16, body: impl Into<String>) -> Service {
        Self::with(ResponseTemplate::new(status).set_body_raw(body.into(), "application/json")).await
    }

    pub(crate) async fn with(answer: ResponseTemplate) -> Service {
        let server = MockServer::start().await;
        Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
        Service { server }
    }

    /// Speaks as the key says, and never tries twice.
    pub(crate) fn client(&self) -> Client {
        let retry = RetryPolicy { base: Duration::ZERO, ..RetryPolicy::never() };
        Client::builder(self.server.uri()).key(KEY).retry(retry).build().unwrap()
    }

    pub(crate) fn address(&self) -> String {
        self.server.uri()
    }

    pub(crate) async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap()
    }
}

/// A fixture's text.
pub(crate) fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A fixture of the deployed dialect.
pub(crate) fn deployed(name: &str) -> String {
    fixture(&format!("{name}.deployed"))
}

/// An event of a fixture.
pub(crate) fn event(name: &str) -> Event {
    serde_json::from_str::<Delivery>(&deployed(name)).unwrap().event()
}

/// A value in the service's envelope.
pub(crate) fn data(value: Value) -> String {
    json!({"data": value}).to_string()
}

/// The ids of a page in our names.
pub(crate) fn ids(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

/// What a call makes of an answer.
pub(crate) async fn hear(call: Call, status: u16, body: impl Into<String>) -> Result<Value, Error> {
    let service = Service::answering(status, body).await;
    let heard = call(&service.client()).await;
    assert_eq!(service.requests().await.len(), 1);
    heard
}

/// What a call sends: path with query, and body.
pub(crate) async fn say(call: Call) -> (String, Value) {
    let service = Service::answering(500, "").await;
    let heard = call(&service.client()).await;
    let requests = service.requests().await;
    let [request] = &requests[..] else { panic!("{} requests: {heard:?}", requests.len()) };
    let url = &request.url;
    let asked = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let body = if request.body.is_empty() { Value::Null } else { request.body_json().unwrap() };
    (asked.trim_start_matches("/api/agent/v1").to_owned(), body)
}

/// Why a call cannot be said, and that nothing was sent.
pub(crate) async fn cannot(dialect: Dialect, call: Call) -> Unsupported {
    let service = Service::answering(200, "{}").await;
    let error = call(&service.client().speaking(dialect)).await.unwrap_err();
    assert_eq!(service.requests().await.len(), 0, "{error}");
    assert_eq!(error.kind(), openpod_sdk::ErrorKind::Unsupported, "{error}");
    error.unsupported().unwrap().clone()
}

/// The same, by the field's name.
pub(crate) async fn cannot_say(call: Call) -> String {
    let unsupported = cannot(Dialect::Deployed, call).await;
    assert!(!unsupported.instead.is_empty());
    unsupported.field.unwrap().into_owned()
}
