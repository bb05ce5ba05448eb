//! An appliance over TLS, with an authority of its own, and what can be in front of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::support::{Appliance, CommandOutput, finish, tool};

/// A certificate of a front.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    Good,
    Expired,
    NotYetValid,
    EndsSoon,
    OtherName,
    UnknownIssuer,
    /// It speaks no TLS.
    None,
}

pub struct World {
    pub site: Appliance,
    issuer: Issuer<'static, KeyPair>,
    authority: PathBuf,
}

/// The TLS settings of a server. `None`: plain HTTP.
type Identity = Option<Arc<ServerConfig>>;

impl World {
    /// A running appliance at which nothing is due.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let site = Appliance::configured("");
        let path = site.folder().join("authority.pem");
        std::fs::write(&path, authority.pem()).unwrap();
        let mut world = Self { site, issuer, authority: path };
        let (chain, key) = world.certificate(Certificate::Good);
        let file = |name: &str| world.site.folder().join(name).display().to_string();
        std::fs::write(file("chain.pem"), chain.pem()).unwrap();
        std::fs::write(file("key.pem"), key.serialize_pem()).unwrap();
        let tls = format!(
            "tls = \"files\"\ncertificate = \"{}\"\nprivate_key = \"{}\"\n",
            file("chain.pem"),
            file("key.pem")
        );
        world.site.reconfigure("[listen]\n", &format!("[listen]\n{tls}"));
        world.site.reconfigure("public_url = \"http://", "public_url = \"https://");
        std::fs::set_permissions(world.site.config(), PermissionsExt::from_mode(0o640)).unwrap();
        world.site.run(&["init"]).ok();
        world.site.run(&["keyring", "export", "--waive", "a test"]).ok();
        world.site.start();
        world.site.run(&["snapshot", "now"]).ok();
        world
    }

    /// Another appliance with a certificate of the same authority.
    pub fn other_appliance(&self) -> Appliance {
        let mut other = Appliance::configured("");
        let file = |name: &str| self.site.folder().join(name).display().to_string();
        let tls = format!(
            "tls = \"files\"\ncertificate = \"{}\"\nprivate_key = \"{}\"\n",
            file("chain.pem"),
            file("key.pem")
        );
        other.reconfigure("[listen]\n", &format!("[listen]\n{tls}"));
        other.run(&["init"]).ok();
        other.start();
        other
    }

    fn certificate(&self, kind: Certificate) -> (rcgen::Certificate, KeyPair) {
        let name = if kind == Certificate::OtherName { "other.example" } else { "localhost" };
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let soon =
            jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).checked_add(jiff::Span::new().days(5)).unwrap();
        let part = |number: i8| u8::try_from(number).unwrap();
        (params.not_before, params.not_after) = match kind {
            Certificate::Expired => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
            Certificate::NotYetValid => (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1)),
            Certificate::EndsSoon => {
                (date_time_ymd(2020, 1, 1), date_time_ymd(i32::from(soon.year()), part(soon.month()), part(soon.day())))
            }
            _ => (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1)),
        };
        let key = KeyPair::generate().unwrap();
        let certificate = match kind {
            Certificate::UnknownIssuer => params.self_signed(&key).unwrap(),
            _ => params.signed_by(&key, &self.issuer).unwrap(),
        };
        (certificate, key)
    }

    pub fn identity(&self, kind: Certificate) -> Identity {
        if kind == Certificate::None {
            return None;
        }
        let (certificate, key) = self.certificate(kind);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let settings = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let settings = settings.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        Some(Arc::new(settings))
    }

    /// The doctor, which trusts the authority.
    fn doctor(&self) -> Command {
        let mut command = self.site.command(&["doctor", "--json"]);
        command.env("SSL_CERT_FILE", &self.authority).env("PATH", std::env::var_os("PATH").unwrap());
        command
    }

    fn judge(output: &CommandOutput, name: &str, state: &str, words: &[&str]) {
        let value: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{name}: {output:?}"));
        let checks = value["checks"].as_array().unwrap_or_else(|| panic!("{name}: {output:?}"));
        let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {value:#}"));
        assert_eq!(check["state"], state, "{name} {words:?}: {value:#}");
        let text = format!("{} {}", check["cause"], check["cure"]).replace('\\', "");
        for word in words {
            assert!(text.contains(word), "{name}: {word:?} is not in {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(output.status, i32::from(checks.iter().any(|check| check["state"] == "failed")), "{value:#}");
    }

    /// Asks, and expects this of one check.
    pub fn expect(&self, name: &str, state: &str, words: &[&str]) {
        Self::judge(&finish(&mut self.doctor(), ""), name, state, words);
    }

    pub fn expect_healthy(&self) {
        let output = finish(&mut self.doctor(), "");
        assert_eq!(output.status, 0, "{output:?}");
        Self::judge(&output, "certificate", "ok", &["at least 30 days"]);
        Self::judge(&output, "proxy", "ok", &["127.0.0.1"]);
    }

    pub fn with_settings(&self, change: impl Fn(String) -> String, name: &str, state: &str, words: &[&str]) {
        self.with_settings_of(None, &change, name, state, words);
    }

    /// As [`World::with_settings`], after a command of the shell in a mount namespace of its own.
    pub fn with_settings_in(&self, mount: &str, change: &dyn Fn(String) -> String, name: &str, words: &[&str]) {
        let script = format!("{mount} && exec \"$0\" doctor --json");
        self.with_settings_of(Some(&script), change, name, "failed", words);
    }

    fn with_settings_of(
        &self,
        script: Option<&str>,
        change: &dyn Fn(String) -> String,
        name: &str,
        state: &str,
        words: &[&str],
    ) {
        let kept = std::fs::read_to_string(self.site.config()).unwrap();
        let changed = change(kept.clone());
        assert!(script.is_some() || changed != kept, "{name} {words:?} changed nothing");
        std::fs::write(self.site.config(), changed).unwrap();
        let output = match script {
            None => finish(&mut self.doctor(), ""),
            Some(script) => {
                let mut shell = Command::new(tool("unshare"));
                shell.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_domicile")]).env_clear();
                shell.env("DOMICILE_CONFIG", self.site.config()).env("SSL_CERT_FILE", &self.authority);
                shell.env("PATH", std::env::var_os("PATH").unwrap()).current_dir(self.site.folder());
                finish(shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()), "")
            }
        };
        std::fs::write(self.site.config(), kept).unwrap();
        Self::judge(&output, name, state, words);
    }

    /// Replaces the settings of mail.
    pub fn with_mail(&self, mail: &str, name: &str, words: &[&str]) {
        let change = |text: String| {
            let (before, after) = text.split_once("[mail]\n").unwrap();
            let after = after.split_once("\n[").map_or(String::new(), |(_, rest)| format!("[{rest}"));
            format!("{before}{mail}{after}")
        };
        self.with_settings(change, name, "failed", words);
    }

    /// Replaces `[listen]`, for good.
    pub fn replace_listen(&self, listen: &str) {
        let text = std::fs::read_to_string(self.site.config()).unwrap();
        let (before, after) = text.split_once("[listen]\n").unwrap();
        let address = after.lines().find(|line| line.starts_with("address")).unwrap();
        let rest = after.split_once("\n[").unwrap().1;
        std::fs::write(self.site.config(), format!("{before}{listen}{address}\n[{rest}")).unwrap();
    }

    /// Asks with another file in its place.
    pub fn with_file(&self, path: &Path, bytes: &[u8], name: &str, words: &[&str]) {
        let aside = path.with_extension("aside");
        std::fs::rename(path, &aside).unwrap();
        std::fs::write(path, bytes).unwrap();
        let mode = std::fs::metadata(&aside).unwrap().permissions();
        std::fs::set_permissions(path, mode).unwrap();
        let output = finish(&mut self.doctor(), "");
        std::fs::rename(&aside, path).unwrap();
        Self::judge(&output, name, "failed", words);
    }

    /// Asks while a file is missing.
    pub fn without(&self, path: &Path, name: &str, words: &[&str]) {
        let aside = path.with_extension("aside");
        std::fs::rename(path, &aside).unwrap();
        let output = finish(&mut self.doctor(), "");
        std::fs::rename(&aside, path).unwrap();
        Self::judge(&output, name, "failed", words);
    }

    pub fn with_mode(&self, path: &Path, mode: u32, name: &str, state: &str, words: &[&str]) {
        let kept = std::fs::metadata(path).unwrap().permissions();
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        let output = finish(&mut self.doctor(), "");
        std::fs::set_permissions(path, kept).unwrap();
        Self::judge(&output, name, state, words);
    }

    /// Asks on a machine whose clock is wrong by `offset`: `+2h`.
    pub fn at_time(&self, offset: &str, name: &str, state: &str, words: &[&str]) {
        let mut command = self.doctor();
        command
            .env("LD_PRELOAD", tool("libfaketime.so.1"))
            .env("FAKETIME", offset)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Self::judge(&finish(&mut command, ""), name, state, words);
    }

    /// Asks with a proxy in front.
    pub fn behind(&self, front: &Front, state: &str, words: &[&str]) {
        let own = format!("https://localhost:{}", self.site.port);
        let to = format!("https://localhost:{}", front.port);
        self.with_settings(|text| text.replace(&own, &to), "proxy", state, words);
    }
}

/// What answers at another port of this machine. It ends with the test.
pub struct Front {
    pub port: u16,
}

impl Front {
    /// Gives each request this answer.
    pub fn fixed(identity: Identity, status: &'static str) -> Self {
        Self::serve(identity, move |_, client| {
            let _ = write!(client, "HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        })
    }

    /// Passes on each request to a port of this machine, with a changed head.
    pub fn forwarding(identity: Identity, to: u16, edit: fn(String) -> String) -> Self {
        Self::serve(identity, move |head, client| {
            let head = edit(head).replacen("\r\n", "\r\nConnection: close\r\n", 1);
            let mut answer = Vec::new();
            let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            server.write_all(head.as_bytes()).unwrap();
            server.read_to_end(&mut answer).unwrap();
            let _ = client.write_all(&answer);
        })
    }

    fn serve(identity: Identity, answer: impl Fn(String, &mut dyn Write) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (identity, answer) = (identity.clone(), answer.clone());
                std::thread::spawn(move || match identity {
                    None => {
                        let _ = (&stream).write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
                    }
                    Some(settings) => {
                        let mut stream = StreamOwned::new(ServerConnection::new(settings).unwrap(), stream);
                        talk(&mut stream, answer.as_ref());
                        stream.conn.send_close_notify();
                        let _ = stream.flush();
                    }
                });
            }
        });
        Self { port }
    }
}

fn talk(mut stream: impl Read + Write, answer: &(dyn Fn(String, &mut dyn Write) + Send + Sync)) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    answer(String::from_utf8_lossy(&head).into_owned(), &mut stream);
    let _ = stream.flush();
}

/// A mail relay that answers the proof of the name with this line. Answers its port.
pub fn relay(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut output = stream.try_clone().unwrap();
            let _ = write!(output, "220 relay ESMTP\r\n");
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let reply = match line.split(' ').next().unwrap_or_default().to_uppercase().as_str() {
                    "EHLO" => "250-relay\r\n250 AUTH PLAIN LOGIN",
                    "QUIT" => "221 bye",
                    "AUTH" => answer,
                    _ => "250 ok",
                };
                if write!(output, "{reply}\r\n").is_err() {
                    break;
                }
            }
        }
    });
    port
}
