//! All SQL of the snapshot stamp.

use rusqlite::named_params;

use super::model::Stamp;
use crate::db::{Error, Tx, View};

const FIND: &str = "
    select made_at, schema_version, engine_version, keyring_id, audit_seq, audit_head, tombstone_seq
    from snapshot_stamp
    where id = 1";
const INSERT: &str = "
    insert into snapshot_stamp (id, made_at, schema_version, engine_version, keyring_id, audit_seq, audit_head, tombstone_seq)
    values (1, :made_at, :schema_version, :engine_version, :keyring_id, :audit_seq, :audit_head, :tombstone_seq)";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[FIND, INSERT];

pub(super) fn find(view: &View<'_>) -> Result<Option<Stamp>, Error> {
    view.find(FIND, [], |row| {
        Ok(Stamp {
            made_at: row.get(0)?,
            schema_version: row.get(1)?,
            engine_version: row.get(2)?,
            keyring_id: row.get(3)?,
            audit_seq: row.get(4)?,
            audit_head: row.get(5)?,
            tombstone_seq: row.get(6)?,
        })
    })
}

pub(super) fn insert(tx: &mut Tx<'_>, stamp: &Stamp) -> Result<(), Error> {
    tx.execute(
        INSERT,
        named_params! {
            ":made_at": stamp.made_at,
            ":schema_version": stamp.schema_version,
            ":engine_version": stamp.engine_version,
            ":keyring_id": stamp.keyring_id,
            ":audit_seq": stamp.audit_seq,
            ":audit_head": stamp.audit_head,
            ":tombstone_seq": stamp.tombstone_seq,
        },
    )?;
    Ok(())
}
