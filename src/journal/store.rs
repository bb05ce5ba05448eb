//! All SQL of the journal.

use rusqlite::{Row, named_params};

use super::model::{Checked, Entry, EntryKind, Head};
use super::tables::{JOURNAL, JOURNAL_CHECK};
use crate::db::{Error, Tx, View, by_name, columns, insert, sql, values};

const ENTRY: &str = columns!(JOURNAL);
const FIND_HEAD: &str = "select seq, hash from journal order by seq desc limit 1";
const FIND_HASH: &str = "select seq, hash from journal where seq = :seq";
const LIST: &str = sql!("select ", ENTRY, " from journal where seq > :after order by seq limit :limit");
const FIND_LAST: &str =
    sql!("select ", ENTRY, " from journal where event = :event and target_id = :target_id order by seq desc limit 1");
const INSERT: &str = insert!(JOURNAL);
const FIND_CHECKED: &str = "select seq, hash, end_offset, whole_at from journal_check";
const DELETE_CHECKED: &str = "delete from journal_check";
const INSERT_CHECKED: &str = insert!(JOURNAL_CHECK);

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] =
    &[FIND_HEAD, FIND_HASH, LIST, FIND_LAST, INSERT, FIND_CHECKED, DELETE_CHECKED, INSERT_CHECKED];

fn read_entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    by_name!(row, ENTRY =>
        seq, kind, event, target_id, account_id, detail, receipt_id, at, prev_hash, hash);
    Ok(Entry {
        seq: seq.get()?,
        kind: kind.parse(EntryKind::parse)?,
        event: event.get()?,
        target: target_id.get()?,
        account: account_id.get()?,
        detail: detail.get()?,
        receipt: receipt_id.get()?,
        at: at.get()?,
        previous: prev_hash.get()?,
        hash: hash.get()?,
    })
}

/// How far the table goes. A published snapshot has the table too, so this is also what a snapshot knows.
///
/// # Errors
/// [`Error`].
pub fn find_head(view: &View<'_>) -> Result<Head, Error> {
    let last = view.find(FIND_HEAD, [], |row| {
        by_name!(row, FIND_HEAD => seq, hash);
        Ok(Head { seq: seq.get()?, hash: hash.get()? })
    })?;
    Ok(last.unwrap_or(Head::EMPTY))
}

/// The head of the journal as it was after entry `seq`. `None`: there is no such entry.
pub(super) fn find_head_at(view: &View<'_>, seq: i64) -> Result<Option<Head>, Error> {
    view.find(FIND_HASH, named_params! {":seq": seq}, |row| {
        by_name!(row, FIND_HASH => seq, hash);
        Ok(Head { seq: seq.get()?, hash: hash.get()? })
    })
}

/// Entries after number `after`, in order.
pub(super) fn list(view: &View<'_>, after: i64, limit: u32) -> Result<Vec<Entry>, Error> {
    view.list(LIST, named_params! {":after": after, ":limit": limit}, read_entry)
}

/// The last entry of an event about one thing. It reads the whole table. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn find_last(view: &View<'_>, event: &str, target: &str) -> Result<Option<Entry>, Error> {
    view.find(FIND_LAST, named_params! {":event": event, ":target_id": target}, read_entry)
}

pub(super) fn insert(tx: &mut Tx<'_>, entry: &Entry) -> Result<(), Error> {
    tx.execute(
        INSERT,
        values!(JOURNAL => {
            seq: entry.seq,
            kind: entry.kind.as_str(),
            event: entry.event,
            target_id: entry.target,
            account_id: entry.account,
            detail: entry.detail,
            receipt_id: entry.receipt,
            at: entry.at,
            prev_hash: entry.previous,
            hash: entry.hash,
        }),
    )?;
    Ok(())
}

pub(super) fn find_checked(view: &View<'_>) -> Result<Option<Checked>, Error> {
    view.find(FIND_CHECKED, [], |row| {
        by_name!(row, FIND_CHECKED => seq, hash, end_offset, whole_at);
        Ok(Checked {
            head: Head { seq: seq.get()?, hash: hash.get()? },
            end_offset: end_offset.get::<i64>()?.unsigned_abs(),
            whole_at: whole_at.get()?,
        })
    })
}

pub(super) fn replace_checked(tx: &mut Tx<'_>, checked: &Checked) -> Result<(), Error> {
    tx.execute(DELETE_CHECKED, [])?;
    tx.execute(
        INSERT_CHECKED,
        values!(JOURNAL_CHECK => {
            id: 1,
            seq: checked.head.seq,
            hash: checked.head.hash,
            end_offset: i64::try_from(checked.end_offset).unwrap_or(i64::MAX),
            whole_at: checked.whole_at,
        }),
    )?;
    Ok(())
}
