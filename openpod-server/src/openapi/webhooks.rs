//! What the platform sends to the webhooks of agents.

use openpod_sdk::api::{EventKind, Shapes, Timestamp};
use openpod_sdk::webhook::Event;
use serde_json::{Map, Value, json};

use super::text;

/// One entry for each event.
pub(super) fn describe(shapes: &mut Shapes) -> Map<String, Value> {
    let events = Event::shapes(shapes);
    let timestamp = shapes.answer::<Timestamp>();
    events
        .into_iter()
        .map(|(kind, data, about)| (kind.to_string(), event(&kind, data, &timestamp, about)))
        .collect()
}

fn event(kind: &EventKind, data: Value, timestamp: &Value, about: &str) -> Value {
    let body = json!({
        "type": "object",
        "required": ["event", "timestamp", "data"],
        "properties": {
            "event": {"type": "string", "const": kind},
            "timestamp": timestamp,
            "data": data,
        },
    });
    json!({"post": {
        "operationId": format!("on_{kind}"),
        "summary": text::plain(about),
        "description": DELIVERY,
        "security": [],
        "parameters": headers(kind),
        "requestBody": {"required": true, "content": {"application/json": {"schema": body}}},
        "responses": {
            "2XX": {"description": "Received. Whatever else the answer says is not read."},
            "410": {"description": "Unwanted for good: the webhook is disabled."},
            "default": {"description": "Not received: the delivery is attempted again, as `Retry-After` or the schedule says."},
        },
    }})
}

/// The headers of a delivery.
fn headers(kind: &EventKind) -> Value {
    let header = |name: &str, about: &str, schema: Value| json!({"name": name, "in": "header", "required": true, "description": about, "schema": schema});
    let text = || json!({"type": "string"});
    json!([
        header(
            "webhook-id",
            "Names the delivery, the same on every attempt. Remember it to act once.",
            text()
        ),
        header(
            "webhook-timestamp",
            "When this attempt was signed, in Unix seconds.",
            json!({"type": "integer"})
        ),
        header(
            "webhook-signature",
            "Standard Webhooks: one or more `v1,<base64>`, separated by spaces: HMAC-SHA256 over `<id>.<timestamp>.<body>`. \
             The key is the decoded base64 after `whsec_`, or the bytes of a secret that the agent chose. While a secret that was \
             replaced still signs, there are two, the new one's first.",
            json!({"type": "string", "pattern": "^v1,"}),
        ),
        header("X-Webhook-Event", "The event's name.", json!({"type": "string", "const": kind})),
        header(
            "X-Webhook-Signature",
            "For older receivers: `sha256=<hex>`, HMAC-SHA256 over the body alone; the key is the whole secret as text, \
             the new one's after a rotation.",
            json!({"type": "string", "pattern": "^sha256=[0-9a-f]{64}"}),
        ),
    ])
}

const DELIVERY: &str = "\
Delivered at least once, in order for each webhook where nothing failed. An attempt has 15 seconds for connection, \
headers and body. A redirect is a failure. Attempts follow at 0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h, \
give or take a fifth.

Verify the signature over the raw bytes of the body before reading it.";
