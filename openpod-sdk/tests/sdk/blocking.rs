//! The client without async code around it.

use std::sync::mpsc;

use openpod_sdk::api::tickets::TicketFilter;
use openpod_sdk::client::RetryPolicy;
use openpod_sdk::{Client, ErrorKind, blocking};
use serde_json::json;
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A service on a thread of its own, as long as the sender lives.
fn service() -> (String, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel();
    let (keep, gone) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            let ticket = |n: usize| json!({"id": format!("t{n}"), "title": "A ticket", "status": "todo"});
            let page = |n: usize, next| json!({"data": [ticket(n)], "next_cursor": next});
            let tickets = || Mock::given(path("/api/agent/v1/tickets"));
            let first = ResponseTemplate::new(200).set_body_json(page(0, json!("b")));
            tickets().respond_with(first).up_to_n_times(1).mount(&server).await;
            let last = ResponseTemplate::new(200).set_body_json(page(1, json!(null)));
            tickets().respond_with(last).mount(&server).await;
            Mock::given(any()).respond_with(ResponseTemplate::new(503)).with_priority(9).mount(&server).await;
            server
        });
        tell.send(server.uri()).unwrap();
        let _ = gone.recv();
    });
    (told.recv().unwrap(), keep)
}

#[test]
fn calls_and_lists_are_waited_for() {
    let (url, _keep) = service();
    let client = Client::builder(url).key("opk_do_not_print_me").retry(RetryPolicy::never()).build().unwrap();
    let client = blocking::Client::new(client).unwrap();
    let tickets: Vec<_> = client.each(|client| client.tickets(TicketFilter::of("p".into()))).collect();
    let ids: Vec<_> = tickets.into_iter().map(|ticket| ticket.unwrap().id).collect();
    assert_eq!(ids, ["t0".into(), "t1".into()]);
    let other = client.clone();
    let elsewhere =
        std::thread::spawn(move || other.wait(|client| client.heartbeat(None)).unwrap_err().kind());
    assert_eq!(client.wait(|client| client.me()).unwrap_err().kind(), ErrorKind::ServiceFailed);
    assert_eq!(elsewhere.join().unwrap(), ErrorKind::ServiceFailed);
    assert!(!format!("{client:?}").contains("do_not_print"));
}
