//! Checks of the public address as a browser uses it: name, port, certificate; the clock; and what the server calls.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::Check;
use crate::base::{Clock, days, seconds};
use crate::cli::web;
use crate::config::{Config, MailTransport, ProviderKind, Tls};
use crate::outbound::HttpClient;

/// Days before its end in which a certificate is reported.
const ENDS_SOON_DAYS: u64 = 14;
/// How far the clock may be from the one of the public address, in seconds.
const CLOCK_SECONDS_MAX: u64 = 60;

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
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The certificate as a browser on this machine sees it.
fn certificate(config: &Config, public: &PublicAddress, mut stream: TcpStream) -> Check {
    const NAME: &str = "certificate";
    if !public.is_https {
        return Check::skipped(NAME, "public_url does not begin with https://");
    }
    let mut roots = RootCertStore::empty();
    for root in rustls_native_certs::load_native_certs().certs {
        // One that cannot be read is not used by other programs either.
        let _ = roots.add(root);
    }
    if roots.is_empty() {
        return Check::failed(NAME, "this machine has no certificate authorities", "Run: apt install ca-certificates");
    }
    let found = Arc::new(Mutex::new(None));
    let judge = WebPkiServerVerifier::builder(Arc::new(roots)).build();
    let (Ok(judge), Ok(name)) = (judge, ServerName::try_from(public.host.clone())) else {
        return Check::skipped(NAME, "the certificate authorities of this machine cannot be used");
    };
    let verifier = Arc::new(Observer { judge, found: found.clone() });
    let settings = ClientConfig::builder().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    let handshake = ClientConnection::new(Arc::new(settings), name)
        .map_err(std::io::Error::other)
        .and_then(|mut connection| connection.complete_io(&mut stream).map(drop));
    let judged = found.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (judged, handshake) {
        (Some(Judgement::Good), _) => {
            Check::ok(NAME, format!("it is valid for {} and for at least {ENDS_SOON_DAYS} days", public.host))
        }
        (Some(Judgement::EndsSoon), _) => Check::warning(
            NAME,
            format!("it ends within {ENDS_SOON_DAYS} days"),
            "Renew it, and look why its renewal did not run (for example: systemctl status certbot.timer).",
        ),
        (Some(Judgement::Refused(error)), _) => refused_certificate(config, public, &error),
        (None, Err(error)) => Check::failed(
            NAME,
            format!("what answers at {} does not speak TLS: {error}", public.port),
            "Set listen.tls = \"files\" with a certificate, or terminate TLS in a proxy in front.",
        ),
        (None, Ok(())) => Check::skipped(NAME, "the server showed none"),
    }
}

fn refused_certificate(config: &Config, public: &PublicAddress, error: &rustls::Error) -> Check {
    let renew = "Renew it, and look why its renewal did not run (for example: systemctl status certbot.timer).";
    let (cause, cure) = match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => ("it has expired".to_owned(), renew),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
                "it is not valid yet, or the clock of this machine is behind".to_owned(),
                "Check the clock with timedatectl, then the certificate.",
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
                format!("it is for another name than {}", public.host),
                "Get a certificate that has the name of public_url, or correct public_url.",
            ),
            CertificateError::UnknownIssuer | CertificateError::BadSignature => unknown_issuer(config),
            other => (format!("browsers refuse it: {other:?}"), renew),
        },
        other => (format!("browsers refuse it: {other}"), renew),
    };
    Check::failed("certificate", cause, cure)
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

/// What was found about the certificate.
#[derive(Debug)]
enum Judgement {
    Good,
    EndsSoon,
    Refused(rustls::Error),
}

/// Notes what a browser would say, and lets the connection go on.
#[derive(Debug)]
struct Observer {
    judge: Arc<WebPkiServerVerifier>,
    found: Arc<Mutex<Option<Judgement>>>,
}

impl ServerCertVerifier for Observer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let at = |now| self.judge.verify_server_cert(certificate, chain, name, ocsp, now);
        let soon = UnixTime::since_unix_epoch(seconds(now.as_secs()) + days(ENDS_SOON_DAYS));
        let judgement = match (at(now), at(soon)) {
            (Err(error), _) => Judgement::Refused(error),
            (Ok(_), Err(_)) => Judgement::EndsSoon,
            (Ok(_), Ok(_)) => Judgement::Good,
        };
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(judgement);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

/// The clock of this machine against the one of the public address, and whether the system keeps it right.
pub(super) fn clock(config: &Config) -> Check {
    const CURE: &str = "Switch on time synchronisation: timedatectl set-ntp true";
    let answer = web::get(&format!("{}/healthz", config.public_url), &[]);
    let date = answer.ok().and_then(|answer| jiff::fmt::rfc2822::parse(answer.date.as_deref()?).ok());
    let now = Clock::system().now();
    if let Some(date) = &date {
        let apart = date.timestamp().as_millisecond().abs_diff(now.millis()) / 1000;
        if !(0..=CLOCK_SECONDS_MAX).contains(&apart) {
            return Check::failed("clock", format!("this machine and public_url are {apart} seconds apart"), CURE);
        }
    }
    let show = ["show", "--property=NTPSynchronized", "--value"];
    let synchronized = Command::new("timedatectl").args(show).stdin(Stdio::null()).stderr(Stdio::null()).output();
    match synchronized.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).as_deref() {
        Ok("yes") => Check::ok("clock", "the system synchronizes it"),
        Ok("no") => Check::warning("clock", "the system does not synchronize it, or has not yet", CURE),
        _ if date.is_some() => Check::ok("clock", "it agrees with the one of public_url"),
        _ => Check::skipped("clock", "there is nothing to compare it with"),
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
