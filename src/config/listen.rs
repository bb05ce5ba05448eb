//! What the server listens on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

/// `[listen]`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Listen {
    /// At least one.
    pub addresses: Vec<ListenAddress>,
    /// Addresses for plain HTTP that only redirect to the public URL.
    pub redirect: Vec<SocketAddr>,
    pub tls: Tls,
    /// A proxy in front terminates TLS.
    pub behind_proxy: bool,
    /// Host names, in lower case, that are accepted for pages in addition to the one of `public_url`.
    pub hosts: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// How long browsers use HTTPS only (RFC 6797). `None`: the header is not sent.
    pub hsts: Option<Duration>,
    /// Worker threads. `None`: one per core.
    pub workers: Option<usize>,
    /// Where the metrics are served, in plain HTTP and without a proof of identity. `None`: nowhere.
    pub metrics_address: Option<SocketAddr>,
}

/// One entry of `listen.address`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// The address and the port.
    pub socket: SocketAddr,
    /// Whether it speaks TLS. Otherwise it speaks plain HTTP.
    pub is_tls: bool,
}

impl std::fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", if self.is_tls { "https" } else { "http" }, self.socket)
    }
}

/// `listen.tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Tls {
    /// Plain HTTP: only on loopback or behind a proxy.
    Off,
    /// A certificate that the server makes and keeps, for a first trial or for clients that know its fingerprint.
    SelfSigned,
    /// PEM files.
    Files {
        /// The certificate chain.
        certificate: PathBuf,
        private_key: PathBuf,
    },
}

impl Listen {
    /// All sockets of the server, with those that only redirect.
    pub fn sockets(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.addresses.iter().map(|address| address.socket).chain(self.redirect.iter().copied())
    }
}
