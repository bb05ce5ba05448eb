//! The mail relay: the one parser of `mail.smtp_url`, for `check`, `serve` and every command.

use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

use super::syntax::{ascii_host, is_loopback_name};
use crate::base::Secret;

/// An SMTP relay.
#[derive(Clone, Debug)]
pub struct Relay {
    /// A name in lower case, or an address without brackets.
    pub host: String,
    #[allow(missing_docs)]
    pub port: u16,
    #[allow(missing_docs)]
    pub tls: RelayTls,
    /// `None`: the relay needs none.
    pub credentials: Option<RelayCredentials>,
    /// The PEM file of the certificate authorities that are trusted instead of those of the system.
    pub ca_file: Option<PathBuf>,
}

/// The name and the password for a relay.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct RelayCredentials {
    pub name: Secret<String>,
    pub password: Secret<String>,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayTls {
    /// With the connection: `smtps://`.
    Implicit,
    /// With STARTTLS (RFC 3207), or nothing is sent.
    Required,
    /// With STARTTLS, if the relay offers it.
    Offered,
    /// Never.
    Off,
}

/// The example in the faults.
const EXAMPLE: &str = "for example \"smtps://name:password@smtp.example.org:465\"";

const ENCODING: &str = "has a character in its name or password that must be percent-encoded: write / as %2F, @ as %40, : as %3A, ? as %3F, # as %23, % as %25 and a space as %20";

impl Relay {
    /// Reads `smtps://name:password@host:port` or `smtp://…`, with `?tls=required`, `opportunistic` or `off`. A fault says
    /// what is wrong and never contains a part of the text, which may be a part of the password.
    ///
    /// # Errors
    /// What follows the name of the setting in a sentence.
    pub fn parse(text: &Secret<String>, ca_file: Option<PathBuf>) -> Result<Self, String> {
        let text = text.expose();
        let is_tls = match text.split_once("://") {
            Some(("smtps", _)) => true,
            Some(("smtp", _)) => false,
            _ => return Err(format!("must begin with smtps:// or smtp://, {EXAMPLE}")),
        };
        // The last @ ends name and password, also if these contain others by mistake.
        let login = text.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(login, _)| login);
        if login.is_some_and(|login| !is_encoded(login)) {
            return Err(ENCODING.to_owned());
        }
        let unreadable =
            || format!("cannot be read: after the host, there must be a port from 1 to 65535 or nothing, {EXAMPLE}");
        let url = Url::parse(text).map_err(|_| unreadable())?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() || url.port() == Some(0) {
            return Err(unreadable());
        }
        let host = url.host_str().map(normalize).filter(|host| is_host(host)).ok_or_else(unreadable)?;
        let credentials = credentials(&url)?;
        let needs_tls = credentials.is_some() && !is_loopback_name(&host);
        let tls = match (url.query(), is_tls) {
            (None, true) => RelayTls::Implicit,
            (Some(_), true) => {
                return Err("must not end with ?…, because smtps:// always uses TLS. Remove it".to_owned());
            }
            (Some("tls=required"), false) => RelayTls::Required,
            (Some("tls=opportunistic" | "tls=off"), false) if needs_tls => {
                return Err("would send the password to another machine in plain text. Remove ?tls=…, or use smtps://"
                    .to_owned());
            }
            (Some("tls=opportunistic"), false) => RelayTls::Offered,
            (Some("tls=off"), false) => RelayTls::Off,
            (Some(_), false) => {
                return Err("must end with ?tls=required, ?tls=opportunistic, ?tls=off, or without a ?".to_owned());
            }
            (None, false) if needs_tls => RelayTls::Required,
            (None, false) => RelayTls::Offered,
        };
        // The ports of submission (RFC 8314) and of relaying (RFC 5321).
        let default_port = match tls {
            RelayTls::Implicit => 465,
            RelayTls::Required => 587,
            RelayTls::Offered | RelayTls::Off if credentials.is_some() => 587,
            RelayTls::Offered | RelayTls::Off => 25,
        };
        Ok(Self { host, port: url.port().unwrap_or(default_port), tls, credentials, ca_file })
    }

    /// Whether the relay is on this machine: only this machine sees what is sent to it.
    pub fn is_local(&self) -> bool {
        is_loopback_name(&self.host)
    }

    /// Whether mail may be sent in plain text when the certificate is not trusted: on this machine, where nobody can stand
    /// between, unless the settings ask for TLS. The certificates of local relays are usually made for nobody.
    pub fn may_do_without_tls(&self) -> bool {
        self.tls == RelayTls::Offered && self.is_local() && self.ca_file.is_none()
    }

    /// Describes the relay for the admin, without a secret.
    pub fn describe(&self) -> String {
        let Self { host, port, .. } = self;
        let trust = match (&self.ca_file, self.tls) {
            (_, RelayTls::Off) => String::new(),
            (Some(file), _) => format!(", trusting only {}", file.display()),
            (None, _) => ", trusting the certificate authorities of this system".to_owned(),
        };
        let tls = match self.tls {
            RelayTls::Implicit => "with TLS from the first byte (smtps)",
            RelayTls::Required => "with STARTTLS, which must be offered",
            RelayTls::Offered if self.may_do_without_tls() => {
                "with STARTTLS if the relay offers it and its certificate is trusted"
            }
            RelayTls::Offered => "with STARTTLS if the relay offers it",
            RelayTls::Off => "without TLS",
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let sign_in = if self.credentials.is_some() { "with a password" } else { "without a password" };
        format!("{host}:{port} {tls}{trust}; {sign_in}")
    }
}

fn credentials(url: &Url) -> Result<Option<RelayCredentials>, String> {
    let decode = |part: &str| {
        let decoded = percent_decode_str(part).decode_utf8().map(|text| text.into_owned());
        decoded.ok().filter(|text| !text.contains(['\0', '\r', '\n']))
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (name, Some(password)) if !name.is_empty() && !password.is_empty() => match (decode(name), decode(password)) {
            (Some(name), Some(password)) => {
                Ok(Some(RelayCredentials { name: Secret::new(name), password: Secret::new(password) }))
            }
            _ => Err("has a name or a password that is not UTF-8 in percent-encoding".to_owned()),
        },
        _ => Err("must have a name and a password before the @, or neither".to_owned()),
    }
}

/// In lower case, in ASCII, and without the brackets of an IPv6 address.
fn normalize(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ascii_host(&percent_decode_str(bare).decode_utf8_lossy())
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

fn is_host(host: &str) -> bool {
    let is_name =
        host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) && !host.is_empty();
    is_name || host.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Relay, String> {
        Relay::parse(&Secret::new(text.to_owned()), None)
    }

    #[test]
    fn credentials_reach_another_machine_only_through_tls() {
        for (text, port, tls) in [
            ("smtps://u:p@mail.example.org", 465, RelayTls::Implicit),
            ("smtp://u:p@mail.example.org", 587, RelayTls::Required),
            ("smtp://u:p@10.0.0.5:25", 25, RelayTls::Required),
            ("smtp://mail.example.org", 25, RelayTls::Offered),
            ("smtp://mail.example.org?tls=required", 587, RelayTls::Required),
            ("smtp://mail.example.org/?tls=off", 25, RelayTls::Off),
            ("smtp://u:p@127.0.0.1", 587, RelayTls::Offered),
            ("smtp://u:p@[::1]:2525?tls=off", 2525, RelayTls::Off),
        ] {
            let relay = parse(text).unwrap();
            assert_eq!((relay.port, relay.tls), (port, tls), "{text}");
        }
        for plain in ["opportunistic", "off"] {
            let fault = parse(&format!("smtp://u:p@mail.example.org:587?tls={plain}")).unwrap_err();
            assert!(fault.contains("plain text"), "{fault}");
        }
    }

    #[test]
    fn a_fault_contains_no_part_of_the_password() {
        for text in [
            "smtp://user:hun/ter2@mail.example.org",
            "smtp://user:h@hun/ter2@mail.example.org",
            "smtp://user:h@hun?ter2@mail.example.org",
            "smtp://user:h@hun#ter2@mail.example.org",
            "smtp://user:h@hun:ter2@mail.example.org:x",
            "smtps://user:hunter2@mail.example.org:notaport",
            "smtps://user:hunter2@mail.example.org:99999",
            "smtp://user:hunter2@mail.example.org?tls=requred",
            "smtps://user:hunter2@mail.example.org?tls=required",
            "smtps://user:%ff@mail.example.org",
            "smtps://user:hunter%2@mail.example.org",
            "smtps://user:hun ter2@mail.example.org",
            "smtps://user:hunter2@mail.example.org:0",
            "smtps://user:hunter2",
            "smtps://:hunter2@mail.example.org",
            "smtps://user@mail.example.org",
            "smtps://",
            "smtps:mail.example.org",
            "mail.example.org",
            "smtps://mail.example.org/hunter2",
            "smtps://mail ex.example.org",
        ] {
            let fault = parse(text).expect_err(text);
            assert!(!fault.contains("hun") && !fault.contains("ter2") && !fault.contains("requred"), "{fault}");
        }
        let encoded = parse("smtps://us%40er:a%2F%40%3A%25b@Mail.Example.org").unwrap();
        let credentials = encoded.credentials.unwrap();
        assert_eq!((credentials.name.expose().as_str(), credentials.password.expose().as_str()), ("us@er", "a/@:%b"));
        assert_eq!(encoded.host, "mail.example.org");
    }

    #[test]
    fn the_description_says_which_tls_will_be_used() {
        for (text, words) in [
            ("smtps://u:geheim@mail.example.org", ["mail.example.org:465", "smtps"]),
            ("smtp://u:geheim@mail.example.org", ["STARTTLS, which must be offered", "with a password"]),
            ("smtp://127.0.0.1:2525", ["and its certificate is trusted", "without a password"]),
            ("smtp://[::1]:2525?tls=off", ["[::1]:2525", "without TLS"]),
        ] {
            let described = parse(text).unwrap().describe();
            assert!(words.iter().all(|word| described.contains(word)) && !described.contains("geheim"), "{described}");
        }
    }
}
