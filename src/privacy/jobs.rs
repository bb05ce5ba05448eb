//! The jobs that write exports, delete old ones and erase unverified accounts.

use std::sync::Arc;

use serde_json::Value;

pub use super::model::EXPORT;
use super::{PrivacyError, archive, flows, ops, store};
use crate::app::App;
use crate::base::{ArtifactId, RequestId};
use crate::db::{self, Error};
use crate::jobs::Outcome;
use crate::threads::spawn_blocking;

/// The name of the job that deletes old exports.
pub const EXPIRE: &str = "privacy.expire_exports";
/// The name of the job that erases accounts whose address was never verified.
pub const ERASE_PENDING: &str = "privacy.erase_pending";

/// The name of the job that makes receipts of erasures final.
pub const FINISH_ERASURES: &str = "privacy.finish_erasures";

/// Writes the export of the request in `payload`. If the job is killed, the next run writes the same file again.
pub async fn export(app: Arc<App>, payload: Value) -> Outcome {
    let Some(request) = payload["request"].as_str().and_then(RequestId::parse) else {
        return Outcome::GiveUp("the payload contains no request id".into());
    };
    match spawn_blocking(move || write_export(&app, request)).await {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(error)) => Outcome::Again(error.to_string()),
        Err(error) => Outcome::Again(error.to_string()),
    }
}

fn write_export(app: &App, request: RequestId) -> Result<(), PrivacyError> {
    let Some(task) = app.store().write_blocking(move |tx| ops::begin(tx, request))? else { return Ok(()) };
    let folder = app.store().layout().exports();
    let sealed = match flows::write_artifact(app, &task, |percent, step| save_progress(app, request, percent, step)) {
        Ok(sealed) => sealed,
        // The account was erased while its export was written.
        Err(PrivacyError::NotFound) => {
            archive::remove(&folder, task.artifact);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let artifact = task.artifact;
    if !app.store().write_blocking(move |tx| ops::finish(tx, &task, &sealed))? {
        archive::remove(&folder, artifact);
    }
    Ok(())
}

fn save_progress(app: &App, request: RequestId, percent: u8, step: &str) -> Result<(), Error> {
    let step = step.to_owned();
    app.store().write_blocking(move |tx| store::update_progress(tx, request, percent, &step))
}

/// Deletes exports after their retention period, files in the export folder that belong to no request, and old copies of
/// the database.
pub async fn expire_exports(app: Arc<App>, _: Value) -> Outcome {
    let outcome = spawn_blocking(move || {
        let expired = app.store().write_blocking(|tx| {
            ops::fail_stale(tx)?;
            ops::sweep(tx)
        })?;
        let kept = app.store().read_blocking(store::list_kept_files)?;
        remove_unwanted(&app, &expired, &kept)?;
        for name in db::delete_old_copies(app.store().layout(), app.now())? {
            tracing::info!(name, "An old copy of the database was deleted.");
        }
        Ok::<_, Error>(())
    });
    match outcome.await {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(error)) => Outcome::Again(error.to_string()),
        Err(error) => Outcome::Again(error.to_string()),
    }
}

fn remove_unwanted(app: &App, expired: &[ArtifactId], kept: &[ArtifactId]) -> Result<(), Error> {
    let folder = app.store().layout().exports();
    expired.iter().for_each(|artifact| archive::remove(&folder, *artifact));
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::file(&folder, error)),
    };
    for entry in entries {
        let name = entry.map_err(|error| Error::file(&folder, error))?.file_name();
        // Removes only files with our naming scheme.
        if let Some(artifact) = archive::parse_artifact(&name.to_string_lossy()).filter(|id| !kept.contains(id)) {
            archive::remove(&folder, artifact);
        }
    }
    Ok(())
}

/// Erases accounts whose address was not verified within a day.
pub async fn erase_pending(app: Arc<App>, _: Value) -> Outcome {
    let outcome = spawn_blocking(move || {
        let receipts = app.store().write_blocking(ops::erase_pending)?;
        if !receipts.is_empty() {
            flows::clean_up_after(&app, &receipts);
        }
        Ok::<_, PrivacyError>(())
    });
    match outcome.await {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(error)) => Outcome::Again(error.to_string()),
        Err(error) => Outcome::Again(error.to_string()),
    }
}

/// Does what is left to do after erasures. Writes nothing if nothing is left.
pub async fn finish_erasures(app: Arc<App>, _: Value) -> Outcome {
    match spawn_blocking(move || flows::finish_erasures(&app)).await {
        // Otherwise the next minute tries again.
        Ok(Ok(_)) => Outcome::Done,
        Ok(Err(error)) => Outcome::Again(error.to_string()),
        Err(error) => Outcome::Again(error.to_string()),
    }
}
