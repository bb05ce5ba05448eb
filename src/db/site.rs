//! The identity of the appliance in its database: its id, the region it is pinned to, and which keys of the keyring are
//! in use.

use rusqlite::named_params;

use super::{Error, Tx, View};
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
const INSERT: &str = "insert into site (id, region, site_id, created_at) values (1, :region, :site_id, :created_at)";

const FIND_KEYS: &str = "select pepper_id, data_key_id from keyring_in_use where id = 1";
const REPLACE_KEYS: &str = "
    insert into keyring_in_use (id, pepper_id, data_key_id, since) values (1, :pepper_id, :data_key_id, :since)
    on conflict (id) do update set pepper_id = excluded.pepper_id, data_key_id = excluded.data_key_id, since = excluded.since
    where pepper_id <> excluded.pepper_id or data_key_id <> excluded.data_key_id";

/// All statements of this file, for the test that prepares each of them.
pub const STATEMENTS: &[&str] = &[FIND, INSERT, FIND_KEYS, REPLACE_KEYS];

/// The keys of the keyring that new digests and ciphertexts are made with. `None`: no server has run yet, so the newest
/// keys.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn find_keys_in_use(view: &View<'_>) -> Result<Option<KeyIds>, Error> {
    view.find(FIND_KEYS, [], |row| Ok(KeyIds { pepper: row.get(0)?, data_key: row.get(1)? }))
}

/// Makes new digests and ciphertexts with these keys from now on. Answers whether that is a change.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn use_keys(tx: &mut Tx<'_>, ids: KeyIds) -> Result<bool, Error> {
    let now = tx.now();
    let keys = named_params! {":pepper_id": ids.pepper, ":data_key_id": ids.data_key, ":since": now};
    Ok(tx.execute(REPLACE_KEYS, keys)? == 1)
}

/// The identity of the appliance. `None`: `init` did not finish.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn find_stamp(view: &View<'_>) -> Result<Option<SiteStamp>, Error> {
    view.find(FIND, [], |row| Ok(SiteStamp { region: row.get(0)?, site_id: row.get(1)?, created_at: row.get(2)? }))
}

/// Writes the identity into a new database. The table refuses a second one.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn stamp(tx: &mut Tx<'_>, region: &str) -> Result<(), Error> {
    let site_id = format!("site_{}", hex::encode(tx.rng().bytes::<8>()));
    let now = tx.now();
    tx.execute(INSERT, named_params! {":region": region, ":site_id": site_id, ":created_at": now})?;
    Ok(())
}
