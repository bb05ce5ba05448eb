//! Queue, take, note, forget.

use super::model::{DELIVER, Mail, Message};
use super::store;
use crate::base::{AccountId, EmailAddress, MailId, Timestamp, days, minutes, seconds};
use crate::db::{Error, Tx, View};
use crate::jobs::{NewJob, enqueue as enqueue_job};

/// Tries before a mail is given up; with the pauses more than a day.
const ATTEMPTS_MAX: u32 = 30;
/// Rows one tidying deletes at most.
const PURGE_BATCH_MAX: u32 = 1000;

/// Queues a message in the caller's transaction: no commit, no mail.
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

/// As [`enqueue`], for the last message to somebody who is gone: nothing of it stays once it is sent or given up.
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
    // A subject is one header line, whatever a name in it contains.
    let subject = message.subject().replace(['\r', '\n'], " ").trim().to_owned();
    let mail = Mail { id, account, recipient, subject, text: message.text(), html: message.html(), attempts: 0 };
    store::insert(tx, &mail, forget_when_sent)?;
    // Not unique: the job that runs right now may already have looked, and a second look costs nothing.
    enqueue_job(tx, NewJob { unique_key: None, ..NewJob::once(DELIVER) })
}

/// Takes the next due mail for two minutes; a crash in between sends it once more rather than never.
pub(super) fn claim(tx: &mut Tx<'_>) -> Result<Option<Mail>, Error> {
    let lease = tx.now().plus(minutes(2));
    store::claim(tx, lease)
}

/// Notes that a mail went out.
pub(super) fn sent(tx: &mut Tx<'_>, id: MailId) -> Result<(), Error> {
    if store::delete_forgotten(tx, id)? > 0 {
        return Ok(());
    }
    store::update_sent(tx, id)?;
    empty(tx, id)
}

/// What a mail says may be a code or a link: it stays no longer than it has to go out (ASVS 5.0 6.4.1). The demonstration
/// keeps it, because its window is the only place where its mails are read.
fn empty(tx: &mut Tx<'_>, id: MailId) -> Result<(), Error> {
    if tx.site().config.demo { Ok(()) } else { store::update_empty(tx, id) }
}

/// Notes that a mail did not go out: the next try waits 30 s, doubling up to an hour. `permanent`: there is no next try.
pub(super) fn failed(tx: &mut Tx<'_>, mail: &Mail, reason: &str, permanent: bool) -> Result<(), Error> {
    let now = tx.now();
    let give_up = permanent || mail.attempts >= ATTEMPTS_MAX;
    if give_up && store::delete_forgotten(tx, mail.id)? > 0 {
        return Ok(());
    }
    let pause = seconds(30 << mail.attempts.saturating_sub(1).min(7)).min(seconds(3600));
    store::update_failed(tx, mail.id, now.plus(pause), reason, give_up.then_some(now))?;
    if give_up { empty(tx, mail.id) } else { Ok(()) }
}

/// The newest mails, a hundred at most: for the demonstration's window.
///
/// # Errors
/// [`Error`].
pub fn recent(view: &View<'_>) -> Result<Vec<(Mail, Timestamp)>, Error> {
    store::list_recent(view)
}

/// Drops every mail to or about `account`. Answers how many.
///
/// # Errors
/// [`Error`].
pub fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    store::delete_of_account(tx, account)
}

/// Deletes mails that went out, or were given up, more than a week ago.
///
/// # Errors
/// [`Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let before = tx.now().minus(days(7));
    store::delete_old(tx, before, PURGE_BATCH_MAX)
}
