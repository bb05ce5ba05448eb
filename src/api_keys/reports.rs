//! How often a network may report keys that were found.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;

use super::pace;
use crate::base::Timestamp;

/// Reports a minute of one network: a scanner sends a hundred keys in each.
const REPORTS_PER_MINUTE: u32 = 30;
/// Networks that are remembered.
const NETWORKS_MAX: usize = 16_384;

/// Counts reports by network: an IPv4 address, or what one household has of IPv6 (RFC 6177: a /56 at least; the smaller /64 is
/// what one machine can choose from).
#[derive(Default)]
pub struct Reports(Mutex<HashMap<IpNet, i64>>);

impl Reports {
    /// Lets a report in, or says how many seconds the next one has to wait.
    pub(super) fn admit(&self, address: IpAddr, now: Timestamp) -> Result<(), u32> {
        let address = address.to_canonical();
        let network = IpNet::new(address, if address.is_ipv4() { 32 } else { 64 }).map(|network| network.trunc());
        let Ok(network) = network else { return Ok(()) };
        let mut networks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if networks.len() >= NETWORKS_MAX && !networks.contains_key(&network) {
            let micros = now.millis().saturating_mul(1000);
            networks.retain(|_, until| *until > micros);
        }
        if networks.len() >= NETWORKS_MAX && !networks.contains_key(&network) {
            // So many at once are one attack: nobody new gets in until some have waited.
            return Err(pace::WINDOW_SECONDS);
        }
        pace::take(networks.entry(network).or_default(), now, REPORTS_PER_MINUTE).map(drop)
    }
}
