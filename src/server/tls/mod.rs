//! TLS for the listener: one certificate that is replaced while the server runs.
//!
//! Its source is PEM files, or a self-signed certificate that is kept in the data folder. New connections get the newest
//! certificate that could be used; a new pair of files that cannot be used changes nothing.

mod certificate;
mod self_signed;
mod watch;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::base::Timestamp;
use crate::config::{Config, Tls};
use crate::db::Layout;

pub use certificate::Certificate;
pub(super) use watch::{log, tell, watch};

/// The certificate in use. Connections take it at their handshake.
#[derive(Debug)]
pub(super) struct Certificates {
    current: RwLock<Loaded>,
}

#[derive(Clone, Debug)]
struct Loaded {
    key: Arc<CertifiedKey>,
    certificate: Certificate,
}

impl Certificates {
    /// Reads the certificate, or makes the self-signed one. `None`: the server speaks plain HTTP only.
    ///
    /// # Errors
    /// A sentence that names the file and says what to do.
    pub(super) fn open(config: &Config, now: Timestamp) -> Result<Option<Arc<Self>>, String> {
        let loaded = match &config.listen.tls {
            Tls::Off => return Ok(None),
            Tls::SelfSigned => self_signed::keep(&Layout::new(&config.data_dir), &config.public_url, now)?,
            Tls::Files { certificate, private_key } => from_files(certificate, private_key)?,
        };
        Ok(Some(Arc::new(Self { current: RwLock::new(loaded) })))
    }

    /// Reads the certificate again. Answers whether it is another one. An error changes nothing.
    ///
    /// # Errors
    /// As [`Certificates::open`].
    pub(super) fn reload(&self, config: &Config, tls: &Tls, now: Timestamp) -> Result<bool, String> {
        let loaded = match tls {
            Tls::Off => return Ok(false),
            Tls::SelfSigned => self_signed::keep(&Layout::new(&config.data_dir), &config.public_url, now)?,
            Tls::Files { certificate, private_key } => from_files(certificate, private_key)?,
        };
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_other = current.key.cert != loaded.key.cert;
        *current = loaded;
        Ok(is_other)
    }

    /// The certificate in use.
    pub(super) fn certificate(&self) -> Certificate {
        self.loaded().certificate
    }

    /// The settings of a listener that uses the certificate.
    pub(super) fn server_config(self: &Arc<Self>) -> ServerConfig {
        let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(self.clone());
        // An old client may prefer the weaker of two ciphers.
        config.ignore_client_order = true;
        config
    }

    fn loaded(&self) -> Loaded {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.loaded().key)
    }
}

/// Checks that the TLS files exist, can be read and belong together. Writes nothing.
///
/// # Errors
/// As [`Certificates::open`].
pub(super) fn check(config: &Config) -> Result<(), String> {
    match &config.listen.tls {
        Tls::Off | Tls::SelfSigned => Ok(()),
        Tls::Files { certificate, private_key } => from_files(certificate, private_key).map(drop),
    }
}

/// The certificate that the settings name, as it is on the disk. `None`: there is none, or it cannot be read.
pub fn configured_certificate(config: &Config) -> Option<Certificate> {
    let path = match &config.listen.tls {
        Tls::Off => return None,
        Tls::SelfSigned => self_signed::path(&Layout::new(&config.data_dir)),
        Tls::Files { certificate, .. } => certificate.clone(),
    };
    Certificate::parse(&read_chain(&path).ok()?).ok()
}

/// The self-signed certificate as it is on the disk. `None`: there is none yet, or this user may not read it.
pub fn self_signed_certificate(config: &Config) -> Option<CertificateDer<'static>> {
    read_chain(&self_signed::path(&Layout::new(&config.data_dir))).ok()?.into_iter().next()
}

fn from_files(certificate: &Path, private_key: &Path) -> Result<Loaded, String> {
    let chain = read_chain(certificate)?;
    let key = PrivateKeyDer::from_pem_file(private_key).map_err(|error| unusable(private_key, &error))?;
    let parsed = Certificate::parse(&chain).map_err(|error| unusable(certificate, &error))?;
    load(chain, key, parsed)
}

fn load(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    certificate: Certificate,
) -> Result<Loaded, String> {
    let provider = rustls::crypto::ring::default_provider();
    let key = CertifiedKey::from_der(chain, key, &provider)
        .map_err(|error| format!("The certificate and its key cannot be used together: {error}. Check both files."))?;
    Ok(Loaded { key: Arc::new(key), certificate })
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(path, &error))?;
    if chain.is_empty() {
        return Err(unusable(path, &"it holds no certificate"));
    }
    Ok(chain)
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{} cannot be used: {error}. It must be a PEM file that this server may read.", path.display())
}
