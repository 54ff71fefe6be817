//! What an operation can answer: one success, and the refusals that it shares with others or has of its own.

use std::collections::BTreeMap;

use http::Method;
use openpod_sdk::api::{Access, ErrorCode, Operation};
use serde_json::{Map, Value, json};

use super::operation::{is_versioned, takes_idempotency_key};
use crate::http::ApiError;

/// Everything that an operation can answer, by status.
pub(super) fn of(row: &Operation, answer: Value) -> Value {
    let mut answers = Map::new();
    answers.insert(row.status.to_string(), success(row, answer));
    for (status, codes) in refusals(row) {
        let shared = shared_codes(status);
        let is_shared = codes.iter().all(|code| shared.contains(code));
        let answer = if is_shared {
            json!({"$ref": format!("#/components/responses/{status}")})
        } else {
            refusal(status, &codes, row.access != Access::Public)
        };
        answers.insert(status.to_string(), answer);
    }
    answers.into()
}

/// Why an operation can be refused, by status.
fn refusals(row: &Operation) -> BTreeMap<u16, Vec<ErrorCode>> {
    let mut codes = vec![
        ErrorCode::InvalidRequest,
        ErrorCode::PayloadTooLarge,
        ErrorCode::Internal,
        ErrorCode::Unavailable,
    ];
    if row.access != Access::Public {
        codes.extend([ErrorCode::Unauthenticated, ErrorCode::Forbidden]);
    }
    if row.access != Access::Public || row.method == Method::POST {
        codes.push(ErrorCode::RateLimited);
    }
    if takes_idempotency_key(row) {
        codes.push(ErrorCode::Unprocessable);
    }
    codes.extend(row.fails.iter().cloned());
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in codes {
        by_status.entry(status_of(&code)).or_default().push(code);
    }
    by_status
}

/// The refusals that most operations have, word for word.
pub(super) fn common() -> Map<String, Value> {
    let all = [400, 401, 403, 404, 412, 413, 422, 429, 500, 502, 503];
    all.iter()
        .map(|&status| (status.to_string(), refusal(status, &shared_codes(status), status != 401)))
        .collect()
}

fn shared_codes(status: u16) -> Vec<ErrorCode> {
    let known = ErrorCode::KNOWN.iter().map(|word| ErrorCode::from(*word));
    let own = [ErrorCode::GithubNotConnected];
    known.filter(|code| status_of(code) == status && status != 409 && !own.contains(code)).collect()
}

fn status_of(code: &ErrorCode) -> u16 {
    ApiError::new(code.clone(), "").status().as_u16()
}

fn success(row: &Operation, answer: Value) -> Value {
    let mut names = EVERYWHERE.to_vec();
    if is_versioned(row) {
        names.push("ETag");
    }
    if takes_idempotency_key(row) {
        names.push("Idempotency-Replayed");
    }
    if row.access != Access::Public {
        names.extend(RATE_LIMIT);
    }
    json!({
        "description": if row.status == 201 { "It was made." } else { "It was done." },
        "headers": references(&names),
        "content": {"application/json": {"schema": answer}},
    })
}

fn refusal(status: u16, codes: &[ErrorCode], is_limited: bool) -> Value {
    let mut names = EVERYWHERE.to_vec();
    match status {
        401 => names.push("WWW-Authenticate"),
        429 | 503 => names.push("Retry-After"),
        _ => {}
    }
    if is_limited && status != 401 {
        names.extend(RATE_LIMIT);
    }
    let meanings: Vec<String> = codes.iter().map(|code| format!("- `{code}`: {}", meaning(code))).collect();
    json!({
        "description": meanings.join("\n"),
        "headers": references(&names),
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}},
        "x-openpod-codes": codes.iter().map(ErrorCode::as_str).collect::<Vec<_>>(),
    })
}

/// What a code means, without the status that its documentation begins with.
fn meaning(code: &ErrorCode) -> &'static str {
    let place = ErrorCode::KNOWN.iter().position(|word| *word == code.as_str());
    let text = place.map_or("", |place| ErrorCode::MEANINGS[place]);
    text.split_once(": ").map_or(text, |(_, meaning)| meaning)
}

const EVERYWHERE: [&str; 2] = ["X-Request-Id", "Idempotency-Supported"];
const RATE_LIMIT: [&str; 3] = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];

fn references(names: &[&str]) -> Map<String, Value> {
    let reference =
        |name: &&str| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    names.iter().map(reference).collect()
}

/// Headers of answers.
pub(super) fn headers() -> Map<String, Value> {
    let number = json!({"type": "integer", "minimum": 0});
    let word = json!({"type": "string"});
    let yes = json!({"type": "string", "const": "true"});
    let version = json!({"type": "string", "pattern": "^\"[0-9]+\"$"});
    let header = |name: &str, about: &str, schema: &Value| {
        (name.to_owned(), json!({"description": about, "schema": schema}))
    };
    Map::from_iter([
        header("X-Request-Id", "Names this request in the server's log.", &word),
        header("X-RateLimit-Limit", "How many requests the key may make in a minute.", &number),
        header("X-RateLimit-Remaining", "How many it may make at once.", &number),
        header("X-RateLimit-Reset", "When all of them are there again, in Unix seconds.", &number),
        header("Retry-After", "How long to wait before asking again, in seconds.", &number),
        header("ETag", "The ticket's version, for a later `If-Match`.", &version),
        header("Idempotency-Supported", "Every POST and PATCH here takes an `Idempotency-Key`.", &yes),
        header("Idempotency-Replayed", "This answer was given before, to the same call.", &yes),
        header("WWW-Authenticate", "How to send a key.", &word),
    ])
}
