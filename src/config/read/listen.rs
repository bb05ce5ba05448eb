//! Reads `[listen]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::super::listen::{Listen, ListenAddress, Tls};
use super::super::raw::Origin;
use super::{Reader, ascii_host};

/// What is trusted behind a proxy if the settings name none: a proxy on this machine.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

impl Reader {
    pub(super) fn listen(&mut self) -> Listen {
        let behind_proxy = self.boolean("listen.behind_proxy");
        let tls = self.tls();
        let addresses = self.addresses(&tls);
        if !behind_proxy {
            let open = addresses.iter().find(|(address, _)| !address.is_tls && !address.socket.ip().is_loopback());
            if let Some((address, at)) = open.cloned() {
                let what = format!(
                    "{} can be reached from other machines, so set tls = \"files\" or \"self-signed\", or behind_proxy = true if a proxy terminates TLS",
                    address.socket
                );
                self.fault(&at, "listen.address", &what);
            }
        }
        let redirect = self.sockets("listen.redirect");
        let is_named = self.raw.settings.contains_key("listen.trusted_proxies");
        let mut trusted_proxies = self.networks("listen.trusted_proxies");
        if behind_proxy && !is_named {
            trusted_proxies = LOOPBACK.iter().filter_map(|network| network.parse().ok()).collect();
        }
        let hosts = self.list("listen.hosts").unwrap_or_default();
        let hsts = self.optional_duration("listen.hsts");
        let workers = self.number("listen.workers", 1, 256).and_then(|number| usize::try_from(number).ok());
        let metrics_address = self.metrics_address(&addresses);
        Listen {
            addresses: addresses.into_iter().map(|(address, _)| address).collect(),
            redirect: redirect.into_iter().map(|(address, _)| address).collect(),
            tls,
            behind_proxy,
            hosts: hosts.into_iter().map(|(host, _)| ascii_host(&host)).collect(),
            trusted_proxies,
            hsts,
            workers,
            metrics_address,
        }
    }

    /// Each entry may begin with `http://` or `https://`. One without either uses TLS if `listen.tls` is set.
    fn addresses(&mut self, tls: &Tls) -> Vec<(ListenAddress, Origin)> {
        let default = ("127.0.0.1:8080".to_owned(), Origin::Line(0));
        let list = self.list("listen.address").unwrap_or_else(|| vec![default]);
        let is_off = *tls == Tls::Off;
        let mut addresses = Vec::new();
        for (text, at) in list {
            let (is_tls, rest) = match text.split_once("://") {
                None => (!is_off, text.as_str()),
                Some(("http", rest)) => (false, rest),
                Some(("https", rest)) => (true, rest),
                Some(_) => (false, ""),
            };
            match SocketAddr::from_str(rest) {
                Ok(socket) if is_tls && is_off => {
                    let what = format!("has https://{socket}, so listen.tls must be \"files\" or \"self-signed\"");
                    self.fault(&at, "listen.address", &what);
                }
                Ok(socket) => addresses.push((ListenAddress { socket, is_tls }, at)),
                Err(_) => self.fault(
                    &at,
                    "listen.address",
                    "must be an address and a port, for example \"127.0.0.1:8080\", or with http:// or https:// before it",
                ),
            }
        }
        if let Some((_, at)) =
            addresses.first().filter(|_| !is_off && !addresses.iter().any(|(address, _)| address.is_tls))
        {
            let at = at.clone();
            self.fault(&at, "listen.address", "has no address with https://, although listen.tls is set");
        }
        addresses
    }

    fn metrics_address(&mut self, addresses: &[(ListenAddress, Origin)]) -> Option<SocketAddr> {
        let (text, at) = self.text("listen.metrics_address")?;
        let address = SocketAddr::from_str(&text).ok();
        match address {
            None => {
                let what = "must be an address and a port, for example \"127.0.0.1:9090\"";
                self.fault(&at, "listen.metrics_address", what);
            }
            Some(address) if addresses.iter().any(|(known, _)| known.socket == address) => {
                let what = "is an address of the pages too. Give the metrics a port of their own";
                self.fault(&at, "listen.metrics_address", what);
            }
            Some(_) => {}
        }
        address
    }

    fn sockets(&mut self, key: &str) -> Vec<(SocketAddr, Origin)> {
        let mut sockets = Vec::new();
        for (text, at) in self.list(key).unwrap_or_default() {
            match SocketAddr::from_str(&text) {
                Ok(socket) => sockets.push((socket, at)),
                Err(_) => self.fault(&at, key, "must be an address and a port, for example \"0.0.0.0:80\""),
            }
        }
        sockets
    }

    fn tls(&mut self) -> Tls {
        let certificate = self.text("listen.certificate").map(|(text, _)| PathBuf::from(text));
        let private_key = self.text("listen.private_key").map(|(text, _)| PathBuf::from(text));
        let Some((tls, at)) = self.text("listen.tls") else { return Tls::Off };
        match (tls.as_str(), certificate, private_key) {
            ("off", _, _) => Tls::Off,
            ("self-signed", _, _) => Tls::SelfSigned,
            ("files", Some(certificate), Some(private_key)) => Tls::Files { certificate, private_key },
            ("files", _, _) => {
                self.fault(&at, "listen.tls", "is \"files\", so certificate and private_key must name the PEM files");
                Tls::Off
            }
            _ => {
                self.fault(&at, "listen.tls", "must be \"off\", \"files\" or \"self-signed\"");
                Tls::Off
            }
        }
    }
}
