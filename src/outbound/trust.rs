//! Whom connections to other machines trust: the certificate authorities of the system, or those of a file.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    StreamOwned,
};

use crate::base::{Timestamp, seconds};

/// Certificate authorities.
pub struct Authorities {
    verifier: Arc<WebPkiServerVerifier>,
    /// How many there are.
    pub count: usize,
    /// What could not be read, in clauses. The others are trusted all the same.
    pub unreadable: Vec<String>,
}

impl Authorities {
    /// Those of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`, as they are now.
    ///
    /// # Errors
    /// Why there are none, in a clause.
    pub fn of_system() -> Result<Self, String> {
        let found = rustls_native_certs::load_native_certs();
        let mut unreadable: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        let mut roots = RootCertStore::empty();
        let (count, unusable) = roots.add_parsable_certificates(found.certs);
        if unusable > 0 {
            unreadable.push(format!("{unusable} of the certificates have a wrong format"));
        }
        if count == 0 {
            return Err(unreadable.into_iter().next().unwrap_or_else(|| "there are none".to_owned()));
        }
        Ok(Self { verifier: verifier_of(roots)?, count, unreadable })
    }

    /// Those of a PEM file, and the certificates themselves.
    ///
    /// # Errors
    /// Why the file cannot be used, in a clause.
    pub fn of_file(file: &Path) -> Result<(Self, Vec<CertificateDer<'static>>), String> {
        let certificates = CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| error.to_string())?;
        if certificates.is_empty() {
            return Err("it holds no certificate".to_owned());
        }
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|error| error.to_string())?;
        }
        let authorities = Self { verifier: verifier_of(roots)?, count: certificates.len(), unreadable: Vec::new() };
        Ok((authorities, certificates))
    }

    /// Judges certificates as browsers do.
    pub(super) fn verifier(&self) -> Arc<WebPkiServerVerifier> {
        self.verifier.clone()
    }

    /// The TLS settings of a client that trusts them.
    pub fn client_config(&self) -> ClientConfig {
        client_config(self.verifier.clone())
    }

    /// Judges a chain for the host `name` at a moment.
    ///
    /// # Errors
    /// [`CertificateVerdict`].
    pub fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        at: Timestamp,
    ) -> Result<(), CertificateVerdict> {
        let Some((first, rest)) = chain.split_first() else { return Err(CertificateVerdict::Missing) };
        let at = UnixTime::since_unix_epoch(seconds(at.unix_seconds().unsigned_abs()));
        let judged = self.verifier.verify_server_cert(first, rest, name, &[], at);
        judged.map(drop).map_err(|error| CertificateVerdict::of(&error))
    }
}

fn verifier_of(roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, String> {
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
    builder.build().map_err(|error| error.to_string())
}

/// The cryptography of all outgoing TLS.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The TLS settings of a client with this verifier.
pub(super) fn client_config(verifier: Arc<dyn ServerCertVerifier>) -> ClientConfig {
    // The provider has both versions of TLS.
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.unwrap_or_else(|_| ClientConfig::builder());
    builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
}

/// Why a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateVerdict {
    /// The server has shown none.
    Missing,
    /// It has expired.
    Expired,
    /// It begins later.
    NotYetValid,
    /// It is for another host.
    OtherName,
    /// Its issuer is not trusted, or an intermediate certificate is missing.
    UnknownIssuer,
    /// It is an authority and a server at once, as most self-signed certificates are.
    SelfSigned,
    /// Something else, in the words of the library.
    Other(String),
}

impl CertificateVerdict {
    /// What a failed verification says.
    pub(super) fn of(error: &Error) -> Self {
        let Error::InvalidCertificate(error) = error else { return Self::Other(error.to_string()) };
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::OtherName,
            // Another authority with the same name has signed it.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
            other if format!("{other:?}").contains("CaUsedAsEndEntity") => Self::SelfSigned,
            other => Self::Other(format!("{other:?}")),
        }
    }
}

/// A TLS connection to a server whose certificate nobody has judged yet.
pub struct UnjudgedConnection {
    /// The certificates that the server has shown, its own first. The server has its private key.
    pub chain: Vec<CertificateDer<'static>>,
    /// The connection. An error after the certificates were shown is about something else.
    pub stream: std::io::Result<StreamOwned<ClientConnection, TcpStream>>,
}

/// Speaks TLS with a server, whatever certificate it has. The caller judges the chain before it sends anything that not
/// everybody may read. `stream` has a limit of time.
pub fn connect_unjudged(mut stream: TcpStream, name: ServerName<'static>) -> UnjudgedConnection {
    let failed = |error| UnjudgedConnection { chain: Vec::new(), stream: Err(error) };
    let algorithms = provider().signature_verification_algorithms;
    let config = client_config(Arc::new(AnyCertificate { algorithms }));
    let mut connection = match ClientConnection::new(Arc::new(config), name) {
        Ok(connection) => connection,
        Err(error) => return failed(std::io::Error::other(error)),
    };
    let shaken = connection.complete_io(&mut stream);
    let chain = connection.peer_certificates().unwrap_or_default();
    let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
    UnjudgedConnection { chain, stream: shaken.map(|_| StreamOwned::new(connection, stream)) }
}

/// Accepts every certificate of which the server has the private key.
#[derive(Debug)]
struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;
    use crate::base::{Clock, days};

    #[test]
    fn a_chain_is_judged_for_a_name_and_a_moment() {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let now = Clock::system().now();
        let of = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(names).unwrap();
            params.not_before = now.minus(days(1)).system_time().into();
            params.not_after = now.plus(days(5)).system_time().into();
            params
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("authority.pem");
        std::fs::write(&file, authority.pem()).unwrap();
        let (authorities, certificates) = Authorities::of_file(&file).unwrap();
        assert_eq!((authorities.count, certificates.len()), (1, 1));
        let own = KeyPair::generate().unwrap();
        let good = [of(&["a.example"]).signed_by(&own, &issuer).unwrap().der().clone()];
        let name = ServerName::try_from("a.example").unwrap();
        let judge = |chain: &[CertificateDer<'_>], at| authorities.judge(chain, &name, at);

        assert_eq!(judge(&good, now), Ok(()));
        assert_eq!(judge(&good, now.plus(days(6))), Err(CertificateVerdict::Expired));
        assert_eq!(judge(&good, now.minus(days(2))), Err(CertificateVerdict::NotYetValid));
        let other = [of(&["b.example"]).signed_by(&own, &issuer).unwrap().der().clone()];
        assert_eq!(judge(&other, now), Err(CertificateVerdict::OtherName));
        let unknown = [of(&["a.example"]).self_signed(&own).unwrap().der().clone()];
        assert_eq!(judge(&unknown, now), Err(CertificateVerdict::UnknownIssuer));
        assert_eq!(judge(&[], now), Err(CertificateVerdict::Missing));
        let mut both = of(&["a.example"]);
        both.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let both = [both.self_signed(&own).unwrap().der().clone()];
        assert_eq!(judge(&both, now), Err(CertificateVerdict::SelfSigned));

        std::fs::write(&file, "").unwrap();
        assert_eq!(Authorities::of_file(&file).err().as_deref(), Some("it holds no certificate"));
    }
}
