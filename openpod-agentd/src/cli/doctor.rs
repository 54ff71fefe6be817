//! `openpod-agentd doctor [--json]`

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use openpod_agentd::config::{Config, ConfigError, load};
use openpod_agentd::{Finding, Health, examine};
use openpod_sdk::clock::SystemClock;
use serde_json::json;

use super::{Configured, Outcome, runtime, show};

#[derive(Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    configured: Configured,
    /// For programs: whether the daemon would work, and all findings.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn execute(self) -> Outcome {
        let findings = match load(self.configured.layers()).and_then(|loaded| loaded.validate()) {
            Ok(config) => all_is_read(&config)?,
            Err(error) => mistakes(&error),
        };
        let works = findings.iter().all(|finding| finding.verdict != Health::Fail);
        match self.json {
            true => show(json!({ "works": works, "findings": findings })),
            false => findings.iter().for_each(show),
        }
        Ok(if works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn all_is_read(config: &Config) -> std::io::Result<Vec<Finding>> {
    let read = Finding::ok("config", format!("it is right, for {} agent(s)", config.agents.len()));
    let found = runtime()?.block_on(examine(config, Arc::new(SystemClock)));
    Ok([read].into_iter().chain(found).collect())
}

fn mistakes(error: &ConfigError) -> Vec<Finding> {
    let mistake = |mistake: &openpod_agentd::config::Mistake| {
        Finding::fail("config", mistake.to_string(), "mend it; nothing else can be looked at before")
    };
    error.mistakes.iter().map(mistake).collect()
}
