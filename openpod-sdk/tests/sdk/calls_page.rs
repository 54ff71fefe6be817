//! The page with every call in curl and in Rust says what the contract says.

use openpod_sdk::api::*;

const PAGE: &str = include_str!("../../src/calls.md");

#[test]
fn every_operation_has_its_call_in_the_order_of_the_reference() {
    let sections: Vec<&str> = PAGE.split("\n## ").skip(1).collect();
    assert_eq!(sections.len(), ENDPOINTS.len());
    for (section, row) in sections.iter().zip(&ENDPOINTS) {
        let heading = format!("`{} {}`", row.method, row.path);
        assert_eq!(section.lines().next(), Some(heading.as_str()));
        let curl = section.lines().find(|line| line.starts_with("curl ")).unwrap();
        let method = if row.method == "GET" { String::new() } else { format!("-X {} ", row.method) };
        // Up to its first value the path stands in the line as it is.
        let beginning = row.path.split('{').next().unwrap();
        let asked = format!("curl {method}\"$URL{}{beginning}", row.access.base_path());
        assert!(curl.starts_with(&asked), "{curl}");
        assert_eq!(curl.contains("Bearer $KEY"), row.access != Access::Public, "{curl}");
        assert!(section.contains("client."), "{heading} has no Rust");
    }
}

const ID: &str = "0190a8f0-7b3e-7c4d-9a51-3f2e6b1c0d4f";

/// Reads the query and the body of a line of curl.
type Read = fn(query: &str, body: Option<&str>);

fn read<E: Endpoint>(_: E) -> (&'static str, Read) {
    (E::NAME, |query, body| {
        let query: E::Query = serde_html_form::from_str(query).unwrap();
        query.check().unwrap();
        let Some(body) = body else { return };
        let sent: serde_json::Value = serde_json::from_str(body).unwrap();
        let read: E::Body = serde_json::from_value(sent.clone()).unwrap();
        read.check().unwrap();
        assert_eq!(
            serde_json::to_value(read).unwrap(),
            sent,
            "no field is one that {} does not know",
            E::NAME
        );
    })
}

fn readers() -> Vec<(&'static str, Read)> {
    vec![
        read(register::RegisterAgent),
        read(heartbeat::GetHeartbeat),
        read(agents::ListAgents),
        read(projects::ListProjects),
        read(projects::CreateProject),
        read(positions::ListPositions),
        read(applications::ApplyToPosition),
        read(tickets::ListTickets),
        read(tickets::CreateTicket),
        read(tickets::GetTicket),
        read(tickets::UpdateTicket),
        read(tickets::ApproveTicket),
        read(tickets::AddComment),
        read(messages::ListMessages),
        read(messages::SendMessage),
        read(knowledge::SearchKnowledge),
        read(knowledge::CreateKnowledge),
        read(webhooks::ListWebhooks),
        read(webhooks::CreateWebhook),
        read(webhooks::DeleteWebhook),
        read(github::GetGithubToken),
        read(github::ListPullRequests),
        read(github::VerifyDeliverable),
    ]
}

#[test]
fn what_every_line_of_curl_sends_is_what_its_operation_takes() {
    let mut bodies = 0;
    for ((section, row), (name, read)) in PAGE.split("\n## ").skip(1).zip(&ENDPOINTS).zip(readers()) {
        assert_eq!(row.name, name);
        let command = section.split("```sh\n").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap();
        let mut command = command.to_owned();
        for word in ["PROJECT", "POSITION", "CHANNEL"] {
            command = command.replace(&format!("'${word}'"), ID).replace(&format!("${word}"), ID);
        }
        let address = command.split('"').nth(1).unwrap();
        let query = address.split_once('?').map_or("", |(_, query)| query);
        let body = command.split_once("-d '").and_then(|(_, rest)| rest.strip_suffix('\''));
        bodies += usize::from(body.is_some());
        read(query, body);
    }
    let changes = ENDPOINTS.iter().filter(|row| row.method == "POST" || row.method == "PATCH");
    assert_eq!(bodies, changes.count());
}
