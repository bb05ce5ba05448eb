//! Checks the host name that a page is requested under: the public one, or one of this machine.
//!
//! Links, cookies and redirects never use the `Host` of a request, so an attacker gains nothing with a forged one. It
//! is refused nevertheless, because it means that another site's name leads here (DNS rebinding) or that a proxy
//! forwards any host name. Programs and probes may use any name: they have a credential or learn nothing.

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::base::Problem;
use crate::config::Config;

/// Refuses a page that is requested under a host name of another site.
pub(super) fn refuse_unknown(config: &Config, request: &HttpRequest) -> Result<(), Problem> {
    let mut headers = request.headers().get_all(header::HOST);
    let (first, second) = (headers.next().and_then(|host| host.to_str().ok()), headers.next());
    // An absolute URL in the request line takes precedence over the header (RFC 9112 §3.2.2).
    let host = request.uri().authority().map_or(first, |authority| Some(authority.as_str()));
    let is_ours = second.is_none() && host.is_some_and(|host| is_ours(config, name_of(host)));
    if is_ours { Ok(()) } else { Err(misdirected(config)) }
}

fn is_ours(config: &Config, name: &str) -> bool {
    let public = config.public_url.split_once("://").map_or("", |(_, rest)| name_of(rest));
    name.eq_ignore_ascii_case(public)
        || name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        || config.listen.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// `host:port` without the port. An IPv6 address keeps its brackets.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

fn misdirected(config: &Config) -> Problem {
    Problem::new(
        421,
        "unknown_host",
        format!(
            "This site is at {}. Open it there. If a proxy is in front of it, the proxy must pass on the Host header.",
            config.public_url
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn the_host_name_is_read_without_its_port() {
        for (host, name) in [
            ("account.example.org", "account.example.org"),
            ("account.example.org:8443", "account.example.org"),
            ("[::1]:8080", "[::1]"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("evil.example:80@account.example.org", "evil.example:80@account.example.org"),
        ] {
            assert_eq!(name_of(host), name);
        }
    }
}
