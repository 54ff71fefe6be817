//! The house itself: imports point one way, pure cores stay pure, and no file grows beyond what one can hold in mind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const CRATES: [&str; 4] = ["openpod-sdk", "openpod-agentd", "openpod-server", "openpod-forge"];

struct Source {
    krate: &'static str,
    /// Relative to the crate's `src`.
    path: String,
    /// Without the tests at its end.
    code: String,
}

impl Source {
    /// The top-level module that the file belongs to.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.code.lines().filter(|line| !line.trim_start().starts_with("//"))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for krate in CRATES {
        let src = root().join(krate).join("src");
        for file in rust_files(&src) {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
            let path = file.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
            found.push(Source { krate, path, code });
        }
    }
    found
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The names that follow `crate::` in a line, also within braces: `crate::{a, b::c}` names a and b.
fn modules_named(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (_, rest) in line.match_indices("crate::").map(|(at, found)| line.split_at(at + found.len())) {
        let parts: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group.split([',', '}']).collect(),
            None => vec![rest],
        };
        for part in parts {
            let name: String = part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if name.chars().next().is_some_and(char::is_lowercase) {
                names.push(name);
            }
        }
    }
    names
}

/// Whether a line holds this word, and not as the beginning of a longer one.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, found)| {
        let next = line[at + found.len()..].chars().next();
        !found.ends_with(char::is_alphanumeric) || !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn no_two_modules_import_each_other_even_by_a_detour() {
    let sources = sources();
    for krate in CRATES {
        let mut imports: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for source in sources.iter().filter(|source| source.krate == krate) {
            let module = source.module();
            if matches!(module, "lib" | "main") {
                continue;
            }
            let named = source.lines().flat_map(modules_named).filter(|name| name != module);
            imports.entry(module).or_default().extend(named);
        }
        let mut left: BTreeMap<&str, BTreeSet<String>> = imports.clone();
        loop {
            let settled: Vec<&str> = left
                .iter()
                .filter(|(_, named)| named.iter().all(|name| !left.contains_key(name.as_str())))
                .map(|(module, _)| *module)
                .collect();
            if settled.is_empty() {
                break;
            }
            left.retain(|module, _| !settled.contains(module));
        }
        assert!(left.is_empty(), "{krate}: these modules import each other in a circle: {left:#?}");
    }
}

#[test]
fn pure_cores_know_no_time_no_store_and_no_network() {
    let pure = |source: &Source| match source.krate {
        "openpod-server" => source.module() == "domain",
        "openpod-agentd" => matches!(source.module(), "job" | "reconcile"),
        "openpod-sdk" => {
            matches!(source.module(), "api" | "dialect")
                || matches!(source.path.as_str(), "client/request.rs" | "client/response.rs")
        }
        _ => false,
    };
    let forbidden = [
        "async ",
        ".await",
        "tokio",
        "reqwest",
        "rusqlite",
        "octocrab",
        "axum",
        "Clock",
        "std::fs",
        "std::net",
        "crate::store",
        "crate::journal",
        "crate::effects",
        "getrandom",
    ];
    let mut looked_at = 0;
    for source in sources().iter().filter(|source| pure(source)) {
        looked_at += 1;
        for line in source.lines() {
            for word in forbidden {
                assert!(
                    !names(line, word),
                    "{}/src/{} must not name {word}: {line}",
                    source.krate,
                    source.path
                );
            }
        }
    }
    assert!(looked_at > 30, "only {looked_at} pure files were found");
}

#[test]
fn only_the_transport_names_the_http_library_in_the_sdk() {
    for source in sources().iter().filter(|source| source.krate == "openpod-sdk") {
        let names = source.lines().any(|line| line.contains("reqwest"));
        assert!(!names || source.path == "client/transport.rs", "{} names reqwest", source.path);
    }
}

#[test]
fn the_address_of_github_stands_in_configuration_only() {
    let allowed = |source: &Source| {
        source.path.starts_with("config")
            || (source.krate == "openpod-forge" && source.path == "rest/documentation.rs")
    };
    for source in sources().iter().filter(|source| !allowed(source)) {
        for line in source.lines() {
            assert!(!line.contains("github.com"), "{}/src/{}: {line}", source.krate, source.path);
        }
    }
}

#[test]
fn a_path_of_the_contract_is_written_in_the_contract_alone() {
    for source in sources().iter().filter(|source| source.path != "api/endpoint.rs") {
        for line in source.lines() {
            let repeated = line.contains("\"/api/agent/") || line.contains("\"/api/owner/");
            assert!(!repeated, "{}/src/{}: {line}", source.krate, source.path);
        }
    }
}

#[test]
fn no_file_is_longer_than_400_lines_without_its_tests() {
    for source in sources() {
        let lines = source.code.lines().count();
        assert!(lines <= 400, "{}/src/{} has {lines} lines", source.krate, source.path);
    }
}

#[test]
fn comments_do_not_put_work_off() {
    for source in sources() {
        for word in ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("] {
            assert!(!source.code.contains(word), "{}/src/{} contains {word}", source.krate, source.path);
        }
    }
}

#[test]
fn a_word_is_told_from_a_longer_one() {
    assert!(names("x.await?", ".await") && names("use tokio::sync;", "tokio"));
    assert!(!names("x.awaiting", ".await") && names("async fn f()", "async "));
}

#[test]
fn a_group_of_imports_is_understood() {
    assert_eq!(modules_named("use crate::{store, http::ApiError};"), ["store", "http"]);
    assert_eq!(modules_named("use crate::store::Tx; // crate::Secret"), ["store"]);
}
