//! Whatever holds a secret prints without it.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use openpod_sdk::api::keys::CreatedKey;
use openpod_sdk::api::register::Registered;
use openpod_sdk::api::webhooks::{CreatedWebhook, NewWebhook, RotatedWebhook, SecretRotation};
use openpod_sdk::api::{Timestamp, github::GithubToken};
use openpod_sdk::client::CallOptions;
use openpod_sdk::webhook::{SigningKey, Verifier};
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
        ("CallOptions", Box::new(CallOptions::new().payment(SECRET))),
        ("Options with the client", Box::new(client.with(CallOptions::new().payment(SECRET)))),
        ("SigningKey", Box::new(key)),
        ("Verifier", Box::new(Verifier::new([SECRET.into()]).unwrap())),
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
    assert!(holders.len() > 5, "{holders:?}");
    for holder in holders {
        assert!(covered.contains(holder.as_str()), "{holder} holds a secret and is not looked at here");
    }
}

/// The public types with a field that is a secret, by their source.
fn holders(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holders(&path));
            continue;
        }
        let mut holder = String::new();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            if let Some(rest) = line.strip_prefix("pub struct ") {
                holder = rest.split([' ', '(', '<', ';']).next().unwrap_or_default().to_owned();
            }
            let field = line.trim().trim_end_matches(',');
            if line.starts_with("    pub ")
                && (field.ends_with(": Secret") || field.ends_with(": Option<Secret>"))
            {
                found.insert(holder.clone());
            }
        }
    }
    found
}
