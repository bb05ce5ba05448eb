//! Ask for an export, follow it, download it.

use std::time::Duration;

use serde_json::json;

use super::super::model::{Artifact, Download, EXPORT, Export, Link, Work};
use super::super::{ExportRecipient, PrivacyError, archive, mails, store};
use crate::accounts;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, ArtifactId, RequestId, Secret, Timestamp, days, hours, minutes};
use crate::crypto::{seal, tokens};
use crate::db::{self, Tx, View};
use crate::jobs::{NewJob, enqueue};
use crate::mail;

/// Exports a person can ask for in 24 hours: enough for a forgotten passphrase, too few to keep a machine busy.
pub const EXPORTS_A_DAY_MAX: usize = 5;
/// How long a download link is good (domain 4.1).
pub const DOWNLOADS_LIFE: Duration = minutes(60);
/// Exports a page lists.
const LISTED_MAX: u32 = 20;
/// A request that is not ready by then has failed: whatever is wrong does not go away by waiting.
const PATIENCE: Duration = hours(6);
/// How long a failed or expired request stays in the list.
const REQUESTS_KEPT: Duration = days(90);
/// Rows one tidying takes at most; the rest waits for the next one.
const SWEEP_BATCH_MAX: u32 = 500;

/// Asks for an archive of everything about the person, sealed to `recipient`. A job writes it; a mail says when it is ready.
///
/// # Errors
/// [`PrivacyError::NotFound`] for anybody but the person and the operator; [`PrivacyError::ExportRunning`] while one is
/// made; [`PrivacyError::TooManyExports`] after five in 24 hours.
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
    let (kind, plain) = written(recipient);
    let site = tx.site().clone();
    let sealed = seal::seal(&site.keyring, tx.rng(), &place(request), plain.expose().as_bytes());
    let work = Work { request, account, artifact, recipient_kind: kind.into(), recipient: sealed, requested_at: now };
    store::insert_request(tx, &work)?;
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
        Event::new("privacy.export_requested").target(request).subject(account).data(json!({"recipient": kind}));
    audit::record(tx, actor, event)?;
    Ok(request)
}

/// Where a sealed recipient stands: nobody can move it to another request.
fn place(request: RequestId) -> String {
    format!("data_request|sealed_recipient|{request}")
}

fn written(recipient: &ExportRecipient) -> (&'static str, Secret<String>) {
    match recipient {
        ExportRecipient::Passphrase(passphrase) => ("passphrase", passphrase.clone()),
        ExportRecipient::Key(key) => ("key", Secret::new(key.clone())),
    }
}

/// Who the export of `work` is for.
pub(in crate::privacy) fn open_recipient(view: &View<'_>, work: &Work) -> Result<ExportRecipient, PrivacyError> {
    let damaged = || db::Error::Damaged(format!("the recipient of {}", work.request));
    let opened = seal::open(&view.site().keyring, &place(work.request), &work.recipient).map_err(|_| damaged())?;
    let text = std::str::from_utf8(opened.expose()).map_err(|_| damaged())?;
    match work.recipient_kind.as_str() {
        "passphrase" => Ok(ExportRecipient::passphrase(Secret::new(text.to_owned()))?),
        _ => Ok(ExportRecipient::key(text)?),
    }
}

/// Takes up a request. `None`: it is finished, failed, or its person is gone.
pub(in crate::privacy) fn begin(tx: &mut Tx<'_>, request: RequestId) -> Result<Option<Work>, PrivacyError> {
    let Some(work) = store::find_work(tx, request)? else { return Ok(None) };
    if tx.now().since(work.requested_at) > PATIENCE {
        fail(tx, request)?;
        return Ok(None);
    }
    store::update_progress(tx, request, 0, "Getting ready")?;
    Ok(Some(work))
}

/// Notes how far an export is.
pub(in crate::privacy) fn progress(
    tx: &mut Tx<'_>,
    request: RequestId,
    percent: u8,
    step: &str,
) -> Result<(), db::Error> {
    store::update_progress(tx, request, percent, step)
}

/// Gives a request up and forgets its recipient.
fn fail(tx: &mut Tx<'_>, request: RequestId) -> Result<(), db::Error> {
    store::update_failed(
        tx,
        request,
        "The export could not be made. Ask for a new one; if it fails again, tell your operator.",
    )
}

/// Notes that the file of `work` is complete and tells the person. `false`: nobody wants it any more.
pub(in crate::privacy) fn finish(tx: &mut Tx<'_>, work: &Work, sealed: &archive::Sealed) -> Result<bool, PrivacyError> {
    let Some(person) = accounts::find(tx, work.account)? else { return Ok(false) };
    if !store::update_ready(tx, work.request)? {
        return Ok(false);
    }
    let now = tx.now();
    let artifact = Artifact {
        id: work.artifact,
        file_name: archive::file_name(&person.username, now),
        bytes: sealed.bytes,
        sha256: sealed.sha256,
        ready_at: now,
        delete_after: now.plus(tx.site().config.privacy.export_keep),
    };
    store::insert_artifact(tx, work, &artifact)?;
    if let Some(address) = accounts::primary_email(tx, work.account)? {
        let until = artifact.delete_after.day();
        let message = mails::export_ready(&person.display_name, &until, &tx.site().config.public_url);
        mail::enqueue(tx, Some(work.account), address, &message)?;
    }
    let event = Event::new("privacy.export_ready").target(work.account).subject(work.account).data(
        json!({"artifact": work.artifact.to_string(), "bytes": sealed.bytes, "sha256": hex::encode(sealed.sha256)}),
    );
    audit::record(tx, &Actor::System, event)?;
    Ok(true)
}

/// The person's exports, the newest first, twenty at most.
///
/// # Errors
/// [`db::Error`].
pub fn exports_of(view: &View<'_>, account: AccountId) -> Result<Vec<Export>, db::Error> {
    store::list_exports(view, account, LISTED_MAX)
}

/// Makes a link to a finished export: good for 60 minutes, for this account alone. Ask for a fresh proof of who it is
/// before.
///
/// # Errors
/// [`PrivacyError::NotFound`] when there is no such export of the account, or no longer.
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
    let expires_at = tx.now().plus(DOWNLOADS_LIFE).min(found.delete_after);
    store::insert_link(tx, &tokens::digest(token.expose()), account, artifact, expires_at)?;
    Ok(Link { token, expires_at })
}

/// What a link leads to, for the account it was made for. `None`: unknown, too old, another's, or the file is gone.
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

/// Records that a download began; once per download, not per range of it. Nothing when its person is gone meanwhile: it
/// would stay for ever.
///
/// # Errors
/// [`db::Error`].
pub fn note_download(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    artifact: ArtifactId,
) -> Result<(), db::Error> {
    if accounts::find(tx, account)?.is_none() {
        return Ok(());
    }
    audit::record(tx, actor, Event::new("privacy.export_downloaded").target(artifact).subject(account))
}

/// Forgets exports whose time is over, links that are no longer good and old requests. Answers whose files are to go.
pub(in crate::privacy) fn sweep(tx: &mut Tx<'_>) -> Result<Vec<ArtifactId>, db::Error> {
    let old = store::list_old_artifacts(tx, SWEEP_BATCH_MAX)?;
    for (artifact, account) in &old {
        store::delete_artifact(tx, *artifact)?;
        store::update_expired(tx, *artifact)?;
        let data = json!({"artifact": artifact.to_string()});
        let event = Event::new("privacy.export_expired").target(*account).subject(*account).data(data);
        audit::record(tx, &Actor::System, event)?;
    }
    store::delete_old_links(tx)?;
    let before = tx.now().minus(REQUESTS_KEPT);
    store::delete_old_requests(tx, before)?;
    Ok(old.into_iter().map(|(artifact, _)| artifact).collect())
}

/// Gives up requests whose job is gone or fails again and again.
pub(in crate::privacy) fn fail_stale(tx: &mut Tx<'_>) -> Result<(), db::Error> {
    let before: Timestamp = tx.now().minus(PATIENCE);
    store::list_stale(tx, before, SWEEP_BATCH_MAX)?.into_iter().try_for_each(|request| fail(tx, request))
}

/// Exports whose files are wanted, or being written.
pub(in crate::privacy) fn kept_files(view: &View<'_>) -> Result<Vec<ArtifactId>, db::Error> {
    store::list_kept_files(view)
}
