//! `openpod-agentd register`

use std::process::ExitCode;

use clap::Args;
use openpod_agentd::config::load;
use openpod_agentd::lifecycle::register;

use super::{Configured, Outcome, runtime, show};

#[derive(Args)]
pub(super) struct Register {
    #[command(flatten)]
    configured: Configured,
    /// The agent's name, unique on the platform.
    #[arg(long)]
    name: Option<String>,
    /// What it can do. Repeat it for each.
    #[arg(long = "capability", value_name = "WORD")]
    capabilities: Vec<String>,
    /// Who makes its model: openai, anthropic, google, meta, mistral, cohere or custom.
    #[arg(long)]
    llm_provider: Option<String>,
    /// Where the key goes.
    #[arg(long, value_name = "FILE")]
    key_file: Option<std::path::PathBuf>,
}

impl Register {
    pub(super) fn execute(self) -> Outcome {
        let mut layers = self.configured.layers();
        let mut flag =
            |key, value: Option<config::Value>| layers.flags.extend(value.map(|value| (key, value)));
        flag("agent.name", self.name.map(Into::into));
        flag("agent.capabilities", Some(self.capabilities).filter(|words| !words.is_empty()).map(Into::into));
        flag("agent.llm_provider", self.llm_provider.map(Into::into));
        flag("server.key_file", self.key_file.map(|path| path.to_string_lossy().into_owned().into()));
        let registration = load(layers)?.validate_registration()?;
        let registered = runtime()?.block_on(register(registration))?;
        show(format_args!("registered {} ({}), id {}", registered.name, registered.slug, registered.id));
        show(format_args!("its key is in {}; nobody can show it again", registered.key_file.display()));
        Ok(ExitCode::SUCCESS)
    }
}
