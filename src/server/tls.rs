//! TLS for the listener: PEM files, or a self-signed certificate that is made at the start.

use std::path::Path;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{Config, Tls};

/// The listener's TLS settings. `None`: plain HTTP.
///
/// # Errors
/// A sentence that names the file and says what to do.
pub(super) fn settings(config: &Config) -> Result<Option<ServerConfig>, String> {
    let (chain, key) = match &config.listen.tls {
        Tls::Off => return Ok(None),
        Tls::SelfSigned => self_signed(&config.public_url)?,
        Tls::Files { certificate, private_key } => from_files(certificate, private_key)?,
    };
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map(Some)
        .map_err(|error| format!("The certificate and its key cannot be used together: {error}. Check both files."))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn from_files(certificate: &Path, private_key: &Path) -> Result<Identity, String> {
    let unusable = |path: &Path, error: &dyn std::fmt::Display| {
        format!("{} cannot be used: {error}. It must be a PEM file that this server may read.", path.display())
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(certificate, &error))?;
    if chain.is_empty() {
        return Err(unusable(certificate, &"it holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_file(private_key).map_err(|error| unusable(private_key, &error))?;
    Ok((chain, key))
}

fn self_signed(public_url: &str) -> Result<Identity, String> {
    let host = public_url.split("://").nth(1).and_then(|rest| rest.split(':').next()).unwrap_or("localhost");
    let certificate = rcgen::generate_simple_self_signed(vec![host.to_owned(), "localhost".to_owned()])
        .map_err(|error| format!("A certificate for {host} could not be created: {error}."))?;
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).map_err(str::to_owned)?;
    Ok((vec![certificate.cert.der().clone()], key))
}
