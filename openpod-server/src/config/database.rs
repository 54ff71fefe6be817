//! `[database]`

use serde::Deserialize;

use super::Mistake;
use crate::store::Location;

/// Where the data is.
#[derive(Debug, Clone)]
pub struct Database {
    /// The file; `openpod.db` in the working directory unless told.
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
        let location = match text.strip_prefix("sqlite:") {
            Some(":memory:") => Location::Memory,
            Some(path) if !path.is_empty() => Location::File(path.into()),
            _ => {
                let must = "be sqlite: and a path, such as sqlite:/var/lib/openpod/openpod.db";
                return Err(Mistake::new("database.url", text, must));
            }
        };
        Ok(Database { location })
    }
}
