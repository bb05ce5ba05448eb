//! All SQL of the snapshot stamp.

use super::model::Stamp;
use crate::db::{Error, SNAPSHOT_STAMP, Tx, View, by_name, insert, values};

const FIND: &str = "
    select made_at, schema_version, engine_version, keyring_id, audit_seq, audit_head, tombstone_seq
    from snapshot_stamp
    where id = 1";
const DELETE: &str = "delete from snapshot_stamp";
const INSERT: &str = insert!(SNAPSHOT_STAMP);

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[FIND, DELETE, INSERT];

pub(super) fn find(view: &View<'_>) -> Result<Option<Stamp>, Error> {
    view.find(FIND, [], |row| {
        by_name!(row, FIND =>
            made_at, schema_version, engine_version, keyring_id, audit_seq, audit_head, tombstone_seq);
        Ok(Stamp {
            made_at: made_at.get()?,
            schema_version: schema_version.get()?,
            engine_version: engine_version.get()?,
            keyring_id: keyring_id.get()?,
            audit_seq: audit_seq.get()?,
            audit_head: audit_head.get()?,
            tombstone_seq: tombstone_seq.get()?,
        })
    })
}

/// Replaces the stamp. A live database that was a published snapshot before has an old one.
pub(super) fn put(tx: &mut Tx<'_>, stamp: &Stamp) -> Result<(), Error> {
    tx.execute(DELETE, [])?;
    tx.execute(
        INSERT,
        values!(SNAPSHOT_STAMP => {
            id: 1,
            made_at: stamp.made_at,
            schema_version: stamp.schema_version,
            engine_version: stamp.engine_version,
            keyring_id: stamp.keyring_id,
            audit_seq: stamp.audit_seq,
            audit_head: stamp.audit_head,
            tombstone_seq: stamp.tombstone_seq,
        }),
    )?;
    Ok(())
}

pub(super) fn delete(tx: &mut Tx<'_>) -> Result<(), Error> {
    tx.execute(DELETE, [])?;
    Ok(())
}
