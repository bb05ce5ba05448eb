//! All SQL of the snapshot stamp.

use super::model::Stamp;
use crate::db::{Error, SNAPSHOT_STAMP, Tx, View, by_name, insert, only, values};

const FIND: &str = "
    select made_at, schema_version, engine_version, keyring_id, audit_seq, audit_head, tombstone_seq
    from snapshot_stamp
    where id = 1";
/// Snapshots of older schemas do not have these columns.
const HAS_DIGEST: &str = "select count(*) from pragma_table_info('snapshot_stamp') where name = 'codes_digest'";
const FIND_DIGEST: &str = "select ledger_seq, codes_digest from snapshot_stamp where id = 1";
const DELETE: &str = "delete from snapshot_stamp";
const INSERT: &str = insert!(SNAPSHOT_STAMP);

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[FIND, HAS_DIGEST, FIND_DIGEST, DELETE, INSERT];

pub(super) fn find(view: &View<'_>) -> Result<Option<Stamp>, Error> {
    let has_digest: i64 = view.one(HAS_DIGEST, [], only)?;
    let digest = if has_digest == 0 {
        None
    } else {
        view.find(FIND_DIGEST, [], |row| {
            by_name!(row, FIND_DIGEST => ledger_seq, codes_digest);
            Ok((ledger_seq.get()?, codes_digest.get()?))
        })?
    };
    let (ledger_seq, codes_digest) = digest.unwrap_or((0, None));
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
            ledger_seq,
            codes_digest,
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
            ledger_seq: stamp.ledger_seq,
            codes_digest: stamp.codes_digest,
        }),
    )?;
    Ok(())
}

pub(super) fn delete(tx: &mut Tx<'_>) -> Result<(), Error> {
    tx.execute(DELETE, [])?;
    Ok(())
}
