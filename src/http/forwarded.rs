//! The address that a request came from, according to the proxies that forwarded it.

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The whole of `X-Forwarded-For`. Several header lines are one list in their order (RFC 9110 §5.3): a proxy may add a
/// line of its own below the visitor's line instead of extending it.
fn forwarded_for(headers: &HeaderMap) -> Cow<'_, str> {
    let mut lines = headers.get_all(FORWARDED_FOR).map(|line| String::from_utf8_lossy(line.as_bytes()));
    // Usually there is one line, which is not copied.
    let first = lines.next().unwrap_or_default();
    lines.fold(first, |list, line| Cow::Owned(format!("{list},{line}")))
}

/// The address of the client: the first hop that is not trusted, starting at the connection and going through
/// `X-Forwarded-For` from right to left. Entries further left, which the client may have written, are never used. An
/// IPv4 address that is mapped into IPv6, as a dual-stack socket reports it (RFC 4291 §2.5.5.2), counts as the IPv4
/// address.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
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

/// The address of the client that a gateway asks about. Like [`client_address`], but the connection is the gateway's
/// own, which may be trusted for another reason than its address. `None`: the gateway does not name an address, and its
/// own is not the client's.
pub fn forwarded_client(headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    if !headers.contains_key(FORWARDED_FOR) {
        return None;
    }
    let forwarded = forwarded_for(headers);
    let mut client = None;
    for hop in forwarded.rsplit(',') {
        let Ok(hop) = hop.trim().parse::<IpAddr>() else { break };
        let hop = hop.to_canonical();
        client = Some(hop);
        if !is_trusted(hop) {
            break;
        }
    }
    client
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
        client_address(peer.parse().unwrap(), &headers(lines), is_trusted).to_string()
    }

    #[test]
    fn only_trusted_hops_are_skipped() {
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
    fn several_lines_are_one_list_that_ends_with_the_proxy() {
        // The client's own line comes first, the proxy's second.
        assert_eq!(at("10.0.0.1", &[b"6.6.6.6", b"203.0.113.9"]), "203.0.113.9");
        assert_eq!(at("10.0.0.1", &[b"6.6.6.6, 10.0.0.7", b"203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(at("10.0.0.1", &[b"\xff", b"203.0.113.9"]), "203.0.113.9");
        assert_eq!(at("10.0.0.1", &[b"\xff, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(at("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_gateway_that_names_no_client_is_not_the_client() {
        let of = |lines: &[&'static [u8]]| forwarded_client(&headers(lines), is_trusted).map(|hop| hop.to_string());

        assert_eq!(of(&[]), None);
        assert_eq!(of(&[b"unknown"]), None);
        assert_eq!(of(&[b"6.6.6.6, 203.0.113.9"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(of(&[b"203.0.113.9, 10.0.0.2"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(of(&[b"10.0.0.3, 10.0.0.2"]).as_deref(), Some("10.0.0.3"));
    }
}
