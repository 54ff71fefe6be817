//! `[listen]`

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use serde::Deserialize;
use url::Url;

use super::{Mistake, base_url};

/// Where the server listens, and how others reach it.
#[derive(Debug, Clone)]
pub struct Listen {
    /// The address of the socket; `127.0.0.1:8080` unless told.
    pub address: SocketAddr,
    /// How others reach it; its own address unless told.
    pub public_url: Option<Url>,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Listen {
    fn default() -> Self {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
        Self { address, public_url: None, trusted_proxies: Vec::new() }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    address: Option<String>,
    public_url: Option<String>,
    trusted_proxies: Vec<String>,
}

impl Raw {
    pub(super) fn valid(self) -> Result<Listen, Mistake> {
        let address = match self.address {
            None => Listen::default().address,
            Some(text) => text.parse().map_err(|_| {
                Mistake::new("listen.address", text, "be an address with a port, such as 127.0.0.1:8080")
            })?,
        };
        let public_url = self.public_url.map(|text| base_url("listen.public_url", &text)).transpose()?;
        let mut trusted_proxies = Vec::new();
        for text in self.trusted_proxies {
            trusted_proxies.push(network("listen.trusted_proxies", text)?);
        }
        Ok(Listen { address, public_url, trusted_proxies })
    }
}

/// A network, or a single address.
pub(super) fn network(key: &'static str, text: String) -> Result<IpNet, Mistake> {
    let address = |text: &str| text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or_else(|_| address(&text))
        .map_err(|_| Mistake::new(key, text, "be a list of networks, such as 10.0.0.0/8 or 192.0.2.1"))
}
