//! Operations with slow steps outside their transaction: check a password, write and remove files.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::events::PrivacyEvent;
use super::model::{ExportTask, Receipt};
use super::{ExportRecipient, PrivacyError, archive, ops};
use crate::accounts::{self, Account};
use crate::app::App;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, Secret, Timestamp};
use crate::db::{Error, Tx};
use crate::signin::{self, PasswordAttempt};
use crate::threads::spawn_blocking;

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
        let attempt = PasswordAttempt::for_deletion(account);
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

/// The cleanup after an erasure is committed: removes the person's export files, and the deleted rows from the write-ahead
/// log. The erasure is done even if a step fails here. Each step is repeated later: the files by the nightly job, the log
/// by the next checkpoint.
pub(super) fn clean_up_after(app: &App, receipts: &[Receipt]) {
    let folder = app.store().layout().exports();
    for artifact in receipts.iter().flat_map(|receipt| &receipt.exports) {
        archive::remove(&folder, *artifact);
    }
    match app.store().checkpoint() {
        Ok(true) => {}
        Ok(false) => tracing::debug!("A reader still uses the write-ahead log. The next checkpoint empties it."),
        Err(error) => tracing::warn!(%error, "The write-ahead log could not be emptied after an erasure."),
    }
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
