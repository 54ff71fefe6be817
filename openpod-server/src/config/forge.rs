//! `[forge]`

use std::path::PathBuf;

use serde::Deserialize;

use super::Mistake;

/// The forge that the server runs itself, in place of GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalForge {
    /// Where its repositories are; `forge` in the working directory unless told.
    pub data_dir: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    enabled: bool,
    data_dir: Option<PathBuf>,
}

impl Raw {
    pub(super) fn valid(self) -> Result<Option<LocalForge>, Mistake> {
        let data_dir = self.data_dir.unwrap_or_else(|| "forge".into());
        Ok(self.enabled.then_some(LocalForge { data_dir }))
    }
}
