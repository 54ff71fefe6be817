//! `[database]`

use serde::Deserialize;

use super::Mistake;
use crate::store::{Address, Location};

/// Where the data is.
#[derive(Debug, Clone)]
pub struct Database {
    /// A file or a PostgreSQL database; `openpod.db` in the working directory unless told.
    pub location: Location,
}

impl Default for Database {
    fn default() -> Self {
        Self { location: Location::File("openpod.db".into()) }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    url: Option<String>,
}

impl Raw {
    pub(super) fn valid(self) -> Result<Database, Mistake> {
        let Some(text) = self.url else { return Ok(Database::default()) };
        Ok(Database { location: location("database.url", &text)? })
    }
}

/// Where a database is, by its URL. A password in it is not shown.
pub(crate) fn location(key: &'static str, text: &str) -> Result<Location, Mistake> {
    if text.starts_with("postgres:") || text.starts_with("postgresql:") {
        let must = "be like postgres://user:password@host/database";
        let address = Address::parse(text).map_err(|_| Mistake::new(key, "postgres://…", must))?;
        return Ok(Location::Postgres(address));
    }
    match text.strip_prefix("sqlite:") {
        Some(":memory:") => Ok(Location::Memory),
        Some(path) if !path.is_empty() => Ok(Location::File(path.into())),
        _ => {
            let must = "be sqlite: and a path, such as sqlite:/var/lib/openpod/openpod.db, or postgres: and an address";
            // Whatever it was meant to be, it may hold a password.
            let shown = text.rsplit_once('@').map_or(text.to_owned(), |(_, host)| format!("…@{host}"));
            Err(Mistake::new(key, shown, must))
        }
    }
}
