//! The address that a request came from, according to the proxies that forwarded it.

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap, HeaderName};

use crate::base::{Problem, parse_address};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// How many characters of an unreadable hop are shown.
const SHOWN_CHARS_MAX: usize = 60;

/// A trusted proxy names a hop that is no address, such as `unknown`. Its visitor must not count as the proxy: all visitors
/// would be one, with the rights of the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableHop(
    /// What the proxy wrote, shortened.
    pub String,
);

impl UnreadableHop {
    /// The code, for programs and gateways.
    pub const CODE: &'static str = "forwarded_unreadable";

    fn new(hop: &str) -> Self {
        Self(hop.trim().chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect())
    }
}

impl From<UnreadableHop> for Problem {
    fn from(_: UnreadableHop) -> Self {
        let sentence = "The proxy in front of this site does not tell it the address that the request came from. Ask the \
                        operator to correct the header X-Forwarded-For of the proxy.";
        Self::new(400, UnreadableHop::CODE, sentence)
    }
}

/// The lines of a header as one list, in their order (RFC 9110 §5.3): a proxy may add a line of its own below the visitor's
/// line instead of extending it. Usually there is one line, which is not copied.
fn joined<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Cow<'h, str> {
    let mut lines = headers.get_all(name).map(|line| String::from_utf8_lossy(line.as_bytes()));
    let first = lines.next().unwrap_or_default();
    lines.fold(first, |list, line| Cow::Owned(format!("{list},{line}")))
}

/// The nodes of `Forwarded` (RFC 7239 §4). A hop that does not say where it got the request from is empty. None: none says it.
/// If a quote stays open, the whole text is one node, which is no address: a client's quote would hide what the proxy added.
fn standard_nodes(headers: &HeaderMap) -> Vec<String> {
    let text = joined(headers, &header::FORWARDED);
    let Some(elements) = split_unquoted(&text, ',') else { return vec![text.into_owned()] };
    let nodes: Vec<_> = elements.iter().map(|element| node_of(element)).collect();
    if nodes.iter().all(Option::is_none) {
        return Vec::new();
    }
    nodes.into_iter().map(Option::unwrap_or_default).collect()
}

/// The parts of a header between separators that are not inside a quoted string (RFC 9110 §5.6.4). `None`: a quote stays
/// open.
fn split_unquoted(text: &str, separator: char) -> Option<Vec<String>> {
    let (mut parts, mut is_quoted, mut is_escaped) = (vec![String::new()], false, false);
    for c in text.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if c == separator && !is_quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    (!is_quoted).then_some(parts)
}

/// The node after `for=` in one element of `Forwarded`. `None`: the element has none.
fn node_of(element: &str) -> Option<String> {
    split_unquoted(element, ';')?.iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        name.trim().eq_ignore_ascii_case("for").then(|| bare.to_owned())
    })
}

/// The address of the client: the first hop that is not trusted, starting at the connection and going through the hops
/// from right to left. Entries further left, which the client may have written, are never used. An IPv4 address that is
/// mapped into IPv6, as a dual-stack socket reports it (RFC 4291 §2.5.5.2), counts as the IPv4 address.
///
/// # Errors
/// [`UnreadableHop`].
pub fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Result<IpAddr, UnreadableHop> {
    let peer = peer.to_canonical();
    if !is_trusted(peer) {
        return Ok(peer);
    }
    Ok(forwarded_client(headers, is_trusted)?.unwrap_or(peer))
}

/// The address of the client that a gateway asks about. Like [`client_address`], but the connection is the gateway's
/// own, which may be trusted for another reason than its address. `None`: the gateway does not name an address, and its
/// own is not the client's.
///
/// `X-Forwarded-For` counts before `Forwarded`: a proxy that sets the first may pass on what the client says in the second.
///
/// # Errors
/// [`UnreadableHop`].
pub fn forwarded_client(
    headers: &HeaderMap,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Result<Option<IpAddr>, UnreadableHop> {
    let listed = joined(headers, &FORWARDED_FOR);
    let mut hops = listed.rsplit(',').filter(|hop| !hop.trim().is_empty()).peekable();
    if hops.peek().is_some() {
        return first_untrusted(hops, is_trusted);
    }
    if !headers.contains_key(header::FORWARDED) {
        return Ok(None);
    }
    first_untrusted(standard_nodes(headers).iter().rev().map(String::as_str), is_trusted)
}

/// The first of the hops, from the last one on, that is not trusted; if all are, the one that is farthest away.
fn first_untrusted<'h>(
    hops: impl Iterator<Item = &'h str>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Result<Option<IpAddr>, UnreadableHop> {
    let mut client = None;
    for hop in hops {
        let address = parse_address(hop).ok_or_else(|| UnreadableHop::new(hop))?;
        client = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    Ok(client)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(lines: &[(HeaderName, &'static [u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(name.clone(), HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    fn is_trusted(hop: IpAddr) -> bool {
        hop.to_string().starts_with("10.")
    }

    fn text_of(client: Result<IpAddr, UnreadableHop>) -> String {
        client.map_or_else(|UnreadableHop(hop)| format!("unreadable {hop}"), |address| address.to_string())
    }

    fn at(peer: &str, lines: &[&'static [u8]]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| (FORWARDED_FOR, *line)).collect();
        text_of(client_address(peer.parse().unwrap(), &headers(&lines), is_trusted))
    }

    fn by_standard(line: &'static [u8]) -> String {
        text_of(client_address("10.0.0.1".parse().unwrap(), &headers(&[(header::FORWARDED, line)]), is_trusted))
    }

    #[test]
    fn only_trusted_hops_are_skipped() {
        assert_eq!(at("10.0.0.1", &[b"6.6.6.6, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(at("10.0.0.1", &[b"203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(at("198.51.100.1", &[b"203.0.113.9"]), "198.51.100.1");
        assert_eq!(at("198.51.100.1", &[b"nonsense"]), "198.51.100.1");
        assert_eq!(at("10.0.0.1", &[b"", b" , "]), "10.0.0.1");
        assert_eq!(at("10.0.0.1", &[b"203.0.113.9, ,"]), "203.0.113.9");
        assert_eq!(at("::ffff:10.0.0.1", &[b"203.0.113.9, ::ffff:10.0.0.2"]), "203.0.113.9");
        assert_eq!(at("::ffff:198.51.100.1", &[b"203.0.113.9"]), "198.51.100.1");
        assert_eq!(at("10.0.0.1", &[b"::ffff:203.0.113.9"]), "203.0.113.9");
        assert_eq!(at("10.0.0.1", &[b"10.0.0.3, 10.0.0.2"]), "10.0.0.3");
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
    fn what_proxies_really_send_is_read_and_anything_else_is_not_taken_for_the_proxy() {
        assert_eq!(at("10.0.0.1", &[b"203.0.113.10:51234"]), "203.0.113.10");
        assert_eq!(at("10.0.0.1", &[b"[2001:db8::9]:443, 10.0.0.2:80"]), "2001:db8::9");
        assert_eq!(at("10.0.0.1", &[b"fe80::9%eth0"]), "fe80::9");
        assert_eq!(at("10.0.0.1", &[b"nonsense"]), "unreadable nonsense");
        assert_eq!(at("10.0.0.1", &[b"203.0.113.9, unknown"]), "unreadable unknown");
        assert_eq!(at("10.0.0.1", &[b"unix:, 10.0.0.2"]), "unreadable unix:");
        assert_eq!(at("10.0.0.1", &[b"\xff"]), "unreadable \u{fffd}");
    }

    #[test]
    fn the_standard_header_is_read_where_the_usual_one_is_missing() {
        assert_eq!(by_standard(b"for=203.0.113.9;proto=https;by=10.0.0.1"), "203.0.113.9");
        assert_eq!(by_standard(b"for=6.6.6.6, For=\"[2001:db8::9]:4711\", for=10.0.0.2"), "2001:db8::9");
        assert_eq!(by_standard(b"proto=https;host=\"a,b;for=6.6.6.6\"; FOR = \"203.0.113.9:80\""), "203.0.113.9");
        assert_eq!(by_standard(b"proto=https"), "10.0.0.1");
        assert_eq!(by_standard(b"for=_hidden"), "unreadable _hidden");
        assert_eq!(by_standard(b"for=203.0.113.9, proto=https"), "unreadable ");
        assert_eq!(by_standard(b"for=\"203.0.113.9"), "unreadable for=\"203.0.113.9");
        let both = headers(&[(header::FORWARDED, b"for=6.6.6.6"), (FORWARDED_FOR, b"203.0.113.9")]);
        assert_eq!(text_of(client_address("10.0.0.1".parse().unwrap(), &both, is_trusted)), "203.0.113.9");
    }

    #[test]
    fn a_quote_that_a_client_leaves_open_does_not_hide_what_the_proxy_says() {
        let cases: [&[&'static [u8]]; 4] = [
            &[b"for=127.0.0.1;x=\", for=203.0.113.9"],
            &[b"for=127.0.0.1;x=\", for=\"[2001:db8::9]:1\""],
            &[b"x=\", for=203.0.113.9"],
            &[b"for=127.0.0.1;x=\"", b"for=203.0.113.9"],
        ];
        for lines in cases {
            let lines: Vec<_> = lines.iter().map(|line| (header::FORWARDED, *line)).collect();
            let client = text_of(client_address("10.0.0.1".parse().unwrap(), &headers(&lines), is_trusted));
            assert!(client.starts_with("unreadable "), "{lines:?}: {client}");
        }
    }

    #[test]
    fn a_gateway_that_names_no_client_is_not_the_client() {
        let of = |lines: &[&'static [u8]]| {
            let lines: Vec<_> = lines.iter().map(|line| (FORWARDED_FOR, *line)).collect();
            forwarded_client(&headers(&lines), is_trusted).map(|hop| hop.map(|hop| hop.to_string()))
        };

        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[b"unknown"]), Err(UnreadableHop("unknown".into())));
        assert_eq!(of(&[b"6.6.6.6, 203.0.113.9"]), Ok(Some("203.0.113.9".into())));
        assert_eq!(of(&[b"203.0.113.9, 10.0.0.2"]), Ok(Some("203.0.113.9".into())));
        assert_eq!(of(&[b"10.0.0.3, 10.0.0.2"]), Ok(Some("10.0.0.3".into())));
    }
}
