//! What people want to know of a certificate.

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::base::Timestamp;

/// The certificate that the server shows first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The host names that it is for. Empty: it names none.
    pub names: Vec<String>,
    /// When it ends.
    pub ends_at: Timestamp,
    /// SHA-256 of the certificate, as browsers and `openssl x509 -fingerprint -sha256` show it.
    pub fingerprint: String,
}

impl Certificate {
    /// Reads the first certificate of a chain.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(chain: &[CertificateDer<'_>]) -> Result<Self, String> {
        let first = chain.first().ok_or("it holds no certificate")?;
        let (_, parsed) =
            X509Certificate::from_der(first).map_err(|_| "it holds something else than a certificate".to_owned())?;
        let alternatives = parsed.subject_alternative_name().ok().flatten();
        let names = alternatives.map_or(&[][..], |alternatives| &alternatives.value.general_names);
        let names = names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        });
        let seconds = parsed.validity().not_after.timestamp();
        let bytes: Vec<_> = Sha256::digest(first).iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(Self {
            names: names.collect(),
            ends_at: Timestamp::from_millis(seconds.saturating_mul(1000)),
            fingerprint: bytes.join(":"),
        })
    }

    /// Whether browsers refuse it at this time, because it has ended.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at <= now
    }

    /// The names in words.
    pub fn names_in_words(&self) -> String {
        if self.names.is_empty() { "no host name".to_owned() } else { self.names.join(", ") }
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).ok().map(std::net::IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(bytes).ok().map(std::net::IpAddr::from);
    four.or_else(sixteen).map(|address| address.to_string())
}
