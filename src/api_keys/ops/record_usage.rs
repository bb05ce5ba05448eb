//! Writes the usage of keys.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::events::ApiKeyEvent;
use super::super::mails;
use super::super::model::{KeyCaller, KeyUsage, LookupDigest, UsageBatch};
use super::super::store;
use super::super::uses::store as records;
use super::{event_about, mail_owner};
use crate::audit::{self, Outcome, Part};
use crate::base::{Actor, ApiKeyId, Timestamp, days};
use crate::db::{Error, Tx};

/// Writes a batch of usage. Records about keys that do not exist any more are dropped.
///
/// # Errors
/// [`Error`].
pub fn record_usage(tx: &mut Tx<'_>, batch: &UsageBatch) -> Result<(), Error> {
    record_uses(tx, &batch.uses)?;
    record_callers(tx, &batch.callers)?;
    record_late(tx, &batch.late)?;
    rewrite_lookups(tx, &batch.stale)
}

/// Writes the last use, the daily uses and the used rights.
fn record_uses(tx: &mut Tx<'_>, uses: &[(ApiKeyId, KeyUsage)]) -> Result<(), Error> {
    let site = tx.site().clone();
    for (key, usage) in uses {
        let at = Timestamp::from_millis(usage.at);
        let count: i64 = usage.uses_by_channel().map(|(_, uses)| uses).sum();
        // All uses were undone.
        if count == 0 {
            continue;
        }
        let detail = usage.detail.as_deref();
        let address = detail.and_then(|detail| detail.address).map(|address| address.to_string()).unwrap_or_default();
        let agent = detail.map_or("", |detail| &detail.agent);
        if !records::record_use(tx, *key, at, count, &address, agent)? {
            continue;
        }
        let day = at.day_number();
        for (channel, uses) in usage.uses_by_channel() {
            records::record_day(tx, *key, day, channel, uses)?;
        }
        for name in detail.map(|detail| site.config.scopes.names_of(detail.rights)).unwrap_or_default() {
            records::record_right(tx, *key, name, day)?;
        }
    }
    Ok(())
}

/// Writes the callers of keys that are being replaced.
fn record_callers(tx: &mut Tx<'_>, callers: &[(ApiKeyId, KeyCaller)]) -> Result<(), Error> {
    for (key, caller) in callers {
        if store::find(tx, *key)?.is_some() {
            records::record_caller(tx, *key, caller)?;
        }
    }
    Ok(())
}

/// Writes the callers of keys that were replaced: at most one audit event a day for each key, and one message in all.
fn record_late(tx: &mut Tx<'_>, late: &[(ApiKeyId, KeyCaller)]) -> Result<(), Error> {
    let url = tx.site().config.public_url.clone();
    let mut by_key: BTreeMap<ApiKeyId, Vec<&KeyCaller>> = BTreeMap::new();
    for (key, caller) in late {
        by_key.entry(*key).or_default().push(caller);
    }
    for (id, callers) in by_key {
        let Some(key) = store::find(tx, id)? else { continue };
        for caller in &callers {
            records::record_caller(tx, id, caller)?;
        }
        let is_first_today = records::record_notice(tx, id, "late_today", Some(tx.now().minus(days(1))))?;
        if !is_first_today {
            continue;
        }
        let uses: i64 = callers.iter().map(|caller| caller.uses).sum();
        let last = callers[0];
        let event = event_about(ApiKeyEvent::RotatedKeyUsed, &key)
            .outcome(Outcome::Denied)
            .data(json!({"uses": uses, "callers": callers.len()}))
            .private(Part::Network, json!({"address": last.address, "agent": last.agent}));
        audit::record(tx, &Actor::System, event)?;
        if records::record_notice(tx, id, "late_use", None)? {
            mail_owner(tx, key.account, &mails::replaced_key_used(&key, last, &url))?;
        }
    }
    Ok(())
}

/// Replaces digests that are under another pepper with those under the pepper in use.
fn rewrite_lookups(tx: &mut Tx<'_>, stale: &[(ApiKeyId, LookupDigest)]) -> Result<(), Error> {
    let pepper_id = tx.site().keyring.pepper_id();
    stale.iter().try_for_each(|(key, digest)| store::update_lookup(tx, *key, digest, pepper_id))
}
