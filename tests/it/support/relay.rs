//! A mail relay: aiosmtpd in a process of its own, with answers and certificates that the test chooses.

use std::path::{Path, PathBuf};

use domicile::config::{Config, MailTransport, Relay as Settings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{HelperProcess, tool, tool_script};

/// How the certificate of a relay is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    Good,
    Expired,
    OtherName,
    SelfSigned,
}

/// A relay. It ends with the test.
pub struct Relay {
    process: HelperProcess,
    folder: TempDir,
    pub port: u16,
}

impl Relay {
    /// `tls`: `off`, `offered`, `required` or `implicit`. With a password, the relay wants a sign-in as `domicile`.
    pub fn start(tls: &str, certificate: Certificate, password: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path();
        std::fs::create_dir(path.join("mails")).unwrap();
        write_certificates(path, certificate);
        let settings = json!({
            "folder": path.join("mails"), "tls": tls, "certificate": path.join("relay.pem"), "key": path.join("key.pem"),
            "name": "domicile", "password": password,
        });
        let mut command = std::process::Command::new(tool("python3"));
        let mut process = HelperProcess::start(command.arg(tool_script("mail/relay.py")).arg(settings.to_string()));
        let port = process.next_line().parse().unwrap();
        Self { process, folder, port }
    }

    /// A relay without TLS and without a sign-in.
    pub fn plain() -> Self {
        Self::start("off", Certificate::Good, None)
    }

    /// From now on, the relay answers so. Returns what it counted so far.
    pub fn answer(&mut self, answers: Value) -> Value {
        self.process.request(&json!({"answers": answers}))
    }

    /// The certificate authority of the relay, as a PEM file.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The mails that the relay has taken, in their order.
    pub fn mails(&self) -> Vec<String> {
        let folder = self.folder.path().join("mails");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
    }

    /// Sets the mail settings to this relay. `url`: with `PORT` for its port.
    pub fn configure(&self, config: &mut Config, url: &str, trusts_its_ca: bool) {
        let url = url.replace("PORT", &self.port.to_string());
        let ca_file = trusts_its_ca.then(|| self.ca_file());
        let relay = Settings::parse(&url.into(), ca_file).unwrap();
        config.mail.transport = MailTransport::Smtp(Box::new(relay));
        config.mail.from = "Domicile <account@example.org>".into();
        config.demo = false;
    }
}

/// `ca.pem`, `relay.pem` and `key.pem`.
fn write_certificates(folder: &Path, kind: Certificate) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(rcgen::DnType::CommonName, "Example Corp Root");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let name = if kind == Certificate::OtherName { "other.example.org" } else { "localhost" };
    let mut relay = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if kind == Certificate::Expired {
        relay.not_before = date_time_ymd(2020, 1, 1);
        relay.not_after = date_time_ymd(2021, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let (certificate, trusted) = if kind == Certificate::SelfSigned {
        relay.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = relay.self_signed(&key).unwrap().pem();
        (pem.clone(), pem)
    } else {
        (relay.signed_by(&key, &authority).unwrap().pem(), authority.pem())
    };
    for (file, text) in [("ca.pem", trusted), ("relay.pem", certificate), ("key.pem", key.serialize_pem())] {
        std::fs::write(folder.join(file), text).unwrap();
    }
}
