//! The identity of the appliance in its database: its id, the region it is pinned to, and which keys of the keyring are
//! in use.

use super::{Error, KEYRING_IN_USE, SITE, Tx, View, by_name, insert, sql, values};
use crate::base::Timestamp;
use crate::crypto::KeyIds;

/// The identity of an appliance, which `init` writes once.
#[derive(Debug, Clone)]
pub struct SiteStamp {
    /// The region all data stays in.
    pub region: String,
    /// Random, so that two appliances are never confused.
    pub site_id: String,
    /// When `init` ran.
    pub created_at: Timestamp,
}

const FIND: &str = "select region, site_id, created_at from site where id = 1";
const INSERT: &str = insert!(SITE);

const FIND_KEYS: &str = "select pepper_id, data_key_id from keyring_in_use where id = 1";
const REPLACE_KEYS: &str = sql!(
    insert!(KEYRING_IN_USE),
    "
    on conflict (id) do update set pepper_id = excluded.pepper_id, data_key_id = excluded.data_key_id, since = excluded.since
    where pepper_id <> excluded.pepper_id or data_key_id <> excluded.data_key_id"
);

/// All statements of this file, for the test that prepares each of them.
pub const STATEMENTS: &[&str] = &[FIND, INSERT, FIND_KEYS, REPLACE_KEYS];

/// The keys of the keyring that new digests and ciphertexts are made with. `None`: no server has run yet, so the newest
/// keys.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn find_keys_in_use(view: &View<'_>) -> Result<Option<KeyIds>, Error> {
    view.find(FIND_KEYS, [], |row| {
        by_name!(row, FIND_KEYS => pepper_id, data_key_id);
        Ok(KeyIds { pepper: pepper_id.get()?, data_key: data_key_id.get()? })
    })
}

/// Makes new digests and ciphertexts with these keys from now on. Answers whether that is a change.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn use_keys(tx: &mut Tx<'_>, ids: KeyIds) -> Result<bool, Error> {
    let now = tx.now();
    let keys = values!(KEYRING_IN_USE => { id: 1, pepper_id: ids.pepper, data_key_id: ids.data_key, since: now });
    Ok(tx.execute(REPLACE_KEYS, keys)? == 1)
}

/// The identity of the appliance. `None`: `init` did not finish.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn find_stamp(view: &View<'_>) -> Result<Option<SiteStamp>, Error> {
    view.find(FIND, [], |row| {
        by_name!(row, FIND => region, site_id, created_at);
        Ok(SiteStamp { region: region.get()?, site_id: site_id.get()?, created_at: created_at.get()? })
    })
}

/// Writes the identity into a new database. The table refuses a second one.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn stamp(tx: &mut Tx<'_>, region: &str) -> Result<(), Error> {
    let site_id = format!("site_{}", hex::encode(tx.rng().bytes::<8>()));
    let now = tx.now();
    tx.execute(INSERT, values!(SITE => { id: 1, region: region, site_id: site_id, created_at: now }))?;
    Ok(())
}
