//! From a request in our names to one in theirs, or to what cannot be said. Pure.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Map, Value};

use super::pages::{BEYOND, Cut, offset_in};
use super::rule::{List, Out, Row};
use super::table::{TABLE, without};
use super::words::to_theirs;
use super::{Dialect, Unsupported, place};
use crate::api::{ChannelId, Timestamp};

/// A request in their names, and what its answer needs to be understood.
#[derive(Debug)]
pub(crate) struct Translated {
    /// The parameters of the query, or the fields of the body.
    pub(crate) fields: Map<String, Value>,
    pub(crate) translation: Translation,
}

/// What was asked.
pub(crate) struct Translation {
    pub(super) row: &'static Row,
    /// In our names.
    pub(super) sent: Value,
    pub(super) cut: Cut,
}

impl std::fmt::Debug for Translation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Translation").field(&self.row.name).finish()
    }
}

/// Translates the query or the body of an operation.
pub(crate) fn translate(name: &'static str, asked: Value) -> Result<Translated, Unsupported> {
    let Some(row) = TABLE.iter().find(|row| row.name == name) else {
        return Err(Unsupported::operation(name, Dialect::Deployed, without(name)));
    };
    let mut theirs = asked.clone();
    let mut cut = Cut::default();
    if !matches!(row.list, List::None) {
        take_pages(row, &mut theirs, &mut cut)?;
    }
    for rule in row.out {
        apply(row, rule, &mut theirs, &mut cut)?;
    }
    let fields = match theirs {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    Ok(Translated { fields, translation: Translation { row, sent: asked, cut } })
}

/// Takes `limit`, `offset` and `cursor` out, and puts in what they have instead.
fn take_pages(row: &Row, theirs: &mut Value, cut: &mut Cut) -> Result<(), Unsupported> {
    let Value::Object(fields) = theirs else { return Ok(()) };
    let mut number = |name: &str| {
        let value = fields.remove(name)?;
        usize::try_from(value.as_u64()?).ok()
    };
    cut.limit = number("limit");
    cut.offset = number("offset").unwrap_or(0);
    if let Some(cursor) = fields.remove("cursor") {
        let cursor = cursor.as_str().unwrap_or_default();
        cut.offset = match (row.list, offset_in(cursor)) {
            (List::Offset { .. } | List::Whole { .. }, Some(offset)) => offset,
            _ if cursor == BEYOND => {
                return Err(no(row, "cursor", "the service shows no more than this; narrow the filter"));
            }
            _ => return Err(no(row, "cursor", "this cursor is of another service; begin without one")),
        };
    }
    let (limit, offset) = row.list.asks(cut);
    for (name, number) in [("limit", limit), ("offset", offset)] {
        if let Some(number) = number {
            fields.insert(name.to_owned(), number.into());
        }
    }
    Ok(())
}

fn apply(row: &Row, rule: &Out, theirs: &mut Value, cut: &mut Cut) -> Result<(), Unsupported> {
    let holds = match rule {
        Out::Rename { at, to } => {
            place::rename(theirs, at, to);
            None
        }
        Out::Words { at, words } => {
            place::replace(theirs, at, &|word| to_theirs(words, word));
            None
        }
        Out::Default { at, value } => {
            place::each(theirs, at, &mut |object, name| {
                object.entry(name).or_insert_with(|| (*value).into());
            });
            None
        }
        Out::Earlier { at, seconds } => {
            place::each(theirs, at, &mut |object, name| earlier(object, name, *seconds));
            None
        }
        Out::NullIsEmpty { at } => {
            place::each(theirs, at, &mut |object, name| {
                if let Some(value) = object.get_mut(name).filter(|value| value.is_null()) {
                    *value = "".into();
                }
            });
            None
        }
        Out::Here { at, but, keep } => {
            let travels = |value: &Value| but.is_some_and(|word| value == word);
            if let Value::Object(fields) = theirs
                && fields.get(*at).is_some_and(|value| !travels(value))
                && let Some(wanted) = fields.remove(*at)
            {
                cut.keep.push((*keep, wanted));
            }
            None
        }
        Out::Commas { at, to } => {
            commas(theirs, at, to).then_some((*at, "a word with a comma would be two".into()))
        }
        Out::Channel { at, to } => (!channel(theirs, at, to))
            .then_some((*at, "name the channel: ChannelId::named(\"general\")".into())),
        Out::Lacks { at, instead } => place::is_given(theirs, at).then_some((*at, (*instead).into())),
        Out::Needs { at, instead } => (!place::is_given(theirs, at)).then_some((*at, (*instead).into())),
        Out::OneOf { at, words, instead } => {
            has(theirs, at, &|text| !words.contains(&text)).then_some((*at, (*instead).into()))
        }
        Out::Never { at, word, instead } => {
            has(theirs, at, &|text| text == *word).then_some((*at, (*instead).into()))
        }
        // They count as their language does: in UTF-16.
        Out::Text { at, longest } => has(theirs, at, &|text| text.encode_utf16().count() > *longest)
            .then(|| (*at, format!("the service would cut it at {longest} characters; send less").into())),
        Out::Entries { at, most } => {
            is(theirs, at, &|value| value.as_array().is_some_and(|list| list.len() > *most))
                .then(|| (*at, format!("the service would cut it at {most} entries; send fewer").into()))
        }
        Out::Amount { at, least, most } => {
            let outside =
                |value: &Value| value.as_i64().is_some_and(|cents| !(*least..=*most).contains(&cents));
            is(theirs, at, &outside).then(|| (*at, format!("it must be from {least} to {most} cents").into()))
        }
    };
    holds.map_or(Ok(()), |(field, instead): (&'static str, Cow<'static, str>)| Err(no(row, field, instead)))
}

fn no(row: &Row, field: &'static str, instead: impl Into<Cow<'static, str>>) -> Unsupported {
    Unsupported {
        operation: row.name,
        field: Some(field.into()),
        dialect: Dialect::Deployed,
        instead: instead.into(),
    }
}

fn is(value: &mut Value, at: &str, holds: &dyn Fn(&Value) -> bool) -> bool {
    let mut found = false;
    place::each(value, at, &mut |object, name| found |= object.get(name).is_some_and(holds));
    found
}

/// Whether the text, or one of the list, is like this.
fn has(value: &mut Value, at: &str, holds: &dyn Fn(&str) -> bool) -> bool {
    is(value, at, &|value| match value {
        Value::Array(list) => list.iter().filter_map(Value::as_str).any(holds),
        text => text.as_str().is_some_and(holds),
    })
}

fn earlier(object: &mut Map<String, Value>, name: &str, seconds: u64) {
    let time = object.get(name).and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    if let Some(time) = time {
        object.insert(name.to_owned(), time.minus(Duration::from_secs(seconds)).to_string().into());
    }
}

/// Joins a list. Whether a comma within a word prevents it.
fn commas(theirs: &mut Value, at: &str, to: &str) -> bool {
    let Value::Object(fields) = theirs else { return false };
    let Some(Value::Array(list)) = fields.remove(at) else { return false };
    let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    if words.iter().any(|word| word.contains(',')) {
        return true;
    }
    fields.insert(to.to_owned(), words.join(",").into());
    false
}

/// Puts a channel's name in the place of its id. Whether it has one, or is not mentioned.
fn channel(theirs: &mut Value, at: &str, to: &str) -> bool {
    let Value::Object(fields) = theirs else { return true };
    let Some(id) = fields.remove(at) else { return true };
    let id = ChannelId::new(id.as_str().unwrap_or_default());
    let Some(name) = id.name() else { return false };
    fields.insert(to.to_owned(), name.into());
    true
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::{ENDPOINTS, EXTENSIONS, deployed, owner};

    #[test]
    fn every_operation_of_the_contract_stands_in_the_table_or_is_refused_with_advice() {
        let known: BTreeSet<_> = TABLE.iter().map(|row| row.name).collect();
        assert_eq!(known.len(), TABLE.len(), "a row is there twice");
        let all = ENDPOINTS.iter().chain(&EXTENSIONS).chain(&owner::ENDPOINTS).chain(&deployed::ENDPOINTS);
        let mut contract = BTreeSet::new();
        for operation in all {
            contract.insert(operation.name);
            let said = translate(operation.name, Value::Object(Map::new()));
            match said {
                Err(Unsupported { field: None, instead, .. }) => assert!(!instead.is_empty()),
                _ => assert!(known.contains(operation.name), "{}", operation.name),
            }
        }
        assert!(ENDPOINTS.iter().all(|operation| known.contains(operation.name)), "all 23 are there");
        assert!(known.is_subset(&contract), "a row of no operation");
    }
}
