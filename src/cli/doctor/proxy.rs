//! Checks what a proxy in front does to requests: one request through `public_url`, to which the server answers what it saw.

use serde_json::Value;

use super::Check;
use crate::base::Clock;
use crate::cli::web;
use crate::config::Config;
use crate::crypto::Keyring;
use crate::http::diagnosis;

const NAME: &str = "proxy";
/// An address that no machine has (RFC 5737): the server must not believe that the request comes from it.
const CLAIMED: &str = "192.0.2.77";

/// `keyring`: as the server uses it.
pub(super) fn check(config: &Config, keyring: Option<&Keyring>) -> Check {
    let Some(keyring) = keyring else { return Check::skipped(NAME, "it cannot be checked without the database") };
    let token = diagnosis::token(keyring, Clock::system().now());
    let url = format!("{}/healthz", config.public_url);
    let headers = [(diagnosis::HEADER, token.as_str()), ("x-forwarded-for", CLAIMED)];
    let answer = match web::get(&url, &headers) {
        Ok(answer) => answer,
        Err(error) => return Check::skipped(NAME, format!("{url} cannot be asked: {error}")),
    };
    let seen = answer.diagnosis.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    match (answer.status, seen) {
        (502..=504, _) => Check::failed(
            NAME,
            format!("the proxy cannot reach this server: {url} answered {}", answer.status),
            "Start the server, and let the proxy use an address of listen.address.",
        ),
        (_, Some(seen)) => judge(config, &seen),
        (status, None) => Check::failed(
            NAME,
            format!(
                "public_url leads to another program or another appliance: {url} answered {status} without what this server adds"
            ),
            "Let the DNS and the proxy lead to this server, or correct public_url. The proxy must pass on all headers.",
        ),
    }
}

fn judge(config: &Config, seen: &Value) -> Check {
    let text = |member: &str| seen[member].as_str().unwrap_or_default();
    let (peer, client) = (text("peer"), text("client"));
    let expected = config.public_url.split_once("://").map_or("", |(_, rest)| rest);
    let own_name = expected.split(':').next().unwrap_or_default();
    if !text("host").starts_with(own_name) {
        return Check::failed(
            NAME,
            format!("the proxy sends the Host {} instead of {expected}, so pages answer 421", text("host")),
            "Let the proxy pass on the Host header (nginx: proxy_set_header Host $host).",
        );
    }
    if client == CLAIMED && peer != CLAIMED {
        return Check::failed(
            NAME,
            "visitors can choose the address that the server sees: a trusted proxy passes on their X-Forwarded-For unchanged",
            "Let the proxy add the address of the visitor (nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for), or remove networks from listen.trusted_proxies.",
        );
    }
    // Our own header arrived alone: nothing in front added to it.
    if config.listen.behind_proxy && client == peer && !is_trusted(config, peer) {
        return Check::failed(
            NAME,
            format!("the server takes the proxy at {peer} for the visitor, so limits count all people together"),
            format!(
                "Add it to the settings: [listen] trusted_proxies = [\"{peer}\"]. Then run: systemctl restart domicile"
            ),
        );
    }
    if seen["forwarded_proto"].as_str() == Some("http") && config.public_url.starts_with("https://") {
        return Check::warning(
            NAME,
            "the proxy says that visitors use http, although public_url begins with https://",
            "Let the proxy redirect http to https.",
        );
    }
    Check::ok(NAME, format!("the server sees the visitor {client}, and the connection from {peer}"))
}

fn is_trusted(config: &Config, peer: &str) -> bool {
    peer.parse()
        .is_ok_and(|peer: std::net::IpAddr| config.listen.trusted_proxies.iter().any(|network| network.contains(&peer)))
}
