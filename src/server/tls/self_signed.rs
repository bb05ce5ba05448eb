//! The self-signed certificate: made once, kept in the data folder, and renewed a month before its end. So a browser or a
//! program that trusts its fingerprint trusts it for a year.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::certificate::Certificate;
use super::{Loaded, load, read_chain, unusable};
use crate::base::{Timestamp, days};
use crate::db::Layout;

/// How long it is valid, in days.
const VALID_DAYS: u64 = 365;
/// How many days before its end a new one is made.
const RENEWED_DAYS: u64 = 30;

/// The file with the certificate and its key: one file, so that they are always of the same pair.
pub(super) fn path(layout: &Layout) -> PathBuf {
    layout.root().join("self-signed.pem")
}

/// The kept certificate. A new one is made if there is none, if it ends soon, or if it is for another host.
///
/// # Errors
/// A sentence for the admin.
pub(super) fn keep(layout: &Layout, public_url: &str, now: Timestamp) -> Result<Loaded, String> {
    let (path, host) = (path(layout), host_of(public_url));
    if path.exists() {
        let loaded = read(&path)?;
        let is_good = loaded.certificate.names.iter().any(|name| name == host)
            && loaded.certificate.ends_at.since(now) > days(RENEWED_DAYS);
        if is_good {
            return Ok(loaded);
        }
    }
    let failure = |error: &dyn std::fmt::Display| format!("A certificate for {host} could not be made: {error}.");
    let pem = make(host, now).map_err(|error| failure(&error))?;
    write(&path, &pem).map_err(|error| failure(&format!("{} cannot be written: {error}", path.display())))?;
    read(&path)
}

fn host_of(public_url: &str) -> &str {
    let authority = public_url.split_once("://").map_or(public_url, |(_, rest)| rest);
    match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or(bracketed),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

fn read(path: &Path) -> Result<Loaded, String> {
    let chain = read_chain(path)?;
    let key = PrivateKeyDer::from_pem_file(path).map_err(|error| unusable(path, &error))?;
    let certificate = Certificate::parse(&chain).map_err(|error| unusable(path, &error))?;
    load(chain, key, certificate)
}

/// The certificate and its key in PEM.
fn make(host: &str, now: Timestamp) -> Result<String, rcgen::Error> {
    let mut names = vec![host.to_owned()];
    names.extend(["localhost", "127.0.0.1", "::1"].into_iter().filter(|name| *name != host).map(str::to_owned));
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, format!("{host} (Domicile, self-signed)"));
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // A day earlier, for clients whose clock is slow.
    parameters.not_before = now.minus(days(1)).system_time().into();
    parameters.not_after = now.plus(days(VALID_DAYS)).system_time().into();
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
}

/// Written beside and renamed, so that a reader sees the old pair or the new one.
fn write(path: &Path, pem: &str) -> std::io::Result<()> {
    let beside = path.with_extension("unfinished");
    let _ = std::fs::remove_file(&beside);
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hours;

    #[test]
    fn it_is_kept_for_the_host_and_renewed_a_month_before_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let start = Timestamp::parse("2026-05-03T09:00:00Z").unwrap();
        let at = |url: &str, now| keep(&layout, url, now).unwrap().certificate;

        let first = at("https://account.example.org", start);
        assert!(first.names.contains(&"account.example.org".to_owned()), "{first:?}");
        assert_eq!(first.ends_at, start.plus(days(VALID_DAYS)));
        assert_eq!(first.fingerprint.len(), 32 * 3 - 1);
        let late = start.plus(days(VALID_DAYS - RENEWED_DAYS)).minus(hours(1));
        assert_eq!(at("https://account.example.org", late), first);

        let renewed = at("https://account.example.org", late.plus(hours(2)));
        assert_ne!(renewed.fingerprint, first.fingerprint);
        assert_ne!(at("https://other.example.org:8443", start).fingerprint, renewed.fingerprint);
        assert!(at("https://[2001:db8::7]:8443", start).names.contains(&"2001:db8::7".to_owned()));
        let mode = std::os::unix::fs::MetadataExt::mode(&path(&layout).metadata().unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }
}
