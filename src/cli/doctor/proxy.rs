//! Checks what a proxy in front does to requests: one request through `public_url`, to which the server answers what it saw.

use std::net::{IpAddr, Ipv4Addr};

use super::Check;
use crate::base::Clock;
use crate::cli::web;
use crate::config::Config;
use crate::crypto::Keyring;
use crate::http::diagnosis::{self, ObservedRequest, ProxyVerdict};

const NAME: &str = "proxy";
/// An address that no machine has (RFC 5737): the server must not believe that the request comes from it.
const CLAIMED: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77));

/// `keyring`: as the server uses it.
pub(super) fn check(config: &Config, keyring: Option<&Keyring>) -> Check {
    let Some(keyring) = keyring else { return Check::skipped(NAME, "it cannot be checked without the database") };
    let token = diagnosis::token(keyring, Clock::system().now());
    let url = format!("{}/healthz", config.public_url);
    let headers = [(diagnosis::HEADER, token.as_str()), ("x-forwarded-for", &CLAIMED.to_string())];
    let answer = match web::get(&url, &headers) {
        Ok(answer) => answer,
        Err(error) => return Check::skipped(NAME, format!("{url} cannot be asked: {error}")),
    };
    let seen = answer.diagnosis.and_then(|text| serde_json::from_str::<ObservedRequest>(&text).ok());
    match (answer.status, seen) {
        (502..=504, _) => Check::failed(
            NAME,
            format!("the proxy cannot reach this server: {url} answered {}", answer.status),
            "Start the server, and let the proxy use an address of listen.address.",
        ),
        (_, Some(seen)) => judged(config, &seen),
        (status, None) => Check::failed(
            NAME,
            format!(
                "public_url leads to another program or another appliance: {url} answered {status} without what this server adds"
            ),
            "Let the DNS and the proxy lead to this server, or correct public_url. The proxy must pass on all headers.",
        ),
    }
}

fn judged(config: &Config, seen: &ObservedRequest) -> Check {
    let (cause, cure) = match seen.judge(config, CLAIMED) {
        ProxyVerdict::Good => {
            let ObservedRequest { client, peer, .. } = seen;
            return Check::ok(NAME, format!("the server sees the visitor {client}, and the connection from {peer}"));
        }
        ProxyVerdict::PlainHttp => {
            return Check::warning(
                NAME,
                "the proxy says that visitors use http, although public_url begins with https://",
                "Let the proxy redirect http to https.",
            );
        }
        ProxyVerdict::OtherHost(host) => (
            format!("the proxy sends the Host {host} instead of the one of {}, so pages answer 421", config.public_url),
            "Let the proxy pass on the Host header (nginx: proxy_set_header Host $host).".to_owned(),
        ),
        ProxyVerdict::UnreadableHop(hop) => (
            format!("the proxy says that the request comes from \"{hop}\", which is no address: requests are refused"),
            "Let the proxy send the address of the visitor (nginx: proxy_set_header X-Forwarded-For $remote_addr; Squid: forwarded_for on).".to_owned(),
        ),
        ProxyVerdict::BelievesVisitors => (
            "visitors can choose the address that the server sees: a trusted proxy passes on their X-Forwarded-For unchanged".to_owned(),
            "Let the proxy add the address of the visitor (nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for), or remove networks from listen.trusted_proxies.".to_owned(),
        ),
        ProxyVerdict::UntrustedProxy(peer) => (
            format!("the server takes the proxy at {peer} for the visitor, so limits count all people together"),
            format!("Add it to the settings: [listen] trusted_proxies = [\"{peer}\"]. Then run: systemctl restart domicile"),
        ),
    };
    Check::failed(NAME, cause, cure)
}
