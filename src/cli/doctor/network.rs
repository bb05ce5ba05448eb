//! Checks of the public address as a browser uses it: name, port, certificate; the clock; and what the server calls.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};

use rustls::pki_types::ServerName;

use super::Check;
use crate::base::{Clock, Timestamp, seconds};
use crate::cli::web;
use crate::config::{Config, MailTransport, ProviderKind, Tls};
use crate::machine::{self, ClockVerdict};
use crate::maintenance::{self, ENDING_DAYS};
use crate::outbound::{self, Authorities, CertificateVerdict, HttpClient};

/// Scheme, host and port of the public address.
pub(super) struct PublicAddress {
    is_https: bool,
    host: String,
    port: u16,
}

impl PublicAddress {
    pub(super) fn new(config: &Config) -> Option<Self> {
        let url = url::Url::parse(&config.public_url).ok()?;
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some(Self { is_https: url.scheme() == "https", host, port: url.port_or_known_default()? })
    }
}

/// Name, port and certificate.
pub(super) fn all(config: &Config) -> Vec<Check> {
    let Some(public) = PublicAddress::new(config) else { return Vec::new() };
    let addresses = match (public.host.as_str(), public.port).to_socket_addrs().map(Vec::from_iter) {
        Ok(addresses) if !addresses.is_empty() => addresses,
        Ok(_) | Err(_) => {
            return vec![
                Check::failed(
                    "dns",
                    format!("the name {} of public_url has no address", public.host),
                    "Create its A and AAAA records in the DNS, or correct public_url.",
                ),
                Check::skipped("port", "the name has no address"),
                Check::skipped("certificate", "the name has no address"),
            ];
        }
    };
    let names: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let dns = Check::ok("dns", format!("{} is {}", public.host, names.join(", ")));
    match connect(&addresses) {
        Err(error) => vec![
            dns,
            Check::failed(
                "port",
                format!("nothing answers at {} port {}: {error}", public.host, public.port),
                "Start the server or the proxy in front of it, and open the port in the firewall.",
            ),
            Check::skipped("certificate", "nothing answers"),
        ],
        Ok(stream) => {
            vec![dns, Check::ok("port", format!("{} answers", public.port)), certificate(config, &public, stream)]
        }
    }
}

fn connect(addresses: &[SocketAddr]) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("there is no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, seconds(5)) {
            Ok(stream) => {
                stream.set_read_timeout(Some(seconds(5)))?;
                stream.set_write_timeout(Some(seconds(5)))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The certificate as a browser on this machine sees it.
fn certificate(config: &Config, public: &PublicAddress, stream: TcpStream) -> Check {
    const NAME: &str = "certificate";
    const RENEW: &str = "Renew it, and look why its renewal did not run (for example: systemctl status certbot.timer).";
    if !public.is_https {
        return Check::skipped(NAME, "public_url does not begin with https://");
    }
    let (authorities, name) = match (Authorities::of_system(), ServerName::try_from(public.host.clone())) {
        (Ok(authorities), Ok(name)) => (authorities, name),
        (Err(_), _) => return Check::skipped(NAME, "this machine has no certificate authorities to judge it by"),
        (_, Err(_)) => return Check::skipped(NAME, "the host of public_url cannot stand in a certificate"),
    };
    let connection = outbound::connect_unjudged(stream, name.clone());
    if let (true, Err(error)) = (connection.chain.is_empty(), &connection.stream) {
        return Check::failed(
            NAME,
            format!("what answers at {} does not speak TLS: {error}", public.port),
            "Set listen.tls = \"files\" with a certificate, or terminate TLS in a proxy in front.",
        );
    }
    let now = Clock::system().now();
    let judge = |at| authorities.judge(&connection.chain, &name, at);
    if let Err(verdict) = judge(now) {
        let (cause, cure) = match verdict {
            CertificateVerdict::Expired => ("it has expired".to_owned(), RENEW),
            CertificateVerdict::NotYetValid => (
                "it is not valid yet, or the clock of this machine is behind".to_owned(),
                "Check the clock with timedatectl, then the certificate.",
            ),
            CertificateVerdict::OtherName => (
                format!("it is for another name than {}", public.host),
                "Get a certificate that has the name of public_url, or correct public_url.",
            ),
            CertificateVerdict::UnknownIssuer | CertificateVerdict::SelfSigned => unknown_issuer(config),
            CertificateVerdict::Missing => ("the server shows none".to_owned(), RENEW),
            CertificateVerdict::Other(reason) => (format!("browsers refuse it: {reason}"), RENEW),
        };
        return Check::failed(NAME, cause, cure);
    }
    match maintenance::ending_stage(|wait| judge(now.plus(wait)).is_ok()) {
        Some(days) => Check::warning(NAME, format!("it ends within {days} days"), RENEW),
        None => Check::ok(NAME, format!("it is valid for {} and for at least {ENDING_DAYS} days", public.host)),
    }
}

/// The authorities by which every connection to another machine is judged.
pub(super) fn authorities() -> Check {
    const NAME: &str = "authorities";
    match Authorities::of_system() {
        Ok(all) if all.unreadable.is_empty() => {
            Check::ok(NAME, format!("this machine trusts {} certificate authorities", all.count))
        }
        Ok(some) => Check::warning(
            NAME,
            format!("some certificate authorities of this machine cannot be read: {}", some.unreadable.join("; ")),
            "Correct or remove these files, then run: update-ca-certificates",
        ),
        Err(reason) => Check::failed(
            NAME,
            format!("this machine has no certificate authorities ({reason}), so no call over TLS succeeds"),
            "Run: apt install ca-certificates",
        ),
    }
}

fn unknown_issuer(config: &Config) -> (String, &'static str) {
    match config.listen.tls {
        Tls::SelfSigned => (
            "it is self-signed (listen.tls = \"self-signed\"), so browsers warn".to_owned(),
            "Set listen.tls = \"files\" with a certificate of an authority.",
        ),
        Tls::Off | Tls::Files { .. } => (
            "this machine does not trust its issuer, or the server does not send the intermediate certificates"
                .to_owned(),
            "Use the full chain (fullchain.pem). For an authority of your own, add it on each machine with update-ca-certificates.",
        ),
    }
}

/// The clock of this machine against the one of the public address, and whether the system keeps it right.
pub(super) fn clock(config: &Config) -> Check {
    const NAME: &str = "clock";
    const CURE: &str = "Switch on time synchronisation: timedatectl set-ntp true";
    let answer = web::get(&format!("{}/healthz", config.public_url), &[]);
    let date = answer.ok().and_then(|answer| jiff::fmt::rfc2822::parse(answer.date.as_deref()?).ok());
    let date = date.map(|date| Timestamp::from_millis(date.timestamp().as_millisecond()));
    match machine::judge_clock(Clock::system().now(), date, machine::is_clock_synchronized()) {
        ClockVerdict::Apart(seconds) => {
            Check::failed(NAME, format!("this machine and public_url are {seconds} seconds apart"), CURE)
        }
        ClockVerdict::Synchronized => Check::ok(NAME, "the system synchronizes it"),
        ClockVerdict::NotSynchronized => {
            Check::warning(NAME, "the system does not synchronize it, or has not yet", CURE)
        }
        ClockVerdict::Agrees => Check::ok(NAME, "it agrees with the one of public_url"),
        ClockVerdict::Unknown => Check::skipped(NAME, "there is nothing to compare it with"),
    }
}

/// The hosts that the server calls: the declared ones, and the providers that people sign in with.
pub(super) fn outgoing(config: &Config) -> Vec<Check> {
    let relay_port = match &config.mail.transport {
        MailTransport::Smtp(relay) => Some((relay.host.clone(), relay.port)),
        MailTransport::Directory(_) | MailTransport::Log => None,
    };
    let mut faults = Vec::new();
    for host in config.egress.iter().map(|entry| &entry.host) {
        let port = relay_port.as_ref().filter(|(relay, _)| relay == host).map_or(443, |(_, port)| *port);
        match (host.as_str(), port).to_socket_addrs().map(Vec::from_iter) {
            Ok(addresses) if !addresses.is_empty() => {
                if let Err(error) = connect(&addresses) {
                    faults.push(format!("{host} port {port}: {error}"));
                }
            }
            _ => faults.push(format!("{host} has no address")),
        }
    }
    let egress = match (&faults[..], config.egress.len()) {
        ([], 0) => Check::skipped("egress", "the settings allow no calls to other machines"),
        ([], count) => Check::ok("egress", format!("all {count} declared hosts can be reached")),
        (faults, _) => Check::failed(
            "egress",
            format!("declared hosts cannot be reached: {}", faults.join("; ")),
            "Correct the name in [[egress]], or allow the calls in the firewall of this machine.",
        ),
    };
    vec![egress, providers(config)]
}

/// Whether the providers' metadata can be read, in the way in which the server does it.
fn providers(config: &Config) -> Check {
    let with_metadata = config.oauth.iter().filter(|provider| match provider.kind {
        ProviderKind::GitHub => false,
        ProviderKind::Google | ProviderKind::Apple(_) | ProviderKind::Oidc => true,
    });
    let (client, mut faults, mut count) = (HttpClient::new(config), Vec::new(), 0);
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Check::skipped("sign-in", "calls cannot be made");
    };
    for provider in with_metadata {
        count += 1;
        let url = format!("{}/.well-known/openid-configuration", provider.issuer.trim_end_matches('/'));
        match runtime.block_on(client.get(&url, &[])) {
            Ok(reply) if reply.status == 200 => {}
            Ok(reply) => faults.push(format!("{}: {url} answered {}", provider.name, reply.status)),
            Err(error) => faults.push(format!("{}: {error}", provider.name)),
        }
    }
    match (&faults[..], count) {
        ([], 0) => Check::skipped("sign-in", "no provider with metadata is set"),
        ([], count) => Check::ok("sign-in", format!("the metadata of all {count} providers can be read")),
        (faults, _) => Check::failed(
            "sign-in",
            format!("people cannot sign in with these providers: {}", faults.join("; ")),
            "Correct issuer in [oauth], or add what is missing to [[egress]].",
        ),
    }
}
