//! The limits of a key: allowed networks, rate, budget.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::base::{ApiKeyId, Credits, Timestamp};

/// Networks that the list of a key can have at most.
pub const NETWORKS_MAX: usize = 32;
/// The highest rate limit, in requests a minute.
pub const RATE_MAX: u32 = 1_000_000;
/// A network from which no request can come (RFC 1122 §3.2.1.3): it stands for a stored list that cannot be read.
const NO_ADDRESS: IpNet = IpNet::V4(ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::UNSPECIFIED, 32));

/// The period of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// A calendar month, in UTC.
    Month,
    /// The whole lifetime of the key, including its successors.
    Total,
}

impl Period {
    /// The name as stored, and as forms send it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// Parses the name. `None`: it is unknown.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Month, Self::Total].into_iter().find(|period| period.as_str() == text)
    }

    /// The period that `now` is in, as the table of spending names it: `2026-05`, or `total`.
    pub fn name(self, now: Timestamp) -> String {
        match self {
            Self::Month => now.month(),
            Self::Total => "total".to_owned(),
        }
    }

    /// When the period that `now` is in ends. A total never ends, so its end is the last timestamp.
    pub fn end(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Month => now.next_month(),
            Self::Total => Timestamp::from_millis(i64::MAX),
        }
    }
}

/// How much the use of a key may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// More than zero.
    pub amount: Credits,
    #[allow(missing_docs)]
    pub period: Period,
}

/// The limits of a key. The default has no limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Networks that the key can be used from. Empty: every network.
    pub networks: Vec<IpNet>,
    /// Requests a minute. `None`: the site's limit for every key applies.
    pub rate_per_minute: Option<u32>,
    /// `None`: only the credit of the workspace limits the cost.
    pub budget: Option<Budget>,
}

/// The field of the limits that is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitFault {
    /// A network is invalid, or there are more than [`NETWORKS_MAX`].
    Networks,
    /// Not a whole number from 1 to [`RATE_MAX`].
    Rate,
    /// The amount or its period is invalid.
    Budget,
}

impl Limits {
    /// Parses limits as people type them. An empty field means no limit.
    ///
    /// # Errors
    /// [`LimitFault`]: the first field that is invalid.
    pub fn parse(networks: &str, rate: &str, budget: &str, period: &str) -> Result<Self, LimitFault> {
        let networks = parse_networks(networks).ok_or(LimitFault::Networks)?;
        let rate_per_minute = match rate.trim() {
            "" => None,
            rate => Some(rate.parse().ok().filter(|rate| (1..=RATE_MAX).contains(rate)).ok_or(LimitFault::Rate)?),
        };
        let budget = match budget.trim() {
            "" => None,
            amount => {
                let amount = Credits::parse(amount).ok().filter(|amount| *amount > Credits::ZERO);
                let period = Period::parse(period).ok_or(LimitFault::Budget)?;
                Some(Budget { amount: amount.ok_or(LimitFault::Budget)?, period })
            }
        };
        Ok(Self { networks, rate_per_minute, budget })
    }

    /// Whether an address could use a key with the limits `before`, and cannot with these. No networks: any address can.
    pub fn excludes_networks_of(&self, before: &Self) -> bool {
        let is_allowed = |old: &IpNet| self.networks.iter().any(|network| network.contains(old));
        !self.networks.is_empty() && (before.networks.is_empty() || !before.networks.iter().all(is_allowed))
    }

    /// The networks as stored: CIDR blocks, separated by spaces.
    pub fn networks_text(&self) -> String {
        self.networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }
}

/// Parses CIDR blocks and single addresses, separated by spaces, commas or line ends. Host bits and repetitions are
/// removed. `None`: one of them is invalid, or there are more than [`NETWORKS_MAX`].
pub fn parse_networks(text: &str) -> Option<Vec<IpNet>> {
    let mut networks: Vec<IpNet> = Vec::new();
    for word in text.split([' ', ',', '\n', '\r', '\t']).filter(|word| !word.is_empty()) {
        let network = word.parse().or_else(|_| word.parse::<IpAddr>().map(IpNet::from)).ok()?;
        let network = canonical(network).trunc();
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    (networks.len() <= NETWORKS_MAX).then_some(networks)
}

/// The networks of a stored key. A list that cannot be read allows no address: an empty list would allow every address,
/// also for the successor of the key.
pub fn stored_networks(key: ApiKeyId, text: &str) -> Vec<IpNet> {
    parse_networks(text).unwrap_or_else(|| {
        tracing::error!(%key, "The list of networks of this key is damaged, so no address may use the key.");
        vec![NO_ADDRESS]
    })
}

/// Turns an IPv4 network mapped into IPv6 (RFC 4291 §2.5.5.2) into IPv4, as it is done with the addresses of visitors.
fn canonical(network: IpNet) -> IpNet {
    match network {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(address) => IpNet::new(address.into(), v6.prefix_len() - 96).unwrap_or(network),
            None => network,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_parsed_whole_or_not_at_all() {
        assert_eq!(Limits::parse("", " ", "", ""), Ok(Limits::default()));
        let read = Limits::parse("10.0.0.1", "60", "25.5", "month").unwrap();
        assert_eq!((read.rate_per_minute, read.networks_text().as_str()), (Some(60), "10.0.0.1/32"));
        assert_eq!(read.budget.map(|budget| (budget.amount.micro(), budget.period)), Some((25_500_000, Period::Month)));
        for rate in ["0", "-1", "1.5", "1000001", "many"] {
            assert_eq!(Limits::parse("", rate, "", ""), Err(LimitFault::Rate), "{rate}");
        }
        for (budget, period) in [("0", "month"), ("-1", "month"), ("1", ""), ("1", "week"), ("0.0000001", "total")] {
            assert_eq!(Limits::parse("", "", budget, period), Err(LimitFault::Budget), "{budget} {period}");
        }
        assert_eq!(Limits::parse("here", "", "", ""), Err(LimitFault::Networks));
    }

    #[test]
    fn networks_are_parsed_as_people_write_them() {
        let read = |text: &str| {
            parse_networks(text).map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };

        assert_eq!(read("").as_deref(), Some(""));
        assert_eq!(read("203.0.113.7").as_deref(), Some("203.0.113.7/32"));
        assert_eq!(read("10.1.2.3/8, 2001:db8::/32\n10.0.0.0/8").as_deref(), Some("10.0.0.0/8 2001:db8::/32"));
        assert_eq!(read("::ffff:10.0.0.1").as_deref(), Some("10.0.0.1/32"));
        for bad in ["10.0.0.0/33", "example.org", "10.0.0", "10.0.0.0/8;", "*"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        let many: Vec<String> = (0..=NETWORKS_MAX).map(|n| format!("10.0.{n}.0/24")).collect();
        assert_eq!(read(&many.join(" ")), None);
        assert!(read(&many[1..].join(" ")).is_some());
    }
}
