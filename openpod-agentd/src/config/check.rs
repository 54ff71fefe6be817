//! Collects mistakes, each with its key, value and place.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::RawConfig;

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is wrong:{}", list(.mistakes))]
pub struct ConfigError {
    /// The mistakes, by key.
    pub mistakes: Vec<Mistake>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Which key, such as `heartbeat.interval_seconds`.
    pub key: String,
    /// What it was set to; never a secret.
    pub value: Option<String>,
    /// Where: a file, the environment, the command line.
    pub place: Option<String>,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        if let Some(place) = &self.place {
            write!(f, " ({place})")?;
        }
        write!(f, ": {}", self.problem)
    }
}

fn list(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("\n  {mistake}")).collect()
}

/// What keys were set to, and where.
#[derive(Debug, Default)]
pub(super) struct Check {
    pub(super) known: BTreeMap<String, (String, Option<String>)>,
    /// Where the values are that are being looked at: nothing, or one of `[[agents]]`.
    within: String,
    mistakes: Vec<Mistake>,
}

impl Check {
    /// A check of values that were set in code.
    pub(super) fn of(raw: &RawConfig) -> Self {
        let known = leaves(raw).into_iter().map(|(key, value)| (key, (value, None))).collect();
        Self { known, ..Self::default() }
    }

    /// Looks at values that an agent has in common with others, unless it has set its own.
    pub(super) fn within<T>(&mut self, place: &str, look: impl FnOnce(&mut Self) -> T) -> T {
        self.within = format!("{place}.");
        let looked = look(self);
        self.within.clear();
        looked
    }

    pub(super) fn wrong(&mut self, key: &str, problem: impl Into<String>) {
        let own = format!("{}{key}", self.within);
        let key = if self.known.contains_key(&own) { own } else { key.to_owned() };
        let (value, place) = match self.known.get(&key) {
            Some((value, place)) => (Some(value.clone()), place.clone()),
            None => (None, None),
        };
        let mistake = Mistake { key, value, place, problem: problem.into() };
        if !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }

    pub(super) fn require(&mut self, holds: bool, key: &str, problem: &str) {
        if !holds {
            self.wrong(key, problem);
        }
    }

    pub(super) fn done<T>(self, value: T) -> Result<T, ConfigError> {
        match self.mistakes {
            mistakes if mistakes.is_empty() => Ok(value),
            mistakes => Err(ConfigError { mistakes }),
        }
    }
}

/// A value as it is shown: as JSON, or not at all.
pub(super) fn shown(key: &str, value: &serde_json::Value) -> String {
    let secret = matches!(key, "server.key" | "webhook.secret") || key.ends_with("].key");
    if secret { "[secret]".to_owned() } else { value.to_string() }
}

fn leaves(raw: &impl Serialize) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Ok(tree) = serde_json::to_value(raw) {
        collect("", &tree, &mut found);
    }
    found
}

fn collect(prefix: &str, tree: &serde_json::Value, found: &mut Vec<(String, String)>) {
    match tree {
        serde_json::Value::Null => {}
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                collect(&key, value, found);
            }
        }
        serde_json::Value::Array(items) if items.iter().any(serde_json::Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                collect(&format!("{prefix}[{index}]"), item, found);
            }
        }
        value => found.push((prefix.to_owned(), shown(prefix, value))),
    }
}
