//! Where deliveries may go: to addresses of the public internet, and to those that the operator allows.
//!
//! An address is judged when a webhook is registered, and every time its name is resolved; the connection is made to
//! the addresses that were judged, so a name that points elsewhere a moment later gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::IpNet;
use url::{Host, Url};

/// Networks that are not the public internet, by the registries of special-purpose addresses.
const SPECIAL: [(&str, &str); 22] = [
    ("0.0.0.0/8", "this host"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by a carrier"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "what a cloud tells its machines, at an address that looks public"),
    ("169.254.0.0/16", "link-local, and the metadata services of clouds"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relays"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarks"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved, and broadcast"),
    ("2001::/23", "protocol assignments, Teredo among them"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("3fff::/20", "documentation"),
    ("2620:4f:8000::/48", "delegated to the nameservers of private addresses"),
    ("192.175.48.0/24", "delegated to the nameservers of private addresses"),
];

static SPECIAL_NETWORKS: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let parse = |(network, _): &(&str, &str)| network.parse().expect("the table holds networks");
    SPECIAL.iter().map(parse).collect()
});

/// Which targets an operator allows beyond the public internet. By default none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetPolicy {
    /// Networks that may be reached although they are not public, and over plain http too.
    pub allow: Vec<IpNet>,
}

/// A target that nothing is delivered to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetRefused {
    /// It is no http or https address with a host.
    #[error("be an https address with a host")]
    Malformed,
    /// It is a plain http address.
    #[error(
        "be an https address; plain http goes only to networks that the operator of this platform allows"
    )]
    PlainHttp,
    /// It carries a user name or a password.
    #[error("carry no user name and no password")]
    Credentials,
    /// It leads to an address that is not public.
    #[error("lead to the public internet, not to {0}")]
    NotPublic(IpAddr),
}

impl TargetPolicy {
    /// Judges the address of a webhook as far as that is possible without looking its name up.
    pub fn check(&self, address: &str) -> Result<Url, TargetRefused> {
        let url = Url::parse(address).map_err(|_| TargetRefused::Malformed)?;
        let plain = match url.scheme() {
            "https" => false,
            "http" if self.allow.is_empty() => return Err(TargetRefused::PlainHttp),
            "http" => true,
            _ => return Err(TargetRefused::Malformed),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetRefused::Credentials);
        }
        match url.host().ok_or(TargetRefused::Malformed)? {
            Host::Ipv4(ip) => self.check_all([ip.into()], plain)?,
            Host::Ipv6(ip) => self.check_all([ip.into()], plain)?,
            Host::Domain(name) if is_this_machine(name) => {
                self.check_all([Ipv4Addr::LOCALHOST.into()], plain)?;
            }
            Host::Domain(_) => {}
        }
        Ok(url)
    }

    /// Judges the addresses that a connection may be made to: one that is refused refuses them all.
    pub fn check_all(
        &self,
        addresses: impl IntoIterator<Item = IpAddr>,
        plain: bool,
    ) -> Result<(), TargetRefused> {
        for ip in addresses {
            let ip = ip.to_canonical();
            if self.allow.iter().any(|network| network.contains(&ip)) {
                continue;
            }
            if plain {
                return Err(TargetRefused::PlainHttp);
            }
            if !is_global(ip) {
                return Err(TargetRefused::NotPublic(ip));
            }
        }
        Ok(())
    }
}

/// Names that mean the machine itself whatever a name server says.
fn is_this_machine(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether an address is one of the public internet.
pub fn is_global(ip: IpAddr) -> bool {
    let listed = |ip: IpAddr| SPECIAL_NETWORKS.iter().any(|network| network.contains(&ip));
    match ip.to_canonical() {
        IpAddr::V4(v4) => !listed(v4.into()),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => !listed(v4.into()),
            // Of all IPv6 addresses only this eighth is in public use.
            None => v6.segments()[0] >> 13 == 1 && !listed(v6.into()),
        },
    }
}

/// The IPv4 address that a NAT64 gateway would connect to.
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = ip.segments() else { return None };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_global() {
        let public = "1.1.1.1 8.8.8.8 93.184.216.34 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 \
            198.17.255.255 198.20.0.1 223.255.255.255 2606:4700::1111 2a00:1450:4001::1 2400:cb00::1 ::ffff:8.8.8.8 \
            64:ff9b::8.8.8.8";
        let special = "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 \
            168.63.129.16 169.254.169.254 100.100.100.200 192.0.0.192 fd00:ec2::254 fd20:ce::254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 192.168.1.1 \
            198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.7 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 \
            192.175.48.1 :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::10.0.0.1 \
            64:ff9b::127.0.0.1 64:ff9b::169.254.169.254 64:ff9b:1::8.8.8.8 100::1 2001::1 2001:0:4136:e378::1 \
            2001:2::1 2001:20::1 2001:db8::1 2002:808:808::1 2002:7f00:1::1 2620:4f:8000::1 3fff::1 3fff:fff::1 \
            4000::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 febf::1 fec0::1 ff02::1 ff0e::1";
        for (expected, list) in [(true, public), (false, special)] {
            for ip in list.split_whitespace() {
                assert_eq!(is_global(ip.parse().unwrap()), expected, "{ip}");
            }
        }
    }

    #[test]
    fn an_address_is_judged_by_what_it_says() {
        use TargetRefused::*;
        let nothing = TargetPolicy::default();
        let not_public = |ip: &str| Err(NotPublic(ip.parse().unwrap()));
        for (address, expected) in [
            ("https://agent.example/hook?x=1", Ok(())),
            ("https://agent.example:8443/hook", Ok(())),
            ("https://93.184.216.34/", Ok(())),
            ("https://[2606:4700::1111]/", Ok(())),
            ("http://agent.example/hook", Err(PlainHttp)),
            ("ftp://agent.example/hook", Err(Malformed)),
            ("https:///", Err(Malformed)),
            ("agent.example/hook", Err(Malformed)),
            ("https://user@agent.example/", Err(Credentials)),
            ("https://:secret@agent.example/", Err(Credentials)),
            ("https://127.0.0.1/", not_public("127.0.0.1")),
            ("https://0x7f.1/", not_public("127.0.0.1")),
            ("https://2130706433/", not_public("127.0.0.1")),
            ("https://0177.0.0.1/", not_public("127.0.0.1")),
            ("https://127.0.0.1./", not_public("127.0.0.1")),
            ("https://0x7f000001/", not_public("127.0.0.1")),
            ("https://017700000001/", not_public("127.0.0.1")),
            ("https://0xa9fea9fe/", not_public("169.254.169.254")),
            ("https://127.1/", not_public("127.0.0.1")),
            ("https://%31%32%37.0.0.1/", not_public("127.0.0.1")),
            ("https://168.63.129.16/", not_public("168.63.129.16")),
            ("https://[2002:7f00:1::]/", not_public("2002:7f00:1::")),
            ("https://[64:ff9b::a9fe:a9fe]/", not_public("64:ff9b::a9fe:a9fe")),
            (
                "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
                not_public("2001:0:4136:e378:8000:63bf:3fff:fdd2"),
            ),
            ("https://[fe80::1]/", not_public("fe80::1")),
            ("https://[fd00:ec2::254]/", not_public("fd00:ec2::254")),
            ("https://①②⑦.0.0.1/", not_public("127.0.0.1")),
            ("https://169.254.169.254/latest", not_public("169.254.169.254")),
            ("https://[::1]/", not_public("::1")),
            ("https://[::ffff:10.1.2.3]/", not_public("10.1.2.3")),
            ("https://localhost/", not_public("127.0.0.1")),
            ("https://LOCALHOST./", not_public("127.0.0.1")),
            ("https://a.localhost:8443/", not_public("127.0.0.1")),
        ] {
            assert_eq!(nothing.check(address).map(|_| ()), expected, "{address}");
        }
    }

    #[test]
    fn an_operator_may_allow_networks_and_plain_http_there_alone() {
        use TargetRefused::*;
        let policy =
            TargetPolicy { allow: vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()] };
        for (address, expected) in [
            ("http://127.0.0.1:9000/hook", Ok(())),
            ("https://127.0.0.1/", Ok(())),
            ("http://[::ffff:127.0.0.1]/", Ok(())),
            ("http://[fd00::7]/", Ok(())),
            ("http://localhost:9000/", Ok(())),
            ("http://receiver.internal/", Ok(())),
            ("http://93.184.216.34/", Err(PlainHttp)),
            ("http://10.0.0.1/", Err(PlainHttp)),
            ("https://10.0.0.1/", Err(NotPublic("10.0.0.1".parse().unwrap()))),
            ("http://u:p@127.0.0.1/", Err(Credentials)),
        ] {
            assert_eq!(policy.check(address).map(|_| ()), expected, "{address}");
        }
    }

    #[test]
    fn one_private_address_among_public_ones_refuses_them_all() {
        let mixed: [IpAddr; 2] = ["8.8.8.8".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        assert!(TargetPolicy::default().check_all(mixed, false).is_err());
    }

    proptest! {
        #[test]
        fn an_address_in_any_notation_is_judged_the_same(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = v4.octets();
            let nat64: IpAddr = format!("64:ff9b::{a}.{b}.{c}.{d}").parse().unwrap();
            prop_assert_eq!(is_global(v4.into()), is_global(v4.to_ipv6_mapped().into()));
            prop_assert_eq!(is_global(v4.into()), is_global(nat64));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = TargetPolicy::default().check(&format!("https://{text}"));
        }
    }
}
