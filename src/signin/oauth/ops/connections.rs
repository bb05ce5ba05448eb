//! What a person can connect and disconnect.

use super::super::model::{Connection, Connections};
use super::super::store;
use super::connect::can_disconnect;
use crate::base::AccountId;
use crate::config::Provider;
use crate::db::{self, View};

/// The identities of the account, and the providers that it can connect: those of which it has none yet.
///
/// # Errors
/// [`db::Error`].
pub fn connections(view: &View<'_>, account: AccountId) -> Result<Connections, db::Error> {
    let mut connected = Vec::new();
    for identity in store::list(view, account)? {
        let can_be_disconnected = can_disconnect(view, account, identity.id)?;
        connected.push(Connection { identity, can_be_disconnected });
    }
    let is_new = |provider: &&Provider| !connected.iter().any(|known| known.identity.issuer == provider.issuer);
    let connectable = view.site().config.oauth.iter().filter(is_new).map(|provider| provider.name.clone()).collect();
    Ok(Connections { connected, connectable })
}
