//! What counts as one network, wherever requests are counted by network.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

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

#[cfg(test)]
mod tests {
    use super::*;

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
