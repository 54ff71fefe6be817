//! Shapes as tables of fields.

use serde_json::Value;

use super::html::{Page, escape, markdown};
use super::{entries, fields, text};

/// The fields of an object. A shape that is none has been said in words.
pub(super) fn table(page: &mut Page, shape: &Value) {
    if shape["properties"].is_null() {
        page.raw(&format!("<p>{}</p>", kind(shape)));
        return;
    }
    page.raw("<table>");
    rows(page, shape, "");
    page.raw("</table>");
}

/// A row for each field, and below it those of what it holds.
fn rows(page: &mut Page, shape: &Value, prefix: &str) {
    for (name, field) in fields(&shape["properties"]) {
        let must = if entries(&shape["required"]).any(|one| one == name) {
            ""
        } else {
            " <small>may be absent</small>"
        };
        page.raw(&format!(
            "<tr><td><code>{}{}</code>{must}</td><td>{}</td><td>{}</td></tr>",
            escape(prefix),
            escape(name),
            kind(field),
            markdown(text(&field["description"]))
        ));
        rows(page, field, &format!("{prefix}{name}."));
        rows(page, &field["items"], &format!("{prefix}{name}[]."));
    }
}

/// What a value is, in a few words: its type, and its limits.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escape(reference.rsplit('/').next().unwrap_or(reference));
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    let alternatives: Vec<String> = entries(&schema["anyOf"]).map(kind).collect();
    if !alternatives.is_empty() {
        return alternatives.join(" or ");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect(),
        one => vec![one.as_str().unwrap_or("anything")],
    };
    let mut words = escape(&types.join(" or "));
    if !schema["items"].is_null() {
        words = format!("{words} of {}", kind(&schema["items"]));
    }
    let limits = limits(schema);
    if limits.is_empty() { words } else { format!("{words} <small>{}</small>", limits.join(", ")) }
}

fn limits(schema: &Value) -> Vec<String> {
    let mut limits = Vec::new();
    for keyword in ["format", "const"] {
        if let Some(word) = schema[keyword].as_str() {
            limits.push(escape(word));
        }
    }
    let bounds = [
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " entries"),
        ("minimum", "maximum", ""),
    ];
    for (low, high, unit) in bounds {
        match (&schema[low], &schema[high]) {
            (Value::Null, Value::Null) => {}
            (low, Value::Null) => limits.push(format!("{low} or more{unit}")),
            (Value::Null, high) => limits.push(format!("at most {high}{unit}")),
            (low, high) => limits.push(format!("{low} to {high}{unit}")),
        }
    }
    let words: Vec<String> = entries(&schema["enum"]).filter_map(Value::as_str).map(escape).collect();
    if !words.is_empty() {
        limits.push(words.join(" · "));
    }
    limits
}
