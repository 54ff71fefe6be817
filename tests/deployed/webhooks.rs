//! Its webhooks: it chooses the secret and shows it once, and signs in the older way alone. Whom it tells something, it
//! tells in the background and asks no more than that; a delivery that fails it would try again after a minute, which is
//! longer than anybody here waits.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use openpod_sdk::Secret;
use openpod_sdk::clock::{Clock, SystemClock};
use openpod_sdk::webhook::{SigningKey, header as signed, sign};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use url::{Host, Url};

use super::platform::{Platform, Ticket, now};
use super::routes::{Form, Refusal, Service, Shared, data, object};
use crate::world::Hosts;

const EVENTS: [&str; 15] = [
    "*",
    "ticket_assigned",
    "ticket_status_changed",
    "message_received",
    "application_accepted",
    "application_rejected",
    "deliverable_approved",
    "deliverable_rejected",
    "position_posted",
    "ci_check_completed",
    "pr_review_submitted",
    "x402_payment_received",
    "review_submitted",
    "payout_settled",
    "escrow_funded",
];

/// Who is told.
#[derive(Debug, Clone)]
pub(super) struct Webhook {
    /// As it travels, without its secret.
    wire: Value,
    agent: String,
    secret: Secret,
}

/// What it tells others, and how they answered.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) hosts: Hosts,
    /// Events, and the status that each was answered with; `None` where nobody answered.
    answered: Mutex<Vec<(String, Option<u16>)>>,
    under_way: TaskTracker,
    client: reqwest::Client,
}

impl Outbox {
    pub(super) fn answered(&self) -> Vec<(String, Option<u16>)> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) async fn end(&self) {
        self.under_way.close();
        self.under_way.wait().await;
    }

    /// One attempt, signed with what the receiver's owner was shown.
    async fn deliver(&self, webhook: &Webhook, event: &str, payload: &Value) -> Option<u16> {
        let url: Url = webhook.wire["url"].as_str()?.parse().ok()?;
        let behind =
            self.hosts.lock().unwrap_or_else(PoisonError::into_inner).get(url.host_str()?).copied()?;
        let time = SystemClock.now();
        let stamp = time.to_string();
        let stamp = format!("{}Z", stamp.get(..23)?);
        let body = json!({"event": event, "payload": payload, "timestamp": stamp}).to_string();
        let headers = sign(&[SigningKey::parse(&webhook.secret).ok()?], "none", time, body.as_bytes());
        let request = self
            .client
            .post(format!("http://{behind}{}", url.path()))
            .header(header::CONTENT_TYPE, "application/json")
            .header(signed::LEGACY_EVENT, event)
            .header(signed::LEGACY_SIGNATURE, &headers[signed::LEGACY_SIGNATURE]);
        request.body(body).send().await.ok().map(|answer| answer.status().as_u16())
    }
}

impl Service {
    /// Tells these agents, as far as they want to hear of it.
    pub(super) fn tell(self: &Arc<Self>, event: &'static str, agents: &[String], payload: &Value) {
        let wants = |webhook: &&Webhook| {
            let events = webhook.wire["events"].as_array().into_iter().flatten();
            agents.contains(&webhook.agent)
                && events.into_iter().any(|wanted| wanted == "*" || wanted == event)
        };
        let told: Vec<Webhook> = self.platform().webhooks.iter().filter(wants).cloned().collect();
        for webhook in told {
            let (service, payload) = (Arc::clone(self), payload.clone());
            self.outbox.under_way.spawn(async move {
                let answer = service.outbox.deliver(&webhook, event, &payload).await;
                let mut answered = service.outbox.answered.lock().unwrap_or_else(PoisonError::into_inner);
                answered.push((event.to_owned(), answer));
                drop(answered);
                service.changed();
            });
        }
    }

    /// Tells whom a new ticket is given to. Only here the priority is told.
    pub(super) fn tell_of_new(self: &Arc<Self>, ticket: &Ticket) {
        let assignee = ticket.text("assignee_agent_key_id");
        if !assignee.is_empty() {
            let facts = ticket.facts().with("project_id", &ticket.wire["project_id"]);
            let facts = facts.with("priority", &ticket.wire["priority"]);
            self.tell("ticket_assigned", &[assignee.to_owned()], &facts.0);
        }
    }

    /// Tells of what a change of a ticket was: to the new assignee, and to all members where it stands now.
    pub(super) fn tell_of_change(self: &Arc<Self>, before: &Ticket, after: &Ticket) {
        let (assignee, facts) = (after.text("assignee_agent_key_id"), after.facts());
        let with_project = facts.with("project_id", &after.wire["project_id"]);
        if !assignee.is_empty() && assignee != before.text("assignee_agent_key_id") {
            self.tell("ticket_assigned", &[assignee.to_owned()], &with_project.0);
        }
        let (old, new) = (&before.wire["status"], &after.wire["status"]);
        if old != new {
            let facts = with_project.with("old_status", old).with("new_status", new);
            let members = self.platform().members_of(after.text("project_id"));
            self.tell("ticket_status_changed", &members, &facts.0);
        }
    }

    /// Tells whose work it was of a verdict.
    pub(super) fn tell_of_verdict(self: &Arc<Self>, ticket: &Ticket, request: &Value, verdict: &Value) {
        let mut facts = ticket.facts();
        let event = match verdict["action"].as_str() {
            Some("approved") => {
                facts = facts.with("payout_cents", &verdict["payout_cents"]);
                "deliverable_approved"
            }
            action => {
                if action == Some("revision_requested") {
                    facts = facts.with("action", &verdict["action"]);
                }
                "deliverable_rejected"
            }
        };
        if !request["comment"].is_null() {
            facts = facts.with("comment", &request["comment"]);
        }
        self.tell(event, &[ticket.text("assignee_agent_key_id").to_owned()], &facts.0);
    }
}

/// What an event tells.
pub(super) struct Facts(pub(super) Value);

impl Facts {
    pub(super) fn with(&self, field: &str, value: &Value) -> Facts {
        let mut facts = self.0.clone();
        facts[field] = value.clone();
        Facts(facts)
    }
}

impl Ticket {
    /// What every event of a ticket tells.
    pub(super) fn facts(&self) -> Facts {
        let told = ["ticket_number", "title"].map(|field| (field.to_owned(), self.wire[field].clone()));
        Facts(Value::Object(told.into_iter().collect())).with("ticket_id", &self.wire["id"])
    }
}

impl Platform {
    fn members_of(&self, project: &str) -> Vec<String> {
        let here = self.members.iter().filter(|member| member.project == project);
        here.map(|member| member.agent.clone()).collect()
    }
}

pub(super) async fn list(State(service): Shared, headers: HeaderMap) -> Result<Response, Refusal> {
    let agent = service.caller(&headers)?;
    let platform = service.platform();
    let own = platform.webhooks.iter().filter(|webhook| webhook.agent == agent.key_id);
    data(200, own.map(|webhook| webhook.wire.clone()).collect())
}

/// A secret in the request is ignored without a word.
pub(super) async fn create(
    State(service): Shared,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let (agent, body) = (service.caller(&headers)?, object(&body, Form::Plain)?);
    let url = body.get("url").and_then(Value::as_str).unwrap_or_default();
    if !is_public(url) {
        return Err(Form::Plain.no((400, "url must be public https")));
    }
    let events = body.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
    let known = |event: &Value| event.as_str().is_some_and(|event| EVENTS.contains(&event));
    if events.is_empty() || !events.iter().all(known) {
        return Err(Form::Plain.no((400, "unknown event")));
    }
    let mut platform = service.platform();
    if platform.webhooks.iter().filter(|webhook| webhook.agent == agent.key_id).count() >= 20 {
        return Err(Form::Plain.no((400, "at most 20 webhooks")));
    }
    let id = platform.new_id();
    // As long as the original's: 32 hexadecimal digits.
    let secret = format!("whsec_{}", id.replace('-', ""));
    let wire = json!({"id": id, "url": url, "events": events, "is_active": true, "created_at": now()});
    let mut shown = wire.clone();
    shown["secret"] = secret.as_str().into();
    shown["message"] = "Secret is shown once.".into();
    platform.webhooks.push(Webhook { wire, agent: agent.key_id, secret: secret.into() });
    data(201, shown)
}

pub(super) async fn delete(
    State(service): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let agent = service.caller(&headers)?;
    let mut platform = service.platform();
    let at = platform.webhooks.iter().position(|webhook| webhook.wire["id"] == id.as_str());
    let at = at.ok_or(Form::Plain.no((404, "webhook not found")))?;
    if platform.webhooks[at].agent != agent.key_id {
        return Err(Form::Plain.no((403, "webhook belongs to another agent")));
    }
    platform.webhooks.remove(at);
    data(200, json!({"deleted": true}))
}

/// What it takes for a public address: it goes by the text alone.
fn is_public(url: &str) -> bool {
    let Ok(url) = url.parse::<Url>() else { return false };
    let reachable = match url.host() {
        Some(Host::Domain(name)) => {
            let local = [".localhost", ".local", ".internal"];
            name != "localhost" && !local.iter().any(|end| name.ends_with(end))
        }
        Some(Host::Ipv4(address)) => {
            let [first, ..] = address.octets();
            !(first == 0
                || address.is_private()
                || address.is_link_local()
                || address.to_string() == "127.0.0.1")
        }
        Some(Host::Ipv6(address)) => {
            let within = address.is_unique_local() || address.is_unicast_link_local();
            !(address.is_loopback() || within || address.to_ipv4_mapped().is_some())
        }
        None => false,
    };
    url.scheme() == "https" && url.username().is_empty() && url.password().is_none() && reachable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_public_is_told() {
        for url in ["https://my-agent.com/webhook", "https://203.0.113.7/", "https://[2001:db8::1]/"] {
            assert!(is_public(url), "{url}");
        }
        for url in [
            "http://my-agent.com/webhook",
            "https://me@my-agent.com/",
            "https://localhost/",
            "https://a.localhost/",
            "https://a.internal/",
            "https://127.0.0.1/",
            "https://0.1.2.3/",
            "https://10.0.0.1/",
            "https://172.16.0.1/",
            "https://192.168.0.1/",
            "https://169.254.169.254/",
            "https://[::1]/",
            "https://[::ffff:1.2.3.4]/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "nonsense",
        ] {
            assert!(!is_public(url), "{url}");
        }
    }
}
