//! The configuration: a TOML file, then the environment, then flags; each overrules what came before.
//!
//! What is read is raw; what the program sees is valid. A mistake names the key, the value and where it came from.

mod database;
mod forge;
mod github;
mod limits;
mod listen;
mod log;
mod webhooks;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use database::Database;
pub(crate) use database::location as database_location;
pub use forge::LocalForge;
pub use github::GithubApp;
pub use limits::CallLimits;
pub use listen::Listen;
pub use log::{Log, LogFormat};
pub use webhooks::Webhooks;

/// What variables of the environment begin with: `OPENPOD_SERVER_LISTEN__ADDRESS` is `listen.address`.
pub const ENVIRONMENT: &str = "OPENPOD_SERVER";

/// The variable that names the configuration file.
pub const FILE_VARIABLE: &str = "OPENPOD_SERVER_CONFIG";

/// A valid configuration.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Where it listens.
    pub listen: Listen,
    /// Where its data is.
    pub database: Database,
    /// How often callers may call.
    pub limits: CallLimits,
    /// Where webhooks may go.
    pub webhooks: Webhooks,
    /// The GitHub App that it is; without one it has no GitHub, unless the forge is on.
    pub github: Option<GithubApp>,
    /// Whether projects of agents are given tokens for the repositories that they name: whoever may register could
    /// then reach every repository that the App can reach. Not unless told.
    pub agents_connect: bool,
    /// The forge that it runs itself.
    pub forge: Option<LocalForge>,
    /// What it says about itself.
    pub log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    listen: listen::Raw,
    database: database::Raw,
    limits: limits::Raw,
    webhooks: webhooks::Raw,
    github: github::Raw,
    forge: forge::Raw,
    log: log::Raw,
}

/// A value that is not what its key asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} must {must}, not {value:?}")]
pub struct Mistake {
    /// Which key.
    pub key: &'static str,
    /// What stands there. Secrets are left out.
    pub value: String,
    /// What it must be.
    pub must: String,
}

impl Mistake {
    fn new(key: &'static str, value: impl Into<String>, must: impl Into<String>) -> Self {
        Self { key, value: value.into(), must: must.into() }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named is not there.
    #[error("the configuration file {} cannot be read: {why}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// It cannot be understood. The text names key and place.
    #[error("the configuration: {0}")]
    Read(#[from] config::ConfigError),
    /// A value is not what its key asks for.
    #[error("the configuration: {mistake}, in {place}")]
    Mistake {
        /// Which, and why.
        mistake: Mistake,
        /// Where it stands: a file, the environment or the flags.
        place: String,
    },
}

/// A value from a flag: the key, and what was given.
pub type Override = (&'static str, String);

impl Config {
    /// Reads the file, the environment and the flags.
    pub fn load(file: Option<&Path>, flags: &[Override]) -> Result<Config, ConfigError> {
        let mut builder = config::Config::builder();
        if let Some(path) = file {
            std::fs::File::open(path).map_err(|why| ConfigError::File { path: path.to_owned(), why })?;
            builder = builder.add_source(config::File::from(path).format(config::FileFormat::Toml));
        }
        // The variable that names the file is no value of the configuration.
        let variables = std::env::vars().filter(|(name, _)| name != FILE_VARIABLE);
        let environment = config::Environment::with_prefix(ENVIRONMENT)
            .prefix_separator("_")
            .separator("__")
            .source(Some(variables.collect()));
        let environment = environment
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("listen.trusted_proxies")
            .with_list_parse_key("webhooks.allow");
        builder = builder.add_source(environment);
        for (key, value) in flags {
            builder = builder.set_override(*key, value.as_str())?;
        }
        let read = builder.build()?;
        let raw: Raw = read.clone().try_deserialize()?;
        raw.valid()
            .map_err(|mistake| ConfigError::Mistake { place: place_of(&read, mistake.key, file), mistake })
    }
}

/// Where a value came from, in words.
fn place_of(read: &config::Config, key: &str, file: Option<&Path>) -> String {
    let mut value = read.cache.clone();
    for name in key.split('.') {
        let inner = value.clone().into_table().ok().and_then(|mut table| table.remove(name));
        value = inner.unwrap_or(value);
    }
    match (value.origin(), file) {
        (None, _) => "the flags".to_owned(),
        (Some("the environment"), _) | (_, None) => format!("the environment ({ENVIRONMENT}_…)"),
        (Some(_), Some(file)) => file.display().to_string(),
    }
}

impl Raw {
    fn valid(self) -> Result<Config, Mistake> {
        Ok(Config {
            listen: self.listen.valid()?,
            database: self.database.valid()?,
            limits: self.limits.valid()?,
            webhooks: self.webhooks.valid()?,
            agents_connect: self.github.agents_connect,
            github: self.github.valid()?,
            forge: self.forge.valid()?,
            log: self.log.valid()?,
        })
    }
}

/// An absolute address without a trailing slash, a query or credentials.
fn base_url(key: &'static str, text: &str) -> Result<url::Url, Mistake> {
    let must = "be an http or https address without query or credentials, such as https://example.org/api";
    let url = url::Url::parse(text.trim_end_matches('/')).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    url.ok_or_else(|| Mistake::new(key, text, must))
}

#[cfg(test)]
mod tests;
