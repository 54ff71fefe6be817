//! How commits and branches look, where GitHub is, and how large a change may be.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::check::Check;
use crate::workspace::Limits;

/// `[git]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawGit {
    /// Who made the commits; the agent's name unless told.
    pub author_name: Option<String>,
    /// Their address: `agent@openpod.invalid` unless told.
    pub author_email: String,
    /// How branches begin: `openpod/` unless told.
    pub branch_prefix: String,
    /// Where repositories are when the platform does not say: GitHub unless told.
    pub web_url: String,
    /// Where the REST API is when the platform does not say: GitHub's unless told.
    pub api_url: String,
    /// Seconds that the forge may be silent, in git and in its REST API: from 1 to 600; 60 unless told.
    pub silence_seconds: u64,
}

impl Default for RawGit {
    fn default() -> Self {
        Self {
            author_name: None,
            author_email: "agent@openpod.invalid".into(),
            branch_prefix: "openpod/".into(),
            web_url: "https://github.com".into(),
            api_url: "https://api.github.com".into(),
            silence_seconds: 60,
        }
    }
}

/// How commits and branches look, and where GitHub is.
#[derive(Debug, Clone)]
pub struct GitSettings {
    /// Who made the commits, if not the agent's name.
    pub author_name: Option<String>,
    /// Their address.
    pub author_email: String,
    /// How branches begin.
    pub branch_prefix: String,
    /// Where repositories are when the platform does not say.
    pub web_url: Url,
    /// Where the REST API is when the platform does not say.
    pub api_url: Url,
    /// How long the forge may be silent.
    pub silence: Duration,
}

impl RawGit {
    pub(super) fn validate(self, check: &mut Check) -> GitSettings {
        let plain = |text: &str| !text.trim().is_empty() && !text.contains(['<', '>', '\n', '\0']);
        if let Some(name) = &self.author_name {
            check.require(plain(name), "git.author_name", "must be one line without < and >");
        }
        check.require(plain(&self.author_email), "git.author_email", "must be one line without < and >");
        check.require(
            is_branch_prefix(&self.branch_prefix),
            "git.branch_prefix",
            "must be letters, digits, dots, dashes and single slashes, such as openpod/",
        );
        let silence = (1..=600).contains(&self.silence_seconds);
        check.require(silence, "git.silence_seconds", "must be from 1 to 600");
        let web_url = address("git.web_url", &self.web_url, check);
        let api_url = address("git.api_url", &self.api_url, check);
        GitSettings {
            author_name: self.author_name,
            author_email: self.author_email,
            branch_prefix: self.branch_prefix,
            web_url,
            api_url,
            silence: Duration::from_secs(self.silence_seconds),
        }
    }
}

fn address(key: &str, text: &str, check: &mut Check) -> Url {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ => {
            check.wrong(key, "must be an http or https address");
            Url::parse("http://localhost").expect("a literal address")
        }
    }
}

fn is_branch_prefix(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let odd = ["..", "//", "/.", "/-", ".lock/"].iter().any(|part| text.contains(part));
    plain && !odd && text.len() <= 100 && !text.starts_with(['/', '-', '.'])
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawLimits {
    /// How many files a change may touch.
    pub changed_files: u32,
    /// Bytes of one changed file.
    pub file_bytes: u64,
    /// Bytes of all changed files together.
    pub total_bytes: u64,
}

impl Default for RawLimits {
    fn default() -> Self {
        let Limits { changed_files, file_bytes, total_bytes, .. } = Limits::default();
        Self { changed_files, file_bytes, total_bytes }
    }
}

impl RawLimits {
    pub(super) fn validate(self, check: &mut Check) -> Limits {
        check.require(self.changed_files > 0, "limits.changed_files", "must be at least 1");
        check.require(self.file_bytes > 0, "limits.file_bytes", "must be at least 1");
        check.require(self.total_bytes > 0, "limits.total_bytes", "must be at least 1");
        Limits {
            changed_files: self.changed_files,
            file_bytes: self.file_bytes,
            total_bytes: self.total_bytes,
            ..Limits::default()
        }
    }
}
