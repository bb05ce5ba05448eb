//! TLS for each address, the redirect, and what SIGHUP and changed files do to a running server.

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use nix::sys::signal::Signal;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use super::{Appliance, refused};
use crate::support::{Call, free_port, wait_for};

/// A certificate and its key as PEM.
fn pair() -> (String, String, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem(), made.cert.der().to_vec())
}

fn write(path: &Path, text: &str) {
    let next = path.with_extension("next");
    std::fs::write(&next, text).unwrap();
    std::fs::rename(next, path).unwrap();
}

/// An appliance with a plain address, a TLS address and a redirecting address.
struct Site {
    appliance: Appliance,
    tls: u16,
    redirect: u16,
    certificate: PathBuf,
    key: PathBuf,
}

fn site(tls: &str) -> Site {
    let appliance = Appliance::initialized();
    let (port, redirect) = (free_port(), free_port());
    let (certificate, key) = (appliance.folder().join("tls.crt"), appliance.folder().join("tls.key"));
    let plain = appliance.port;
    appliance.reconfigure(
        &format!("address = \"127.0.0.1:{plain}\""),
        &format!(
            "address = [\"http://127.0.0.1:{plain}\", \"https://127.0.0.1:{port}\"]\nredirect = \"127.0.0.1:{redirect}\"\n{tls}"
        ),
    );
    Site { appliance, tls: port, redirect, certificate, key }
}

fn with_files() -> (Site, Vec<u8>) {
    let mut site = site("");
    let files = format!(
        "tls = \"files\"\ncertificate = \"{}\"\nprivate_key = \"{}\"\nredirect",
        site.certificate.display(),
        site.key.display()
    );
    site.appliance.reconfigure("redirect", &files);
    let (certificate, key, der) = pair();
    write(&site.certificate, &certificate);
    write(&site.key, &key);
    site.appliance.start();
    (site, der)
}

/// Keeps what the server shows.
#[derive(Debug)]
struct Presented(Mutex<Vec<u8>>);

impl ServerCertVerifier for Presented {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.0.lock().unwrap() = certificate.to_vec();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// The certificate that the server shows to a new connection, after one whole answer.
fn presented(port: u16) -> Vec<u8> {
    let verifier = Arc::new(Presented(Mutex::default()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut tls = rustls::Stream::new(&mut connection, &mut stream);
    tls.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut tls, &mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    verifier.0.lock().unwrap().clone()
}

#[test]
fn each_address_speaks_what_it_says_and_the_redirect_leads_to_the_public_url() {
    let (site, first) = with_files();

    assert_eq!(Call::new(site.appliance.port, "GET", "/healthz").send().status, 200);
    assert_eq!(presented(site.tls), first);
    assert_eq!(site.appliance.run(&["healthcheck"]).ok(), "ready");
    for method in ["GET", "POST"] {
        let answer = Call::to(&format!("http://127.0.0.1:{}/signin?next=%2Fa", site.redirect), method)
            .header("Host", "evil.example")
            .send();
        assert_eq!(answer.status, 308);
        assert_eq!(answer.header("location"), format!("{}/signin?next=%2Fa", site.appliance.url()));
    }
}

#[test]
fn changed_files_are_read_by_themselves_and_a_broken_pair_changes_nothing() {
    let (site, first) = with_files();

    let (certificate, key, second) = pair();
    write(&site.certificate, &certificate);
    assert_eq!(presented(site.tls), first, "half of a pair is not used");
    write(&site.key, &key);
    wait_for("the new certificate", || (presented(site.tls) == second).then_some(()));

    // A key of another certificate, at once and for ever: SIGHUP says so, and the old pair stays.
    write(&site.key, &pair().1);
    site.appliance.signal(Signal::SIGHUP);
    wait_for("the refusal", || site.appliance.log().contains("cannot be used together").then_some(()));
    assert_eq!(presented(site.tls), second);

    let (certificate, key, third) = pair();
    write(&site.key, &key);
    write(&site.certificate, &certificate);
    site.appliance.signal(Signal::SIGHUP);
    wait_for("the third certificate", || (presented(site.tls) == third).then_some(()));
    let fingerprint = site.appliance.run(&["status"]).ok();
    assert!(fingerprint.contains("SHA-256"), "{fingerprint}");
}

#[test]
fn sighup_says_what_needs_a_restart_and_never_stops_the_server() {
    let mut site = Appliance::running();
    let log = |site: &Appliance, words: &str| {
        wait_for(words, || site.log().contains(words).then_some(()));
        assert_eq!(site.call("GET", "/healthz").send().status, 200);
    };

    site.signal(Signal::SIGHUP);
    log(&site, "No other setting has changed");
    assert!(!site.log().contains("DEBUG"), "{}", site.log());
    site.add_settings("[log]\nlevel = \"debug\"\n");
    site.signal(Signal::SIGHUP);
    wait_for("the level debug", || {
        site.call("GET", "/nothing/here").send();
        site.log().contains("DEBUG").then_some(())
    });
    assert!(!site.log().contains("need a restart"), "{}", site.log());
    site.add_settings("[snapshot]\ninterval = \"9m\"\n[signup]\nmode = \"invite\"\n");
    site.signal(Signal::SIGHUP);
    log(&site, "need a restart: signup.mode, snapshot.interval. Run: systemctl restart domicile");
    site.add_settings("[sinup]\n");
    site.add_settings("mode = 1\n");
    site.signal(Signal::SIGHUP);
    log(&site, "a restart would fail");
    site.stop();
}

#[test]
fn the_self_signed_certificate_is_kept() {
    let mut site = site("tls = \"self-signed\"");
    site.appliance.start();
    let first = presented(site.tls);
    site.appliance.stop();
    site.appliance.start();

    assert_eq!(presented(site.tls), first);
    let status = site.appliance.run(&["status", "--json"]).ok();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["certificate"]["sha256"].as_str().unwrap().len(), 32 * 3 - 1);
    assert!(site.appliance.log().contains(status["certificate"]["sha256"].as_str().unwrap()));
}

#[test]
fn addresses_that_contradict_the_certificate_are_refused() {
    for (settings, words) in [
        ("address = \"https://127.0.0.1:8443\"", ["has https://127.0.0.1:8443", "listen.tls"]),
        ("address = \"http://0.0.0.0:8080\"\ntls = \"self-signed\"", ["0.0.0.0:8080 can be reached", "listen.address"]),
        ("address = \"http://127.0.0.1:8080\"\ntls = \"self-signed\"", ["no address with https://", "listen.tls"]),
        ("address = \"ftp://127.0.0.1:8080\"", ["an address and a port", "listen.address"]),
        ("address = \"127.0.0.1:8080\"\nredirect = \"80\"", ["0.0.0.0:80", "listen.redirect"]),
    ] {
        let site = Appliance::configured("");
        let port = site.port;
        site.reconfigure(&format!("address = \"127.0.0.1:{port}\""), settings);
        refused(&site, &["check"], 2, &words);
    }
}
