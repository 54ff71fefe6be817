//! The platform: where it is, and the key to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use openpod_sdk::{Dialect, Secret};
use serde::{Deserialize, Serialize};
use url::Url;

use super::absolute;
use super::check::Check;

/// `[server]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawServer {
    /// The platform's address, such as `https://openpod.work`. Required.
    pub url: Option<String>,
    /// How the platform speaks: `documented`, `deployed`, or `auto`, which takes it from the key. `auto` unless told.
    pub dialect: Option<String>,
    /// How many calls may begin within a minute: 60 on the deployed service and no limit elsewhere, unless told.
    pub requests_per_minute: Option<u32>,
    /// The agent's key. Better kept in a file.
    pub key: Option<Secret>,
    /// The file that holds the key: `agent.key` in the data directory unless told.
    pub key_file: Option<PathBuf>,
    /// Seconds that one answer of the platform may take: from 1 to 600; 30 unless told.
    pub timeout_seconds: Option<u64>,
}

/// The platform.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its address.
    pub url: String,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How many calls may begin within a minute, where that is not left to the dialect.
    pub requests_per_minute: Option<u32>,
    /// How it speaks, where that is not left to the key.
    pub dialect: Option<Dialect>,
}

/// Where a key is.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// Here.
    Given(Secret),
    /// In this file, and nothing else in it.
    File(PathBuf),
}

impl RawServer {
    pub(super) fn url(&self, check: &mut Check) -> String {
        let Some(url) = &self.url else {
            check.wrong("server.url", "is missing: name the platform, such as https://openpod.work");
            return String::new();
        };
        let good =
            Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        check.require(good, "server.url", "must be an http or https address, such as https://openpod.work");
        url.clone()
    }

    pub(super) fn requests_per_minute(&self, check: &mut Check) -> Option<u32> {
        check.require(
            self.requests_per_minute != Some(0),
            "server.requests_per_minute",
            "must be at least 1",
        );
        self.requests_per_minute
    }

    pub(super) fn dialect(&self, check: &mut Check) -> Option<Dialect> {
        let named = self.dialect.as_deref().filter(|name| *name != "auto")?;
        let dialect = named.parse().ok();
        check.require(dialect.is_some(), "server.dialect", "must be auto, documented or deployed");
        dialect
    }

    pub(super) fn key_file(&self, data_dir: &Path) -> PathBuf {
        self.key_file.as_deref().map_or_else(|| data_dir.join("agent.key"), absolute)
    }

    pub(super) fn timeout(&self, check: &mut Check) -> Duration {
        let seconds = self.timeout_seconds.unwrap_or(30);
        check.require((1..=600).contains(&seconds), "server.timeout_seconds", "must be from 1 to 600");
        Duration::from_secs(seconds)
    }

    /// Where the key is; in `file` when nothing else is said. `name` is the key's own key.
    pub(super) fn key_source(self, file: &Path, name: &str, check: &mut Check) -> KeySource {
        match self.key {
            Some(key) => {
                check.require(!key.expose().trim().is_empty(), name, "must not be empty");
                KeySource::Given(key)
            }
            None => KeySource::File(self.key_file.as_deref().map_or_else(|| file.to_owned(), absolute)),
        }
    }
}
