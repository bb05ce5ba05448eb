//! Keys that were found in public.

use serde_json::json;

use super::super::error::ApiKeyError;
use super::super::events::ApiKeyEvent;
use super::super::mails;
use super::super::model::{ApiKey, KeyEvent, RevokeReason, exposure_place};
use super::super::store;
use super::super::text::KeyText;
use super::super::uses;
use super::{end_key, event_about, mail_owner};
use crate::audit::{self, Part};
use crate::base::{Actor, Visitor, days};
use crate::config::OnExposure;
use crate::db::{Error, Site, Tx, View};

/// A report about a key that was found in public, in the words of the reporter.
pub struct ExposureReport {
    /// The digests of the key's text under every pepper.
    pub lookups: Vec<[u8; 32]>,
    /// The kind of secret.
    pub kind: String,
    /// The address of the place where it was found.
    pub url: String,
    /// The kind of place.
    pub source: String,
}

/// Keys in one report at most.
pub(in crate::api_keys) const REPORT_KEYS_MAX: usize = 100;
/// Characters of each text about a key that are kept.
const REPORT_TEXT_CHARS_MAX: usize = 2_000;

/// A text that a reporter takes for a key, and what they say about it.
pub(in crate::api_keys) struct ReportedText {
    pub text: String,
    pub kind: String,
    pub url: String,
    pub source: String,
}

/// The reports about texts with the form of a key. Other texts cost no look-up.
///
/// # Errors
/// [`ApiKeyError::TooManyReported`].
pub(in crate::api_keys) fn exposure_reports(
    site: &Site,
    reported: Vec<ReportedText>,
) -> Result<Vec<ExposureReport>, ApiKeyError> {
    if reported.len() > REPORT_KEYS_MAX {
        return Err(ApiKeyError::TooManyReported);
    }
    let truncated = |text: &str| text.chars().take(REPORT_TEXT_CHARS_MAX).collect::<String>();
    let well_formed =
        reported.iter().filter(|key| KeyText::is_well_formed(&site.config.api_keys.prefix, key.text.trim()));
    let reports = well_formed.map(|key| ExposureReport {
        lookups: site.keyring.lookups(key.text.trim().as_bytes()).collect(),
        kind: truncated(&key.kind),
        url: truncated(&key.url),
        source: truncated(&key.source),
    });
    Ok(reports.collect())
}

/// The reports about keys of this site.
pub(in crate::api_keys) fn known_keys(
    view: &View<'_>,
    reports: Vec<ExposureReport>,
) -> Result<Vec<ExposureReport>, Error> {
    let mut known = Vec::new();
    for report in reports {
        if find_key(view, &report)?.is_some() {
            known.push(report);
        }
    }
    Ok(known)
}

/// Applies the setting `on_exposure` of the site to reported keys: quarantine, revoke, or only notify the owner. The
/// whole text of a key is proof enough. Unknown keys and keys that have ended are ignored. The owner gets at most one
/// message a day about a key. The place is stored in the personal part of the audit event, which is erased with the
/// person.
///
/// # Errors
/// [`Error`].
pub fn expose(tx: &mut Tx<'_>, reports: &[ExposureReport]) -> Result<(), Error> {
    for report in reports {
        if let Some(key) = find_key(tx, report)? {
            expose_one(tx, report, &key)?;
        }
    }
    Ok(())
}

fn find_key(view: &View<'_>, report: &ExposureReport) -> Result<Option<ApiKey>, Error> {
    for lookup in &report.lookups {
        if let Some(found) = store::find_by_lookup(view, lookup)? {
            return store::find(view, found);
        }
    }
    Ok(None)
}

fn expose_one(tx: &mut Tx<'_>, report: &ExposureReport, key: &ApiKey) -> Result<(), Error> {
    let Some(state) = key.state.after(KeyEvent::Expose, key.state_before) else { return Ok(()) };
    let site = tx.site().clone();
    let on_exposure = site.config.api_keys.on_exposure;
    let is_new = uses::store::record_notice(tx, key.id, "exposed", Some(tx.now().minus(days(1))))?;
    if on_exposure == OnExposure::Notify && !is_new {
        return Ok(());
    }
    let event = event_about(ApiKeyEvent::ExposureReported, key)
        .private(Part::Contact, json!({"type": report.kind, "url": report.url, "source": report.source}));
    // The address of the reporter is left out, because the owner can read this event.
    audit::record(tx, &Actor::Anonymous(Visitor::default()), event)?;
    match on_exposure {
        OnExposure::Quarantine => {
            store::update_state(tx, key.id, state, Some(key.state), None)?;
            audit::record(tx, &Actor::System, event_about(ApiKeyEvent::Quarantined, key))?;
        }
        OnExposure::Revoke => end_key(tx, &Actor::System, key, RevokeReason::Exposed)?,
        OnExposure::Notify => {}
    }
    let place = exposure_place(&report.url);
    mail_owner(tx, key.account, &mails::key_exposed(key, on_exposure, place.as_deref(), &site.config.public_url))
}
