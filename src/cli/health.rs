//! `domicile healthcheck`.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};

use super::arguments::Common;
use super::context;
use super::failure::Failure;
use super::output::result;
use super::web;
use crate::base::seconds;
use crate::config::{Config, Tls};
use crate::{outbound, server};

/// Maximum length of an answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Asks a server whether it is ready, as a load balancer does: the one at `url`, or the local one of the settings.
pub(super) fn run(common: &Common, url: Option<&str>) -> Result<(), Failure> {
    let state = match url {
        Some(url) => probe_url(url)?,
        None => probe(&context::config(common)?)?,
    };
    match state {
        ServerState::Ready => result(common, &serde_json::json!({"ready": true}), "ready"),
        ServerState::NotReady(reason) => Err(Failure::refused(reason).with_code("not_ready")),
    }
}

/// Whether the local server is ready.
pub(super) enum ServerState {
    Ready,
    /// With the reason, in one sentence.
    NotReady(String),
}

/// Asks the server at this address, as a browser would reach it. Needs no settings.
fn probe_url(url: &str) -> Result<ServerState, Failure> {
    let base = url.trim_end_matches('/').trim_end_matches("/readyz");
    if !base.starts_with("http://") && !base.starts_with("https://") {
        return Err(Failure::configuration(format!(
            "\"{url}\" is not an address. Give one such as https://account.example.org or http://127.0.0.1:8080."
        ))
        .with_code("usage"));
    }
    let failure =
        |error: &dyn std::fmt::Display| ServerState::NotReady(format!("the server at {base} is not ready: {error}."));
    Ok(match web::get(&format!("{base}/readyz"), &[]) {
        Ok(answer) if answer.status == 200 => ServerState::Ready,
        Ok(answer) => {
            let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let detail = document["detail"].as_str().map(str::to_owned);
            detail.map_or_else(|| failure(&format!("it answered {}", answer.status)), ServerState::NotReady)
        }
        Err(error) => failure(&error),
    })
}

/// Asks the local server whether it is ready.
///
/// # Errors
/// The settings do not say how to ask it.
pub(super) fn probe(config: &Config) -> Result<ServerState, Failure> {
    let (target, is_tls) = target(config)?;
    let certificate = if is_tls { accepted_certificate(config, target.ip())? } else { None };
    let failure = |error: &dyn std::fmt::Display| format!("the server at {target} is not ready: {error}.");
    let ask = || {
        let stream = TcpStream::connect_timeout(&target, seconds(3))?;
        stream.set_read_timeout(Some(seconds(5)))?;
        match &certificate {
            None => send_request(stream),
            Some(accepted) => encrypt(stream, accepted, target.ip()).and_then(send_request),
        }
    };
    let answer = match ask() {
        Ok(answer) => answer,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            return Ok(ServerState::NotReady(format!("nothing answers at {target}: no server is running there.")));
        }
        Err(error) => return Ok(ServerState::NotReady(failure(&error))),
    };
    Ok(match answer.lines().next().unwrap_or_default().trim_end() {
        "" => ServerState::NotReady(failure(&"it sent no answer")),
        line if line.contains(" 200 ") => ServerState::Ready,
        line => ServerState::NotReady(detail_of(&answer).unwrap_or_else(|| {
            format!("another program answers at {target}: {line}. Stop it, or change listen.address.")
        })),
    })
}

/// The sentence in the body of an answer that is a problem document.
fn detail_of(answer: &str) -> Option<String> {
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let document: serde_json::Value = serde_json::from_str(body).ok()?;
    document["detail"].as_str().map(str::to_owned)
}

/// The first address that the server listens on, plain HTTP before TLS, and whether it speaks TLS. If that means all addresses of a family, the loopback address of the
/// family.
fn target(config: &Config) -> Result<(SocketAddr, bool), Failure> {
    let addresses = &config.listen.addresses;
    let first = addresses.iter().find(|address| !address.is_tls).or(addresses.first());
    let first = *first.ok_or_else(|| Failure::configuration("listen.address is empty."))?;
    let mut target = first.socket;
    if target.ip().is_unspecified() {
        target.set_ip(if target.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    Ok((target, first.is_tls))
}

fn send_request(mut stream: impl Read + Write) -> std::io::Result<String> {
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut answer = Vec::new();
    // A server that closes a TLS connection without saying so has sent its whole answer all the same.
    match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer) {
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}

/// Which certificates of the local server are accepted.
#[derive(Debug)]
enum AcceptedCertificate {
    /// Only this certificate.
    Configured(CertificateDer<'static>),
    /// Any certificate: this user may not read the kept one. The address belongs to this machine, so no other machine can
    /// answer.
    Any,
}

/// `None`: the server speaks plain HTTP.
fn accepted_certificate(config: &Config, target: IpAddr) -> Result<Option<AcceptedCertificate>, Failure> {
    match &config.listen.tls {
        Tls::Off => Ok(None),
        Tls::SelfSigned if is_local(target) => Ok(Some(kept_certificate(config))),
        Tls::SelfSigned => Err(Failure::configuration(format!(
            "{target} is not an address of this machine, so its self-signed certificate cannot be trusted. Run the command where the server runs."
        ))),
        Tls::Files { certificate, .. } => CertificateDer::pem_file_iter(certificate)
            .and_then(|mut chain| chain.next().unwrap_or(Err(rustls::pki_types::pem::Error::NoItemsFound)))
            .map(|first| Some(AcceptedCertificate::Configured(first)))
            .map_err(|error| {
                Failure::configuration(format!(
                    "{} cannot be used: {error}. It must be a PEM file that this user may read.",
                    certificate.display()
                ))
            }),
    }
}

/// The self-signed certificate, if this user may read it and the server has made it already.
fn kept_certificate(config: &Config) -> AcceptedCertificate {
    server::self_signed_certificate(config).map_or(AcceptedCertificate::Any, AcceptedCertificate::Configured)
}

/// Whether the address belongs to this machine: only then it can be bound.
fn is_local(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

/// Speaks TLS with the server if it shows an accepted certificate. Names, dates and issuers are not checked, because the
/// question is whether the server answers and not whether browsers trust it: this does not find a certificate that has expired
/// or has another name.
///
/// If the certificate was renewed, the server reads it within seconds; until then the check fails.
fn encrypt(stream: TcpStream, accepted: &AcceptedCertificate, target: IpAddr) -> std::io::Result<impl Read + Write> {
    let connection = outbound::connect_unjudged(stream, ServerName::IpAddress(target.into()));
    let stream = connection.stream?;
    match accepted {
        AcceptedCertificate::Configured(configured) if connection.chain.first() != Some(configured) => {
            Err(std::io::Error::other(
                "it uses another certificate than the configured one; if that was renewed, run: systemctl reload domicile",
            ))
        }
        AcceptedCertificate::Configured(_) | AcceptedCertificate::Any => Ok(stream),
    }
}
