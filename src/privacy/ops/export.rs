//! Request an export, track it, download it.

use std::time::Duration;

use serde_json::json;

use super::super::events::PrivacyEvent;
use super::super::model::{Artifact, Download, EXPORT, Export, ExportTask, Link};
use super::super::{ExportRecipient, PrivacyError, archive, mails, store};
use crate::accounts;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, ArtifactId, RequestId, Secret, Timestamp, days, hours, minutes};
use crate::crypto::{seal, tokens};
use crate::db::{self, Tx, View};
use crate::jobs::{NewJob, enqueue};
use crate::mail;

/// Exports that a person can request in 24 hours: enough after a forgotten passphrase, too few to overload the machine.
pub const EXPORTS_A_DAY_MAX: usize = 5;
/// How long a download link is valid (domain 4.1).
pub const DOWNLOAD_LINK_TTL: Duration = minutes(60);
/// The maximum number of exports on the page.
const LISTED_MAX: u32 = 20;
/// A request that is not ready by then has failed. Its cause does not disappear with more time.
const EXPORT_DEADLINE: Duration = hours(6);
/// How long failed and expired requests stay in the list.
const REQUESTS_KEPT: Duration = days(90);
/// The maximum number of rows that one run deletes. The next run takes the rest.
const SWEEP_BATCH_MAX: u32 = 500;

/// Requests an archive of all data about the person, encrypted to `recipient`. A job writes it, and a mail tells the
/// person when it is ready.
///
/// # Errors
/// [`PrivacyError::NotFound`] unless the actor is the person or the operator; [`PrivacyError::ExportRunning`] while
/// another export is in progress; [`PrivacyError::TooManyExports`] after five in 24 hours.
pub fn request_export(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    recipient: &ExportRecipient,
) -> Result<RequestId, PrivacyError> {
    if !actor.can_manage(account) || accounts::find(tx, account)?.is_none() {
        return Err(PrivacyError::NotFound);
    }
    let now = tx.now();
    let recent = store::list_requested(tx, account, now.minus(days(1)))?;
    if recent.iter().any(|(state, _)| state.is_under_way()) {
        return Err(PrivacyError::ExportRunning);
    }
    if let Some((_, oldest)) = recent.first().filter(|_| recent.len() >= EXPORTS_A_DAY_MAX) {
        let wait = oldest.plus(days(1)).since(now).as_secs() + 1;
        return Err(PrivacyError::TooManyExports { wait_seconds: u32::try_from(wait).unwrap_or(u32::MAX) });
    }

    let request = RequestId::new(now, tx.rng());
    let artifact = ArtifactId::new(now, tx.rng());
    let (kind, plain) = recipient_fields(recipient);
    let site = tx.site().clone();
    let sealed = seal::seal(&site.keyring, tx.rng(), &seal_context(request), plain.expose().as_bytes());
    let task =
        ExportTask { request, account, artifact, recipient_kind: kind.into(), recipient: sealed, requested_at: now };
    store::insert_request(tx, &task)?;
    enqueue(
        tx,
        NewJob {
            name: EXPORT,
            payload: json!({"request": request.to_string()}),
            subject: Some(account),
            unique_key: Some(format!("{EXPORT}:{request}")),
        },
    )?;
    let event =
        Event::new(PrivacyEvent::ExportRequested).target(request).subject(account).data(json!({"recipient": kind}));
    audit::record(tx, actor, event)?;
    Ok(request)
}

/// The context that a recipient is sealed with, so that it cannot be moved to another request.
fn seal_context(request: RequestId) -> String {
    format!("data_request|sealed_recipient|{request}")
}

fn recipient_fields(recipient: &ExportRecipient) -> (&'static str, Secret<String>) {
    match recipient {
        ExportRecipient::Passphrase(passphrase) => ("passphrase", passphrase.clone()),
        ExportRecipient::Key(key) => ("key", Secret::new(key.clone())),
    }
}

/// The recipient of the export.
pub(in crate::privacy) fn open_recipient(view: &View<'_>, task: &ExportTask) -> Result<ExportRecipient, PrivacyError> {
    let damaged = || db::Error::Damaged(format!("the recipient of {}", task.request));
    let opened =
        seal::open(&view.site().keyring, &seal_context(task.request), &task.recipient).map_err(|_| damaged())?;
    let text = std::str::from_utf8(opened.expose()).map_err(|_| damaged())?;
    match task.recipient_kind.as_str() {
        "passphrase" => Ok(ExportRecipient::passphrase(Secret::new(text.to_owned()))?),
        _ => Ok(ExportRecipient::key(text)?),
    }
}

/// Starts a request. `None`: it is finished or failed, or its account was erased.
pub(in crate::privacy) fn begin(tx: &mut Tx<'_>, request: RequestId) -> Result<Option<ExportTask>, PrivacyError> {
    let Some(task) = store::find_task(tx, request)? else { return Ok(None) };
    if tx.now().since(task.requested_at) > EXPORT_DEADLINE {
        fail(tx, request)?;
        return Ok(None);
    }
    store::update_progress(tx, request, 0, "Preparing")?;
    Ok(Some(task))
}

/// Marks a request as failed and deletes its recipient.
fn fail(tx: &mut Tx<'_>, request: RequestId) -> Result<(), db::Error> {
    store::update_failed(tx, request, "The export failed. Request a new one. If it fails again, contact your operator.")
}

/// Stores that the file is complete and tells the person by mail. `false`: the request or its account no longer exists.
pub(in crate::privacy) fn finish(
    tx: &mut Tx<'_>,
    task: &ExportTask,
    sealed: &archive::SealedArchive,
) -> Result<bool, PrivacyError> {
    let Some(person) = accounts::find(tx, task.account)? else { return Ok(false) };
    if !store::update_ready(tx, task.request)? {
        return Ok(false);
    }
    let now = tx.now();
    let artifact = Artifact {
        id: task.artifact,
        file_name: archive::file_name(&person.username, now),
        bytes: sealed.bytes,
        sha256: sealed.sha256,
        ready_at: now,
        delete_after: now.plus(tx.site().config.privacy.export_keep),
    };
    store::insert_artifact(tx, task, &artifact)?;
    if let Some(address) = accounts::primary_email(tx, task.account)? {
        let until = artifact.delete_after.day();
        let message = mails::export_ready(&person.display_name, &until, &tx.site().config.public_url);
        mail::enqueue(tx, Some(task.account), address, &message)?;
    }
    let event = Event::new(PrivacyEvent::ExportReady).target(task.account).subject(task.account).data(
        json!({"artifact": task.artifact.to_string(), "bytes": sealed.bytes, "sha256": hex::encode(sealed.sha256)}),
    );
    audit::record(tx, &Actor::System, event)?;
    Ok(true)
}

/// The exports of the person, newest first, at most 20.
///
/// # Errors
/// [`db::Error`].
pub fn list_exports(view: &View<'_>, account: AccountId) -> Result<Vec<Export>, db::Error> {
    store::list_exports(view, account, LISTED_MAX)
}

/// Creates a link to a finished export, valid for 60 minutes and for this account only. The caller must require a
/// recent confirmation of identity first.
///
/// # Errors
/// [`PrivacyError::NotFound`] if the account has no such export, or it was deleted.
// No event: the download is recorded, when it starts.
pub fn export_link(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    artifact: ArtifactId,
) -> Result<Link, PrivacyError> {
    if !actor.can_manage(account) {
        return Err(PrivacyError::NotFound);
    }
    let found = store::find_artifact(tx, account, artifact)?.ok_or(PrivacyError::NotFound)?;
    let token = tokens::random_token(tx.rng());
    let expires_at = tx.now().plus(DOWNLOAD_LINK_TTL).min(found.delete_after);
    store::insert_link(tx, &tokens::digest(token.expose()), account, artifact, expires_at)?;
    Ok(Link { token, expires_at })
}

/// The file of a link. `None`: the link is unknown, expired or belongs to another account, or the file was deleted.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_link(view: &View<'_>, account: AccountId, token: &str) -> Result<Option<Download>, db::Error> {
    let artifact = store::find_by_link(view, &tokens::digest(token), account)?;
    Ok(artifact.map(|artifact| {
        let folder = db::Layout::new(&view.site().config.data_dir).exports();
        Download { path: archive::sealed_path(&folder, artifact.id), artifact }
    }))
}

/// Records that a download started. Records nothing if the account was erased in the meantime, because the record would
/// never be deleted.
///
/// # Errors
/// [`db::Error`].
// No permission: it only records a download; the link was checked before the file was opened.
pub fn record_download(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    artifact: ArtifactId,
) -> Result<(), db::Error> {
    if accounts::find(tx, account)?.is_none() {
        return Ok(());
    }
    audit::record(tx, actor, Event::new(PrivacyEvent::ExportDownloaded).target(artifact).subject(account))
}

/// Deletes exports after their retention period, expired links and old requests. Returns the exports whose files must
/// be removed.
pub(in crate::privacy) fn sweep(tx: &mut Tx<'_>) -> Result<Vec<ArtifactId>, db::Error> {
    let old = store::list_old_artifacts(tx, SWEEP_BATCH_MAX)?;
    for (artifact, account) in &old {
        store::delete_artifact(tx, *artifact)?;
        store::update_expired(tx, *artifact)?;
        let data = json!({"artifact": artifact.to_string()});
        let event = Event::new(PrivacyEvent::ExportExpired).target(*account).subject(*account).data(data);
        audit::record(tx, &Actor::System, event)?;
    }
    store::delete_old_links(tx)?;
    let before = tx.now().minus(REQUESTS_KEPT);
    store::delete_old_requests(tx, before)?;
    Ok(old.into_iter().map(|(artifact, _)| artifact).collect())
}

/// Marks requests as failed whose job is gone or fails again and again.
pub(in crate::privacy) fn fail_stale(tx: &mut Tx<'_>) -> Result<(), db::Error> {
    let before: Timestamp = tx.now().minus(EXPORT_DEADLINE);
    store::list_stale(tx, before, SWEEP_BATCH_MAX)?.into_iter().try_for_each(|request| fail(tx, request))
}
