//! Which certificates of relays are trusted: those of the authorities of the system, or of a file, and remembers what a relay
//! has shown.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::super::trust::{Authorities, CertificateVerdict, client_config};
use super::failure::Cause;
use crate::base::Timestamp;

/// The trusted certificate authorities, read anew for each connection: an admin who adds one need not restart the server.
pub(in crate::outbound) struct Trust {
    pub config: ClientConfig,
    presented: Arc<Presented>,
}

/// The certificates that a relay has shown, the relay's own first, also those that are not trusted.
#[derive(Debug, Default)]
struct Presented(Mutex<Vec<CertificateDer<'static>>>);

impl Trust {
    /// Trusts the authorities of `ca_file` only, or else those of the system.
    ///
    /// # Errors
    /// What cannot be read, in a clause.
    pub fn load(ca_file: Option<&Path>) -> Result<Self, String> {
        let presented = Arc::<Presented>::default();
        let (authorities, pinned) = match ca_file {
            Some(file) => Authorities::of_file(file)
                .map_err(|error| format!("mail.ca_file {} cannot be used: {error}", file.display()))?,
            None => {
                let system = Authorities::of_system()
                    .map_err(|error| format!("the certificate authorities of this system cannot be read: {error}"))?;
                (system, Vec::new())
            }
        };
        let verifier = RelayVerifier { inner: authorities.verifier(), pinned, presented: presented.clone() };
        Ok(Self { config: client_config(Arc::new(verifier)), presented })
    }

    /// Describes the certificates that the relay has shown, one line for each.
    pub fn describe_presented(&self) -> Vec<String> {
        let presented = self.presented.0.lock().unwrap_or_else(PoisonError::into_inner);
        presented.iter().map(describe).collect()
    }
}

/// Remembers what a relay shows, and trusts what `inner` trusts. It also trusts a relay whose own certificate is in
/// `ca_file`: the self-signed certificates of relays inside a company are authorities and servers at once, which webpki
/// refuses by principle. Names and dates are checked for those too.
#[derive(Debug)]
struct RelayVerifier {
    inner: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
    presented: Arc<Presented>,
}

impl ServerCertVerifier for RelayVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).map(|one| one.clone().into_owned()).collect();
        *self.presented.0.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        if self.pinned.iter().any(|pinned| pinned == end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return check_dates(end_entity, now).map(|()| ServerCertVerified::assertion());
        }
        self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

fn describe(certificate: &CertificateDer<'_>) -> String {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return "a certificate that cannot be read".to_owned();
    };
    let names = parsed.subject_alternative_name().ok().flatten();
    let names = names.map_or_else(Vec::new, |names| names.value.general_names.iter().map(name_text).collect());
    let names = if names.is_empty() { String::new() } else { format!(", for {}", names.join(" ")) };
    let ends = Timestamp::from_millis(parsed.validity().not_after.timestamp().saturating_mul(1000));
    format!("certificate {}{names}, issued by {}, valid until {}", parsed.subject(), parsed.issuer(), ends.iso_day())
}

fn name_text(name: &x509_parser::extensions::GeneralName<'_>) -> String {
    use x509_parser::extensions::GeneralName;
    match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(bytes) => match (<[u8; 4]>::try_from(*bytes), <[u8; 16]>::try_from(*bytes)) {
            (Ok(v4), _) => std::net::Ipv4Addr::from(v4).to_string(),
            (_, Ok(v6)) => std::net::Ipv6Addr::from(v6).to_string(),
            _ => "an unreadable address".to_owned(),
        },
        _ => "another kind of name".to_owned(),
    }
}

/// Why a handshake failed.
pub(super) fn cause_of(error: &std::io::Error) -> Cause {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidMessage(_)) => Cause::NotTls,
        Some(error) => match CertificateVerdict::of(error) {
            CertificateVerdict::UnknownIssuer => Cause::UnknownIssuer,
            CertificateVerdict::Expired => Cause::Expired,
            CertificateVerdict::NotYetValid => Cause::NotYetValid,
            CertificateVerdict::OtherName => Cause::WrongName,
            CertificateVerdict::SelfSigned => Cause::SelfSigned,
            CertificateVerdict::Missing | CertificateVerdict::Other(_) => Cause::OtherTls,
        },
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => Cause::Closed,
        None => super::cause_of_io(error),
    }
}
