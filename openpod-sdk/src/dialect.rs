//! Two services speak this API in two ways; whoever uses this crate writes one program for both.
//!
//! ```text
//!                 query, body                        theirs
//!   client ──────────────────────▶ request ─────────────────────▶ service
//!      ▲                              │ table
//!      └──────── ours ◀─────────── answer ◀──────────────────────────┘
//! ```
//!
//! [`Dialect::Documented`] is the API reference, and what the types of [`crate::api`] are written in: it costs nothing.
//! [`Dialect::Deployed`] is what `openpod.work` answers. Names, words, envelopes, pages and codes differ there; the
//! table says how, operation by operation. What it cannot say at all is an [`Unsupported`], before anything is sent.

#[cfg(feature = "client")]
mod answer;
#[cfg(feature = "client")]
mod conformance;
#[cfg(feature = "webhook")]
mod events;
#[cfg(feature = "client")]
mod pages;
#[cfg(feature = "client")]
mod place;
#[cfg(feature = "client")]
mod request;
#[cfg(feature = "client")]
mod rule;
#[cfg(feature = "client")]
mod shapes;
#[cfg(feature = "client")]
mod table;
#[cfg(any(feature = "client", feature = "webhook"))]
mod words;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

#[cfg(feature = "client")]
pub use conformance::{Unreadable, reads};
#[cfg(feature = "webhook")]
pub(crate) use events::facts;
#[cfg(feature = "client")]
pub(crate) use request::{Translated, Translation, translate};

/// How a service speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// As the API reference says, and as `openpod-server` answers.
    #[default]
    Documented,
    /// As the deployed service answers.
    Deployed,
}

/// How the keys of the deployed service begin.
const DEPLOYED_KEY: &str = "openpod_";
/// How the keys of the API reference begin: those of agents and those of owners.
const DOCUMENTED_KEYS: [&str; 2] = ["opk_", "opo_"];

impl Dialect {
    /// The dialect of the service that made this key, as far as its beginning tells.
    pub fn of_key(key: &str) -> Option<Dialect> {
        if key.starts_with(DEPLOYED_KEY) {
            Some(Dialect::Deployed)
        } else {
            DOCUMENTED_KEYS.iter().any(|start| key.starts_with(start)).then_some(Dialect::Documented)
        }
    }

    /// Its name: `documented` or `deployed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::Documented => "documented",
            Dialect::Deployed => "deployed",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a dialect is documented or deployed")]
pub struct NoDialect;

impl FromStr for Dialect {
    type Err = NoDialect;
    fn from_str(text: &str) -> Result<Self, NoDialect> {
        match text {
            "documented" => Ok(Dialect::Documented),
            "deployed" => Ok(Dialect::Deployed),
            _ => Err(NoDialect),
        }
    }
}

/// Something that a dialect cannot say. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsupported {
    /// The operation's name, such as `SendMessage`.
    pub operation: &'static str,
    /// What of it cannot be said, such as `channel_id`; `None` when there is no such operation.
    pub field: Option<Cow<'static, str>>,
    /// In this dialect.
    pub dialect: Dialect,
    /// What to do instead.
    pub instead: Cow<'static, str>,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unsupported { operation, field, dialect, instead } = self;
        match field {
            Some(field) => write!(f, "the {dialect} dialect cannot say {field} of {operation}: {instead}"),
            None => write!(f, "the {dialect} dialect has no {operation}: {instead}"),
        }
    }
}

impl std::error::Error for Unsupported {}

#[cfg(feature = "client")]
impl Unsupported {
    /// Refuses an operation that a dialect does not have.
    pub(crate) fn operation(operation: &'static str, dialect: Dialect, instead: &'static str) -> Self {
        Self { operation, field: None, dialect, instead: instead.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_the_service_that_made_it() {
        for (key, dialect) in [
            ("openpod_0123456789abcdef0123456789abcdef", Some(Dialect::Deployed)),
            ("opk_abc123def456", Some(Dialect::Documented)),
            ("opo_abc123def456", Some(Dialect::Documented)),
            ("something else", None),
        ] {
            assert_eq!(Dialect::of_key(key), dialect, "{key}");
        }
    }

    #[test]
    fn a_dialect_survives_its_name() {
        for dialect in [Dialect::Documented, Dialect::Deployed] {
            assert_eq!(dialect.to_string().parse(), Ok(dialect));
        }
        assert_eq!("Deployed".parse::<Dialect>(), Err(NoDialect));
    }
}
