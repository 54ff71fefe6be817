//! `[github]`

use std::path::PathBuf;

use openpod_sdk::Secret;
use serde::Deserialize;
use url::Url;

use super::{Mistake, base_url};

/// The GitHub App that the server is.
#[derive(Debug, Clone)]
pub struct GithubApp {
    /// Where the REST API is; GitHub's unless told.
    pub api_url: Url,
    /// Where people and git find repositories; GitHub's unless told.
    pub web_url: Url,
    /// The App's number.
    pub app_id: u64,
    /// The App's private key, in PEM form.
    pub private_key: Secret,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    api_url: Option<String>,
    web_url: Option<String>,
    app_id: Option<u64>,
    private_key_file: Option<PathBuf>,
    pub(super) agents_connect: bool,
}

impl Raw {
    pub(super) fn valid(self) -> Result<Option<GithubApp>, Mistake> {
        let url =
            |key, text: Option<String>, default: &str| base_url(key, text.as_deref().unwrap_or(default));
        let api_url = url("github.api_url", self.api_url, "https://api.github.com")?;
        let web_url = url("github.web_url", self.web_url, "https://github.com")?;
        let (app_id, file) = match (self.app_id, self.private_key_file) {
            (None, None) => return Ok(None),
            (Some(app_id), Some(file)) => (app_id, file),
            (Some(_), None) => {
                return Err(Mistake::new(
                    "github.private_key_file",
                    "",
                    "be given together with github.app_id",
                ));
            }
            (None, Some(_)) => {
                return Err(Mistake::new(
                    "github.app_id",
                    "",
                    "be given together with github.private_key_file",
                ));
            }
        };
        let named = file.display().to_string();
        let private_key = std::fs::read_to_string(&file).map_err(|why| {
            Mistake::new("github.private_key_file", &named, format!("name a file that can be read ({why})"))
        })?;
        if !private_key.contains("PRIVATE KEY") {
            return Err(Mistake::new("github.private_key_file", named, "name a private key in PEM form"));
        }
        Ok(Some(GithubApp { api_url, web_url, app_id, private_key: Secret::new(private_key) }))
    }
}
