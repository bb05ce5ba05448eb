//! `domicile healthcheck`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use super::arguments::Common;
use super::context;
use super::failure::Failure;
use crate::base::seconds;
use crate::config::{Config, Tls};

/// Bytes of a status line at most.
const LINE_BYTES_MAX: u64 = 8 * 1024;

/// Asks the local server whether it is ready, as a load balancer would.
pub(super) fn run(common: &Common) -> Result<(), Failure> {
    let config = context::config(common)?;
    let target = target(&config)?;
    let told =
        |error: &dyn std::fmt::Display| Failure::refused(format!("the server at {target} is not ready: {error}."));
    let stream = TcpStream::connect_timeout(&target, seconds(3)).map_err(|error| told(&error))?;
    stream.set_read_timeout(Some(seconds(5))).map_err(|error| told(&error))?;
    let line = match accepted(&config, target.ip())? {
        None => ask(stream),
        Some(accepted) => encrypted(stream, accepted, target.ip()).and_then(ask),
    };
    match line.map_err(|error| told(&error))?.trim_end() {
        "" => Err(told(&"it answered nothing")),
        line if line.contains(" 200 ") => {
            println!("ready");
            Ok(())
        }
        line => Err(told(&line)),
    }
}

/// The first address that is listened on; for all of a family, the loopback address of it.
fn target(config: &Config) -> Result<SocketAddr, Failure> {
    let mut target =
        config.listen.addresses.first().copied().ok_or_else(|| Failure::configuration("listen.address is empty."))?;
    if target.ip().is_unspecified() {
        target.set_ip(if target.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    Ok(target)
}

fn ask(mut stream: impl Read + Write) -> std::io::Result<String> {
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut line)?;
    Ok(line)
}

/// Which certificates are the local server's.
#[derive(Debug)]
enum Accepted {
    /// This one and no other.
    Configured(CertificateDer<'static>),
    /// Any: it is made at each start and kept nowhere, and the address is one of this machine's own, so that nobody else
    /// can stand there.
    OfThisMachine,
}

/// `None`: the server speaks plain HTTP.
fn accepted(config: &Config, target: IpAddr) -> Result<Option<Accepted>, Failure> {
    match &config.listen.tls {
        Tls::Off => Ok(None),
        Tls::SelfSigned if is_own(target) => Ok(Some(Accepted::OfThisMachine)),
        Tls::SelfSigned => Err(Failure::configuration(format!(
            "{target} is not an address of this machine, so its self-signed certificate cannot be trusted. Run the command where the server runs."
        ))),
        Tls::Files { certificate, .. } => CertificateDer::pem_file_iter(certificate)
            .and_then(|mut chain| chain.next().unwrap_or(Err(rustls::pki_types::pem::Error::NoItemsFound)))
            .map(|first| Some(Accepted::Configured(first)))
            .map_err(|error| {
                Failure::configuration(format!(
                    "{} cannot be used: {error}. It must be a PEM file that this person may read.",
                    certificate.display()
                ))
            }),
    }
}

/// Only an address of this machine can be bound to.
fn is_own(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

fn encrypted(
    stream: TcpStream,
    accepted: Accepted,
    target: IpAddr,
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let algorithms = ring::default_provider().signature_verification_algorithms;
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Local { accepted, algorithms }))
        .with_no_client_auth();
    let connection =
        ClientConnection::new(Arc::new(config), ServerName::IpAddress(target.into())).map_err(std::io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

/// Takes the local server's certificate for what it is: this very one. Names, dates and issuers are not looked at, because
/// the question is whether the server answers, and not whether browsers trust it: a certificate that has expired, or is for
/// another name than clients use, is not found here. That the server holds the certificate's key is checked.
///
/// One that was renewed is another one, until the server has read it: the check fails then, and is right to.
#[derive(Debug)]
struct Local {
    accepted: Accepted,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Local {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.accepted {
            Accepted::Configured(configured) if configured != shown => Err(rustls::Error::General(
                "it shows another certificate than the configured one; if that was renewed, restart the server".into(),
            )),
            Accepted::Configured(_) | Accepted::OfThisMachine => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
