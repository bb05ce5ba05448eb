//! The sockets that systemd has opened for the server (`domicile.socket`).
//!
//! With them, a restart refuses no connection: they stay open, and new connections wait in them until the next server is
//! there.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// The sockets of systemd, for exactly these addresses. Empty: there are none, so the server opens its own.
///
/// # Errors
/// A sentence for the admin when the sockets have other addresses, or cannot be used.
pub(super) fn passed_by_systemd(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, String> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        if let Some(socket) = passed.take_tcp_listener(index).map_err(unusable)? {
            // Programs that the server starts must not keep it.
            fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(|error| unusable(error.into()))?;
            sockets.push(socket);
        }
    }
    let found = sockets.iter().map(TcpListener::local_addr).collect::<Result<BTreeSet<_>, _>>().map_err(unusable)?;
    if !found.is_empty() && found != addresses.iter().copied().collect() {
        return Err(format!(
            "systemd listens on {}, and listen.address is {}. Make ListenStream in domicile.socket and listen.address the \
             same, with: systemctl edit domicile.socket.",
            in_words(&found),
            in_words(addresses)
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

fn in_words<'a>(addresses: impl IntoIterator<Item = &'a SocketAddr>) -> String {
    addresses.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
