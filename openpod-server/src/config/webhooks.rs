//! `[webhooks]`

use std::path::PathBuf;

use ipnet::IpNet;
use reqwest::Certificate;
use serde::Deserialize;

use super::Mistake;
use super::listen::network;

/// Where webhooks may go.
#[derive(Debug, Clone, Default)]
pub struct Webhooks {
    /// Networks that webhooks may reach although they are not public; plain http is allowed there.
    pub allow: Vec<IpNet>,
    /// Certificate authorities that may vouch for receivers, beside those that the machine trusts.
    pub extra_ca: Vec<Certificate>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    allow: Vec<String>,
    extra_ca_file: Option<PathBuf>,
}

impl Raw {
    pub(super) fn valid(self) -> Result<Webhooks, Mistake> {
        let mut allow = Vec::new();
        for text in self.allow {
            allow.push(network("webhooks.allow", text)?);
        }
        let extra_ca = self.extra_ca_file.map(authorities).transpose()?.unwrap_or_default();
        Ok(Webhooks { allow, extra_ca })
    }
}

/// The certificates of a PEM file, which holds at least one.
fn authorities(path: PathBuf) -> Result<Vec<Certificate>, Mistake> {
    let mistake = |why: String| {
        let must = format!("name a file of certificates in PEM form ({why})");
        Mistake::new("webhooks.extra_ca_file", path.display().to_string(), must)
    };
    let pem = std::fs::read(&path).map_err(|why| mistake(why.to_string()))?;
    let found =
        Certificate::from_pem_bundle(&pem).map_err(|_| mistake("it holds something else".to_owned()))?;
    if found.is_empty() { Err(mistake("it holds none".to_owned())) } else { Ok(found) }
}
