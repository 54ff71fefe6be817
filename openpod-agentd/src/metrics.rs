//! A report as Prometheus reads it. Written by hand: the report holds all numbers already, and a library would keep them
//! a second time. Every label is an agent's name or a word from a closed list.

use std::fmt::Write;

use crate::control::{AgentReport, Report};

/// The text format, version 0.0.4.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Renders it.
pub fn render(report: &Report) -> String {
    let mut page = Page::default();
    page.family("openpod_agentd_build_info", "gauge", "The version of the daemon.");
    page.sample("openpod_agentd_build_info", &[("version", &report.version)], 1.0);
    page.family("openpod_agentd_uptime_seconds", "gauge", "Since the daemon began.");
    page.sample("openpod_agentd_uptime_seconds", &[], report.at.since(report.started_at).as_secs_f64());
    page.family("openpod_agentd_draining", "gauge", "Whether nothing new is taken.");
    page.sample("openpod_agentd_draining", &[], flag(report.draining));
    let agents = &report.agents;
    page.each("openpod_agentd_agent_ready", "gauge", "Whether the agent works.", agents, |agent| {
        Some(flag(agent.not_ready.is_none()))
    });
    page.each(
        "openpod_agentd_heartbeat_age_seconds",
        "gauge",
        "Since the platform was last seen.",
        agents,
        |agent| agent.seen_at.map(|seen| report.at.since(seen).as_secs_f64()),
    );
    page.each("openpod_agentd_heartbeats_total", "counter", "Heartbeats.", agents, |agent| {
        Some(agent.heartbeats.0 as f64)
    });
    page.each(
        "openpod_agentd_heartbeat_failures_total",
        "counter",
        "Heartbeats without an answer.",
        agents,
        |agent| Some(agent.heartbeats.1 as f64),
    );
    page.each(
        "openpod_agentd_places",
        "gauge",
        "Tickets that may be worked on at a time.",
        agents,
        |agent| Some(agent.places as f64),
    );
    page.each("openpod_agentd_places_taken", "gauge", "Tickets that are worked on.", agents, |agent| {
        Some(agent.places_taken as f64)
    });
    page.each("openpod_agentd_runs", "gauge", "Workers at work.", agents, |agent| {
        Some(agent.jobs.iter().filter(|job| job.run.is_some()).count() as f64)
    });
    page.each("openpod_agentd_tickets_waiting", "gauge", "Tickets that wait for a place.", agents, |agent| {
        Some(agent.waiting.len() as f64)
    });
    page.each(
        "openpod_agentd_outbox_depth",
        "gauge",
        "Effects that are written down and not done yet.",
        agents,
        |agent| Some(agent.outbox as f64),
    );
    page.each(
        "openpod_agentd_kept",
        "gauge",
        "Directories that are over, and not removed.",
        agents,
        |agent| Some(agent.kept.len() as f64),
    );
    page.each(
        "openpod_agentd_effects_retrying",
        "gauge",
        "Effects that did not succeed and are tried again.",
        agents,
        |agent| Some(agent.jobs.iter().filter(|job| job.trouble.is_some()).count() as f64),
    );
    page.each(
        "openpod_agentd_held_back",
        "gauge",
        "Whether a brake keeps tickets from being begun.",
        agents,
        |agent| Some(flag(agent.held_back.is_some() || agent.breaker == "open")),
    );
    page.each("openpod_agentd_spent_runs_total", "counter", "Runs that began, ever.", agents, |agent| {
        Some(f64::from(agent.spent.runs))
    });
    page.each(
        "openpod_agentd_spent_tokens_total",
        "counter",
        "Tokens that runs claimed, ever.",
        agents,
        |agent| Some(agent.spent.tokens as f64),
    );
    page.each(
        "openpod_agentd_spent_usd_total",
        "counter",
        "Cost that runs claimed, ever.",
        agents,
        |agent| Some(agent.spent.cost_micros as f64 / 1e6),
    );
    page.family("openpod_agentd_jobs", "gauge", "Jobs by state.");
    for agent in agents {
        for (state, count) in &agent.states {
            let labels = [("agent", &*agent.name), ("state", state)];
            page.sample("openpod_agentd_jobs", &labels, *count as f64);
        }
    }
    page.family(
        "openpod_agentd_effects_total",
        "counter",
        "Effects by how they ended: done, or whose trouble it was.",
    );
    for agent in agents {
        for (effect, count) in &agent.effects {
            let (effect, outcome) = effect.split_once('/').unwrap_or((effect, "done"));
            let labels = [("agent", &*agent.name), ("effect", effect), ("outcome", outcome)];
            page.sample("openpod_agentd_effects_total", &labels, *count as f64);
        }
    }
    page.0
}

fn flag(set: bool) -> f64 {
    if set { 1.0 } else { 0.0 }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn each(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        agents: &[AgentReport],
        value: impl Fn(&AgentReport) -> Option<f64>,
    ) {
        self.family(name, kind, help);
        for agent in agents {
            if let Some(value) = value(agent) {
                self.sample(name, &[("agent", &agent.name)], value);
            }
        }
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{open}{label}=\"{text}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }
}

#[cfg(test)]
mod tests {
    use openpod_sdk::api::Timestamp;

    use super::*;

    #[test]
    fn a_report_becomes_lines_that_prometheus_reads() {
        let agent = AgentReport {
            name: "a \"crab\"".into(),
            seen_at: Some(Timestamp::from_micros(8_500_000)),
            places: 2,
            outbox: 3,
            heartbeats: (7, 1),
            states: [("running".to_owned(), 1)].into(),
            effects: [("push/network".to_owned(), 3)].into(),
            ..AgentReport::default()
        };
        let text = render(&Report {
            version: "1".into(),
            pid: 1,
            data_dir: "/d".into(),
            started_at: Timestamp::from_micros(0),
            at: Timestamp::from_micros(10_000_000),
            draining: false,
            max_runs: None,
            reloaded_at: None,
            not_reloaded: None,
            agents: vec![agent],
        });
        for line in [
            "openpod_agentd_build_info{version=\"1\"} 1",
            "openpod_agentd_uptime_seconds 10",
            "openpod_agentd_heartbeat_age_seconds{agent=\"a \\\"crab\\\"\"} 1.5",
            "openpod_agentd_heartbeats_total{agent=\"a \\\"crab\\\"\"} 7",
            "openpod_agentd_outbox_depth{agent=\"a \\\"crab\\\"\"} 3",
            "openpod_agentd_jobs{agent=\"a \\\"crab\\\"\",state=\"running\"} 1",
            "openpod_agentd_effects_total{agent=\"a \\\"crab\\\"\",effect=\"push\",outcome=\"network\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(text.contains(&format!("# TYPE {name} ")), "{name} has a type");
            assert_eq!(name.ends_with("_total"), text.contains(&format!("# TYPE {name} counter")), "{name}");
        }
    }
}
