//! The platform, as each agent finds it: its key and what that is good for, its projects, its clock, its webhook.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::api::keys::KeyFilter;
use openpod_sdk::api::{ProjectId, Scope, TicketStatus, Timestamp};
use openpod_sdk::client::RetryPolicy;
use openpod_sdk::clock::Clock;
use openpod_sdk::{Client, Dialect, Secret};
use url::Url;

use super::Finding;
use crate::config::{AgentSettings, Config, KeySource};
use crate::lifecycle::parts;
use crate::lifecycle::webhook::address;

/// Whoever waits longer has no connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// A clock that is off by more makes one wonder.
const ODD: Duration = Duration::from_secs(30);
/// A clock that is off by more refuses every webhook: signatures hold for five minutes.
const TOO_FAR: Duration = Duration::from_secs(240);

/// One agent, and what it needs of the platform.
struct Patient<'a> {
    config: &'a Config,
    agent: &'a AgentSettings,
    clock: &'a Arc<dyn Clock>,
}

pub(super) async fn examine(config: &Config, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for agent in &config.agents {
        let found = Patient { config, agent, clock }.examine().await;
        findings.extend(found.into_iter().map(|finding| finding.of(agent.name.as_deref())));
    }
    findings.extend(reachability(config).await);
    findings
}

impl Patient<'_> {
    async fn examine(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.key_file().into_iter().collect();
        let (client, key) = match self.client() {
            Ok((client, key)) => (client, key),
            Err(error) => {
                findings.push(Finding::fail(
                    "key",
                    error.to_string(),
                    "without a key nothing else can be looked at",
                ));
                return findings;
            }
        };
        let me = match client.me().await {
            Ok(me) => me,
            Err(error) => {
                findings.push(refused(&error));
                return findings;
            }
        };
        findings.push(Finding::ok(
            "key",
            format!("{} knows it as {}", self.config.server.url, me.agent_key.name),
        ));
        let project = me.memberships.first().map(|membership| membership.project_id.clone());
        if client.dialect() == Dialect::Deployed && self.agent.policy.tickets.finish_as == TicketStatus::Done
        {
            let says = crate::RunError::CannotFinish.to_string();
            findings.push(Finding::fail("config", says, "leave it out, or set it to in_review"));
        }
        findings.push(self.projects(me.memberships.len()));
        findings.push(self.scopes(&client, &key, project.as_ref()).await);
        findings.push(self.time(&client).await);
        findings.extend(self.webhook(&client).await);
        findings
    }

    fn key_file(&self) -> Option<Finding> {
        let KeySource::File(file) = &self.agent.key else { return None };
        let mode = std::fs::metadata(file).ok()?.permissions().mode();
        let shown = file.display();
        (mode & 0o077 != 0)
            .then(|| Finding::warn("key", format!("others may read {shown}"), format!("chmod 600 {shown}")))
    }

    fn client(&self) -> Result<(Client, Secret), crate::RunError> {
        let key = parts::key(&self.agent.key)?;
        let mut builder = Client::builder(&self.config.server.url).key(key.clone()).attempt_timeout(PATIENCE);
        if let Some(dialect) = self.config.server.dialect {
            builder = builder.dialect(dialect);
        }
        Ok((builder.retry(RetryPolicy::never()).build()?, key))
    }

    fn projects(&self, count: usize) -> Finding {
        match count {
            0 if self.agent.policy.apply.enabled => {
                Finding::ok("projects", "none yet; it applies to positions")
            }
            0 => Finding::warn(
                "projects",
                "it belongs to no project, so there is nothing to do",
                "apply to a position, or set policy.apply.enabled = true",
            ),
            count => Finding::ok("projects", format!("it belongs to {count}")),
        }
    }

    /// What the key must be good for.
    fn wanted(&self) -> Vec<Scope> {
        let registers = self.config.webhook.as_ref().is_some_and(|webhook| webhook.public_url.is_some());
        let wanted = [
            (true, Scope::Read),
            (true, Scope::TicketsWrite),
            (true, Scope::Github),
            (registers, Scope::WebhooksWrite),
            (self.agent.policy.apply.enabled, Scope::ApplicationsWrite),
        ];
        wanted.into_iter().filter_map(|(wanted, scope)| wanted.then_some(scope)).collect()
    }

    async fn scopes(&self, client: &Client, key: &Secret, project: Option<&ProjectId>) -> Finding {
        // `opk_<its id>_<its secret>`: the id is no secret.
        let id = key.expose().split('_').nth(1).unwrap_or_default().to_owned();
        let keys = client.list_keys(&KeyFilter::default()).await;
        let ours = keys.ok().and_then(|page| page.data.into_iter().find(|known| known.id.as_str() == id));
        if let Some(ours) = ours {
            let covered = |wanted: &Scope| ours.scopes.iter().any(|scope| scope.covers(wanted));
            let missing: Vec<String> =
                self.wanted().iter().filter(|wanted| !covered(wanted)).map(ToString::to_string).collect();
            return match missing.is_empty() {
                true => Finding::ok("scopes", "the key is good for all that the daemon does"),
                false => Finding::fail(
                    "scopes",
                    format!("the key lacks {}", missing.join(", ")),
                    "make a key with these scopes, and put it where this one is",
                ),
            };
        }
        // A key that may not look at keys says what it can do by doing what changes nothing.
        match project {
            Some(project) => match client.github_token(project).await {
                Ok(_) => Finding::ok("scopes", "the key gets tokens for repositories; more it does not tell"),
                Err(error) => Finding::warn(
                    "scopes",
                    format!("the key gets no token for the repository of {project}: {error}"),
                    "it needs the scopes read, tickets:write and github, and the project a repository",
                ),
            },
            None => Finding::ok("scopes", "the key does not tell what it is good for"),
        }
    }

    async fn time(&self, client: &Client) -> Finding {
        let before = self.clock.now();
        match client.heartbeat(None).await {
            Ok(heartbeat) => clock(before, heartbeat.timestamp, self.clock.now()),
            Err(error) => {
                Finding::fail("clock", format!("the heartbeat fails: {error}"), "the daemon lives by it")
            }
        }
    }

    async fn webhook(&self, client: &Client) -> Option<Finding> {
        let settings = self.config.webhook.as_ref()?;
        let (public_url, has_secret) = (settings.public_url.as_ref()?, settings.secret.is_some());
        let url = address(public_url, self.agent.name.as_deref());
        let there = match client.list_webhooks().await {
            Ok(there) => there.data,
            Err(error) => {
                return Some(Finding::warn("webhook", error.to_string(), "the heartbeat does it alone"));
            }
        };
        let ours = there.iter().find(|webhook| webhook.url == url);
        Some(match ours {
            Some(webhook) if webhook.is_active => Finding::ok("webhook", format!("registered for {url}")),
            Some(_) => Finding::warn(
                "webhook",
                format!("{url} is switched off, since deliveries to it failed"),
                "see that the platform reaches it; the daemon's next start registers it again",
            ),
            None if client.dialect() == Dialect::Deployed && has_secret => Finding::warn(
                "webhook",
                format!("{url} is not registered, and this platform chooses the secrets of webhooks"),
                "leave webhook.secret out, and the daemon registers it; or register it, and set what is answered",
            ),
            None => Finding::warn(
                "webhook",
                format!("{url} is not registered"),
                "the daemon registers it at its start",
            ),
        })
    }
}

/// How far the platform's clock is from ours, which was looked at before and after.
fn clock(before: Timestamp, theirs: Timestamp, after: Timestamp) -> Finding {
    let apart = before.since(theirs).max(theirs.since(after));
    let says = format!("{:.1} s from the platform's", apart.as_secs_f64());
    match apart {
        apart if apart > TOO_FAR => {
            Finding::fail("clock", says, "set it (NTP): webhooks are refused, and tokens seem to have ended")
        }
        apart if apart > ODD => Finding::warn("clock", says, "set it (NTP)"),
        _ => Finding::ok("clock", says),
    }
}

fn refused(error: &openpod_sdk::Error) -> Finding {
    match error.status() {
        Some(401 | 403) => Finding::fail(
            "key",
            format!("the platform refuses it: {error}"),
            "it may be revoked, expired or another platform's; `openpod-agentd register` gets a new agent one",
        ),
        _ => Finding::fail(
            "key",
            error.to_string(),
            "see that server.url is right and can be reached from here",
        ),
    }
}

/// Whether somebody answers where the platform is told to send webhooks.
async fn reachability(config: &Config) -> Option<Finding> {
    let Some(webhook) = &config.webhook else {
        return Some(Finding::ok("webhook", "none is configured: the heartbeat does it alone"));
    };
    let Some(url) = &webhook.public_url else {
        return Some(Finding::warn(
            "webhook",
            "webhooks are received, and none is registered",
            "set webhook.public_url, or register one by hand",
        ));
    };
    let answer = tokio::time::timeout(PATIENCE, connect(url)).await;
    Some(match answer {
        Ok(Ok(())) => Finding::ok("webhook", format!("somebody answers at {url}")),
        failed => {
            let why = match failed {
                Ok(Err(error)) => error.to_string(),
                _ => "nobody answers in time".to_owned(),
            };
            let says = format!("{url} is not reached from here: {why}");
            Finding::warn(
                "webhook",
                says,
                "a daemon must run to answer; else look at name, proxy and firewall",
            )
        }
    })
}

async fn connect(url: &Url) -> std::io::Result<()> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(443);
    tokio::net::TcpStream::connect((host, port)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off_in_either_direction() {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let table = [
            (100, 101, 102, Health::Ok),
            (100, 90, 102, Health::Ok),
            (100, 40, 102, Health::Warn),
            (100, 180, 102, Health::Warn),
            (1000, 700, 1002, Health::Fail),
            (100, 500, 102, Health::Fail),
            // A slow answer is no sign of a wrong clock.
            (100, 300, 500, Health::Ok),
        ];
        for (before, theirs, after, expected) in table {
            assert_eq!(
                clock(at(before), at(theirs), at(after)).verdict,
                expected,
                "{before} {theirs} {after}"
            );
        }
    }
}
