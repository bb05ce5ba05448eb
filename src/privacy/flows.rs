//! What must do something slow beside its transaction: check a password, write and remove files.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::model::{Receipt, Work};
use super::{ExportRecipient, PrivacyError, archive, ops, tombstones};
use crate::accounts;
use crate::app::App;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, Secret, Timestamp};
use crate::db::{Error, Tx, View};
use crate::sessions::Guard;
use crate::threads::spawn_blocking;

/// What a person types to delete their account.
const CONFIRMATION: &str = "DELETE";

/// Deletes the account after the person typed `DELETE` and their password; somebody without a password proved who they are
/// only just (`proved_at`). When it answers, nothing of the person is left but opaque ids, and the erasure journal says so on
/// the disk.
///
/// # Errors
/// [`PrivacyError::NotConfirmed`], [`PrivacyError::WrongPassword`], [`PrivacyError::Throttled`] after several of these,
/// [`PrivacyError::NotFresh`] where there is no password and no fresh proof,
/// [`PrivacyError::NotFound`] for somebody else's account or one that is gone. Nothing is deleted then.
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
    let guard = Guard::new(account);
    let _turn = app.passwords().turn(guard.about()).await?;
    let (before, after) = (guard.clone(), guard.clone());
    let hash = app
        .read_offloaded(move |view| {
            must_not_wait(view, &before)?;
            Ok::<_, PrivacyError>(accounts::password_hash(view, account)?)
        })
        .await?;
    let has_password = hash.is_some();
    if !has_password && app.now().since(proved_at) >= app.config().session.step_up_after {
        return Err(PrivacyError::NotFresh);
    }
    if has_password && !app.passwords().verify(&password, hash).await? {
        app.write(move |tx| note_wrong_password(tx, &actor, account, &after)).await?;
        return Err(PrivacyError::WrongPassword);
    }
    let receipt = app
        .write(move |tx| {
            must_not_wait(tx, &guard)?;
            // A password that was set meanwhile must be typed.
            if !has_password && accounts::password_hash(tx, account)?.is_some() {
                return Err(PrivacyError::WrongPassword);
            }
            ops::erase(tx, &actor, account)
        })
        .await?;
    let (cleaner, erased) = (app.clone(), receipt.clone());
    // A panic in there has been logged, and what it left undone is done at the next start.
    let _ = spawn_blocking(move || clean_up_after(&cleaner, &[erased])).await;
    Ok(receipt)
}

/// Refuses where tries have to wait: asked before the hash, and again after it.
fn must_not_wait(view: &View<'_>, guard: &Guard) -> Result<(), PrivacyError> {
    let throttled = guard.must_wait(view)?;
    throttled.map_or(Ok(()), |pause| Err(PrivacyError::Throttled { wait_seconds: pause.wait_seconds }))
}

/// Nothing is noted about somebody who is gone meanwhile: it would stay for ever.
fn note_wrong_password(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, guard: &Guard) -> Result<(), PrivacyError> {
    must_not_wait(tx, guard)?;
    accounts::find(tx, account)?.ok_or(PrivacyError::NotFound)?;
    guard.note_failure(tx)?;
    let event = Event::new("auth.stepup_failed").outcome(audit::Outcome::Failure).target(account).subject(account);
    Ok(audit::record(tx, actor, event)?)
}

/// Deletes the account because an operator says so. Blocks this thread: for the command line.
///
/// # Errors
/// [`PrivacyError::NotFound`] when it is gone.
pub fn erase_by_operator(app: &App, actor: Actor, account: AccountId) -> Result<Receipt, PrivacyError> {
    let receipt = app.store().write_blocking(move |tx| ops::erase(tx, &actor, account))?;
    clean_up_after(app, std::slice::from_ref(&receipt));
    Ok(receipt)
}

/// What follows an erasure once it is committed: the person's export files go, the journal gets its line, and the deleted
/// rows leave the write-ahead log. The erasure has happened whatever fails here; each step is done again later: files by the
/// nightly sweep, the journal at the next start, the log by the next checkpoint.
pub(super) fn clean_up_after(app: &App, receipts: &[Receipt]) {
    let folder = app.store().layout().exports();
    for artifact in receipts.iter().flat_map(|receipt| &receipt.exports) {
        archive::remove(&folder, *artifact);
    }
    if let Err(error) = tombstones::catch_up(app) {
        tracing::error!(%error, "The erasure journal could not be written; it is tried again at the next erasure and start.");
    }
    match app.store().checkpoint() {
        Ok(true) => {}
        Ok(false) => tracing::debug!("A reader kept the write-ahead log; the next checkpoint empties it."),
        Err(error) => tracing::warn!(%error, "The write-ahead log could not be emptied after an erasure."),
    }
}

/// Writes an export of the account to the new file `output`, sealed to `recipient`. The same archive as the page's, for
/// the command line; blocks this thread.
///
/// # Errors
/// [`PrivacyError::NotFound`], [`PrivacyError::FileExists`]; [`PrivacyError::Db`] when the file cannot be written, which
/// is then not left half.
pub fn export_to_file(
    app: &App,
    actor: Actor,
    account: AccountId,
    recipient: &ExportRecipient,
    output: &Path,
) -> Result<archive::Sealed, PrivacyError> {
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
            // The error to tell is the first one.
            let _ = std::fs::remove_file(output);
            return Err(error);
        }
    };
    let evidence = json!({"bytes": sealed.bytes, "sha256": hex::encode(sealed.sha256), "delivered": "file"});
    app.store().write_blocking(move |tx| {
        let event = Event::new("privacy.export_ready").target(account).subject(account).data(evidence);
        audit::record(tx, &actor, event)
    })?;
    Ok(sealed)
}

/// Writes the file of a request, complete under its name when this returns. Blocks this thread.
pub(super) fn write_artifact(
    app: &App,
    work: &Work,
    mut progress: impl FnMut(u8, &str) -> Result<(), Error>,
) -> Result<archive::Sealed, PrivacyError> {
    let folder = app.store().layout().exports();
    let recipient = app.store().read_blocking(|view| ops::open_recipient(view, work))?;
    if let Err(error) = std::fs::create_dir(&folder)
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(Error::file(&folder, error).into());
    }
    let unfinished = archive::unfinished_path(&folder, work.artifact);
    let told = |error| Error::file(&unfinished, error);
    // What a killed job left under this name is written over.
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished).map_err(told)?;
    let sealed = seal_into(app, work.account, &recipient, &file, &unfinished, &mut progress)?;
    std::fs::rename(&unfinished, archive::sealed_path(&folder, work.artifact)).map_err(told)?;
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
) -> Result<archive::Sealed, PrivacyError> {
    let sealed = app.store().read_blocking(|view| archive::write(view, account, recipient, file, progress))?;
    file.flush().and_then(|()| file.sync_all()).map_err(|error| Error::file(path, error))?;
    Ok(sealed)
}
