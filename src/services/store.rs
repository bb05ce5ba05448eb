//! All SQL about services.

use rusqlite::named_params;

use super::model::Service;
use super::tables::SERVICE;
use crate::db::{Error, Tx, View, by_name, insert, sql, values};

const INSERT: &str = sql!(
    insert!(SERVICE),
    "
    on conflict (name) do nothing"
);
const FIND_BY_LOOKUP: &str = "select id, name from service where lookup = :lookup";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[INSERT, FIND_BY_LOOKUP];

/// Inserts a service. `false`: the name is taken.
pub(super) fn insert(tx: &mut Tx<'_>, service: &Service, lookup: &[u8; 32], pepper_id: u32) -> Result<bool, Error> {
    let now = tx.now();
    let inserted = tx.execute(
        INSERT,
        values!(SERVICE => {
            id: service.id,
            name: service.name,
            lookup: lookup,
            pepper_id: pepper_id,
            created_at: now,
        }),
    )?;
    Ok(inserted == 1)
}

pub(super) fn find_by_lookup(view: &View<'_>, lookup: &[u8; 32]) -> Result<Option<Service>, Error> {
    view.find(FIND_BY_LOOKUP, named_params! {":lookup": lookup}, |row| {
        by_name!(row, FIND_BY_LOOKUP => id, name);
        Ok(Service { id: id.get()?, name: name.get()? })
    })
}
