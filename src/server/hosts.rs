//! Whom the pages answer to: who asks for the public address, or from the machine itself.
//!
//! Links, cookies and redirects never take anything from a request's `Host`; so a forged one gains nothing. It is refused all
//! the same, because it means a page under a stranger's name (DNS rebinding) or a proxy that forwards whatever it is sent.
//! Programs and probes call by any name: they carry a credential or learn nothing.

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::base::Problem;
use crate::config::Config;

/// Refuses a page under another name than the site's.
pub(super) fn refuse_unknown(config: &Config, request: &HttpRequest) -> Result<(), Problem> {
    let mut named = request.headers().get_all(header::HOST);
    let (first, second) = (named.next().and_then(|host| host.to_str().ok()), named.next());
    // A whole URL in the request line outweighs the header (RFC 9112 §3.2.2).
    let asked = request.uri().authority().map_or(first, |authority| Some(authority.as_str()));
    let is_ours = second.is_none() && asked.is_some_and(|asked| is_ours(config, name_of(asked)));
    if is_ours { Ok(()) } else { Err(misdirected(config)) }
}

fn is_ours(config: &Config, name: &str) -> bool {
    let public = config.public_url.split_once("://").map_or("", |(_, rest)| name_of(rest));
    name.eq_ignore_ascii_case(public)
        || name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        || config.listen.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// `host:port` without its port; an IPv6 address keeps its brackets.
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
            "These pages are at {}. Open them there. A proxy in front passes on the name it was asked for.",
            config.public_url
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn a_port_is_no_part_of_the_name() {
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
