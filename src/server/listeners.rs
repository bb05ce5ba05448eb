//! The sockets of the server, which systemd keeps open while the server restarts: no connection is refused, and new ones wait
//! in them until the next server is there. There are two ways:
//!
//! ```text
//! domicile.socket   systemd opens them before the server starts. The admin has switched it on.
//! its store         the server opens them and gives them to systemd for its restarts (FileDescriptorStoreMax of the unit)
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::IoSlice;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;

use listenfd::ListenFd;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use rustix::net::{self, AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType};

/// What the names of sockets in the store begin with. Those of `domicile.socket` have the name of the unit.
const STORED: &str = "domicile-listen-";
/// Connections that may wait to be accepted, if the system allows as many.
const BACKLOG: i32 = 2048;
/// Set by systemd if it has a store for the service. Before version 254, the unit of the package sets it.
const STORE_VARIABLE: &str = "FDSTORE";

/// The sockets that the server has at its start.
pub(super) struct Listeners {
    /// By address.
    passed: BTreeMap<SocketAddr, TcpListener>,
    /// Whether all sockets stay open while the server restarts.
    pub are_kept: bool,
    has_store: bool,
}

impl Listeners {
    /// Takes the sockets of systemd for exactly these addresses. Stored ones for other addresses are closed: the settings have
    /// changed.
    ///
    /// # Errors
    /// A sentence for the admin when `domicile.socket` has other addresses, or a socket cannot be used.
    pub fn take(addresses: impl Iterator<Item = SocketAddr>) -> Result<Self, String> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut received = ListenFd::from_env();
        let (mut of_unit, mut stored) = (BTreeMap::new(), BTreeMap::new());
        for index in 0..received.len() {
            let is_stored = names.next().is_some_and(|name| name.starts_with(STORED));
            if let Some(socket) = received.take_tcp_listener(index).map_err(unusable)? {
                // Programs that the server starts must not keep it.
                fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(|error| unusable(error.into()))?;
                let address = socket.local_addr().map_err(unusable)?;
                if is_stored {
                    stored.insert(address, socket)
                } else {
                    of_unit.insert(address, socket)
                };
            }
        }
        let configured: BTreeSet<_> = addresses.collect();
        if !of_unit.is_empty() && !of_unit.keys().eq(&configured) {
            return Err(format!(
                "systemd listens on {}, and listen.address is {}. Make ListenStream in domicile.socket and listen.address the \
                 same, with: systemctl edit domicile.socket.",
                in_words(of_unit.keys()),
                in_words(&configured)
            ));
        }
        let is_of_unit = !of_unit.is_empty();
        for address in stored.keys().filter(|address| is_of_unit || !configured.contains(address)) {
            // Otherwise connections to it would wait for ever.
            let _ = tell_store(&format!("FDSTOREREMOVE=1\nFDNAME={}", name_of(*address)), None);
        }
        stored.retain(|address, _| !is_of_unit && configured.contains(address));
        let has_store = std::env::var_os(STORE_VARIABLE).is_some();
        Ok(Self { passed: if is_of_unit { of_unit } else { stored }, are_kept: is_of_unit || has_store, has_store })
    }

    /// The socket for an address: the one of systemd, or a new one.
    ///
    /// # Errors
    /// A sentence for the admin when the address cannot be used.
    pub fn listen(&mut self, address: SocketAddr) -> Result<TcpListener, String> {
        if let Some(passed) = self.passed.remove(&address) {
            return Ok(passed);
        }
        let socket = bind(address).map_err(|error| cannot_listen(address, &error))?;
        if self.has_store {
            // Without it, a restart refuses connections for a moment.
            let given = tell_store(&format!("FDSTORE=1\nFDNAME={}", name_of(address)), Some(&socket));
            self.are_kept &= given.is_ok();
        }
        Ok(socket)
    }
}

/// A new socket. The standard library lets only 128 connections wait to be accepted.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    net::sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &address)?;
    net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// The name of a socket in the store. It must not contain a colon.
fn name_of(address: SocketAddr) -> String {
    format!("{STORED}{}", address.to_string().replace(':', "_"))
}

/// Tells systemd about a socket in its store (sd_notify(3)).
fn tell_store(state: &str, socket: Option<&TcpListener>) -> std::io::Result<()> {
    let path = std::env::var_os("NOTIFY_SOCKET").ok_or(std::io::ErrorKind::NotFound)?;
    let to = UnixDatagram::unbound()?;
    to.connect(path)?;
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    let sockets: Vec<_> = socket.iter().map(|socket| socket.as_fd()).collect();
    if !sockets.is_empty() {
        rights.push(SendAncillaryMessage::ScmRights(&sockets));
    }
    net::sendmsg(&to, &[IoSlice::new(state.as_bytes())], &mut rights, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The sentence for a socket of systemd that cannot be used.
pub(super) fn unusable(error: std::io::Error) -> String {
    format!(
        "A socket of systemd cannot be used: {error}. domicile.socket must have only ListenStream with an address and a port."
    )
}

/// The sentence for an address that cannot be used, with the cure of its cause.
fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> String {
    use std::io::ErrorKind::{AddrNotAvailable, PermissionDenied};
    let cure = match error.kind() {
        PermissionDenied if address.port() < 1024 => {
            "A port below 1024 needs the capability CAP_NET_BIND_SERVICE. Under systemd, let domicile.socket open it: set its ListenStream with `systemctl edit domicile.socket`, then run `systemctl enable --now domicile.socket`. Elsewhere, give the program the capability: setcap cap_net_bind_service=+ep /usr/bin/domicile"
        }
        PermissionDenied => "The system does not allow it to this user. Choose another port in listen.address.",
        AddrNotAvailable => "This machine does not have the address. Change listen.address.",
        _ => "Stop the program that uses the address, or change listen.address.",
    };
    format!("The server cannot listen on {address}: {error}. {cure}")
}

fn in_words<'a>(addresses: impl IntoIterator<Item = &'a SocketAddr>) -> String {
    addresses.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_own_cure() {
        use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
        for (address, kind, cure) in [
            ("127.0.0.1:443", PermissionDenied, "CAP_NET_BIND_SERVICE"),
            ("127.0.0.1:8443", PermissionDenied, "another port"),
            ("192.0.2.1:8080", AddrNotAvailable, "does not have the address"),
            ("127.0.0.1:443", AddrInUse, "Stop the program"),
        ] {
            let sentence = cannot_listen(address.parse().unwrap(), &kind.into());
            assert!(sentence.contains(cure) && sentence.contains(address), "{sentence}");
        }
    }

    #[test]
    fn names_in_the_store_have_no_colon() {
        let name = |address: &str| name_of(address.parse().unwrap());
        assert_eq!(name("127.0.0.1:8080"), "domicile-listen-127.0.0.1_8080");
        assert_eq!(name("[::]:443"), "domicile-listen-[__]_443");
    }
}
