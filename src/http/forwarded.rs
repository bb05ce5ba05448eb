//! Whence a request came, as the proxies on its way say.

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// All of `X-Forwarded-For`. Several lines are one list in their order (RFC 9110 §5.3): a proxy may add its own line below
/// the visitor's instead of lengthening it.
fn forwarded_for(headers: &HeaderMap) -> Cow<'_, str> {
    let mut lines = headers.get_all(FORWARDED_FOR).map(|line| String::from_utf8_lossy(line.as_bytes()));
    // Mostly there is one, and then nothing is copied.
    let first = lines.next().unwrap_or_default();
    lines.fold(first, |list, line| Cow::Owned(format!("{list},{line}")))
}

/// Walks from the connection outward, from the right of `X-Forwarded-For`, past every hop that is trusted: the first one
/// that is not is the visitor. What a visitor wrote further left is never believed. An IPv4 address mapped into IPv6, as a
/// socket of both families tells it (RFC 4291 §2.5.5.2), is taken as what it is.
pub fn visitor_at(peer: IpAddr, headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut address = peer.to_canonical();
    if !is_trusted(address) {
        return address;
    }
    let forwarded = forwarded_for(headers);
    let mut hops = forwarded.rsplit(',').map(str::trim);
    while is_trusted(address) {
        match hops.next().and_then(|hop| hop.parse::<IpAddr>().ok()) {
            Some(hop) => address = hop.to_canonical(),
            None => break,
        }
    }
    address
}

/// The program that a gateway asks about: as [`visitor_at`], where the connection is the gateway's own, which may be trusted
/// for other reasons than its address. `None`: it does not say, and its own address is not the program's.
pub fn program_behind(headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    if !headers.contains_key(FORWARDED_FOR) {
        return None;
    }
    let forwarded = forwarded_for(headers);
    let mut found = None;
    for hop in forwarded.rsplit(',') {
        let Ok(hop) = hop.trim().parse::<IpAddr>() else { break };
        let hop = hop.to_canonical();
        found = Some(hop);
        if !is_trusted(hop) {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(lines: &[&'static [u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    fn is_trusted(hop: IpAddr) -> bool {
        hop.to_string().starts_with("10.")
    }

    fn at(peer: &str, lines: &[&'static [u8]]) -> String {
        visitor_at(peer.parse().unwrap(), &headers(lines), is_trusted).to_string()
    }

    #[test]
    fn only_trusted_hops_are_walked_past() {
        assert_eq!(at("10.0.0.1", &[b"6.6.6.6, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(at("10.0.0.1", &[b"203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(at("198.51.100.1", &[b"203.0.113.9"]), "198.51.100.1");
        assert_eq!(at("10.0.0.1", &[b"nonsense"]), "10.0.0.1");
        assert_eq!(at("10.0.0.1", &[b""]), "10.0.0.1");
        assert_eq!(at("::ffff:10.0.0.1", &[b"203.0.113.9, ::ffff:10.0.0.2"]), "203.0.113.9");
        assert_eq!(at("::ffff:198.51.100.1", &[b"203.0.113.9"]), "198.51.100.1");
        assert_eq!(at("10.0.0.1", &[b"::ffff:203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn several_lines_are_one_list_and_the_last_hop_is_the_proxys() {
        // The visitor's own line comes first, the proxy's second.
        assert_eq!(at("10.0.0.1", &[b"6.6.6.6", b"203.0.113.9"]), "203.0.113.9");
        assert_eq!(at("10.0.0.1", &[b"6.6.6.6, 10.0.0.7", b"203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(at("10.0.0.1", &[b"\xff", b"203.0.113.9"]), "203.0.113.9");
        assert_eq!(at("10.0.0.1", &[b"\xff, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(at("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_gateway_that_says_nothing_of_the_program_is_not_the_program() {
        let of = |lines: &[&'static [u8]]| program_behind(&headers(lines), is_trusted).map(|hop| hop.to_string());

        assert_eq!(of(&[]), None);
        assert_eq!(of(&[b"unknown"]), None);
        assert_eq!(of(&[b"6.6.6.6, 203.0.113.9"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(of(&[b"203.0.113.9, 10.0.0.2"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(of(&[b"10.0.0.3, 10.0.0.2"]).as_deref(), Some("10.0.0.3"));
    }
}
