//! What the server sees of a request, for `domicile doctor`, which asks through `public_url` and compares.

use std::net::IpAddr;

use actix_web::HttpRequest;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::forwarded::{UnreadableHop, client_address};
use crate::base::Timestamp;
use crate::config::Config;
use crate::crypto::Keyring;

/// The request header with the token, and the response header with the answer.
pub const HEADER: &str = "domicile-diagnosis";
/// How long a token is valid, in minutes before and after the present one.
const MINUTES: i64 = 2;

/// The token of this minute. Only who can read the keyring can make it.
pub fn token(keyring: &Keyring, now: Timestamp) -> String {
    token_of(keyring, now.millis() / 60_000)
}

fn token_of(keyring: &Keyring, minute: i64) -> String {
    keyring.mac("domicile doctor", &minute.to_string())
}

/// What the server saw of a request. Addresses are in canonical form.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ObservedRequest {
    /// Who opened the connection.
    pub peer: IpAddr,
    /// Who is taken for the visitor; the connection, if a hop cannot be read.
    pub client: IpAddr,
    /// What a trusted proxy names as a hop, although it is no address.
    pub unreadable_hop: Option<String>,
    /// `X-Forwarded-Proto`.
    pub forwarded_proto: Option<String>,
    /// `Host`.
    pub host: Option<String>,
}

/// What is to be said about the proxies in front, after what the server saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyVerdict {
    /// The server sees the visitor.
    Good,
    /// The proxy sends this `Host`, so pages answer 421.
    OtherHost(String),
    /// A trusted proxy names this as the visitor, which is no address, so requests are refused.
    UnreadableHop(String),
    /// A trusted proxy passes on what visitors claim about their address.
    BelievesVisitors,
    /// The server takes the proxy at this address for the visitor.
    UntrustedProxy(IpAddr),
    /// The proxy says that visitors use plain HTTP, although `public_url` says otherwise.
    PlainHttp,
}

impl ObservedRequest {
    /// Judges a request that claimed in `X-Forwarded-For` to come from `claimed`, an address that no machine has.
    pub fn judge(&self, config: &Config, claimed: IpAddr) -> ProxyVerdict {
        let expected = config.public_url.split_once("://").map_or("", |(_, rest)| rest);
        let own_name = expected.split(':').next().unwrap_or_default();
        let host = self.host.as_deref().unwrap_or_default();
        if !host.starts_with(own_name) {
            return ProxyVerdict::OtherHost(host.to_owned());
        }
        if let Some(hop) = &self.unreadable_hop {
            return ProxyVerdict::UnreadableHop(hop.clone());
        }
        if self.client == claimed && self.peer != claimed {
            return ProxyVerdict::BelievesVisitors;
        }
        let is_trusted = config.listen.trusted_proxies.iter().any(|network| network.contains(&self.peer));
        // Our own header arrived alone: nothing in front added to it.
        if config.listen.behind_proxy && self.client == self.peer && !is_trusted {
            return ProxyVerdict::UntrustedProxy(self.peer);
        }
        if self.forwarded_proto.as_deref() == Some("http") && config.public_url.starts_with("https://") {
            return ProxyVerdict::PlainHttp;
        }
        ProxyVerdict::Good
    }
}

/// What the server sees of a request with a valid token. `None`: it has none.
pub fn answer(request: &HttpRequest, config: &Config, keyring: &Keyring, now: Timestamp) -> Option<ObservedRequest> {
    let given = request.headers().get(HEADER)?.to_str().ok()?;
    let minute = now.millis() / 60_000;
    let is_valid = |minute| bool::from(token_of(keyring, minute).as_bytes().ct_eq(given.as_bytes()));
    if !(minute - MINUTES..=minute + MINUTES).any(is_valid) {
        return None;
    }
    let peer = request.peer_addr().map(|peer| peer.ip())?;
    let is_trusted = |hop: IpAddr| config.listen.trusted_proxies.iter().any(|network| network.contains(&hop));
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let client = client_address(peer, request.headers(), is_trusted);
    Some(ObservedRequest {
        peer: peer.to_canonical(),
        client: *client.as_ref().unwrap_or(&peer.to_canonical()),
        unreadable_hop: client.err().map(|UnreadableHop(hop)| hop),
        forwarded_proto: header("x-forwarded-proto"),
        host: header("host"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_does_wrong_is_seen() {
        let claimed: IpAddr = "192.0.2.77".parse().unwrap();
        let judge = |listen: &str, seen: [&str; 4]| {
            let text = format!("region = \"eu\"\npublic_url = \"https://account.example.org\"\n[listen]\n{listen}");
            let config = Config::from_text(&text, "d.toml", &[]).unwrap();
            let [peer, client, proto, host] = seen;
            let peer = peer.parse().unwrap();
            let seen = ObservedRequest {
                peer,
                client: client.parse().unwrap_or(peer),
                unreadable_hop: client.parse::<IpAddr>().is_err().then(|| client.to_owned()),
                forwarded_proto: Some(proto.into()),
                host: Some(host.into()),
            };
            seen.judge(&config, claimed)
        };
        let trusting = "behind_proxy = true\ntrusted_proxies = [\"10.0.0.1/32\"]\n";
        let own = "account.example.org:443";

        assert_eq!(judge(trusting, ["10.0.0.1", "198.51.100.9", "https", own]), ProxyVerdict::Good);
        let other = judge(trusting, ["10.0.0.1", "198.51.100.9", "https", "backend"]);
        assert_eq!(other, ProxyVerdict::OtherHost("backend".into()));
        assert_eq!(judge(trusting, ["10.0.0.1", "192.0.2.77", "https", own]), ProxyVerdict::BelievesVisitors);
        let unreadable = judge(trusting, ["10.0.0.1", "unix:", "https", own]);
        assert_eq!(unreadable, ProxyVerdict::UnreadableHop("unix:".into()));
        let unknown = judge(trusting, ["10.0.0.2", "10.0.0.2", "https", own]);
        assert_eq!(unknown, ProxyVerdict::UntrustedProxy("10.0.0.2".parse().unwrap()));
        assert_eq!(
            judge(trusting, ["10.0.0.1", "10.0.0.1", "https", own]),
            ProxyVerdict::Good,
            "a check from the proxy"
        );
        assert_eq!(judge(trusting, ["10.0.0.1", "198.51.100.9", "http", own]), ProxyVerdict::PlainHttp);
        let direct = "tls = \"self-signed\"\n";
        assert_eq!(
            judge(direct, ["198.51.100.9", "198.51.100.9", "https", own]),
            ProxyVerdict::Good,
            "without a proxy"
        );
    }
}
