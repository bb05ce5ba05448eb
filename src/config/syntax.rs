//! The syntax of names, hosts and origins.

use std::net::IpAddr;

pub(super) fn is_short_name(text: &str) -> bool {
    let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    letters && (1..=32).contains(&text.len()) && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
}

/// The host of a URL with one of these schemes, in lower case. `None`: the URL has no host or another scheme.
pub(super) fn host_of(url: &str, schemes: &[&str]) -> Option<String> {
    let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host_and_port = authority.rsplit('@').next()?;
    let host = match host_and_port.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next()?,
        None => host_and_port.split(':').next()?,
    };
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

pub(super) fn is_loopback_name(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

pub(super) fn check_origin(url: &str) -> Result<(), &'static str> {
    let host = host_of(url, &["http://", "https://"])
        .ok_or("must begin with https:// and name a host, for example \"https://account.example.org\"")?;
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    if rest.contains(['/', '?', '#', '@', ' ']) {
        return Err("must be scheme, host and port alone, without a path, for example \"https://account.example.org\"");
    }
    if url.starts_with("http://") && !is_loopback_name(&host) {
        return Err("must begin with https:// unless the host is this machine itself");
    }
    Ok(())
}

/// An origin as browsers send it: the host in lower case and in ASCII (`xn--…`, RFC 5891), without the default port.
pub(super) fn ascii_origin(url: &str) -> Result<String, &'static str> {
    let parsed = url::Url::parse(url).map_err(|_| "does not name a valid host and port")?;
    Ok(parsed.origin().ascii_serialization())
}

/// The name of a host in lower case and in ASCII. A text that is no name of a host stays as it is: it names no host.
pub(super) fn ascii_host(host: &str) -> String {
    match url::Host::parse(host) {
        Ok(url::Host::Domain(domain)) => domain,
        _ => host.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn international_names_become_ascii() {
        for (url, expected) in [
            ("https://konto.münchen.example", "https://konto.xn--mnchen-3ya.example"),
            ("https://Account.Example.org:443", "https://account.example.org"),
            ("https://account.example.org:8443", "https://account.example.org:8443"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(ascii_origin(url).as_deref(), Ok(expected), "{url}");
        }
        assert!(ascii_origin("https://account.example.org:99999").is_err());
        assert!(ascii_origin("https://xn--a-\u{fffd}.example").is_err());
        assert_eq!(["Bücher.example", "10.0.0.5", "::1"].map(ascii_host), ["xn--bcher-kva.example", "10.0.0.5", "::1"]);
    }
}
