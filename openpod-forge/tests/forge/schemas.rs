//! GitHub's published description, and which part of it describes which answer.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

/// Method, path below the API, schema of a successful answer. `*` is one part of a path, `**` is one or more.
/// `name[]` is a list of such, `.member[]` a list within an object.
const ANSWERS: &[(&str, &str, &str)] = &[
    ("GET", "/", "root"),
    ("GET", "/meta", "api-overview"),
    ("GET", "/rate_limit", "rate-limit-overview"),
    ("GET", "/user", "private-user"),
    ("GET", "/app", "integration"),
    ("GET", "/app/installations", "installation[]"),
    ("GET", "/app/installations/*", "installation"),
    ("POST", "/app/installations/*/access_tokens", "installation-token"),
    ("GET", "/repos/*/*/installation", "installation"),
    ("GET", "/orgs/*/installation", "installation"),
    ("GET", "/users/*/installation", "installation"),
    ("GET", "/installation/repositories", "repository.repositories[]"),
    ("GET", "/repos/*/*", "full-repository"),
    ("GET", "/repos/*/*/branches", "short-branch[]"),
    ("GET", "/repos/*/*/branches/**", "branch-with-protection"),
    ("GET", "/repos/*/*/git/ref/**", "git-ref"),
    ("GET", "/repos/*/*/git/matching-refs/**", "git-ref[]"),
    ("POST", "/repos/*/*/git/refs", "git-ref"),
    ("PATCH", "/repos/*/*/git/refs/**", "git-ref"),
    ("GET", "/repos/*/*/contents", "content-directory"),
    ("GET", "/repos/*/*/contents/", "content-directory"),
    ("GET", "/repos/*/*/contents/src", "content-directory"),
    ("GET", "/repos/*/*/contents/**", "content-file"),
    ("PUT", "/repos/*/*/contents/**", "file-commit"),
    ("GET", "/repos/*/*/compare/**", "commit-comparison"),
    ("GET", "/repos/*/*/commits", "commit[]"),
    ("GET", "/repos/*/*/commits/**/check-runs", "check-run.check_runs[]"),
    ("GET", "/repos/*/*/commits/**/status", "combined-commit-status"),
    ("GET", "/repos/*/*/commits/**/statuses", "status[]"),
    ("GET", "/repos/*/*/commits/**", "commit"),
    ("POST", "/repos/*/*/check-runs", "check-run"),
    ("GET", "/repos/*/*/check-runs/*", "check-run"),
    ("PATCH", "/repos/*/*/check-runs/*", "check-run"),
    ("POST", "/repos/*/*/statuses/*", "status"),
    ("GET", "/repos/*/*/pulls", "pull-request-simple[]"),
    ("POST", "/repos/*/*/pulls", "pull-request"),
    ("GET", "/repos/*/*/pulls/*", "pull-request"),
    ("PATCH", "/repos/*/*/pulls/*", "pull-request"),
    ("GET", "/repos/*/*/pulls/*/files", "diff-entry[]"),
    ("GET", "/repos/*/*/pulls/*/commits", "commit[]"),
    ("PUT", "/repos/*/*/pulls/*/merge", "pull-request-merge-result"),
    ("GET", "/repos/*/*/statuses/*", "status[]"),
    ("GET", "/repos/*/*/issues/comments/*", "issue-comment"),
    ("PATCH", "/repos/*/*/issues/comments/*", "issue-comment"),
    ("GET", "/repos/*/*/issues/*/comments", "issue-comment[]"),
    ("POST", "/repos/*/*/issues/*/comments", "issue-comment"),
];

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../schemas/github.json")).unwrap());
static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);

fn validator(name: &str) -> &'static Validator {
    let mut known = VALIDATORS.lock().unwrap();
    known.entry(name.to_owned()).or_insert_with(|| {
        let defs = &DESCRIPTION["$defs"];
        assert!(defs.get(name).is_some(), "{name} is not among the schemas");
        let schema = json!({"$ref": format!("#/$defs/{name}"), "$defs": defs});
        Box::leak(Box::new(jsonschema::options().should_validate_formats(true).build(&schema).unwrap()))
    })
}

/// What is wrong with a value by the schema of this name.
pub(crate) fn faults(name: &str, value: &Value) -> Vec<String> {
    validator(name).iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Checks any JSON answer of the API.
pub(crate) fn check(method: &str, path: &str, status: u16, body: &Value) {
    let (schema, items) = match status {
        200 | 201 => expected(method, path),
        422 if body.get("errors").is_some() => ("validation-error", None),
        _ => ("basic-error", None),
    };
    let values: Vec<&Value> = match items {
        None => vec![body],
        Some("") => body.as_array().unwrap().iter().collect(),
        Some(member) => {
            assert!(body["total_count"].is_u64(), "{method} {path}: {body}");
            body[member].as_array().unwrap().iter().collect()
        }
    };
    for value in values {
        let found = faults(schema, value);
        assert!(
            found.is_empty(),
            "{method} {path} answered {status}, which is no {schema}: {found:#?}\n{value:#}"
        );
    }
}

fn expected(method: &str, path: &str) -> (&'static str, Option<&'static str>) {
    let row = ANSWERS.iter().find(|(m, pattern, _)| *m == method && matches(pattern, path));
    let (.., schema) = row.unwrap_or_else(|| panic!("no schema is known for {method} {path}"));
    match schema.strip_suffix("[]") {
        None => (schema, None),
        Some(list) => list.split_once('.').map_or((list, Some("")), |(name, member)| (name, Some(member))),
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    fn fits(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (None, None) => true,
            (Some((&"**", rest)), Some((_, left))) => (0..=left.len()).any(|n| fits(rest, &left[n..])),
            (Some((part, rest)), Some((first, left))) => (*part == "*" || part == first) && fits(rest, left),
            _ => false,
        }
    }
    let path: Vec<&str> = path.split('/').collect();
    let pattern: Vec<&str> = pattern.split('/').collect();
    fits(&pattern, &path)
}

#[test]
fn the_schemas_catch_what_is_wrong() {
    for (schema, value) in [
        ("git-ref", json!({"ref": "refs/heads/x", "node_id": "", "url": "no address", "object": {}})),
        ("pull-request-merge-result", json!({"sha": "a", "merged": "yes", "message": ""})),
        ("basic-error", json!({"message": 1})),
        ("short-branch", json!({"name": "x"})),
    ] {
        assert!(!faults(schema, &value).is_empty(), "{schema} accepts {value}");
    }
}
