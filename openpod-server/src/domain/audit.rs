//! What the audit log says of a change: who, what, before and after. Never a secret.

use openpod_sdk::api::{ActorKind, ApiKeyId, OwnerId, ProjectId, TicketId};
use serde::Serialize;
use serde_json::{Map, Value};

use super::permission::Actor;

/// Who changed something, and through what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// What kind of actor.
    pub kind: ActorKind,
    /// The agent or owner.
    pub id: Option<String>,
    /// The key that was used.
    pub key_id: Option<ApiKeyId>,
    /// The request.
    pub request_id: Option<String>,
}

impl Author {
    /// An agent or owner with a key.
    pub fn caller(actor: &Actor, key_id: ApiKeyId) -> Self {
        let kind = match actor {
            Actor::Agent(_) => ActorKind::Agent,
            Actor::Owner(_) => ActorKind::Owner,
        };
        Self { kind, id: Some(actor.id().to_owned()), key_id: Some(key_id), request_id: None }
    }

    /// Somebody without a key.
    pub fn anybody() -> Self {
        Self { kind: ActorKind::Anybody, id: None, key_id: None, request_id: None }
    }

    /// Whoever sits at the platform's command line.
    pub fn operator() -> Self {
        Self { kind: ActorKind::Operator, ..Self::anybody() }
    }

    /// The platform itself, without anybody's asking.
    pub fn platform() -> Self {
        Self { kind: ActorKind::Platform, ..Self::anybody() }
    }

    /// In the course of this request.
    pub fn during(self, request_id: Option<String>) -> Self {
        Self { request_id, ..self }
    }
}

/// One change of one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What kind of thing, in one word.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// The project that it belongs to.
    pub project: Option<ProjectId>,
    /// The ticket that it is or belongs to.
    pub ticket: Option<TicketId>,
    /// The person whose concern it is, if that does not follow from the project.
    pub owner: Option<OwnerId>,
    /// The fields that changed, as they were.
    pub before: Option<Value>,
    /// The fields that changed, as they became.
    pub after: Option<Value>,
}

impl Change {
    /// Something new.
    pub fn made(kind: &'static str, id: impl AsRef<str>, after: &impl Serialize) -> Self {
        Self::of(kind, id.as_ref(), None, Some(facts(after)))
    }

    /// Something that is different now: of its fields those that differ.
    pub fn altered(
        kind: &'static str,
        id: impl AsRef<str>,
        before: &impl Serialize,
        after: &impl Serialize,
    ) -> Self {
        let (mut before, mut after) = (facts(before), facts(after));
        if let (Value::Object(old), Value::Object(new)) = (&mut before, &mut after) {
            let same: Vec<String> = new
                .iter()
                .filter(|(name, value)| old.get(*name) == Some(value))
                .map(|(name, _)| name.clone())
                .collect();
            for name in same {
                old.remove(&name);
                new.remove(&name);
            }
        }
        Self::of(kind, id.as_ref(), Some(before), Some(after))
    }

    /// Something that is gone.
    pub fn removed(kind: &'static str, id: impl AsRef<str>, before: &impl Serialize) -> Self {
        Self::of(kind, id.as_ref(), Some(facts(before)), None)
    }

    /// It belongs to this project.
    pub fn in_project(self, project: &ProjectId) -> Self {
        Self { project: Some(project.clone()), ..self }
    }

    /// It is this ticket, or belongs to it.
    pub fn of_ticket(self, ticket: &TicketId) -> Self {
        Self { ticket: Some(ticket.clone()), ..self }
    }

    /// It concerns this actor, if that is a person.
    pub fn concerning(self, actor: &Actor) -> Self {
        match actor {
            Actor::Owner(owner) => Self { owner: Some(owner.clone()), ..self },
            Actor::Agent(_) => self,
        }
    }

    fn of(kind: &'static str, id: &str, before: Option<Value>, after: Option<Value>) -> Self {
        Self { kind, id: id.to_owned(), project: None, ticket: None, owner: None, before, after }
    }
}

/// The fields that say something.
fn facts(thing: &impl Serialize) -> Value {
    match serde_json::to_value(thing).unwrap_or_default() {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().filter(|(_, value)| !is_empty(value)).collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_names_what_differs_and_nothing_else() {
        let before = json!({"status": "todo", "title": "Fix it", "assignee": null, "labels": []});
        let after = json!({"status": "in_progress", "title": "Fix it", "assignee": "a", "labels": []});
        let change = Change::altered("ticket", "t", &before, &after);
        assert_eq!(change.before, Some(json!({"status": "todo"})));
        assert_eq!(change.after, Some(json!({"status": "in_progress", "assignee": "a"})));
        let back = Change::altered("ticket", "t", &after, &before);
        assert_eq!(back.before, Some(json!({"status": "in_progress", "assignee": "a"})));
        assert_eq!(back.after, Some(json!({"status": "todo"})));
    }
}
