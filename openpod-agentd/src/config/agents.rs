//! `[[agents]]`: whom the daemon works for. Without it, that is the one agent whose key is in `[server]`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use openpod_sdk::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::check::Check;
use super::{KeySource, RawPolicy, RawServer, absolute};
use crate::job::policy::Policy;

/// One of `[[agents]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawMember {
    /// What the daemon calls it, in its log and its directories: 1 to 64 of `a-z A-Z 0-9 . _ -`. Required.
    pub name: Option<String>,
    /// Its key. Better kept in a file.
    pub key: Option<Secret>,
    /// The file that holds its key: `agent.key` in its directory unless told.
    pub key_file: Option<PathBuf>,
    /// What differs from `[policy]` for this agent.
    pub policy: Map<String, Value>,
}

/// An agent that the daemon works for.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// What the daemon calls it; nothing when there is no other.
    pub name: Option<String>,
    /// Its own journal, runs and workspaces: the data directory, or `agents/<name>` in it.
    pub directory: PathBuf,
    /// Its key.
    pub key: KeySource,
    /// Which work it takes.
    pub policy: Policy,
}

impl AgentSettings {
    /// What to call it in a sentence.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or("agent")
    }
}

impl RawMember {
    /// Every key that can be written.
    pub(super) fn template() -> Value {
        let policy = serde_json::to_value(RawPolicy::default()).unwrap_or_default();
        let mut template = serde_json::to_value(Self::default()).unwrap_or_default();
        template["policy"] = policy;
        template
    }

    /// Where its files are, when it has this name.
    pub(super) fn directory(data_dir: &Path, name: &str) -> PathBuf {
        data_dir.join("agents").join(name)
    }

    pub(super) fn key_file(&self, directory: &Path) -> PathBuf {
        self.key_file.as_deref().map_or_else(|| directory.join("agent.key"), absolute)
    }
}

/// The agents, each with its own policy.
pub(super) fn validate(
    members: Vec<RawMember>,
    server: RawServer,
    policy: RawPolicy,
    data_dir: &Path,
    check: &mut Check,
) -> Vec<AgentSettings> {
    if members.is_empty() {
        let key = server.key_source(&data_dir.join("agent.key"), "server.key", check);
        let policy = policy.validate(check);
        return vec![AgentSettings { name: None, directory: data_dir.to_owned(), key, policy }];
    }
    for (key, given) in [("server.key", server.key.is_some()), ("server.key_file", server.key_file.is_some())]
    {
        check.require(!given, key, "is the key of one agent; with [[agents]], give each of them its own");
    }
    let mut names = BTreeSet::new();
    let agents = members.into_iter().enumerate().map(|(index, member)| {
        let place = format!("agents[{index}]");
        let name = member.name.clone().unwrap_or_default();
        check.require(is_name(&name), &format!("{place}.name"), "must be 1 to 64 of a-z A-Z 0-9 . _ -");
        let new = names.insert(name.to_ascii_lowercase());
        check.require(new, &format!("{place}.name"), "must differ from the names of the other agents");
        let directory = RawMember::directory(data_dir, &name);
        let file = member.key_file(&directory);
        let server = RawServer { key: member.key, key_file: Some(file.clone()), ..RawServer::default() };
        let key = server.key_source(&file, &format!("{place}.key"), check);
        let policy = overlaid(&policy, member.policy, &place, check);
        AgentSettings { name: Some(name), directory, key, policy }
    });
    agents.collect()
}

fn is_name(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    (1..=64).contains(&name.len()) && plain && !name.starts_with('.')
}

/// The common policy with what differs for one agent.
fn overlaid(common: &RawPolicy, own: Map<String, Value>, place: &str, check: &mut Check) -> Policy {
    let mut tree = serde_json::to_value(common).unwrap_or_default();
    overlay(&mut tree, Value::Object(own));
    let merged: Result<RawPolicy, _> = serde_path_to_error::deserialize(tree);
    let policy = merged.unwrap_or_else(|error| {
        check.wrong(&format!("{place}.policy.{}", error.path()), error.inner().to_string());
        RawPolicy::default()
    });
    check.within(place, |check| policy.validate(check))
}

fn overlay(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                overlay(below.entry(name).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}
