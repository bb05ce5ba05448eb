//! The stamp of the appliance inside its database: which one it is, and the region it is pinned to.

use rusqlite::named_params;

use super::{Error, Tx, View};
use crate::base::Timestamp;

/// What `init` wrote once.
#[derive(Debug, Clone)]
pub struct SiteStamp {
    /// The region all data stays in.
    pub region: String,
    /// Random, so that two appliances are never taken for one.
    pub site_id: String,
    /// When it was made.
    pub created_at: Timestamp,
}

const FIND: &str = "select region, site_id, created_at from site where id = 1";
const INSERT: &str = "insert into site (id, region, site_id, created_at) values (1, :region, :site_id, :created_at)";

/// Every statement of this room, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[FIND, INSERT];

/// The stamp. `None`: the database was never stamped.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn find_stamp(view: &View<'_>) -> Result<Option<SiteStamp>, Error> {
    view.find(FIND, [], |row| Ok(SiteStamp { region: row.get(0)?, site_id: row.get(1)?, created_at: row.get(2)? }))
}

/// Stamps a new database. A second stamp is refused by the table.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn stamp(tx: &mut Tx<'_>, region: &str) -> Result<(), Error> {
    let site_id = format!("site_{}", hex::encode(tx.rng().bytes::<8>()));
    let now = tx.now();
    tx.execute(INSERT, named_params! {":region": region, ":site_id": site_id, ":created_at": now})?;
    Ok(())
}
