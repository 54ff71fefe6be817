//! A limit as the keywords of JSON Schema.

use serde_json::{Map, Value, json};

use crate::api::Limit;

const UUID: &str = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";
const WEB_ADDRESS: &str = "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#\\s]";

/// Writes a limit where its field is described. `false` when the schema has no such field.
pub(super) fn write(schema: &mut Value, field: &str, limit: &Limit) -> bool {
    let place = if *limit == Limit::SomeField { Some(schema) } else { locate(schema, field) };
    let Some(place) = place.and_then(Value::as_object_mut) else { return false };
    keywords(place, limit);
    true
}

/// The schema of a field such as `deliverables[0].url`.
pub(super) fn locate<'s>(schema: &'s mut Value, field: &str) -> Option<&'s mut Value> {
    field.split('.').try_fold(schema, |place, part| {
        let (name, is_entry) = part.split_once('[').map_or((part, false), |(name, _)| (name, true));
        let property = place.get_mut("properties")?.get_mut(name)?;
        if is_entry { property.get_mut("items") } else { Some(property) }
    })
}

fn keywords(place: &mut Map<String, Value>, limit: &Limit) {
    let mut set = |keyword: &str, value: Value| place.insert(keyword.to_owned(), value);
    match limit {
        Limit::Text { min, max } => {
            if *min > 0 {
                set("minLength", json!(min));
            }
            set("maxLength", json!(max));
            set("pattern", text_pattern(*min).into());
        }
        Limit::Length { min, max } => {
            set("minLength", json!(min));
            set("maxLength", json!(max));
        }
        Limit::Entries { min, max } => {
            if *min > 0 {
                set("minItems", json!(min));
            }
            set("maxItems", json!(max));
        }
        Limit::Range { min, max } => {
            set("minimum", json!(min));
            set("maximum", json!(max));
        }
        Limit::OneOf(words) => {
            let mut words: Vec<Value> = words.iter().map(|word| json!(word)).collect();
            if place["type"].is_array() {
                words.push(Value::Null);
            }
            place.remove("x-extensible-enum");
            place.insert("enum".to_owned(), words.into());
        }
        Limit::Pattern(pattern) => {
            set("pattern", json!(pattern));
        }
        Limit::Uuid => {
            set("format", json!("uuid"));
            set("pattern", json!(UUID));
        }
        Limit::WebAddress => {
            set("format", json!("uri"));
            set("maxLength", json!(2000));
            set("pattern", json!(WEB_ADDRESS));
        }
        Limit::SomeField => {
            set("minProperties", json!(1));
        }
    }
}

/// No NUL, and between the first and the last character that is no white space at least `min` characters.
fn text_pattern(min: usize) -> String {
    match min {
        0 => "^[^\\u0000]*$".to_owned(),
        1 => "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$".to_owned(),
        _ => format!(
            "^[^\\u0000]*[^\\s\\u0000][^\\u0000]{{{},}}[^\\s\\u0000][^\\u0000]*$",
            min.saturating_sub(2)
        ),
    }
}
