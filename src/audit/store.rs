//! All SQL of the audit.

use std::ops::Range;

use rusqlite::{Row, named_params};

use super::chain::Leaf;
use super::model::{Epoch, KnownHead};
use super::tables::{AUDIT_EVENT, AUDIT_PRIVATE, AUDIT_TREE, EPOCH, SUBJECT_KEY};
use crate::base::{AccountId, Digest, Timestamp, WorkspaceId};
use crate::db::{Error, Tx, View, by_name, columns, insert, only, sql, values};

const FIND_HEAD: &str = "select seq, leaf_hash from audit_event order by seq desc limit 1";
const INSERT_EVENT: &str = insert!(AUDIT_EVENT);
const INSERT_PRIVATE: &str = insert!(AUDIT_PRIVATE);
const FIND_SUBJECT_KEY: &str = "select sealed_key from subject_key where subject_id = :subject_id";
const INSERT_SUBJECT_KEY: &str = insert!(SUBJECT_KEY);
const DELETE_PRIVATE: &str = "delete from audit_private where subject_id = :subject_id";
// Reads only the parts with the lowest numbers, because number and time grow together.
const DELETE_OLD_PRIVATE: &str = "
    delete from audit_private where (seq, part) in (
      select p.seq, p.part
      from (
        select seq, part from audit_private where subject_id = :subject_id order by seq limit :limit
      ) p join audit_event e on e.seq = p.seq
      where e.at < :before)";
const DELETE_SUBJECT_KEY: &str = "delete from subject_key where subject_id = :subject_id";
const EVENT: &str = columns!(AUDIT_EVENT);
const LIST_EVENTS: &str = sql!(
    "select ",
    EVENT,
    "
    from audit_event
    where seq > :after
    order by seq"
);
const FIND_EVENT: &str = sql!("select ", EVENT, " from audit_event where seq = :seq");
const FIND_LEAF: &str = "select leaf_hash from audit_event where seq = :seq";
const FIND_TIME: &str = "select at from audit_event where seq = :seq";
const LIST_FEED: &str = sql!(
    "select ",
    EVENT,
    "
    from audit_event
    where seq in (
      select seq from (select seq from audit_event where workspace_id = :workspace_id and seq > :after and seq < :before order by seq desc limit :limit)
      union select seq from (select seq from audit_event where target_id = :account_id and seq > :after and seq < :before order by seq desc limit :limit)
      union select seq from (select seq from audit_event where actor_id = :account_id and seq > :after and seq < :before order by seq desc limit :limit))
    order by seq desc
    limit :limit"
);
const LIST_OWN: &str = sql!(
    "select ",
    EVENT,
    "
    from audit_event
    where seq in (
      select seq from (select seq from audit_event where actor_id = :account_id and seq > :after order by seq limit :limit)
      union select seq from (select seq from audit_event where target_id = :account_id and seq > :after order by seq limit :limit)
      union select seq from (select seq from audit_event where workspace_id = :workspace_id and seq > :after order by seq limit :limit)
      union select seq from (select seq from audit_private where subject_id = :account_id and seq > :after order by seq limit :limit))
    order by seq
    limit :limit"
);
const FIND_LAST_ABOUT: &str = sql!(
    "select ",
    EVENT,
    " from audit_event where target_id = :target_id and event = :event order by seq desc limit 1"
);
const LIST_PRIVATE: &str = "select part, subject_id, salt, sealed from audit_private where seq = :seq order by part";
const FIND_UNCOMMITTED: &str = "
    select p.seq
    from audit_private p left join audit_event e on e.seq = p.seq
    where p.seq > :after and (e.seq is null or e.commitments_json = '{}')
    order by p.seq
    limit 1";

// A snapshot of an earlier release is verified before it is migrated, and has no epochs.
const HAS_EPOCHS: &str = "select exists (select 1 from sqlite_schema where type = 'table' and name = 'epoch')";
const LIST_EPOCHS: &str = sql!("select ", columns!(EPOCH), " from epoch order by number");
const INSERT_EPOCH: &str = insert!(EPOCH);

const LIST_LEAVES: &str = "select leaf_hash from audit_event where seq > :after order by seq";
// As with epochs: a snapshot of an earlier release has no tree.
const HAS_TREE: &str = "select exists (select 1 from sqlite_schema where type = 'table' and name = 'audit_tree')";
const FIND_TREE: &str = "select size, epoch, roots, note from audit_tree where id = 1";
const REPLACE_TREE: &str = sql!(
    insert!(AUDIT_TREE),
    "
    on conflict (id) do update set size = excluded.size, epoch = excluded.epoch, roots = excluded.roots,
      note = excluded.note, made_at = excluded.made_at
    where (size, epoch) < (excluded.size, excluded.epoch)"
);

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    FIND_HEAD,
    INSERT_EVENT,
    INSERT_PRIVATE,
    FIND_SUBJECT_KEY,
    INSERT_SUBJECT_KEY,
    DELETE_PRIVATE,
    DELETE_OLD_PRIVATE,
    DELETE_SUBJECT_KEY,
    LIST_EVENTS,
    FIND_LEAF,
    FIND_TIME,
    LIST_FEED,
    LIST_OWN,
    FIND_LAST_ABOUT,
    LIST_PRIVATE,
    FIND_UNCOMMITTED,
    FIND_EVENT,
    HAS_EPOCHS,
    LIST_EPOCHS,
    INSERT_EPOCH,
    LIST_LEAVES,
    HAS_TREE,
    FIND_TREE,
    REPLACE_TREE,
];

/// The row of `audit_tree`.
pub(super) struct TreeRow {
    pub size: i64,
    pub epoch: i64,
    pub roots: Vec<u8>,
    pub note: String,
}

/// A row of `audit_event`.
pub(super) struct EventRow {
    pub seq: i64,
    pub id: String,
    pub at: Timestamp,
    pub event: String,
    pub outcome: String,
    pub workspace: Option<String>,
    pub actor_kind: String,
    pub actor_id: Option<String>,
    pub target: Option<String>,
    pub data: String,
    pub commitments: String,
    pub previous: Digest,
    pub leaf: Digest,
}

/// A row of `audit_private`.
pub(super) struct PrivateRow {
    pub part: String,
    pub subject: String,
    pub salt: [u8; 32],
    pub sealed: Vec<u8>,
}

fn read_event(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    by_name!(row, EVENT =>
        seq, id, at, event, outcome, workspace_id, actor_kind, actor_id, target_id, data_json, commitments_json,
        prev_hash, leaf_hash);
    Ok(EventRow {
        seq: seq.get()?,
        id: id.get()?,
        at: at.get()?,
        event: event.get()?,
        outcome: outcome.get()?,
        workspace: workspace_id.get()?,
        actor_kind: actor_kind.get()?,
        actor_id: actor_id.get()?,
        target: target_id.get()?,
        data: data_json.get()?,
        commitments: commitments_json.get()?,
        previous: prev_hash.get()?,
        leaf: leaf_hash.get()?,
    })
}

pub(super) fn find_head(view: &View<'_>) -> Result<Option<(i64, Digest)>, Error> {
    view.find(FIND_HEAD, [], |row| {
        by_name!(row, FIND_HEAD => seq, leaf_hash);
        Ok((seq.get()?, leaf_hash.get()?))
    })
}

/// Inserts the event that follows `previous`.
pub(super) fn insert_event(tx: &mut Tx<'_>, event: &Leaf<'_>, previous: &Digest, leaf: &Digest) -> Result<(), Error> {
    tx.execute(
        INSERT_EVENT,
        values!(AUDIT_EVENT => {
            seq: event.seq,
            id: event.id,
            at: event.at,
            event: event.event,
            outcome: event.outcome,
            actor_kind: event.actor_kind,
            actor_id: event.actor_id,
            target_id: event.target,
            data_json: event.data,
            workspace_id: event.workspace,
            commitments_json: event.commitments,
            prev_hash: previous,
            leaf_hash: leaf,
        }),
    )?;
    Ok(())
}

pub(super) fn insert_private(tx: &mut Tx<'_>, seq: i64, row: &PrivateRow) -> Result<(), Error> {
    tx.execute(
        INSERT_PRIVATE,
        values!(AUDIT_PRIVATE => {
            seq: seq,
            part: row.part,
            subject_id: row.subject,
            salt: row.salt,
            sealed: row.sealed,
        }),
    )?;
    Ok(())
}

pub(super) fn find_subject_key(view: &View<'_>, subject: &str) -> Result<Option<Vec<u8>>, Error> {
    view.find(FIND_SUBJECT_KEY, named_params! {":subject_id": subject}, only)
}

pub(super) fn insert_subject_key(tx: &mut Tx<'_>, subject: &str, sealed: &[u8]) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT_SUBJECT_KEY,
        values!(SUBJECT_KEY => {
            subject_id: subject,
            sealed_key: sealed,
            created_at: now,
        }),
    )?;
    Ok(())
}

/// Deletes all private parts of a subject, and its key.
pub(super) fn delete_subject(tx: &mut Tx<'_>, subject: AccountId) -> Result<usize, Error> {
    let parts = tx.execute(DELETE_PRIVATE, named_params! {":subject_id": subject})?;
    tx.execute(DELETE_SUBJECT_KEY, named_params! {":subject_id": subject})?;
    Ok(parts)
}

pub(super) fn delete_old_private(
    tx: &mut Tx<'_>,
    subject: &str,
    before: Timestamp,
    limit: u32,
) -> Result<usize, Error> {
    tx.execute(DELETE_OLD_PRIVATE, named_params! {":subject_id": subject, ":before": before, ":limit": limit})
}

/// Calls `each` for every event after number `after`.
pub(super) fn walk_events<E: From<Error>>(
    view: &View<'_>,
    after: i64,
    mut each: impl FnMut(EventRow) -> Result<(), E>,
) -> Result<(), E> {
    view.walk(LIST_EVENTS, named_params! {":after": after}, |row| each(read_event(row).map_err(Error::from)?))
}

/// What a person sees, the newest first: the events with a number between these two, which are left out.
pub(super) fn list_feed(
    view: &View<'_>,
    account: AccountId,
    workspace: WorkspaceId,
    between: Range<i64>,
    limit: u32,
) -> Result<Vec<EventRow>, Error> {
    let Range { start: after, end: before } = between;
    view.list(
        LIST_FEED,
        named_params! {":account_id": account, ":workspace_id": workspace, ":after": after, ":before": before, ":limit": limit},
        read_event,
    )
}

/// When an event was recorded. `None`: there is no event with this number.
pub(super) fn find_time(view: &View<'_>, seq: i64) -> Result<Option<Timestamp>, Error> {
    view.find(FIND_TIME, named_params! {":seq": seq}, only)
}

pub(super) fn list_own(
    view: &View<'_>,
    account: AccountId,
    workspace: Option<WorkspaceId>,
    after: i64,
    limit: u32,
) -> Result<Vec<EventRow>, Error> {
    view.list(
        LIST_OWN,
        named_params! {":account_id": account, ":workspace_id": workspace, ":after": after, ":limit": limit},
        read_event,
    )
}

/// The newest event with this name about this target.
pub(super) fn find_last_about(view: &View<'_>, target: &str, event: &str) -> Result<Option<EventRow>, Error> {
    view.find(FIND_LAST_ABOUT, named_params! {":target_id": target, ":event": event}, read_event)
}

pub(super) fn list_private(view: &View<'_>, seq: i64) -> Result<Vec<PrivateRow>, Error> {
    view.list(LIST_PRIVATE, named_params! {":seq": seq}, |row| {
        by_name!(row, LIST_PRIVATE => part, subject_id, salt, sealed);
        Ok(PrivateRow { part: part.get()?, subject: subject_id.get()?, salt: salt.get()?, sealed: sealed.get()? })
    })
}

/// The event with this number. `None`: there is none.
pub(super) fn find_event(view: &View<'_>, seq: i64) -> Result<Option<EventRow>, Error> {
    view.find(FIND_EVENT, named_params! {":seq": seq}, read_event)
}

/// The leaf of an event. `None`: there is no event with this number.
pub(super) fn find_leaf(view: &View<'_>, seq: i64) -> Result<Option<Digest>, Error> {
    view.find(FIND_LEAF, named_params! {":seq": seq}, only)
}

/// The first event after number `after` that has a private part but no commitment. `None`: there is none.
pub(super) fn find_uncommitted(view: &View<'_>, after: i64) -> Result<Option<i64>, Error> {
    view.find(FIND_UNCOMMITTED, named_params! {":after": after}, only)
}

/// As [`list_epochs`], for a snapshot that may be older than the table.
pub(super) fn list_epochs_if_known(view: &View<'_>) -> Result<Vec<Epoch>, Error> {
    if view.one(HAS_EPOCHS, [], only)? { list_epochs(view) } else { Ok(Vec::new()) }
}

/// The restores of this appliance, the oldest first: a handful in its life.
///
/// # Errors
/// [`Error`].
pub fn list_epochs(view: &View<'_>) -> Result<Vec<Epoch>, Error> {
    view.list(LIST_EPOCHS, [], |row| {
        by_name!(row, LIST_EPOCHS =>
            number, opened_at, snapshot_made_at, audit_seq, audit_head, journal_seq, known_audit_seq, known_audit_head,
            journal_accepted_missing);
        let known: (Option<i64>, Option<Digest>) = (known_audit_seq.get()?, known_audit_head.get()?);
        Ok(Epoch {
            number: number.get()?,
            opened_at: opened_at.get()?,
            snapshot_made_at: snapshot_made_at.get()?,
            audit_seq: audit_seq.get()?,
            audit_head: audit_head.get()?,
            journal_seq: journal_seq.get()?,
            known: known.0.zip(known.1).map(|(seq, head)| KnownHead { seq, head }),
            has_accepted_missing_journal: journal_accepted_missing.get()?,
        })
    })
}

/// Stores a restore. Its number is greater than that of each epoch that is known.
///
/// # Errors
/// [`Error`].
pub fn insert_epoch(tx: &mut Tx<'_>, epoch: &Epoch) -> Result<(), Error> {
    tx.execute(
        INSERT_EPOCH,
        values!(EPOCH => {
            number: epoch.number,
            opened_at: epoch.opened_at,
            snapshot_made_at: epoch.snapshot_made_at,
            audit_seq: epoch.audit_seq,
            audit_head: epoch.audit_head,
            journal_seq: epoch.journal_seq,
            known_audit_seq: epoch.known.as_ref().map(|known| known.seq),
            known_audit_head: epoch.known.as_ref().map(|known| known.head),
            journal_accepted_missing: epoch.has_accepted_missing_journal,
        }),
    )?;
    Ok(())
}

/// Calls `each` with the leaf of every event after number `after`.
pub(super) fn walk_leaves(view: &View<'_>, after: i64, mut each: impl FnMut(Digest)) -> Result<(), Error> {
    view.walk(LIST_LEAVES, named_params! {":after": after}, |row| {
        each(only(row).map_err(Error::from)?);
        Ok(())
    })
}

/// As [`find_tree`], for a snapshot that may be older than the table.
pub(super) fn find_tree_if_known(view: &View<'_>) -> Result<Option<TreeRow>, Error> {
    if view.one(HAS_TREE, [], only)? { find_tree(view) } else { Ok(None) }
}

/// The tree of the newest checkpoint. `None`: there is none yet.
pub(super) fn find_tree(view: &View<'_>) -> Result<Option<TreeRow>, Error> {
    view.find(FIND_TREE, [], |row| {
        by_name!(row, FIND_TREE => size, epoch, roots, note);
        Ok(TreeRow { size: size.get()?, epoch: epoch.get()?, roots: roots.get()?, note: note.get()? })
    })
}

/// Replaces the tree by a larger one, or by one of a later epoch. Otherwise nothing changes.
pub(super) fn replace_tree(tx: &mut Tx<'_>, tree: &TreeRow) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        REPLACE_TREE,
        values!(AUDIT_TREE => {
            id: 1,
            size: tree.size,
            epoch: tree.epoch,
            roots: tree.roots,
            note: tree.note,
            made_at: now,
        }),
    )?;
    Ok(())
}
