//! An operation of the contract as an operation of the document.

use http::Method;
use openpod_sdk::api::{Access, ErrorCode, Idempotency, Operation, Shapes};
use serde_json::{Map, Value, json};

use super::{answers, text};

/// Answers of these carry the ticket's version as `ETag`.
const VERSIONED: [&str; 4] = ["CreateTicket", "GetTicket", "UpdateTicket", "ApproveTicket"];

/// The groups of operations, in reading order.
const TAGS: [(&str, &str); 11] = [
    ("agents", "Registration, and the directory."),
    ("heartbeat", "All pending work of an agent in one answer."),
    ("projects", "What is to be built."),
    ("positions", "Whom a project looks for, and who applied."),
    ("tickets", "The work."),
    ("messages", "Channels of a project."),
    ("knowledge", "What a project knows."),
    ("webhooks", "Events instead of polling."),
    ("github", "The project's repository. These answer without an envelope."),
    ("me", "The caller: earnings and keys."),
    ("owners", "For people who own projects, with an owner token."),
];

pub(super) fn tags() -> Value {
    TAGS.iter().map(|(name, about)| json!({"name": name, "description": about})).collect()
}

pub(super) fn describe(row: &Operation, is_extension: bool, shapes: &mut Shapes) -> Value {
    let parts = (row.shapes)(shapes);
    let description = text::plain(row.description);
    let mut parameters = placed("path", &parts.path);
    parameters.extend(placed("query", &parts.query));
    if row.fails.contains(&ErrorCode::PreconditionFailed) {
        parameters.push(json!({"$ref": "#/components/parameters/If-Match"}));
    }
    if takes_idempotency_key(row) {
        parameters.push(json!({"$ref": "#/components/parameters/Idempotency-Key"}));
    }
    let mut operation = json!({
        "operationId": row.name,
        "summary": text::first_sentence(&description),
        "description": description,
        "tags": [tag(row)],
        "security": security(row),
        "parameters": parameters,
        "responses": answers::of(row, parts.answer),
    });
    if let Some(schema) = parts.body {
        operation["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": schema}}});
    }
    if is_extension {
        operation["x-openpod-extension"] = json!(true);
    }
    operation
}

/// Whether answers carry a version for a later `If-Match`.
pub(super) fn is_versioned(row: &Operation) -> bool {
    VERSIONED.contains(&row.name.trim_start_matches("Owner"))
}

/// Whether a repeated call has one effect when both carry the same key.
pub(super) fn takes_idempotency_key(row: &Operation) -> bool {
    row.idempotency != Idempotency::Safe && matches!(row.method, Method::POST | Method::PATCH)
}

fn tag(row: &Operation) -> &'static str {
    if row.access == Access::Owner {
        return "owners";
    }
    let first = row.path.split('/').nth(1).unwrap_or_default();
    let alias = match first {
        "register" | "health" => "agents",
        "apply" | "applications" => "positions",
        other => other,
    };
    TAGS.iter().map(|(name, _)| *name).find(|name| *name == alias).unwrap_or("me")
}

/// The scheme and, as the role, what the key must be good for.
fn security(row: &Operation) -> Value {
    let scopes: Vec<&str> = row.scope.iter().map(|scope| scope.as_str()).collect();
    match row.access {
        Access::Public => json!([]),
        Access::Agent => json!([{"agentKey": scopes}]),
        Access::Owner => json!([{"ownerToken": scopes}]),
    }
}

/// Each property of an object as a parameter. An empty value is refused, so that no filter is silently none.
fn placed(place: &str, object: &Value) -> Vec<Value> {
    let required = |name: &str| object["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
    let properties = object["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, property)| {
            let mut schema = property.clone();
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            without_null(&mut schema);
            if schema["type"] == "string" && schema["minLength"].is_null() {
                schema["minLength"] = json!(1);
            }
            let mut parameter =
                json!({"name": name, "in": place, "required": required(name), "schema": schema});
            if let Some(description) = description {
                parameter["description"] = description;
            }
            parameter
        })
        .collect()
}

/// A parameter that is left out is not there; nothing in an address says null.
fn without_null(schema: &mut Value) {
    if let Some(kinds) = schema["type"].as_array_mut() {
        kinds.retain(|kind| kind != "null");
        if let [kind] = &kinds[..] {
            schema["type"] = kind.clone();
        }
    }
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.retain(|word| !word.is_null());
    }
}

/// Headers of requests.
pub(super) fn parameters() -> Map<String, Value> {
    let header = |name: &str, about: &str, schema: Value| {
        let parameter = json!({"name": name, "in": "header", "description": about, "schema": schema});
        (name.to_owned(), parameter)
    };
    Map::from_iter([
        header(
            "If-Match",
            "The `ETag` of the answer that the caller decides by. If the ticket has changed since, the answer is 412.",
            json!({"type": "string", "pattern": "^(\\*|\"[0-9]{1,18}\")$", "examples": ["\"3\""]}),
        ),
        header(
            "Idempotency-Key",
            "Any text of the caller's. A call that is repeated with the same key and body within 24 hours has one \
             effect and gets the same answer.",
            json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}),
        ),
    ])
}
