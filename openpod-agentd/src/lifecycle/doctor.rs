//! Whether a daemon would work here: everything that it needs, looked at without changing anything.
//!
//! | check | of what |
//! |---|---|
//! | user, data directory, lock, disk, git, executor, sandbox | this machine |
//! | key, scopes, projects, clock, webhook | each agent, on the platform |
//! | kept | what lies here and was not pushed, as the daemon says that runs |

mod machine;
mod platform;

use std::fmt;
use std::sync::Arc;

use openpod_sdk::clock::Clock;
use serde::Serialize;

use crate::config::Config;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// Whose, where there are several agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// How it is.
    pub verdict: Health,
    /// What it is.
    pub says: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    Ok,
    /// The daemon works, and something may be amiss.
    Warn,
    /// The daemon does not work so.
    Fail,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, agent: None, verdict: Health::Ok, says: says.into(), remedy: None }
    }

    /// Something may be amiss.
    pub fn warn(check: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Health::Warn, remedy: Some(remedy.into()), ..Self::ok(check, says) }
    }

    /// It does not work so.
    pub fn fail(check: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Health::Fail, remedy: Some(remedy.into()), ..Self::ok(check, says) }
    }

    fn of(self, agent: Option<&str>) -> Self {
        Self { agent: agent.map(str::to_owned), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Health::Ok => "ok  ",
            Health::Warn => "warn",
            Health::Fail => "FAIL",
        };
        let agent = self.agent.as_ref().map(|agent| format!("{agent}: ")).unwrap_or_default();
        write!(f, "{verdict}  {:<9}  {agent}{}", self.check, self.says)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n                 {remedy}"),
            None => Ok(()),
        }
    }
}

/// Looks at everything, one thing after another. What is wrong with one keeps nothing else from being looked at.
pub async fn examine(config: &Config, clock: Arc<dyn Clock>) -> Vec<Finding> {
    let mut findings = machine::examine(config).await;
    findings.extend(platform::examine(config, &clock).await);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_and_what_to_do_another() {
        assert_eq!(Finding::ok("git", "git 2.47").to_string(), "ok    git        git 2.47");
        let said = Finding::fail("key", "it is refused", "get another").of(Some("crab")).to_string();
        assert_eq!(said, "FAIL  key        crab: it is refused\n                 get another");
        let json = serde_json::to_string(&Finding::warn("disk", "little", "more")).unwrap();
        assert_eq!(json, r#"{"check":"disk","verdict":"warn","says":"little","remedy":"more"}"#);
    }
}
