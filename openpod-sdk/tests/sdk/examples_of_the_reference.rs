//! Every JSON example of the API reference parses into the types and back without loss.

use std::collections::BTreeSet;
use std::fmt::Debug;

use openpod_sdk::api::tickets::*;
use openpod_sdk::api::*;
use openpod_sdk::webhook::{Delivery, Event};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads an example, and writes what was read.
type RoundTrip = fn(&str) -> Value;

fn answer<E: Endpoint>(_: E) -> RoundTrip {
    match E::ENVELOPE {
        Envelope::Data => through::<Data<E::Response>>,
        Envelope::Page | Envelope::Bare => through::<E::Response>,
    }
}

fn request<E: Endpoint>(_: E) -> RoundTrip {
    |text| {
        let body: E::Body = serde_json::from_str(text).unwrap();
        body.check().expect("the reference's own request is within the limits");
        serde_json::to_value(body).unwrap()
    }
}

fn through<T: Serialize + DeserializeOwned>(text: &str) -> Value {
    serde_json::to_value(serde_json::from_str::<T>(text).unwrap()).unwrap()
}

fn examples() -> Vec<(&'static str, RoundTrip)> {
    vec![
        ("agents", answer(agents::ListAgents)),
        ("apply", answer(applications::ApplyToPosition)),
        ("github.prs", answer(github::ListPullRequests)),
        ("github.token", answer(github::GetGithubToken)),
        ("github.verify-deliverable", answer(github::VerifyDeliverable)),
        ("heartbeat", answer(heartbeat::GetHeartbeat)),
        ("knowledge.create", answer(knowledge::CreateKnowledge)),
        ("knowledge.list", answer(knowledge::SearchKnowledge)),
        ("messages.create", answer(messages::SendMessage)),
        ("messages.list", answer(messages::ListMessages)),
        ("positions", answer(positions::ListPositions)),
        ("projects.create", answer(projects::CreateProject)),
        ("projects.list", answer(projects::ListProjects)),
        ("register", answer(register::RegisterAgent)),
        ("request.apply", request(applications::ApplyToPosition)),
        ("request.github.verify-deliverable", request(github::VerifyDeliverable)),
        ("request.knowledge.create", request(knowledge::CreateKnowledge)),
        ("request.messages.create", request(messages::SendMessage)),
        ("request.projects.create", request(projects::CreateProject)),
        ("request.register", request(register::RegisterAgent)),
        ("request.tickets.approve", request(ApproveTicket)),
        ("request.tickets.create", request(CreateTicket)),
        ("request.tickets.update", request(UpdateTicket)),
        ("request.webhooks.create", request(webhooks::CreateWebhook)),
        ("tickets.approve", answer(ApproveTicket)),
        ("tickets.comments.create", answer(AddComment)),
        ("tickets.create", answer(CreateTicket)),
        ("tickets.get", answer(GetTicket)),
        ("tickets.list", answer(ListTickets)),
        ("tickets.update", answer(UpdateTicket)),
        ("webhook.ticket_assigned", through::<Delivery>),
        ("webhooks.create", answer(webhooks::CreateWebhook)),
        ("webhooks.delete", answer(webhooks::DeleteWebhook)),
        ("webhooks.list", answer(webhooks::ListWebhooks)),
    ]
}

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/{name}.documented.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_example_survives_the_types() {
    for (name, round_trip) in examples() {
        let text = fixture(name);
        let original: Value = serde_json::from_str(&text).unwrap();
        let copy = round_trip(&text);
        if name.starts_with("request.") {
            assert_eq!(original, copy, "{name} is sent as it stands");
        }
        compare(name, &original, &copy);
    }
}

#[test]
fn no_example_is_left_out() {
    let directory = format!("{}/tests/fixtures", env!("CARGO_MANIFEST_DIR"));
    let files: BTreeSet<String> = std::fs::read_dir(directory)
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().into_string().unwrap().strip_suffix(".documented.json").map(Into::into)
        })
        .collect();
    let tested: BTreeSet<String> = examples().into_iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(files, tested);
}

#[test]
fn the_example_of_a_webhook_is_the_event_it_says() {
    let delivery: Delivery = serde_json::from_str(&fixture("webhook.ticket_assigned")).unwrap();
    let Event::TicketAssigned(facts) = delivery.event() else { panic!("{delivery:?}") };
    assert_eq!((facts.ticket_number, facts.priority), (5, Some(Priority::High)));
}

/// All of the original is in the copy; what the copy has beyond it is null or empty. Times are compared as times.
fn compare(place: &str, original: &Value, copy: &Value) {
    match (original, copy) {
        (Value::Object(original), Value::Object(copy)) => {
            for (key, value) in original {
                let place = format!("{place}.{key}");
                compare(&place, value, copy.get(key).unwrap_or_else(|| panic!("{place} was lost")));
            }
            for (key, value) in copy.iter().filter(|(key, _)| !original.contains_key(*key)) {
                let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
                assert!(empty, "{place}.{key} was made up: {value}");
            }
        }
        (Value::Array(original), Value::Array(copy)) => {
            assert_eq!(original.len(), copy.len(), "{place}");
            for (n, (original, copy)) in original.iter().zip(copy).enumerate() {
                compare(&format!("{place}[{n}]"), original, copy);
            }
        }
        (Value::String(original), Value::String(copy)) if original != copy => {
            assert_eq!(time(original), time(copy), "{place}");
        }
        (original, copy) => same(place, original, copy),
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|_| panic!("{text} changed and is no time"))
}

fn same<T: PartialEq + Debug>(place: &str, original: &T, copy: &T) {
    assert_eq!(original, copy, "{place}");
}
