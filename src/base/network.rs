//! What counts as one network, wherever requests are counted by network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::Visitor;

/// A network of addresses. An IPv4 address that is mapped into IPv6 (RFC 4291 §2.5.5.2) counts as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// What one machine can choose addresses from: one IPv4 address, or an IPv6 /64 (RFC 4291 §2.5.1). Rates of
    /// requests are counted by it.
    pub fn machine(address: IpAddr) -> Self {
        Self::new(address, 32, 64)
    }

    /// What one household, office or attacker gets: an IPv4 /24, or an IPv6 /56 (RFC 6177). Wrong proofs are counted by
    /// it.
    pub fn subscriber(address: IpAddr) -> Self {
        Self::new(address, 24, 56)
    }

    fn new(address: IpAddr, v4_bits: u8, v6_bits: u8) -> Self {
        let address = address.to_canonical();
        let bits = if address.is_ipv4() { v4_bits } else { v6_bits };
        // The constructors give valid lengths only; a single address is the fallback.
        Self(IpNet::new(address, bits).unwrap_or_else(|_| IpNet::from(address)).trunc())
    }
}

impl From<&Visitor> for Network {
    /// As [`Network::machine`]. All visitors whose address is unknown are one network.
    fn from(visitor: &Visitor) -> Self {
        Self::machine(visitor.address.parse().unwrap_or(Ipv6Addr::UNSPECIFIED.into()))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads an address as proxies and load balancers write it (RFC 7239 §6): with a port, IPv6 in brackets or without them,
/// with a zone, which only the machine that wrote it understands (RFC 4007 §11). An IPv4 address that is mapped into IPv6
/// is the IPv4 address.
pub fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, port)| Some((v6(host)?, port)))??,
        // An IPv6 address without brackets has more than one colon, and no port.
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host.parse::<Ipv4Addr>().ok()?.into(), &text[host.len()..]),
            Some(_) => (v6(text)?, ""),
            None => (text.parse::<Ipv4Addr>().ok()?.into(), ""),
        },
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit());
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(address)
}

fn v6(text: &str) -> Option<IpAddr> {
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    let is_zone =
        |zone: &str| !zone.is_empty() && zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b));
    let address: Ipv6Addr = address.parse().ok().filter(|_| zone.is_none_or(is_zone))?;
    Some(IpAddr::from(address).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_proxies_write_them_or_not_at_all() {
        for (text, address) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7:51234", "203.0.113.7"),
            (" 203.0.113.7 ", "203.0.113.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("fe80::7%eth0", "fe80::7"),
            ("[fe80::7%25eth0]:443", "fe80::7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[::ffff:203.0.113.7]:443", "203.0.113.7"),
        ] {
            assert_eq!(parse_address(text), address.parse().ok(), "{text}");
        }
        for bad in [
            "",
            "unknown",
            "_hidden",
            "unix:",
            "localhost",
            "203.0.113",
            "203.0.113.07",
            "203.0.113.7/32",
            "203.0.113.7:",
            "203.0.113.7:port",
            "203.0.113.7:+80",
            "203.0.113.7:65536",
            "203.0.113.7%eth0",
            "[203.0.113.7]:80",
            "[2001:db8::7",
            "2001:db8::7]",
            "[2001:db8::7]443",
            "[]:443",
            "fe80::7%",
            "fe80::7%a b",
            "\"203.0.113.7\"",
            "\u{0662}.0.0.1",
        ] {
            assert_eq!(parse_address(bad), None, "{bad}");
        }
    }

    #[test]
    fn neighbours_are_one_network() {
        let text = |network: fn(IpAddr) -> Network, address: &str| network(address.parse().unwrap()).to_string();
        let machine = |address| text(Network::machine, address);
        let subscriber = |address| text(Network::subscriber, address);

        assert_eq!(
            (machine("203.0.113.7"), subscriber("203.0.113.7")),
            ("203.0.113.7/32".into(), "203.0.113.0/24".into())
        );
        assert_eq!(machine("::ffff:203.0.113.7"), machine("203.0.113.7"));
        assert_eq!(machine("2001:db8:1:1ff::9"), "2001:db8:1:1ff::/64");
        assert_eq!(subscriber("2001:db8:1:1ff::9"), "2001:db8:1:100::/56");
    }
}
