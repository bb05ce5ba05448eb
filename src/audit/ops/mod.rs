//! Record events, read them, verify the chain, erase private parts.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Map, Value, json};

mod checkpoints;
mod restores;
mod verify;

pub use checkpoints::{NewCheckpoint, newest_checkpoint, next_checkpoint, public_key, store_checkpoint};
pub use restores::journal_restore;
pub use verify::{Lost, Verified, open_checkpoints, verify, verify_against, verify_since};

use super::chain::{self, Leaf};
use super::event_type::EventKind;
use super::event_type::{AccessChange, Fact, Outcome, Part};
use super::model::{Event, Filter, RecordedEvent};
use super::store::{self, EventRow, PrivateRow};
use crate::base::{
    AccountId, Actor, Digest, EventId, GENESIS, PAGE_SIZE_MAX, Page, Secret, SecurityEvent, Timestamp, WorkspaceId,
    days,
};
use crate::crypto::seal;
use crate::db::{Error, Tx, View};
use crate::journal;

/// The stored subject of private parts that belong to no known account, for example of a failed sign-in with an unknown
/// name.
const NO_SUBJECT: &str = "nobody";
/// The commitments of an event without private parts.
const NO_COMMITMENTS: &str = "{}";
/// How long private parts without a known account are kept: long enough to see an attack (GDPR Art. 5(1)(e); domain
/// 3.2).
const ANONYMOUS_RETENTION: Duration = days(30);
/// The maximum number of private parts that one call of [`purge_anonymous`] deletes.
const PURGE_BATCH_MAX: u32 = 1000;

/// Records an event in the caller's transaction: the change and its event are committed together or not at all.
///
/// An event that takes access away or gives it back has an entry in the journal too.
///
/// If the actor has a network address, address and user agent are stored as a private part of the event's subject.
///
/// # Errors
/// [`Error`]. The caller's transaction must not commit then.
pub fn record(tx: &mut Tx<'_>, actor: &Actor, event: Event) -> Result<(), Error> {
    debug_assert!(
        event.kind.title(event.outcome).is_some(),
        "the event {} has no title for the outcome {:?}: add one in the events.rs of its module",
        event.kind.name,
        event.outcome,
    );
    debug_assert!(
        event.data.get("before").is_none() || event.kind.facts.iter().any(Fact::is_change),
        "the event {} says what was before, and its type does not declare how people are shown the change: add `.facts(..)`",
        event.kind.name,
    );
    let entry = event.journal_entry();
    note_security(tx, actor, &event);
    let (last, previous) = head_to_follow(tx)?;
    let now = tx.now();
    let id = EventId::new(now, tx.rng()).to_text();

    let mut private = event.private;
    if let Some(visitor) = actor.visitor() {
        private.push((Part::Network, json!({"address": visitor.address, "agent": visitor.agent})));
    }
    let (sealed, commitments) = seal_parts(tx, event.subject.or(actor.account()), last + 1, private)?;

    let (workspace, actor_id) = (event.workspace.map(WorkspaceId::to_text), actor.id());
    let leaf = Leaf {
        seq: last + 1,
        id: &id,
        at: now,
        event: event.kind.name,
        outcome: event.outcome.as_str(),
        workspace: workspace.as_deref(),
        actor_kind: actor.kind(),
        actor_id: actor_id.as_deref(),
        target: event.target.as_deref(),
        data: &event.data.to_string(),
        commitments: &commitments,
    };
    let hash = chain::leaf(&previous, &leaf);
    store::insert_event(tx, &leaf, &previous, &hash)?;
    tx.remembered::<Remembered>().head = Some((last + 1, hash));
    entry.map(|entry| journal::record(tx, entry)).transpose()?;
    sealed.iter().try_for_each(|part| store::insert_private(tx, last + 1, part))
}

/// Puts what is about security into the log: what failed or was denied, sign-ins, what gives or takes access, what happens to
/// connected services, and what the operator does.
fn note_security(tx: &mut Tx<'_>, actor: &Actor, event: &Event) {
    let is_about_security = event.outcome != Outcome::Success
        || !matches!(event.kind.access, AccessChange::None | AccessChange::Lasts)
        || ["auth.", "service."].iter().any(|prefix| event.kind.name.starts_with(prefix))
        || actor.kind() == Actor::Operator.kind();
    if !is_about_security {
        return;
    }
    tx.note_security(SecurityEvent {
        name: event.kind.name,
        outcome: event.outcome.as_str(),
        actor: actor.kind(),
        visitor: actor.visitor().map(|visitor| visitor.address.clone()).unwrap_or_default(),
        account: event.subject.or(actor.account()).map(AccountId::to_text).unwrap_or_default(),
        reason: "",
        request: actor.request().to_owned(),
    });
}

/// What a transaction remembers of the audit.
#[derive(Default)]
struct Remembered {
    /// The number and the leaf of the last event.
    head: Option<(i64, Digest)>,
    /// The keys of subjects, by their stored names.
    keys: Vec<(String, Secret<[u8; 32]>)>,
}

/// Keys of subjects that one transaction remembers at most.
const KEYS_REMEMBERED_MAX: usize = 64;

/// The number and the leaf of the event that the next one follows.
fn head_to_follow(tx: &mut Tx<'_>) -> Result<(i64, Digest), Error> {
    if let Some(head) = tx.remembered::<Remembered>().head {
        return Ok(head);
    }
    Ok(store::find_head(tx)?.unwrap_or((0, GENESIS)))
}

fn leaf_of(row: &EventRow) -> Leaf<'_> {
    Leaf {
        seq: row.seq,
        id: &row.id,
        at: row.at,
        event: &row.event,
        outcome: &row.outcome,
        workspace: row.workspace.as_deref(),
        actor_kind: &row.actor_kind,
        actor_id: row.actor_id.as_deref(),
        target: row.target.as_deref(),
        data: &row.data,
        commitments: &row.commitments,
    }
}

/// The context that a part is sealed with, so that it cannot be moved to another event.
fn seal_context(seq: i64, part: &str) -> String {
    format!("audit_private|sealed|{seq}|{part}")
}

fn seal_parts(
    tx: &mut Tx<'_>,
    subject: Option<AccountId>,
    seq: i64,
    private: Vec<(Part, Value)>,
) -> Result<(Vec<PrivateRow>, Cow<'static, str>), Error> {
    if private.is_empty() {
        return Ok((Vec::new(), NO_COMMITMENTS.into()));
    }
    let subject = subject.map_or_else(|| NO_SUBJECT.to_owned(), AccountId::to_text);
    let key = subject_key_or_new(tx, &subject)?;
    let mut rows = Vec::with_capacity(private.len());
    let mut commitments = Map::new();
    for (part, value) in private {
        let (name, text) = (part.as_str(), value.to_string());
        let salt: [u8; 32] = tx.rng().bytes();
        commitments.insert(name.to_owned(), Value::String(chain::commitment(&salt, &subject, name, &text)));
        let sealed = seal::seal_under(&key, tx.rng(), &seal_context(seq, name), text.as_bytes());
        rows.push(PrivateRow { part: name.to_owned(), subject: subject.clone(), salt, sealed });
    }
    Ok((rows, Value::Object(commitments).to_string().into()))
}

fn key_context(subject: &str) -> String {
    format!("subject_key|sealed_key|{subject}")
}

fn subject_key_or_new(tx: &mut Tx<'_>, subject: &str) -> Result<Secret<[u8; 32]>, Error> {
    let remembered = &tx.remembered::<Remembered>().keys;
    if let Some((_, key)) = remembered.iter().find(|(known, _)| known == subject) {
        return Ok(key.clone());
    }
    let key = match find_subject_key(tx, subject)? {
        Some(key) => key,
        None => {
            let key = Secret::new(tx.rng().bytes::<32>());
            let site = tx.site().clone();
            let sealed = seal::seal(&site.keyring, tx.rng(), &key_context(subject), key.expose());
            store::insert_subject_key(tx, subject, &sealed)?;
            key
        }
    };
    let remembered = &mut tx.remembered::<Remembered>().keys;
    if remembered.len() < KEYS_REMEMBERED_MAX {
        remembered.push((subject.to_owned(), key.clone()));
    }
    Ok(key)
}

fn find_subject_key(view: &View<'_>, subject: &str) -> Result<Option<Secret<[u8; 32]>>, Error> {
    let Some(sealed) = store::find_subject_key(view, subject)? else { return Ok(None) };
    let damaged = || Error::Damaged(format!("the subject key of {subject}"));
    let opened = seal::open(&view.site().keyring, &key_context(subject), &sealed).map_err(|_| damaged())?;
    let key: [u8; 32] = opened.expose().as_slice().try_into().map_err(|_| damaged())?;
    Ok(Some(Secret::new(key)))
}

/// Deletes all private parts about `account`, their salts and the subject key. They cannot be read again, here or in
/// any later snapshot. Earlier copies are cleaned with the erasure journal. The chain still verifies. Returns the
/// number of parts. Calling it twice is the same as once.
///
/// # Errors
/// [`Error`].
pub fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.remembered::<Remembered>().keys.clear();
    store::delete_subject(tx, account)
}

/// Deletes private parts without a known account after 30 days. The chain still verifies. Returns the number of parts.
///
/// # Errors
/// [`Error`].
pub fn purge_anonymous(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let before = tx.now().minus(ANONYMOUS_RETENTION);
    store::delete_old_private(tx, NO_SUBJECT, before, PURGE_BATCH_MAX)
}

/// The number and the leaf of the last event. Store them elsewhere to detect missing events at the end as well. Zero
/// and [`GENESIS`] if there is no event.
///
/// # Errors
/// [`Error`].
pub fn head(view: &View<'_>) -> Result<(i64, Digest), Error> {
    Ok(store::find_head(view)?.unwrap_or((0, GENESIS)))
}

/// The leaf of an event. `None`: there is no event with this number.
///
/// # Errors
/// [`Error`].
pub fn leaf_of_event(view: &View<'_>, seq: i64) -> Result<Option<Digest>, Error> {
    if seq == 0 { Ok(Some(GENESIS)) } else { store::find_leaf(view, seq) }
}

/// The number of the current epoch: 1 from `init` on, and one more after each restore.
///
/// # Errors
/// [`Error`].
pub fn epoch_number(view: &View<'_>) -> Result<i64, Error> {
    Ok(store::list_epochs_if_known(view)?.last().map_or(1, |epoch| epoch.number))
}

/// The number of the first event at this time or later; one more than the last event if all are earlier.
fn first_at(view: &View<'_>, time: Timestamp) -> Result<i64, Error> {
    let (mut low, mut high) = (1, store::find_head(view)?.map_or(0, |(seq, _)| seq) + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if store::find_time(view, middle)?.is_some_and(|at| at >= time) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

/// Events that the person caused, events about their account and events in their workspace, newest first, with the
/// private parts that still exist.
///
/// # Errors
/// [`Error`].
pub fn list(
    view: &View<'_>,
    account: AccountId,
    workspace: WorkspaceId,
    filter: &Filter,
) -> Result<Page<RecordedEvent>, Error> {
    let limit = filter.limit.clamp(1, PAGE_SIZE_MAX);
    // The times of events never go back, so a time is a place in the chain.
    let after = filter.from.map(|from| first_at(view, from)).transpose()?.map_or(0, |first| first - 1);
    let end = filter.until.map(|until| first_at(view, until)).transpose()?.unwrap_or(i64::MAX);
    let before = filter.before.map_or(end, |cursor| cursor.0.min(end));
    let rows = store::list_feed(view, account, workspace, after..before, limit + 1)?;
    let recorded = rows.into_iter().map(|row| open_event(view, row)).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::new(recorded, limit, |event| event.seq))
}

/// Events that `account` caused, events about it and events in its own workspace, oldest first, after event `after`.
/// For the person's export. Returns at most 1,000 events.
///
/// # Errors
/// [`Error`].
pub fn own_events(
    view: &View<'_>,
    account: AccountId,
    workspace: Option<WorkspaceId>,
    after: i64,
    limit: u32,
) -> Result<Vec<RecordedEvent>, Error> {
    let rows = store::list_own(view, account, workspace, after, limit.min(1000))?;
    rows.into_iter().map(|row| open_event(view, row)).collect()
}

/// The newest event of this type about one thing, such as a key. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn last_about(
    view: &View<'_>,
    target: impl std::fmt::Display,
    kind: impl EventKind,
) -> Result<Option<RecordedEvent>, Error> {
    let row = store::find_last_about(view, &target.to_string(), kind.event_type().name)?;
    row.map(|row| open_event(view, row)).transpose()
}

fn open_event(view: &View<'_>, row: EventRow) -> Result<RecordedEvent, Error> {
    let mut private = Map::new();
    for part in store::list_private(view, row.seq)? {
        let Some(key) = find_subject_key(view, &part.subject)? else { continue };
        let opened = seal::open_under(&key, &seal_context(row.seq, &part.part), &part.sealed);
        if let Some(value) = opened.ok().and_then(|text| serde_json::from_slice(text.expose()).ok()) {
            private.insert(part.part, value);
        }
    }
    let outcome = Outcome::parse(&row.outcome);
    Ok(RecordedEvent {
        seq: row.seq,
        id: row.id,
        at: row.at,
        name: row.event,
        outcome: outcome.ok_or_else(|| Error::Damaged(format!("the outcome of the event {}", row.seq)))?,
        actor_kind: row.actor_kind,
        actor_id: row.actor_id,
        target: row.target,
        data: serde_json::from_str(&row.data).unwrap_or(Value::Null),
        private,
    })
}
