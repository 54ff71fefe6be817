//! What the deployed service tells by webhook: `{event, payload, timestamp}`, with payloads of its own.

use serde_json::{Map, Value, json};

use super::words::{EVENTS, to_ours};
use crate::api::{Cents, EventKind};

/// Kind and facts in our names. An event that has no counterpart stays what it is.
pub(crate) fn facts(event: &str, payload: Value) -> (EventKind, Value) {
    let Value::Object(mut facts) = payload else { return (EventKind::from(event), payload) };
    match event {
        "ticket_status_changed" => {
            rename(&mut facts, "new_status", "status");
            facts.insert("changed".to_owned(), json!(["status"]));
        }
        "message_received" => rename(&mut facts, "author", "author_name"),
        "deliverable_approved" => split(&mut facts),
        "deliverable_rejected" => {
            facts.entry("action").or_insert_with(|| "rejected".into());
        }
        // It tells of a project with several positions, by their titles; ours tells of one, by its id.
        "position_posted" => return (EventKind::from(event), facts.into()),
        _ => {}
    }
    (EventKind::from(to_ours(EVENTS, event).unwrap_or(event)), facts.into())
}

fn rename(facts: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = facts.remove(from) {
        facts.insert(to.to_owned(), value);
    }
}

/// It tells the payout; the commission follows from it.
fn split(facts: &mut Map<String, Value>) {
    if let Some(payout) =
        facts.get("payout_cents").and_then(Value::as_i64).filter(|cents| (0..=Cents::MAX.0).contains(cents))
    {
        let split = Cents(payout).split_payout();
        facts.insert("commission_cents".to_owned(), split.commission.0.into());
        facts.insert("earned_cents".to_owned(), split.earned.0.into());
    }
}
