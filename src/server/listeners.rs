//! The sockets that systemd has opened for the server (`domicile.socket`).
//!
//! With them, a restart refuses no connection: they stay open, and new connections wait in them until the next server is
//! there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// The sockets of systemd by address, for exactly these addresses. Empty: there are none, so the server opens its own.
///
/// # Errors
/// A sentence for the admin when the sockets have other addresses, or cannot be used.
pub(super) fn passed_by_systemd(
    addresses: impl Iterator<Item = SocketAddr>,
) -> Result<BTreeMap<SocketAddr, TcpListener>, String> {
    let mut passed = ListenFd::from_env();
    let mut sockets = BTreeMap::new();
    for index in 0..passed.len() {
        if let Some(socket) = passed.take_tcp_listener(index).map_err(unusable)? {
            // Programs that the server starts must not keep it.
            fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(|error| unusable(error.into()))?;
            sockets.insert(socket.local_addr().map_err(unusable)?, socket);
        }
    }
    let configured: BTreeSet<_> = addresses.collect();
    if !sockets.is_empty() && !sockets.keys().eq(&configured) {
        return Err(format!(
            "systemd listens on {}, and listen.address is {}. Make ListenStream in domicile.socket and listen.address the \
             same, with: systemctl edit domicile.socket.",
            in_words(sockets.keys()),
            in_words(&configured)
        ));
    }
    Ok(sockets)
}

/// The sentence for a socket of systemd that cannot be used.
pub(super) fn unusable(error: std::io::Error) -> String {
    format!(
        "A socket of systemd cannot be used: {error}. domicile.socket must have only ListenStream with an address and a port."
    )
}

/// The sentence for an address that cannot be used, with the cure of its cause.
pub(super) fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> String {
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
}
