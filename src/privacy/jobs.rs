//! Writes exports, and tidies up.

use std::sync::Arc;

use serde_json::Value;

pub use super::model::EXPORT;
use super::{PrivacyError, archive, flows, ops};
use crate::app::App;
use crate::base::{ArtifactId, RequestId};
use crate::db::Error;
use crate::jobs::Outcome;
use crate::threads::spawn_blocking;

/// Deletes exports whose time is over, and files nobody wants.
pub const EXPIRE: &str = "privacy.expire_exports";
/// Erases accounts whose address nobody verified.
pub const ERASE_PENDING: &str = "privacy.erase_pending";

/// Writes the export of the request in `payload`. Killed at any point, it is written again under the same name.
pub async fn export(app: Arc<App>, payload: Value) -> Outcome {
    let Some(request) = payload["request"].as_str().and_then(RequestId::parse) else {
        return Outcome::GiveUp("the payload names no request".into());
    };
    match spawn_blocking(move || write_export(&app, request)).await {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(error)) => Outcome::Again(error.to_string()),
        Err(error) => Outcome::Again(error.to_string()),
    }
}

fn write_export(app: &App, request: RequestId) -> Result<(), PrivacyError> {
    let Some(work) = app.store().write_blocking(move |tx| ops::begin(tx, request))? else { return Ok(()) };
    let folder = app.store().layout().exports();
    let sealed = match flows::write_artifact(app, &work, |percent, step| note_progress(app, request, percent, step)) {
        Ok(sealed) => sealed,
        // The person left while their export was written.
        Err(PrivacyError::NotFound) => {
            archive::remove(&folder, work.artifact);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let artifact = work.artifact;
    if !app.store().write_blocking(move |tx| ops::finish(tx, &work, &sealed))? {
        archive::remove(&folder, artifact);
    }
    Ok(())
}

fn note_progress(app: &App, request: RequestId, percent: u8, step: &str) -> Result<(), Error> {
    let step = step.to_owned();
    app.store().write_blocking(move |tx| ops::progress(tx, request, percent, &step))
}

/// Deletes exports whose time is over, and whatever else stands in their folder that nobody wants.
pub async fn expire_exports(app: Arc<App>, _: Value) -> Outcome {
    let outcome = spawn_blocking(move || {
        let expired = app.store().write_blocking(|tx| {
            ops::fail_stale(tx)?;
            ops::sweep(tx)
        })?;
        let kept = app.store().read_blocking(ops::kept_files)?;
        remove_unwanted(&app, &expired, &kept)
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
        // Only what we named is ours to remove.
        if let Some(artifact) = archive::artifact_of(&name.to_string_lossy()).filter(|id| !kept.contains(id)) {
            archive::remove(&folder, artifact);
        }
    }
    Ok(())
}

/// Erases accounts that nobody verified within their day.
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
