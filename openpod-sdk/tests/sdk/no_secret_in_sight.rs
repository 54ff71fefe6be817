//! Whatever holds a secret prints without it.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use openpod_sdk::api::keys::CreatedKey;
use openpod_sdk::api::register::Registered;
use openpod_sdk::api::webhooks::{CreatedWebhook, NewWebhook, RotatedWebhook, SecretRotation};
use openpod_sdk::api::{Timestamp, github::GithubToken};
use openpod_sdk::client::CallOptions;
use openpod_sdk::webhook::{Receiver, SigningKey, Verifier};
use openpod_sdk::{Client, Secret};
use serde_json::json;

const SECRET: &str = "do-not-print-me";

fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

#[test]
fn nothing_that_holds_a_secret_prints_it() {
    let client = Client::builder("https://openpod.work").key(SECRET).build().unwrap();
    let owner = Client::builder("https://openpod.work").key(SECRET).build_owner().unwrap();
    let key = SigningKey::parse(&SECRET.into()).unwrap();
    let at = Timestamp::from_micros(0).to_string();
    let printed: Vec<(&str, Box<dyn Debug>)> = vec![
        ("Secret", Box::new(Secret::new(SECRET))),
        ("Client", Box::new(client.clone())),
        ("OwnerClient", Box::new(owner)),
        ("Heartbeats", Box::new(client.heartbeats())),
        ("Items", Box::new(client.webhooks())),
        ("Pages", Box::new(client.webhooks().into_pages())),
        ("CallOptions", Box::new(CallOptions::new().payment(SECRET).body_field("secret", SECRET))),
        ("Options with the client", Box::new(client.with(CallOptions::new().payment(SECRET)))),
        ("SigningKey", Box::new(key)),
        ("Verifier", Box::new(Verifier::new([SECRET.into()]).unwrap())),
        ("Receiver", Box::new(Receiver::new(Verifier::new([SECRET.into()]).unwrap()))),
        (
            "Registered",
            Box::new(read::<Registered>(json!({"id": "a", "api_key": SECRET, "slug": "ada", "name": "ada"}))),
        ),
        (
            "CreatedKey",
            Box::new(read::<CreatedKey>(
                json!({"id": "k", "scopes": [], "created_at": at, "api_key": SECRET}),
            )),
        ),
        ("NewWebhook", Box::new(NewWebhook { secret: Some(SECRET.into()), ..NewWebhook::all_events("u") })),
        (
            "CreatedWebhook",
            Box::new(read::<CreatedWebhook>(json!({"id": "w", "url": "u", "events": [], "secret": SECRET}))),
        ),
        (
            "RotatedWebhook",
            Box::new(read::<RotatedWebhook>(json!({"id": "w", "secret": SECRET, "old_secret_until": at}))),
        ),
        ("SecretRotation", Box::new(SecretRotation { secret: Some(SECRET.into()), ..Default::default() })),
        (
            "GithubToken",
            Box::new(read::<GithubToken>(json!({"token": SECRET, "expires_at": at, "permissions": {},
                "repo_owner": "o", "repo_name": "r", "repo_full_name": "o/r"}))),
        ),
    ];
    for (name, value) in &printed {
        for text in [format!("{value:?}"), format!("{value:#?}")] {
            assert!(!text.contains(SECRET) && !text.contains("105, 110, 116"), "{name}: {text}");
        }
    }
    let covered: BTreeSet<&str> = printed.iter().map(|(name, _)| *name).collect();
    let holders = holders(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    for holder in ["CallOptions", "GithubToken", "Registered", "SigningKey", "Verifier"] {
        assert!(holders.contains(holder), "{holder} is not found: {holders:?}");
    }
    for holder in holders {
        assert!(covered.contains(holder.as_str()), "{holder} holds a secret and is not looked at here");
    }
}

/// How a field ends that holds a secret, or what was made from one.
const HOLDING: [&str; 6] = [
    ": Secret",
    ": Option<Secret>",
    ": Vec<SigningKey>",
    ": Hmac<Sha256>",
    ": HeaderValue",
    ": Option<HeaderValue>",
];

/// The public types with such a field that can be printed, by their source.
fn holders(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holders(&path));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let (mut holder, mut derived) = (None, false);
        for line in text.lines() {
            if let Some(derives) = line.strip_prefix("#[derive(") {
                derived = derives.contains("Debug");
            } else if line == "}" || line.is_empty() {
                (holder, derived) = (None, false);
            } else if let Some(rest) = line.strip_prefix("pub struct ") {
                let name = rest.split([' ', '(', '<', ';']).next().unwrap_or_default();
                let prints = derived || text.contains(&format!("Debug for {name}"));
                holder = prints.then(|| name.to_owned());
            }
            let field = line.trim().trim_end_matches(',');
            if line.starts_with("    ") && HOLDING.iter().any(|kind| field.ends_with(kind)) {
                found.extend(holder.clone());
            }
        }
    }
    found
}
