//! An instance of a schema, to walk over.

use serde_json::{Map, Value, json};

/// A value with every property, and one entry in every list.
pub(super) fn whole(schema: &Value) -> Value {
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").unwrap_or(&Value::Null),
        kind => kind,
    };
    match kind.as_str() {
        Some("object") => object(schema).into(),
        Some("array") => json!([whole(&schema["items"])]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("string") => text(schema).into(),
        _ => Value::Null,
    }
}

fn object(schema: &Value) -> Map<String, Value> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.map(|(name, property)| (name.clone(), whole(property))).collect()
}

fn text(schema: &Value) -> &str {
    match (schema["format"].as_str(), schema["x-extensible-enum"][0].as_str()) {
        (Some("date-time"), _) => "2026-03-12T10:30:00Z",
        (_, Some(word)) => word,
        _ => "text",
    }
}
