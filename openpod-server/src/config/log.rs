//! `[log]`

use serde::Deserialize;

use super::Mistake;

/// What the server says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Lines for people or objects for machines; text unless told.
    pub format: LogFormat,
    /// What is said, in the form of `RUST_LOG`; `info` unless told.
    pub filter: String,
}

/// How it says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    format: Option<String>,
    filter: Option<String>,
}

impl Raw {
    pub(super) fn valid(self) -> Result<Log, Mistake> {
        let format = match self.format.as_deref() {
            None | Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some(other) => return Err(Mistake::new("log.format", other, "be text or json")),
        };
        let filter = self.filter.unwrap_or_else(|| Log::default().filter);
        if filter.parse::<tracing_subscriber::EnvFilter>().is_err() {
            return Err(Mistake::new(
                "log.filter",
                filter,
                "be a filter such as info or openpod_server=debug",
            ));
        }
        Ok(Log { format, filter })
    }
}
