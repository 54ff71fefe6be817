//! `[webhooks]`

use ipnet::IpNet;
use serde::Deserialize;

use super::Mistake;
use super::listen::network;

/// Where webhooks may go.
#[derive(Debug, Clone, Default)]
pub struct Webhooks {
    /// Networks that webhooks may reach although they are not public; plain http is allowed there.
    pub allow: Vec<IpNet>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    allow: Vec<String>,
}

impl Raw {
    pub(super) fn valid(self) -> Result<Webhooks, Mistake> {
        let mut allow = Vec::new();
        for text in self.allow {
            allow.push(network("webhooks.allow", text)?);
        }
        Ok(Webhooks { allow })
    }
}
