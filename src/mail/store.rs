//! All SQL of the outbox.

use rusqlite::{Row, named_params};

use super::model::{Backlog, Mail, MailStatus};
use super::tables::MAIL_OUTBOX;
use crate::base::{AccountId, MailId, Timestamp};
use crate::db::{Error, Tx, View, by_name, columns, insert, only, sql, values};
use crate::outbound::{Cause, DeliveryError, MailFailure, Stage};

const INSERT: &str = insert!(MAIL_OUTBOX);
const MAIL: &str = columns!(
    MAIL_OUTBOX,
    except next_at, last_error, sent_at, given_up_at, forget_when_sent, claimed_at, failed_stage, failed_code, failed_cause
);
const WAITS: &str = "sent_at is null and given_up_at is null";
const STATUS: &str = columns!(
    MAIL_OUTBOX, except account_id, body_text, body_html, sent_at, forget_when_sent, claimed_at
);
const CLAIM: &str = sql!(
    "
    update mail_outbox set attempts = attempts + 1, next_at = :lease_until, claimed_at = :now
    where id = (select id from mail_outbox
                where sent_at is null and given_up_at is null and next_at <= :now order by next_at limit 1)
    returning ",
    MAIL
);
const LIST_RECENT: &str = sql!("select ", MAIL, " from mail_outbox order by id desc limit 100");
const LIST_UNSENT: &str = sql!("select ", STATUS, " from mail_outbox where sent_at is null order by id");
const COUNT_WAITING: &str =
    sql!("select count(*) as waiting, min(created_at) as oldest from mail_outbox where ", WAITS);
const FIND_FAILURE: &str = sql!(
    "select failed_stage, failed_code, failed_cause from mail_outbox where failed_stage is not null and ",
    WAITS,
    " order by next_at desc limit 1"
);
const UPDATE_ALL_DUE: &str =
    sql!("update mail_outbox set next_at = :now where next_at > :now and claimed_at is null and ", WAITS);
const UPDATE_RELAY_WORKS: &str = sql!(
    "update mail_outbox set next_at = :now
    where next_at > :now and claimed_at is null
      and failed_stage in ('connect', 'tls', 'greeting', 'auth', 'sender') and ",
    WAITS
);
// The same wait as for the mail that was tried: see `ops::mark_failed`.
const UPDATE_DUE_FAILED: &str = sql!(
    "update mail_outbox set
      attempts = attempts + 1, next_at = :now + 1000 * min(3600, 30 << min(attempts, 7)),
      last_error = :last_error, failed_stage = :failed_stage, failed_code = :failed_code, failed_cause = :failed_cause
    where next_at <= :now and ",
    WAITS
);
const DELETE_DUE_FORGOTTEN: &str = sql!(
    "delete from mail_outbox where forget_when_sent = 1 and created_at <= :before and attempts >= :attempts and next_at <= :now and ",
    WAITS
);
const UPDATE_DUE_GIVEN_UP: &str = sql!(
    "update mail_outbox set
      given_up_at = :now, body_text = '', body_html = '',
      last_error = :last_error, failed_stage = :failed_stage, failed_code = :failed_code, failed_cause = :failed_cause
    where created_at <= :before and attempts >= :attempts and next_at <= :now and ",
    WAITS
);
const UPDATE_SENT: &str = "
    update mail_outbox set
      sent_at = :now, claimed_at = null, last_error = null, failed_stage = null, failed_code = null, failed_cause = null
    where id = :id";
const UPDATE_BODY_EMPTY: &str = "update mail_outbox set body_text = '', body_html = '' where id = :id";
const UPDATE_FAILED: &str = "
    update mail_outbox set
      next_at = :next_at, last_error = :last_error, given_up_at = :given_up_at, claimed_at = null,
      failed_stage = :failed_stage, failed_code = :failed_code, failed_cause = :failed_cause
    where id = :id";
const DELETE_FORGOTTEN: &str = "delete from mail_outbox where id = :id and forget_when_sent = 1";
const DELETE_OF_ACCOUNT: &str = "delete from mail_outbox where account_id = :account_id";
const DELETE_OLD: &str = "
    delete from mail_outbox where id in (
      select id from mail_outbox where sent_at < :before or given_up_at < :before limit :limit)";

const FIND_TRANSIENT: &str = "select 1 from mail_outbox where forget_when_sent = 1 limit 1";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    FIND_TRANSIENT,
    INSERT,
    CLAIM,
    LIST_RECENT,
    LIST_UNSENT,
    COUNT_WAITING,
    FIND_FAILURE,
    UPDATE_ALL_DUE,
    UPDATE_RELAY_WORKS,
    UPDATE_DUE_FAILED,
    DELETE_DUE_FORGOTTEN,
    UPDATE_DUE_GIVEN_UP,
    UPDATE_SENT,
    UPDATE_BODY_EMPTY,
    UPDATE_FAILED,
    DELETE_FORGOTTEN,
    DELETE_OF_ACCOUNT,
    DELETE_OLD,
];

fn read(row: &Row<'_>) -> rusqlite::Result<Mail> {
    by_name!(row, MAIL => id, account_id, recipient, subject, body_text, body_html, created_at, attempts);
    Ok(Mail {
        id: id.get()?,
        account: account_id.get()?,
        recipient: recipient.get()?,
        subject: subject.get()?,
        text: body_text.get()?,
        html: body_html.get()?,
        queued_at: created_at.get()?,
        attempts: attempts.get()?,
    })
}

pub(super) fn insert(tx: &mut Tx<'_>, mail: &Mail, forget_when_sent: bool) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT,
        values!(MAIL_OUTBOX => {
            id: mail.id,
            account_id: mail.account,
            recipient: mail.recipient,
            subject: mail.subject,
            body_text: mail.text,
            body_html: mail.html,
            created_at: now,
            next_at: now,
            forget_when_sent: forget_when_sent,
        }),
    )?;
    Ok(())
}

pub(super) fn claim(tx: &mut Tx<'_>, lease_until: Timestamp) -> Result<Option<Mail>, Error> {
    let now = tx.now();
    tx.find(CLAIM, named_params! {":now": now, ":lease_until": lease_until}, read)
}

/// The newest mails, at most 100, for the mail page of the demonstration.
///
/// # Errors
/// [`Error`].
pub fn list_recent(view: &View<'_>) -> Result<Vec<Mail>, Error> {
    view.list(LIST_RECENT, [], read)
}

/// The mails that wait or were given up, the oldest first.
///
/// # Errors
/// [`Error`].
pub fn list_unsent(view: &View<'_>) -> Result<Vec<MailStatus>, Error> {
    view.list(LIST_UNSENT, [], |row| {
        by_name!(row, STATUS =>
            id, recipient, subject, created_at, next_at, attempts, last_error, given_up_at, failed_stage, failed_code,
            failed_cause
        );
        let given_up_at: Option<Timestamp> = given_up_at.get()?;
        let next_at: Timestamp = next_at.get()?;
        Ok(MailStatus {
            id: id.get()?,
            recipient: recipient.get()?,
            subject: subject.get()?,
            queued_at: created_at.get()?,
            attempts: attempts.get()?,
            next_at: given_up_at.is_none().then_some(next_at),
            failure: failure(failed_stage.get()?, failed_code.get()?, failed_cause.get()?),
            detail: last_error.get()?,
        })
    })
}

/// How many mails wait, since when, and why.
///
/// # Errors
/// [`Error`].
pub fn backlog(view: &View<'_>) -> Result<Backlog, Error> {
    let (waiting, oldest): (u32, Option<Timestamp>) = view.one(COUNT_WAITING, [], |row| {
        by_name!(row, COUNT_WAITING => waiting, oldest);
        Ok((waiting.get()?, oldest.get()?))
    })?;
    if waiting == 0 {
        return Ok(Backlog::default());
    }
    let failure = view.find(FIND_FAILURE, [], |row| {
        by_name!(row, FIND_FAILURE => failed_stage, failed_code, failed_cause);
        Ok(failure(failed_stage.get()?, failed_code.get()?, failed_cause.get()?))
    })?;
    Ok(Backlog { waiting, oldest, failure: failure.flatten() })
}

/// `None`: there was no failure, or another version of this program stored one that this version does not know.
fn failure(stage: Option<String>, code: Option<u16>, cause: Option<String>) -> Option<MailFailure> {
    Some(MailFailure { stage: Stage::parse(&stage?)?, code, cause: Cause::parse(&cause?)? })
}

pub(super) fn update_sent(tx: &mut Tx<'_>, id: MailId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_SENT, named_params! {":id": id, ":now": now})?;
    Ok(())
}

/// Empties the body of a mail.
pub(super) fn update_body_empty(tx: &mut Tx<'_>, id: MailId) -> Result<(), Error> {
    tx.execute(UPDATE_BODY_EMPTY, named_params! {":id": id})?;
    Ok(())
}

pub(super) fn update_failed(
    tx: &mut Tx<'_>,
    id: MailId,
    next_at: Timestamp,
    error: &DeliveryError,
    given_up_at: Option<Timestamp>,
) -> Result<(), Error> {
    let MailFailure { stage, code, cause } = error.failure;
    tx.execute(
        UPDATE_FAILED,
        named_params! {
            ":id": id, ":next_at": next_at, ":last_error": error.detail, ":given_up_at": given_up_at,
            ":failed_stage": stage.name(), ":failed_code": code, ":failed_cause": cause.name(),
        },
    )?;
    Ok(())
}

/// Stores the same failure for all mails that are due.
pub(super) fn update_due_failed(tx: &mut Tx<'_>, error: &DeliveryError) -> Result<usize, Error> {
    let now = tx.now();
    let MailFailure { stage, code, cause } = error.failure;
    tx.execute(
        UPDATE_DUE_FAILED,
        named_params! {
            ":now": now, ":last_error": error.detail,
            ":failed_stage": stage.name(), ":failed_code": code, ":failed_cause": cause.name(),
        },
    )
}

/// Deletes the due mails queued until `before` that are to be forgotten. Returns how many.
pub(super) fn delete_due_forgotten(tx: &mut Tx<'_>, before: Timestamp, attempts: u32) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(DELETE_DUE_FORGOTTEN, named_params! {":before": before, ":attempts": attempts, ":now": now})
}

/// Gives up the due mails queued until `before` that were tried so often. Returns how many.
pub(super) fn update_due_given_up(
    tx: &mut Tx<'_>,
    before: Timestamp,
    attempts: u32,
    error: &DeliveryError,
) -> Result<usize, Error> {
    let now = tx.now();
    let MailFailure { stage, code, cause } = error.failure;
    tx.execute(
        UPDATE_DUE_GIVEN_UP,
        named_params! {
            ":before": before, ":attempts": attempts, ":now": now, ":last_error": error.detail,
            ":failed_stage": stage.name(), ":failed_code": code, ":failed_cause": cause.name(),
        },
    )
}

pub(super) fn update_all_due(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(UPDATE_ALL_DUE, named_params! {":now": now})
}

/// Makes the mails due that wait for the relay.
pub(super) fn update_relay_works(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(UPDATE_RELAY_WORKS, named_params! {":now": now})
}

/// Deletes the mail if it is to be forgotten once it is sent. Returns the number of deleted rows.
pub(super) fn delete_forgotten(tx: &mut Tx<'_>, id: MailId) -> Result<usize, Error> {
    tx.execute(DELETE_FORGOTTEN, named_params! {":id": id})
}

/// Deletes every mail of `account` and returns how many there were.
///
/// # Errors
/// [`Error`].
pub fn delete_of_account(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_OF_ACCOUNT, named_params! {":account_id": account})
}

pub(super) fn delete_old(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    tx.execute(DELETE_OLD, named_params! {":before": before, ":limit": limit})
}

/// Whether a mail to an address that belongs to no account waits to be sent.
///
/// # Errors
/// [`Error`].
pub fn has_transient(view: &View<'_>) -> Result<bool, Error> {
    Ok(view.find(FIND_TRANSIENT, [], only::<i64>)?.is_some())
}
