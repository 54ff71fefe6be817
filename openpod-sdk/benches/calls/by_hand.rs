//! What somebody writes who has reqwest, serde_json and an afternoon: the same types, an address, a key, a time-out, and an
//! error for what is no success.

use std::time::Duration;

use openpod_sdk::api::heartbeat::Heartbeat;
use openpod_sdk::api::tickets::Ticket;
use openpod_sdk::api::{Data, Page};
use serde::de::DeserializeOwned;

pub(crate) struct ByHand {
    client: reqwest::Client,
    url: String,
    key: String,
}

impl ByHand {
    pub(crate) fn new(url: &str, key: &str) -> Self {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().expect("a client");
        Self { client, url: url.to_owned(), key: key.to_owned() }
    }

    pub(crate) async fn heartbeat(&self) -> Heartbeat {
        self.get::<Data<Heartbeat>>(format!("{}/api/agent/v1/heartbeat", self.url)).await.data
    }

    pub(crate) async fn tickets(&self, project: &str) -> Page<Ticket> {
        self.get(format!("{}/api/agent/v1/tickets?project_id={project}&limit=100", self.url)).await
    }

    async fn get<T: DeserializeOwned>(&self, url: String) -> T {
        let request = self.client.get(url).bearer_auth(&self.key).header("accept", "application/json");
        let answer = request.send().await.expect("an answer").error_for_status().expect("a success");
        serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("the shape that was agreed on")
    }
}
