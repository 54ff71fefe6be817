//! The published description: valid, complete, and true of every answer that the stories of this package get.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use http::{HeaderMap, Method, StatusCode, header};
use jsonschema::Validator;
use openpod_server::openapi;
use serde_json::{Value, json};

use super::world::World;

static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi::document);

/// The schema of OpenAPI 3.1 documents, `schemas/v3.1/schema.json` of the npm package
/// `@seriousme/openapi-schema-validator` 2.11.0 (MIT), which takes it from the OpenAPI Initiative.
const OPENAPI_SCHEMA: &str = include_str!("openapi/openapi-3.1-schema.json");

/// The list of operations as it was last agreed on.
const OPERATIONS: &str = include_str!("openapi/operations.txt");

#[test]
fn the_description_is_valid_openapi_3_1() {
    let schema: Value = serde_json::from_str(OPENAPI_SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(&DOCUMENT).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_schema_of_the_description_is_a_valid_schema() {
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::meta::is_valid(schema), "{name}");
    }
}

/// To agree on a new list: copy what the failure shows to `tests/server/openapi/operations.txt`.
#[test]
fn the_list_of_operations_is_the_one_agreed_on() {
    let lines: Vec<String> = openapi::operations()
        .map(|(row, is_extension)| {
            let mark = if is_extension { " extension" } else { "" };
            let address = openapi::address(row);
            let answers = DOCUMENT["paths"][&address][row.method.as_str().to_ascii_lowercase()]["responses"]
                .as_object()
                .unwrap();
            let statuses: Vec<&str> = answers.keys().map(String::as_str).collect();
            format!("{} {address} {} [{}]{mark}\n", row.method, row.name, statuses.join(" "))
        })
        .collect();
    let list = lines.concat();
    assert!(list == OPERATIONS, "the operations are now:\n{list}");
}

#[tokio::test]
async fn the_description_and_its_page_are_public_and_cacheable() {
    let world = World::new().await;
    for path in [openapi::DOCUMENT_PATH, openapi::PAGE_PATH, openapi::STYLE_PATH] {
        let answer = world.call(Method::GET, path, None, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(answer.headers[header::CACHE_CONTROL].to_str().unwrap().starts_with("public"));
        assert!(
            answer.headers[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'")
        );
        let request = http::Request::get(path).header(header::IF_NONE_MATCH, &answer.headers[header::ETAG]);
        let again = world.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!((again.status, &again.json), (StatusCode::NOT_MODIFIED, &Value::Null), "{path}");
    }
    let answer = world.call(Method::GET, openapi::DOCUMENT_PATH, None, None).await;
    assert_eq!(answer.json, *DOCUMENT);
}

/// Holds an answer against the description: a status, a header, a code or a shape that is not in it fails the story.
#[track_caller]
pub(super) fn check(method: &Method, path: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) {
    let Some((template, operation)) = operation(method, path) else { return };
    let place = format!("{method} {template} answered {status}");
    let described = &operation["responses"][status.as_str()];
    assert!(!described.is_null(), "{place}, which is not described: {}", String::from_utf8_lossy(body));
    let described = followed(described);
    for name in ["etag", "idempotency-replayed", "retry-after", "www-authenticate"] {
        let is_described =
            described["headers"].as_object().unwrap().keys().any(|key| key.eq_ignore_ascii_case(name));
        assert!(is_described || !headers.contains_key(name), "{place} with {name}, which is not described");
    }
    assert!(headers.contains_key("x-request-id"), "{place} without its id");
    assert_eq!(headers["idempotency-supported"], "true", "{place}");
    if described["headers"].get("ETag").is_some() {
        assert!(headers.contains_key(header::ETAG), "{place} without the ETag that is described");
    }
    assert_eq!(headers[header::CONTENT_TYPE], "application/json", "{place}");
    let body: Value = serde_json::from_slice(body).unwrap_or_else(|error| panic!("{place}: {error}"));
    if let Some(codes) = described["x-openpod-codes"].as_array() {
        assert!(codes.contains(&body["code"]), "{place} with {}, which is not described", body["code"]);
    }
    let wrong = with_validator(&described["content"]["application/json"]["schema"], |validator| {
        let errors = validator.iter_errors(&body);
        errors.map(|error| format!("{}: {error}", error.instance_path())).collect::<Vec<_>>()
    });
    assert!(wrong.is_empty(), "{place}: {wrong:#?}\n{body:#}");
}

/// The operation that serves a path, and its template.
fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        wanted.len() == parts.len()
            && wanted.iter().zip(&parts).all(|(want, part)| want.starts_with('{') || want == part)
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    // A path that is written out wins over one with a placeholder, as it does in the router.
    let (template, item) = paths
        .iter()
        .filter(|(template, _)| fits(template))
        .min_by_key(|(template, _)| template.matches('{').count())?;
    item.get(method.as_str().to_ascii_lowercase()).map(|operation| (template.as_str(), operation))
}

fn followed(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// Compiles a schema once, with the shared schemas beside it so that its references lead to them.
fn with_validator<R>(schema: &Value, read: impl FnOnce(&Validator) -> R) -> R {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, Validator>>> = LazyLock::new(Mutex::default);
    let mut validators = VALIDATORS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let validator = validators.entry(schema.to_string()).or_insert_with(|| {
        let mut whole = schema.clone();
        whole["components"] = json!({"schemas": DOCUMENT["components"]["schemas"]});
        let options = jsonschema::options().should_validate_formats(true);
        options.build(&whole).unwrap()
    });
    read(validator)
}
