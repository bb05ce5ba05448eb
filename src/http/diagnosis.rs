//! What the server sees of a request, for `domicile doctor`, which asks through `public_url` and compares.

use std::net::IpAddr;

use actix_web::HttpRequest;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::forwarded::client_address;
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

/// What the server sees of a request with a valid token. `None`: it has none.
pub fn answer(request: &HttpRequest, config: &Config, keyring: &Keyring, now: Timestamp) -> Option<Value> {
    let given = request.headers().get(HEADER)?.to_str().ok()?;
    let minute = now.millis() / 60_000;
    let is_valid = |minute| bool::from(token_of(keyring, minute).as_bytes().ct_eq(given.as_bytes()));
    if !(minute - MINUTES..=minute + MINUTES).any(is_valid) {
        return None;
    }
    let peer = request.peer_addr().map(|peer| peer.ip())?;
    let is_trusted = |hop: IpAddr| config.listen.trusted_proxies.iter().any(|network| network.contains(&hop));
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    Some(json!({
        "peer": peer.to_canonical().to_string(),
        "client": client_address(peer, request.headers(), is_trusted).to_string(),
        "forwarded_for": header("x-forwarded-for").is_some(),
        "forwarded_proto": header("x-forwarded-proto"),
        "host": header("host"),
    }))
}
