//! Queue mails, claim them for sending, store the result, delete old ones.

use super::model::{DELIVER, Mail, Message};
use super::store;
use crate::base::{AccountId, EmailAddress, MailId, days, minutes, seconds};
use crate::db::{Error, Tx};
use crate::jobs::{NewJob, enqueue as enqueue_job};

/// Attempts before a mail is given up. With the waits between them this is more than a day.
const ATTEMPTS_MAX: u32 = 30;
/// The maximum number of rows that one call of [`purge_old`] deletes.
const PURGE_BATCH_MAX: u32 = 1000;

/// Queues a message in the caller's transaction. The mail is sent only when that transaction commits.
///
/// # Errors
/// [`Error`].
pub fn enqueue(
    tx: &mut Tx<'_>,
    account: Option<AccountId>,
    recipient: EmailAddress,
    message: &impl Message,
) -> Result<(), Error> {
    queue(tx, account, recipient, message, false)
}

/// Like [`enqueue`], for an address that belongs to no account (any more). The row is deleted once the mail is sent or
/// given up.
///
/// # Errors
/// [`Error`].
pub fn enqueue_transient(tx: &mut Tx<'_>, recipient: EmailAddress, message: &impl Message) -> Result<(), Error> {
    queue(tx, None, recipient, message, true)
}

fn queue(
    tx: &mut Tx<'_>,
    account: Option<AccountId>,
    recipient: EmailAddress,
    message: &impl Message,
    forget_when_sent: bool,
) -> Result<(), Error> {
    let now = tx.now();
    let id = MailId::new(now, tx.rng());
    // A subject is one header line, even if a name in it contains line breaks.
    let subject = message.subject().replace(['\r', '\n'], " ").trim().to_owned();
    let mail = Mail { id, account, recipient, subject, text: message.text(), html: message.html(), attempts: 0 };
    store::insert(tx, &mail, forget_when_sent)?;
    // Not unique: a job that runs now may have read the outbox already, and a second run costs nothing.
    enqueue_job(tx, NewJob { unique_key: None, ..NewJob::once(DELIVER) })
}

/// Claims the next due mail for two minutes. After a crash the mail is sent again: twice is better than never.
pub(super) fn claim(tx: &mut Tx<'_>) -> Result<Option<Mail>, Error> {
    let lease = tx.now().plus(minutes(2));
    store::claim(tx, lease)
}

/// Stores that a mail was sent.
pub(super) fn mark_sent(tx: &mut Tx<'_>, id: MailId) -> Result<(), Error> {
    if store::delete_forgotten(tx, id)? > 0 {
        return Ok(());
    }
    store::update_sent(tx, id)?;
    clear_body(tx, id)
}

/// Deletes the body of a mail. It may contain a code or a link, so it is not kept after the mail is sent (ASVS 5.0
/// 6.4.1). The demonstration keeps it, because its mail page is the only place where its mails can be read.
fn clear_body(tx: &mut Tx<'_>, id: MailId) -> Result<(), Error> {
    if tx.site().config.demo { Ok(()) } else { store::update_body_empty(tx, id) }
}

/// Stores that a mail could not be sent. The next attempt is due after 30 s, then after twice as long, at most after an
/// hour. `permanent`: there is no next attempt.
pub(super) fn mark_failed(tx: &mut Tx<'_>, mail: &Mail, reason: &str, permanent: bool) -> Result<(), Error> {
    let now = tx.now();
    let give_up = permanent || mail.attempts >= ATTEMPTS_MAX;
    if give_up && store::delete_forgotten(tx, mail.id)? > 0 {
        return Ok(());
    }
    let wait = seconds(30 << mail.attempts.saturating_sub(1).min(7)).min(seconds(3600));
    store::update_failed(tx, mail.id, now.plus(wait), reason, give_up.then_some(now))?;
    if give_up { clear_body(tx, mail.id) } else { Ok(()) }
}

/// Deletes mails that were sent or given up more than a week ago. Returns how many.
///
/// # Errors
/// [`Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let before = tx.now().minus(days(7));
    store::delete_old(tx, before, PURGE_BATCH_MAX)
}
