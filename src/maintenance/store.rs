//! All SQL of drills and copies of the keyring.

use std::time::Duration;

use rusqlite::named_params;

use super::model::{Drill, Escrow};
use crate::base::Timestamp;
use crate::db::{Error, KEYRING_ESCROW, RESTORE_DRILL, Tx, View, by_name, insert, only, values};

/// Drills that are kept.
const DRILLS_KEPT: i64 = 100;

const FIND_LAST_DRILL: &str = "
    select finished_at, snapshot_made_at, is_good, result, duration_ms from restore_drill order by id desc limit 1";
const FIND_LAST_GOOD_DRILL: &str = "
    select finished_at from restore_drill where is_good = 1 order by id desc limit 1";
const NEXT_DRILL: &str = "select coalesce(max(id), 0) + 1 from restore_drill";
const INSERT_DRILL: &str = insert!(RESTORE_DRILL);
const DELETE_OLD_DRILLS: &str = "delete from restore_drill where id <= :last";

const FIND_ESCROW: &str = "
    select kind, at, reason from keyring_escrow where fingerprint = :fingerprint order by id desc limit 1";
const NEXT_ESCROW: &str = "select coalesce(max(id), 0) + 1 from keyring_escrow";
const INSERT_ESCROW: &str = insert!(KEYRING_ESCROW);

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    FIND_LAST_DRILL,
    FIND_LAST_GOOD_DRILL,
    NEXT_DRILL,
    INSERT_DRILL,
    DELETE_OLD_DRILLS,
    FIND_ESCROW,
    NEXT_ESCROW,
    INSERT_ESCROW,
];

pub(super) fn find_last_drill(view: &View<'_>) -> Result<Option<Drill>, Error> {
    view.find(FIND_LAST_DRILL, [], |row| {
        by_name!(row, FIND_LAST_DRILL => finished_at, snapshot_made_at, is_good, result, duration_ms);
        let millis: i64 = duration_ms.get()?;
        Ok(Drill {
            finished_at: finished_at.get()?,
            snapshot_made_at: snapshot_made_at.get()?,
            is_good: is_good.get()?,
            result: result.get()?,
            duration: Duration::from_millis(u64::try_from(millis).unwrap_or(0)),
        })
    })
}

pub(super) fn find_last_good_drill(view: &View<'_>) -> Result<Option<Timestamp>, Error> {
    view.find(FIND_LAST_GOOD_DRILL, [], only)
}

pub(super) fn insert_drill(tx: &mut Tx<'_>, drill: &Drill) -> Result<(), Error> {
    let id: i64 = tx.one(NEXT_DRILL, [], only)?;
    let duration_ms = i64::try_from(drill.duration.as_millis()).unwrap_or(i64::MAX);
    tx.execute(
        INSERT_DRILL,
        values!(RESTORE_DRILL => {
            id: id,
            finished_at: drill.finished_at,
            snapshot_made_at: drill.snapshot_made_at,
            is_good: drill.is_good,
            result: drill.result,
            duration_ms: duration_ms,
        }),
    )?;
    tx.execute(DELETE_OLD_DRILLS, named_params! {":last": id - DRILLS_KEPT})?;
    Ok(())
}

pub(super) fn find_escrow(view: &View<'_>, fingerprint: &str) -> Result<Escrow, Error> {
    let found = view.find(FIND_ESCROW, named_params! {":fingerprint": fingerprint}, |row| {
        by_name!(row, FIND_ESCROW => kind, at, reason);
        let kind: String = kind.get()?;
        Ok(if kind == "exported" { Escrow::Exported(at.get()?) } else { Escrow::Waived(at.get()?, reason.get()?) })
    })?;
    Ok(found.unwrap_or(Escrow::Due))
}

/// `reason`: why no copy is made. `None`: a copy was made.
pub(super) fn insert_escrow(tx: &mut Tx<'_>, fingerprint: &str, reason: Option<&str>) -> Result<(), Error> {
    let (id, now): (i64, _) = (tx.one(NEXT_ESCROW, [], only)?, tx.now());
    let kind = if reason.is_some() { "waived" } else { "exported" };
    tx.execute(
        INSERT_ESCROW,
        values!(KEYRING_ESCROW => {
            id: id,
            fingerprint: fingerprint,
            kind: kind,
            at: now,
            reason: reason.unwrap_or_default(),
        }),
    )?;
    Ok(())
}
