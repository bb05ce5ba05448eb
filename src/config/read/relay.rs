//! The address of the mail relay. It contains a password, so no fault repeats any part of it.

use super::syntax::host_of;

const FORM: &str = "must look like \"smtps://name:password@smtp.example.org:465\"";
const ENCODING: &str = "has a character in its name or password that must be percent-encoded: write / as %2F, @ as %40, : as %3A, ? as %3F, # as %23, % as %25 and a space as %20";

/// The host of the relay, in lower case. The server uses the same address, so what passes here can be used.
///
/// # Errors
/// What is wrong, without any part of the address.
pub(super) fn host(url: &str) -> Result<String, &'static str> {
    let rest = url.strip_prefix("smtps://").or_else(|| url.strip_prefix("smtp://")).ok_or(FORM)?;
    // The last @ ends name and password, also if these contain others by mistake.
    let (login, rest) = match rest.rsplit_once('@') {
        Some((login, rest)) => (Some(login), rest),
        None => (None, rest),
    };
    if login.is_some_and(|login| !is_encoded(login)) {
        return Err(ENCODING);
    }
    let (authority, query) = match rest.split_once('?') {
        Some((authority, query)) => (authority, Some(query)),
        None => (rest, None),
    };
    let port = match authority.trim_end_matches('/').rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => Some(port),
        _ => None,
    };
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port != 0)) {
        // What stands there may be a password whose host is missing.
        return Err(
            "has a port that is not a number from 1 to 65535. It must look like \"smtps://name:password@smtp.example.org:465\"",
        );
    }
    if query.is_some_and(|query| !["tls=required", "tls=opportunistic", "tls=none"].contains(&query)) {
        return Err("may end with ?tls=required, ?tls=opportunistic or ?tls=none, and with nothing else");
    }
    let host = host_of(url, &["smtp://", "smtps://"]).ok_or(FORM)?;
    let is_host = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:_".contains(&byte));
    if is_host { Ok(host) } else { Err(FORM) }
}

/// Whether a name and a password have only characters that they may have in a URL (RFC 3986 §3.2.1), and at most one colon
/// between them.
fn is_encoded(login: &str) -> bool {
    let bytes = login.as_bytes();
    let is_allowed = |(position, byte): (usize, &u8)| match byte {
        b'%' => bytes.get(position + 1..position + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:".contains(byte),
    };
    bytes.iter().enumerate().all(is_allowed) && login.matches(':').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn the_host_is_read_and_no_fault_repeats_a_secret() {
        for (url, expected) in [
            ("smtps://smtp.example.org", "smtp.example.org"),
            ("smtp://SMTP.example.org:587?tls=required", "smtp.example.org"),
            ("smtps://me%40example.org:hunter%2F2@smtp.example.org:465/", "smtp.example.org"),
            ("smtp://[::1]:25", "::1"),
            ("smtp://me:a+b=c!@10.0.0.5:25", "10.0.0.5"),
        ] {
            assert_eq!(host(url).as_deref(), Ok(expected), "{url}");
        }
        for (url, words) in [
            ("smtps://me:hunter/2@smtp.example.org", "%2F"),
            ("smtps://me:hunter@2@smtp.example.org", "%40"),
            ("smtps://me:hun:ter@smtp.example.org", "%3A"),
            ("smtps://me:hunter#2@smtp.example.org", "%23"),
            ("smtps://me:hunter%2@smtp.example.org", "%25"),
            ("smtps://me:hun ter@smtp.example.org", "%20"),
            ("smtps://me:hunter", "port"),
            ("smtp://smtp.example.org:notaport", "port"),
            ("smtp://smtp.example.org:0", "port"),
            ("smtp://smtp.example.org?tls=requred", "?tls=required"),
            ("smtp.example.org", "smtps://"),
            ("smtp://", "smtps://"),
            ("http://smtp.example.org", "smtps://"),
        ] {
            let fault = host(url).unwrap_err();
            assert!(fault.contains(words) && !fault.contains("hunter"), "{url}: {fault}");
        }
    }
}
