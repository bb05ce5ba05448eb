//! Limits how often one network may report exposed keys.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;

use super::rate_limit::{RateLimiter, WINDOW_SECONDS};
use crate::base::Timestamp;

/// Reports a minute from one network. A scanner sends up to 100 keys in each report.
const REPORTS_PER_MINUTE: u32 = 30;
/// Networks kept in memory at most.
const NETWORKS_MAX: usize = 16_384;

/// Counts reports per network: one IPv4 address, or one IPv6 /64. A household has a /56 or more of IPv6 (RFC 6177); the
/// smaller /64 is what one machine can choose addresses from.
#[derive(Default)]
pub struct Reports(Mutex<HashMap<IpNet, RateLimiter>>);

impl Reports {
    /// Admits a report, or returns the seconds until the next report from this network will be admitted.
    pub(super) fn admit(&self, address: IpAddr, now: Timestamp) -> Result<(), u32> {
        let address = address.to_canonical();
        let network = IpNet::new(address, if address.is_ipv4() { 32 } else { 64 }).map(|network| network.trunc());
        let Ok(network) = network else { return Ok(()) };
        let mut networks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if networks.len() >= NETWORKS_MAX && !networks.contains_key(&network) {
            networks.retain(|_, limiter| !limiter.is_idle(now));
        }
        if networks.len() >= NETWORKS_MAX && !networks.contains_key(&network) {
            // So many networks at once are one attack: no new network is admitted until some are idle again.
            return Err(WINDOW_SECONDS);
        }
        networks.entry(network).or_default().admit(now, REPORTS_PER_MINUTE).map(drop)
    }
}
