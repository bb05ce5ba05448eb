//! What the time brings: overlaps and quarantines end, owners are reminded, old records go.

use std::collections::BTreeMap;

use super::super::mails;
use super::super::model::{ApiKey, Ended, QUARANTINE};
use super::super::store;
use super::super::uses;
use super::{dead_lookup, end, tell};
use crate::base::{AccountId, Actor, days};
use crate::db::{Error, Tx};
use crate::people::{self, MailKind};

/// Rows one run takes at most; the rest waits for the next one.
const BATCH_MAX: u32 = 500;
/// Days before the end at which an owner is reminded, the nearest first, and the kind of the notice.
const REMINDERS: [(u64, &str); 3] = [(1, "ends_1"), (7, "ends_7"), (30, "ends_30")];
/// A use of a replaced key is noticed for so many days after the overlap.
const LATE_DAYS: u64 = 90;
/// Counters of days are kept this long: a year to compare with, and a month more.
const DAYS_KEPT: i64 = 400;

/// Ends keys whose overlap is over and those that nobody took out of quarantine. To programs they ended by themselves, in the
/// moment itself; this writes it down.
pub(in crate::api_keys) fn end_due(tx: &mut Tx<'_>) -> Result<(), Error> {
    for key in store::list_retired(tx, BATCH_MAX)? {
        end(tx, &Actor::System, &key, Ended::Rotated)?;
    }
    let before = tx.now().minus(QUARANTINE);
    let url = tx.site().config.public_url.clone();
    for key in store::list_forsaken(tx, before, BATCH_MAX)? {
        end(tx, &Actor::System, &key, Ended::Exposed)?;
        tell(tx, key.account, &mails::key_revoked(&key, &url))?;
    }
    Ok(())
}

/// Writes to owners who want it 30, 7 and 1 days before a key ends, once each, all keys of a person in one message. What is due at once,
/// because nobody looked for a while, is one reminder: the nearest. A key that was made for no longer than that has none.
pub(in crate::api_keys) fn remind(tx: &mut Tx<'_>) -> Result<(), Error> {
    let url = tx.site().config.public_url.clone();
    for (place, (number, kind)) in REMINDERS.iter().enumerate() {
        let mut messages: BTreeMap<AccountId, Vec<ApiKey>> = BTreeMap::new();
        for key in store::list_ending(tx, days(*number), kind, BATCH_MAX)? {
            // A later reminder that was sent makes the earlier one stale.
            for (_, covered) in &REMINDERS[place..] {
                uses::store::record_notice(tx, key.id, covered, None)?;
            }
            messages.entry(key.account).or_default().push(key);
        }
        for (account, keys) in messages {
            people::mail_if_wanted(tx, account, MailKind::KeyReminders, &mails::keys_end_soon(&keys, *number, &url))?;
        }
    }
    Ok(())
}

/// Deletes counters of days long past, and forgets the digests of keys that were replaced long ago.
pub(in crate::api_keys) fn purge(tx: &mut Tx<'_>) -> Result<(), Error> {
    let now = tx.now();
    uses::store::delete_old_days(tx, now.day_number() - DAYS_KEPT, BATCH_MAX)?;
    for id in store::list_late(tx, now.minus(days(LATE_DAYS)), BATCH_MAX)? {
        store::update_dead(tx, id, &dead_lookup(id))?;
        uses::store::delete_callers(tx, id)?;
    }
    Ok(())
}
