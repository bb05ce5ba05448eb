//! Operations with slow steps outside their transaction: check a password, write and remove files.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::events::PrivacyEvent;
use super::model::{ExportTask, PendingErasure, Receipt};
use super::{ExportRecipient, PrivacyError, archive, erasures, ops};
use crate::accounts::{self, Account};
use crate::app::App;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, RequestId, Secret, Timestamp, hours};
use crate::db::{Error, Tx, View};
use crate::signin::{self, PasswordAttempt};
use crate::threads::spawn_blocking;

/// How long a receipt may take to become final before an operator is told.
const PENDING_MAX: Duration = hours(1);
/// The fault of readiness for that.
const ERASURE_FAULT: &str = "erasure";

/// The word that a person types to delete their account.
const CONFIRMATION: &str = "DELETE";

/// Deletes the account after the person typed `DELETE` and their password. A person without a password needs a recent
/// confirmation instead (`proved_at`). When it returns, only opaque ids are left of the person, and the journal on
/// the disk has a line.
///
/// # Errors
/// [`PrivacyError::NotConfirmed`]; [`PrivacyError::WrongPassword`], and [`signin::SigninError::Throttled`] after several of these;
/// [`PrivacyError::NotFresh`] if there is no password and no recent confirmation, [`PrivacyError::NotFound`] for an
/// account that belongs to another person or does not exist. Nothing is deleted then.
pub async fn delete_account(
    app: &Arc<App>,
    actor: Actor,
    account: AccountId,
    confirmation: &str,
    password: Secret<String>,
    proved_at: Timestamp,
) -> Result<Receipt, PrivacyError> {
    if confirmation != CONFIRMATION {
        return Err(PrivacyError::NotConfirmed);
    }
    if !actor.can_manage(account) {
        return Err(PrivacyError::NotFound);
    }
    let has_password = app.query_inline(|view| Ok(accounts::password_hash(view, account)?.is_some()))?;
    let receipt = if has_password {
        let attempt = app.query_inline(|view| PasswordAttempt::for_deletion(view, &actor, account))?;
        let erase = move |tx: &mut Tx<'_>, actor: &Actor, _: &Account| ops::erase(tx, actor, account);
        signin::flows::prove_password(app, actor, attempt, &password, erase).await?
    } else if !app.config().session.is_fresh(proved_at, app.now()) {
        return Err(PrivacyError::NotFresh);
    } else {
        app.write(move |tx| {
            // If a password was set in the meantime, it must be typed.
            if accounts::password_hash(tx, account)?.is_some() {
                return Err(PrivacyError::WrongPassword);
            }
            ops::erase(tx, &actor, account)
        })
        .await?
    };
    let (cleaner, erased) = (app.clone(), receipt.clone());
    // A panic in the cleanup is already logged, and the next start completes the cleanup.
    let _ = spawn_blocking(move || clean_up_after(&cleaner, &[erased])).await;
    Ok(receipt)
}

/// Deletes the account on behalf of the operator. Blocks this thread. For the command line.
///
/// # Errors
/// [`PrivacyError::NotFound`] if the account does not exist.
pub fn erase_by_operator(app: &App, actor: Actor, account: AccountId) -> Result<Receipt, PrivacyError> {
    let receipt = app.store().write_blocking(move |tx| ops::erase(tx, &actor, account))?;
    clean_up_after(app, std::slice::from_ref(&receipt));
    Ok(receipt)
}

/// How often the log is tried to be emptied while somebody waits for the answer, 20 ms apart.
const ATTEMPTS_WHILE_WAITING: u32 = 10;
/// How often one run of the job tries it, 20 ms apart.
const ATTEMPTS_OF_THE_JOB: u32 = 250;

/// The cleanup after an erasure is committed: removes the person's export files, and the deleted rows from the write-ahead
/// log. The erasure is done even if a step fails here. Each step is repeated later: the files by a job, the log every
/// minute until it is done.
pub(super) fn clean_up_after(app: &App, receipts: &[Receipt]) {
    let folder = app.store().layout().exports();
    for artifact in receipts.iter().flat_map(|receipt| &receipt.exports) {
        archive::remove(&folder, *artifact);
    }
    match empty_log(app, ATTEMPTS_WHILE_WAITING) {
        Ok(true) => {}
        Ok(false) => tracing::debug!("The write-ahead log is in use. It is emptied within minutes."),
        Err(error) => tracing::warn!(%error, "The write-ahead log could not be emptied after an erasure."),
    }
}

/// The erasures that are not final, and the receipts of those of which the database has no trace.
fn read_pending(view: &View<'_>) -> Result<(Vec<PendingErasure>, Vec<RequestId>), Error> {
    Ok((ops::pending_erasures(view)?, ops::erasures_without_trace(view)?))
}

/// Empties the write-ahead log if it may contain data of an erased person. `false`: it was in use all the time.
fn empty_log(app: &App, attempts: u32) -> Result<bool, Error> {
    // Read before the log is emptied: what is committed later may be in the log again.
    let (pending, receipts) = app.store().read_blocking(read_pending)?;
    if pending.iter().all(|erasure| erasure.log_emptied) {
        return Ok(true);
    }
    if !app.store().empty_log(attempts)? {
        return Ok(false);
    }
    if receipts.is_empty() {
        // A mail about an erasure waits. When it was sent, the log is emptied again.
        return Ok(true);
    }
    app.store().write_blocking(move |tx| ops::log_emptied(tx, &receipts))?;
    Ok(true)
}

/// Does what is left to do after erasures, so that their receipts become final, and reports one that takes too long.
/// Blocks this thread. `false`: the write-ahead log is in use.
///
/// # Errors
/// [`Error`].
pub(super) fn finish_erasures(app: &App) -> Result<bool, Error> {
    let is_empty = empty_log(app, ATTEMPTS_OF_THE_JOB)?;
    if app.store().read_blocking(erasures::has_something_to_do)? {
        app.store().write_blocking(|tx| {
            erasures::ask_again(tx)?;
            erasures::settle(tx)
        })?;
    }
    let (pending, receipts) = app.store().read_blocking(read_pending)?;
    // The outbox says why a mail about an erasure is not sent.
    let oldest = pending.into_iter().next().filter(|oldest| receipts.contains(&oldest.receipt));
    match oldest.filter(|oldest| oldest.erased_at.plus(PENDING_MAX) < app.now()) {
        Some(oldest) => {
            let (what, cure) = match oldest.log_emptied {
                true => ("the published snapshot", "Run `domicile snapshot now`."),
                false => ("the write-ahead log", "Restart the server."),
            };
            let reason = format!(
                "An erasure of {} is not final, because {what} may still contain the person. {cure}",
                oldest.erased_at.day_and_time()
            );
            if app.readiness().set_fault(ERASURE_FAULT, &reason) {
                tracing::error!(receipt = %oldest.receipt, "{reason}");
            }
        }
        None => drop(app.readiness().clear_fault(ERASURE_FAULT)),
    }
    Ok(is_empty)
}

/// Records that a snapshot that contains these erasures has replaced the published one. Blocks this thread.
///
/// # Errors
/// [`Error`].
pub fn finish_after_snapshot(app: &App, erasures: Vec<RequestId>) -> Result<(), Error> {
    if erasures.is_empty() {
        return Ok(());
    }
    app.store().write_blocking(move |tx| ops::snapshot_replaced(tx, &erasures))?;
    // The copy of the snapshot may have been what kept the log in use.
    empty_log(app, ATTEMPTS_WHILE_WAITING).map(drop)
}

/// Writes an export of the account to the new file `output`, encrypted to `recipient`. The archive is the same as on
/// the page. Blocks this thread. For the command line.
///
/// # Errors
/// [`PrivacyError::NotFound`], [`PrivacyError::FileExists`]; [`PrivacyError::Db`] if the file cannot be written. No
/// incomplete file is left then.
pub fn export_to_file(
    app: &App,
    actor: Actor,
    account: AccountId,
    recipient: &ExportRecipient,
    output: &Path,
) -> Result<archive::SealedArchive, PrivacyError> {
    if !actor.can_manage(account) {
        return Err(PrivacyError::NotFound);
    }
    let file =
        File::options().write(true).create_new(true).mode(0o600).open(output).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => PrivacyError::FileExists(output.display().to_string()),
            _ => Error::file(output, error).into(),
        })?;
    let outcome = seal_into(app, account, recipient, &file, output, |_, _| Ok(()));
    let sealed = match outcome {
        Ok(sealed) => sealed,
        Err(error) => {
            // The first error is the one to return.
            let _ = std::fs::remove_file(output);
            return Err(error);
        }
    };
    let evidence = json!({"bytes": sealed.bytes, "sha256": hex::encode(sealed.sha256), "delivered": "file"});
    app.store().write_blocking(move |tx| {
        let event = Event::new(PrivacyEvent::ExportReady).target(account).subject(account).data(evidence);
        audit::record(tx, &actor, event)
    })?;
    Ok(sealed)
}

/// Writes the file of a request. When this returns, the file is complete and durable. Blocks this thread.
pub(super) fn write_artifact(
    app: &App,
    task: &ExportTask,
    mut progress: impl FnMut(u8, &str) -> Result<(), Error>,
) -> Result<archive::SealedArchive, PrivacyError> {
    let folder = app.store().layout().exports();
    let recipient = app.store().read_blocking(|view| ops::open_recipient(view, task))?;
    if let Err(error) = std::fs::create_dir(&folder)
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(Error::file(&folder, error).into());
    }
    let unfinished = archive::unfinished_path(&folder, task.artifact);
    let file_error = |error| Error::file(&unfinished, error);
    // Overwrites a file that a killed job left under this name.
    let file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished).map_err(file_error)?;
    let sealed = seal_into(app, task.account, &recipient, &file, &unfinished, &mut progress)?;
    std::fs::rename(&unfinished, archive::sealed_path(&folder, task.artifact)).map_err(file_error)?;
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(|error| Error::file(&folder, error))?;
    Ok(sealed)
}

fn seal_into(
    app: &App,
    account: AccountId,
    recipient: &ExportRecipient,
    mut file: &File,
    path: &Path,
    progress: impl FnMut(u8, &str) -> Result<(), Error>,
) -> Result<archive::SealedArchive, PrivacyError> {
    let sealed = app.store().read_blocking(|view| archive::write(view, account, recipient, file, progress))?;
    file.flush().and_then(|()| file.sync_all()).map_err(|error| Error::file(path, error))?;
    Ok(sealed)
}
