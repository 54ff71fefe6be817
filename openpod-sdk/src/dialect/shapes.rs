//! Answers whose shape is another, and filters that are applied here. All values are in our names unless said.

use serde_json::{Map, Value, json};

use super::place;
use crate::api::{Cents, ChannelId};

/// `{agent_id, …}` names no name: it is the one that was sent.
pub(super) fn registered(mut answer: Value, sent: &Value) -> Value {
    if let (Value::Object(fields), Some(name)) = (&mut answer, sent["name"].as_str()) {
        fields.entry("name").or_insert_with(|| name.trim().into());
    }
    answer
}

/// Channels get ids that lead back to them, and applications the shape of applications.
pub(super) fn heartbeat(mut answer: Value, _: &Value) -> Value {
    for channel in items(&mut answer, "/messages/channels") {
        let Value::Object(fields) = channel else { continue };
        if let Some(name) = fields.get("channel_name").and_then(Value::as_str).map(ChannelId::named) {
            fields.insert("channel_id".to_owned(), name.as_str().into());
        }
    }
    for application in items(&mut answer, "/applications/pending") {
        let Value::Object(fields) = application else { continue };
        let position = [("position_title", "title"), ("project_id", "project_id")]
            .into_iter()
            .filter_map(|(theirs, ours)| Some((ours.to_owned(), fields.remove(theirs)?)))
            .collect::<Map<_, _>>();
        fields.insert("position".to_owned(), position.into());
        fields.entry("status").or_insert_with(|| "pending".into());
    }
    answer
}

pub(super) fn agents(mut answer: Value, _: &Value) -> Value {
    items(&mut answer, "").for_each(agent);
    answer
}

pub(super) fn me(mut answer: Value, _: &Value) -> Value {
    if let Some(registry) = answer.get_mut("registry") {
        agent(registry);
    }
    answer
}

/// A price is one for an hour only where it says so.
fn agent(agent: &mut Value) {
    let Value::Object(fields) = agent else { return };
    for (theirs, ours) in
        [("rating_avg", "rating"), ("jobs_completed", "total_jobs"), ("website", "website_url")]
    {
        if let Some(field) = fields.remove(theirs) {
            fields.insert(ours.to_owned(), field);
        }
    }
    if fields.get("pricing_type").is_some_and(|kind| kind == "hourly")
        && let Some(price) = fields.get("pricing_cents").cloned()
    {
        fields.insert("hourly_rate_cents".to_owned(), price);
    }
}

/// `{project_id, title, status}`; the channel #general is always made.
pub(super) fn created_project(answer: Value, _: &Value) -> Value {
    let general = ChannelId::named("general");
    json!({
        "project": {"id": answer["project_id"], "title": answer["title"], "status": answer["status"]},
        "channel": {"id": general.as_str(), "name": "general"},
    })
}

/// `{project, positions}`: each position learns its project.
pub(super) fn positions(mut answer: Value, _: &Value) -> Value {
    let project = json!({"id": answer["project"]["id"], "title": answer["project"]["title"]});
    for position in items(&mut answer, "/positions") {
        let Value::Object(fields) = position else { continue };
        fields.insert("project".to_owned(), project.clone());
    }
    place::taken(&mut answer, "positions")
}

/// `{ticket_id, action, payout_cents, commission_cents, …}`
pub(super) fn judged(answer: Value, _: &Value) -> Value {
    let paid = answer.get("payout_cents").map(|payout| {
        let computed = || payout.as_i64().map(|payout| Cents(payout).split_payout().commission.0.into());
        let commission = answer.get("commission_cents").cloned().or_else(computed);
        json!({"amount_cents": payout, "commission_cents": commission})
    });
    json!({
        "ticket": {
            "id": answer["ticket_id"],
            "approval_status": answer["action"],
            "payout_cents": answer.get("payout_cents"),
        },
        "transaction": paid,
    })
}

/// `{channel, messages}`
pub(super) fn messages(mut answer: Value, _: &Value) -> Value {
    place::taken(&mut answer, "messages")
}

/// A list tells when it was merged, not whether.
pub(super) fn pull_requests(mut answer: Value, _: &Value) -> Value {
    for pull_request in items(&mut answer, "/pull_requests") {
        let Value::Object(fields) = pull_request else { continue };
        let merged = fields.contains_key("merged_at");
        fields.entry("merged").or_insert_with(|| merged.into());
    }
    answer
}

/// `{valid: false, error}`
pub(super) fn verification(mut answer: Value, _: &Value) -> Value {
    if let Value::Object(fields) = &mut answer
        && let Some(reason) = fields.remove("error")
    {
        fields.insert("reason".to_owned(), reason);
    }
    answer
}

fn items<'v>(value: &'v mut Value, pointer: &str) -> impl Iterator<Item = &'v mut Value> {
    value.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

pub(super) fn has_provider(agent: &Value, wanted: &Value) -> bool {
    agent["llm_provider"] == *wanted
}

pub(super) fn has_priority(ticket: &Value, wanted: &Value) -> bool {
    ticket["priority"] == *wanted
}

pub(super) fn has_type(ticket: &Value, wanted: &Value) -> bool {
    ticket["ticket_type"] == *wanted
}

/// `none`, or an id.
pub(super) fn is_assigned_to(ticket: &Value, wanted: &Value) -> bool {
    match &ticket["assignee_agent_key_id"] {
        Value::Null => *wanted == "none",
        assignee => assignee == wanted,
    }
}

/// Any of the wanted words is among the required ones, whatever their case.
pub(super) fn wants_capability(position: &Value, wanted: &Value) -> bool {
    let has = |word: &Value| {
        let required = position["required_capabilities"].as_array().into_iter().flatten();
        required.filter_map(Value::as_str).any(|required| {
            word.as_str().is_some_and(|word| word.trim().eq_ignore_ascii_case(required.trim()))
        })
    };
    wanted.as_array().into_iter().flatten().any(has)
}

pub(super) fn has_open_position_for(project: &Value, wanted: &Value) -> bool {
    project["positions"].as_array().into_iter().flatten().any(|position| wants_capability(position, wanted))
}
