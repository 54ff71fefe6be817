//! Where the daemon is watched.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::check::Check;

/// `[metrics]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawMetrics {
    /// Where `/healthz`, `/readyz` and `/metrics` are served, such as `127.0.0.1:9464`; nowhere unless told.
    pub listen: Option<String>,
}

impl RawMetrics {
    pub(super) fn validate(&self, check: &mut Check) -> Option<SocketAddr> {
        let address = self.listen.as_ref()?.parse().ok();
        check.require(
            address.is_some(),
            "metrics.listen",
            "must be an address and port, such as 127.0.0.1:9464",
        );
        address
    }
}
