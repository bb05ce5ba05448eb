//! Queue mails, claim them for sending, store the result, delete old ones.

use std::time::Duration;

use super::model::{DELIVER, Mail, Message};
use super::store;
use crate::base::{AccountId, EmailAddress, MailId, days, minutes, seconds};
use crate::db::{Error, Tx, View};
use crate::jobs::{NewJob, enqueue as enqueue_job};
use crate::outbound::DeliveryError;

/// How long a mail is tried before it is given up.
const TRIED_FOR: Duration = days(5);
/// How often it is tried at least. In five days there are about 120 attempts, so fewer mean that the clock was set forward, or
/// that no server ran.
const ATTEMPTS_MIN: u32 = 100;
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
    let site = tx.site().clone();
    let (text, html) = (message.text(&site.config.site), message.html(&site.config.site));
    let mail = Mail { id, account, recipient, subject, text, html, queued_at: now, attempts: 0 };
    store::insert(tx, &mail, forget_when_sent)?;
    // Not unique: a job that runs now may have read the outbox already, and a second run costs nothing.
    enqueue_job(tx, NewJob { unique_key: None, ..NewJob::once(DELIVER) })
}

/// Claims the next due mail for two minutes. After a crash the mail is sent again: twice is better than never.
pub(super) fn claim(tx: &mut Tx<'_>) -> Result<Option<Mail>, Error> {
    let lease = tx.now().plus(minutes(2));
    store::claim(tx, lease)
}

/// Stores that a mail was sent. The relay works then, so mails that wait for it are due at once.
pub(super) fn mark_sent(tx: &mut Tx<'_>, id: MailId) -> Result<(), Error> {
    store::update_relay_works(tx)?;
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

/// Stores that a mail could not be sent. Returns how many mails are given up: those that the relay has refused for good, or
/// that were tried for five days and [`ATTEMPTS_MIN`] times. Otherwise the next attempt is due after 30 s, then after twice as long, at most after an hour.
///
/// If every other mail would fail too, all mails that are due fail with it, so that they do not ask the relay one by one.
pub(super) fn mark_failed(tx: &mut Tx<'_>, mail: &Mail, error: &DeliveryError) -> Result<usize, Error> {
    let now = tx.now();
    let mut given_up = 0;
    if error.failure.is_about_relay() {
        // This attempt is one of theirs, and is not counted yet.
        let (before, attempts) = (now.minus(TRIED_FOR), ATTEMPTS_MIN - 1);
        given_up += store::delete_due_forgotten(tx, before, attempts)?;
        given_up += store::update_due_given_up(tx, before, attempts, error)?;
        store::update_due_failed(tx, error)?;
    }
    let is_tried_enough = now.since(mail.queued_at) >= TRIED_FOR && mail.attempts >= ATTEMPTS_MIN;
    let give_up = error.failure.is_final() || is_tried_enough;
    if give_up && store::delete_forgotten(tx, mail.id)? > 0 {
        return Ok(given_up + 1);
    }
    let wait = seconds(30 << mail.attempts.saturating_sub(1).min(7)).min(seconds(3600));
    store::update_failed(tx, mail.id, now.plus(wait), error, give_up.then_some(now))?;
    if give_up {
        clear_body(tx, mail.id)?;
    }
    Ok(given_up + usize::from(give_up))
}

/// What an operator sees on every page while mail has waited for more than ten minutes. `None`: there is nothing to show.
///
/// # Errors
/// [`Error`].
pub fn notice(view: &View<'_>, is_operator: bool) -> Result<Option<Vec<String>>, Error> {
    if !is_operator {
        return Ok(None);
    }
    Ok(store::backlog(view)?.notice(view.now()))
}

/// Makes all waiting mails due now. Returns how many wait, also those that were due.
///
/// # Errors
/// [`Error`].
pub fn retry(tx: &mut Tx<'_>) -> Result<u32, Error> {
    store::update_all_due(tx)?;
    Ok(store::backlog(tx)?.waiting)
}

/// Makes those mails due that wait for the relay.
pub(super) fn retry_relay(tx: &mut Tx<'_>) -> Result<(), Error> {
    store::update_relay_works(tx).map(drop)
}

/// Deletes mails that were sent or given up more than a week ago. Returns how many.
///
/// # Errors
/// [`Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let before = tx.now().minus(days(7));
    store::delete_old(tx, before, PURGE_BATCH_MAX)
}
