//! The entries of `fuzz/`, for a moment: bytes from nowhere, and recorded answers with a piece exchanged.

use std::path::Path;

use openpod_sdk::api::{ENDPOINTS, EXTENSIONS};
use openpod_sdk::webhook::header;
use proptest::prelude::*;
use serde_json::{Value, json};

#[path = "../../fuzz/entries.rs"]
mod entries;

/// Every recorded answer of both dialects.
fn recorded() -> Vec<Value> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).collect()
}

/// Exchanges the nth value in a document.
fn exchange(value: &mut Value, n: &mut usize, other: &Value) {
    if *n == 0 {
        *value = other.clone();
        *n = usize::MAX;
        return;
    }
    *n -= 1;
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| exchange(item, n, other)),
        Value::Object(fields) => fields.values_mut().for_each(|field| exchange(field, n, other)),
        _ => {}
    }
}

fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[[]]])),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn bytes_from_nowhere_harm_no_parser(which in any::<[u8; 2]>(), body in proptest::collection::vec(any::<u8>(), 0..200)) {
        entries::answers(&[&which[..], &body].concat());
        entries::events(&body);
        entries::verifier(&body);
    }

    #[test]
    fn an_answer_with_a_piece_exchanged_harms_no_parser(
        which in any::<[u8; 2]>(), file in any::<prop::sample::Index>(), at in 0_usize..60, other in odd(),
    ) {
        let mut answer = file.get(&recorded()).clone();
        exchange(&mut answer, &mut { at }, &other);
        let body = serde_json::to_vec(&answer).unwrap();
        entries::answers(&[&which[..], &body].concat());
        entries::events(&body);
    }

    #[test]
    fn a_forged_delivery_is_never_believed(
        id in "[a-z0-9._-]{0,12}", time in "-?[0-9]{0,20}", signature in "(v1,[A-Za-z0-9+/=]{0,48} ?){0,3}",
        older in "(sha256=)?[0-9a-f]{0,64}",
    ) {
        let body = r#"{"event":"ticket_assigned","timestamp":"2026-03-12T10:30:00Z","data":{}}"#;
        let request = format!(
            "{}:{id}\n{}:{time}\n{}:{signature}\n{}:{older}\n\n{body}",
            header::ID, header::TIMESTAMP, header::SIGNATURE, header::LEGACY_SIGNATURE,
        );
        entries::verifier(request.as_bytes());
    }
}

#[test]
fn every_operation_can_be_chosen_by_its_byte() {
    assert!(ENDPOINTS.len() + EXTENSIONS.len() + 24 + 3 <= 256);
}
