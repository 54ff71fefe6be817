//! Schemas that are not derived.

use schemars::{Schema, json_schema};

/// Words of which more may come.
pub(crate) fn open_list(about: &str, words: &[&str], meanings: &[&str]) -> Schema {
    let mut text = format!("{about} An open list: be ready for words that are not in it.\n");
    for (word, meaning) in words.iter().zip(meanings) {
        text.push_str(&format!("\n- `{word}`: {meaning}"));
    }
    json_schema!({
        "type": "string",
        "description": text,
        "x-extensible-enum": words,
    })
}

/// A point in time.
pub(crate) fn instant() -> Schema {
    json_schema!({
        "type": "string",
        "format": "date-time",
        "description": "A point in time. Any RFC 3339 text comes in; UTC with `Z` and six digits goes out.",
    })
}
