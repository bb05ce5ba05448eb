//! Scheduled work: ends overlaps and quarantines, reminds owners, deletes old records.

use std::collections::BTreeMap;

use super::super::mails;
use super::super::model::{ApiKey, QUARANTINE, RevokeReason};
use super::super::store;
use super::super::uses;
use super::{dead_lookup, end_key, mail_owner};
use crate::base::{AccountId, Actor, days};
use crate::db::{Error, Tx};
use crate::people::{self, MailKind};

/// Rows of one run at most. The others wait for the next run.
const BATCH_MAX: u32 = 500;
/// The reminders, the nearest first: days before the expiry, and the kind of the notice.
const REMINDERS: [(u64, &str); 3] = [(1, "ends_1"), (7, "ends_7"), (30, "ends_30")];
/// Days after the overlap during which the use of a replaced key is noticed.
const LATE_DAYS: u64 = 90;
/// Days that the counters of daily uses are kept: a year to compare with, and a month more.
const DAYS_KEPT: i64 = 400;

/// Revokes keys whose overlap is over, and keys whose quarantine has lasted a day. Keys are refused from the moment
/// their overlap ends, even before this runs.
pub(in crate::api_keys) fn end_due(tx: &mut Tx<'_>) -> Result<(), Error> {
    for key in store::list_retired(tx, BATCH_MAX)? {
        end_key(tx, &Actor::System, &key, RevokeReason::Rotated)?;
    }
    let before = tx.now().minus(QUARANTINE);
    let url = tx.site().config.public_url.clone();
    for key in store::list_quarantine_over(tx, before, BATCH_MAX)? {
        end_key(tx, &Actor::System, &key, RevokeReason::Exposed)?;
        mail_owner(tx, key.account, &mails::key_revoked(&key, &url))?;
    }
    Ok(())
}

/// Reminds owners who want it 30, 7 and 1 days before a key expires, once each, with all keys of a person in one
/// message. If several reminders of a key are due at once, only the nearest is sent. A key with a lifetime of at most
/// 30, 7 or 1 days does not get the reminder of that number of days.
pub(in crate::api_keys) fn remind(tx: &mut Tx<'_>) -> Result<(), Error> {
    let url = tx.site().config.public_url.clone();
    for (index, (number, kind)) in REMINDERS.iter().enumerate() {
        let mut messages: BTreeMap<AccountId, Vec<ApiKey>> = BTreeMap::new();
        for key in store::list_ending(tx, days(*number), kind, BATCH_MAX)? {
            // This reminder also covers the earlier ones.
            for (_, covered) in &REMINDERS[index..] {
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

/// Deletes old counters of daily uses, and the digests of keys that were replaced long ago.
pub(in crate::api_keys) fn purge(tx: &mut Tx<'_>) -> Result<(), Error> {
    let now = tx.now();
    uses::store::delete_old_days(tx, now.day_number() - DAYS_KEPT, BATCH_MAX)?;
    for id in store::list_late_lookups(tx, now.minus(days(LATE_DAYS)), BATCH_MAX)? {
        store::update_dead_lookup(tx, id, &dead_lookup(id))?;
        uses::store::delete_callers(tx, id)?;
    }
    Ok(())
}
