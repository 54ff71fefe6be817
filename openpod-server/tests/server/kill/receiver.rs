//! A receiver of webhooks that stays up while the server does not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};
use openpod_sdk::Secret;
use openpod_sdk::clock::{Clock, SystemClock};
use openpod_sdk::webhook::Verifier;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What an event is about: whom it was told, what happened, and to which ticket or message.
pub(super) type Fact = (String, String, String);

/// Everything that arrived.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    /// The body of each delivery, by its id.
    pub bodies: BTreeMap<String, Bytes>,
    pub facts: BTreeSet<Fact>,
    /// How often something arrived that had arrived before.
    pub repeated: usize,
}

#[derive(Clone)]
pub(super) struct Receiver {
    pub address: String,
    pub arrived: Arc<Mutex<Arrived>>,
    verifier: Verifier,
    ticks: watch::Sender<usize>,
}

impl Receiver {
    pub(super) async fn start(secret: &Secret) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Receiver {
            address: format!("http://{}", listener.local_addr().unwrap()),
            arrived: Arc::default(),
            verifier: Verifier::new([secret.clone()]).unwrap(),
            ticks: watch::Sender::new(0),
        };
        let service = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, service).await });
        receiver
    }

    /// Completes when all of these have arrived.
    pub(super) async fn wait_for(&self, expected: &BTreeSet<Fact>) {
        let mut ticks = self.ticks.subscribe();
        let all = ticks.wait_for(|_| expected.is_subset(&self.arrived.lock().unwrap().facts));
        if tokio::time::timeout(super::PATIENCE, all).await.is_err() {
            let arrived = self.arrived.lock().unwrap();
            let missing: Vec<_> = expected.difference(&arrived.facts).take(10).collect();
            panic!("of {} events these did not arrive: {missing:#?}", expected.len());
        }
    }
}

async fn receive(State(to): State<Receiver>, address: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Ok(proven) = to.verifier.verify(&headers, &body, SystemClock.now()) else {
        return StatusCode::UNAUTHORIZED;
    };
    let data = &proven.delivery.data;
    let subject = ["ticket_id", "message_id", "position_id"].iter().find_map(|name| data[*name].as_str());
    let kind = if data["changed"] == Value::from(vec!["comments"]) {
        "comment".to_owned()
    } else {
        proven.delivery.kind.to_string()
    };
    let whom = address.path().trim_start_matches('/').to_owned();
    let mut arrived = to.arrived.lock().unwrap();
    arrived.facts.insert((whom, kind, subject.unwrap_or_default().to_owned()));
    if let Some(before) = arrived.bodies.insert(proven.id, body.clone()) {
        assert_eq!(before, body, "one id, two bodies");
        arrived.repeated += 1;
    }
    drop(arrived);
    to.ticks.send_modify(|ticks| *ticks += 1);
    StatusCode::OK
}
