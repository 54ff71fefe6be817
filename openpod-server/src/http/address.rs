//! Where a request came from: the socket, or a forwarding header where a trusted proxy set it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use http::HeaderMap;
use http::request::Parts;
use ipnet::IpNet;

/// The address that limits are counted by. Of an IPv6 address only the network half counts, because its holder has
/// the other half to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The address of the client whom the socket or, behind a trusted proxy, `X-Forwarded-For` names.
    pub fn of(parts: &Parts, trusted_proxies: &[IpNet]) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip());
        Self::behind_proxies(peer, &parts.headers, trusted_proxies)
    }

    /// Walks the forwarding header from its end, which the nearest proxy wrote, to the first address that is no
    /// trusted proxy. What stands before it may be invented.
    fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
        let mut client = peer.to_canonical();
        let chain: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        for hop in chain.iter().rev() {
            if !is_trusted(&client) {
                break;
            }
            match hop.trim().parse::<IpAddr>() {
                Ok(address) => client = address.to_canonical(),
                Err(_) => break,
            }
        }
        Self(network_half(client))
    }
}

impl ClientAddress {
    /// What limits are counted by.
    pub fn limited(self) -> IpAddr {
        self.0
    }
}

impl std::fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

fn network_half(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        ClientAddress::behind_proxies(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn the_forwarding_header_counts_only_behind_a_trusted_proxy() {
        let cases: [(&str, &[&str], &[&str], &str); 7] = [
            ("203.0.113.9", &[], &[], "203.0.113.9"),
            ("203.0.113.9", &["1.2.3.4"], &[], "203.0.113.9"),
            ("10.0.0.1", &["1.2.3.4"], &["10.0.0.0/8"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"], &["10.0.0.0/8"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6", "1.2.3.4"], &["10.0.0.0/8"], "1.2.3.4"),
            ("10.0.0.1", &["nonsense"], &["10.0.0.0/8"], "10.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", &[], &[], "2001:db8:1:2::"),
        ];
        for (peer, forwarded, trusted, expected) in cases {
            assert_eq!(client(peer, forwarded, trusted), expected, "{peer} {forwarded:?}");
        }
    }
}
