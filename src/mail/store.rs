//! All SQL of the outbox.

use rusqlite::{Row, named_params};

use super::model::Mail;
use super::tables::MAIL_OUTBOX;
use crate::base::{AccountId, MailId, Timestamp};
use crate::db::{Error, Tx, View, by_name, columns, field, insert, only, sql, values};

const INSERT: &str = insert!(MAIL_OUTBOX);
const MAIL: &str = columns!(
    MAIL_OUTBOX, except created_at, next_at, last_error, sent_at, given_up_at, forget_when_sent
);
const CLAIM: &str = sql!(
    "
    update mail_outbox set attempts = attempts + 1, next_at = :lease_until
    where id = (select id from mail_outbox
                where sent_at is null and given_up_at is null and next_at <= :now order by next_at limit 1)
    returning ",
    MAIL
);
const LIST_RECENT: &str = sql!("select ", MAIL, ", created_at from mail_outbox order by id desc limit 100");
const UPDATE_SENT: &str = "update mail_outbox set sent_at = :now, last_error = null where id = :id";
const UPDATE_BODY_EMPTY: &str = "update mail_outbox set body_text = '', body_html = '' where id = :id";
const UPDATE_FAILED: &str = "
    update mail_outbox set next_at = :next_at, last_error = :last_error, given_up_at = :given_up_at where id = :id";
const DELETE_FORGOTTEN: &str = "delete from mail_outbox where id = :id and forget_when_sent = 1";
const DELETE_OF_ACCOUNT: &str = "delete from mail_outbox where account_id = :account_id";
const DELETE_OLD: &str = "
    delete from mail_outbox where id in (
      select id from mail_outbox where sent_at < :before or given_up_at < :before limit :limit)";

const COUNT_WAITING: &str = "
    select count(*) as waiting, min(created_at) as oldest from mail_outbox where sent_at is null and given_up_at is null";
const FIND_TRANSIENT: &str = "select 1 from mail_outbox where forget_when_sent = 1 limit 1";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    FIND_TRANSIENT,
    COUNT_WAITING,
    INSERT,
    CLAIM,
    LIST_RECENT,
    UPDATE_SENT,
    UPDATE_BODY_EMPTY,
    UPDATE_FAILED,
    DELETE_FORGOTTEN,
    DELETE_OF_ACCOUNT,
    DELETE_OLD,
];

fn read(row: &Row<'_>) -> rusqlite::Result<Mail> {
    by_name!(row, MAIL => id, account_id, recipient, subject, body_text, body_html, attempts);
    Ok(Mail {
        id: id.get()?,
        account: account_id.get()?,
        recipient: recipient.get()?,
        subject: subject.get()?,
        text: body_text.get()?,
        html: body_html.get()?,
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
pub fn list_recent(view: &View<'_>) -> Result<Vec<(Mail, Timestamp)>, Error> {
    view.list(LIST_RECENT, [], |row| Ok((read(row)?, field!(row, LIST_RECENT, created_at).get()?)))
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
    reason: &str,
    given_up_at: Option<Timestamp>,
) -> Result<(), Error> {
    tx.execute(
        UPDATE_FAILED,
        named_params! {":id": id, ":next_at": next_at, ":last_error": reason, ":given_up_at": given_up_at},
    )?;
    Ok(())
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

/// How many mails wait to be sent, and since when the oldest one does.
///
/// # Errors
/// [`Error`].
pub fn count_waiting(view: &View<'_>) -> Result<(i64, Option<Timestamp>), Error> {
    view.one(COUNT_WAITING, [], |row| {
        by_name!(row, COUNT_WAITING => waiting, oldest);
        Ok((waiting.get()?, oldest.get()?))
    })
}
