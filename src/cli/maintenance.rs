//! `domicile drill`, its process, and copies of the keyring.

use std::path::Path;

use serde_json::json;

use super::arguments::Common;
use super::context::open;
use super::failure::Failure;
use super::output::{out, tell, write_bytes};
use crate::base::{Actor, Problem};
use crate::crypto::Keyring;
use crate::crypto::age_file::Recipient;
use crate::maintenance::{self, DrillError, RehearsalError};
use crate::threads;

pub(super) fn drill(common: &Common) -> Result<(), Failure> {
    let app = open(common)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(format!("the drill could not be started: {error}.")))?;
    tell!("The published snapshot is restored in {}.", app.store().layout().drill().display());
    let program = Path::new(maintenance::jobs::OWN_PROGRAM);
    let made = runtime.block_on(maintenance::drill(&app, program, Actor::Operator)).map_err(|error| match error {
        DrillError::NoSnapshot => {
            Failure::refused("there is no snapshot yet, so there is nothing to restore. Run: domicile snapshot now")
        }
        DrillError::Running => {
            Failure::refused("another restore drill is running. Wait until it has finished, then try again.")
        }
        DrillError::Db(error) => Problem::from(error).into(),
    })?;
    if !made.is_good {
        return Err(Failure::damage(format!("the published snapshot could not be restored. {}", made.result)));
    }
    if common.json {
        let made_at = made.snapshot_made_at.map(|at| at.rfc3339());
        out!("{}", json!({"ok": true, "snapshot_made_at": made_at, "seconds": made.duration.as_secs()}))?;
    } else {
        out!("{} It took {} seconds.", made.result, made.duration.as_secs())?;
    }
    Ok(())
}

/// The process of a drill. Its standard output is for the process that started it.
pub(super) fn rehearse(region: &str, folder: &Path) -> Result<(), Failure> {
    threads::lower_priority(threads::LOWEST);
    let keyring = Keyring::read_from(std::io::stdin().lock()).map_err(RehearsalError::Input);
    let rehearsed = keyring.and_then(|keyring| maintenance::rehearse(folder, region, keyring));
    let done = rehearsed.map_err(|error| match error {
        RehearsalError::Restore(error) => Failure::from(error),
        error => Failure::damage(format!("{error}.")),
    })?;
    out!("{}", done.to_json())?;
    Ok(())
}

pub(super) fn export_keyring(common: &Common, to: &str) -> Result<(), Failure> {
    // The text is not repeated, because it may be a private key by mistake.
    let recipient = Recipient::key(to).map_err(|fault| Failure::refused(format!("--to: {}", fault.sentence())))?;
    let app = open(common)?;
    let mut sealed = Vec::new();
    app.keyring()
        .seal_for(&recipient, &mut sealed)
        .map_err(|error| Failure::refused(format!("the keyring could not be encrypted: {error}.")))?;
    if common.json {
        // Armored, so it is a text.
        sealed = format!("{}\n", json!({"keyring": String::from_utf8_lossy(&sealed)})).into_bytes();
    }
    // Recorded only when the whole copy was written.
    write_bytes(&sealed).map_err(|error| {
        Failure::refused(format!("the copy could not be written: {error}. It is not recorded; try again."))
    })?;
    app.store()
        .write_blocking(|tx| maintenance::record_export(tx, &Actor::Operator))
        .map_err(|error| Problem::from(error).into())
}

pub(super) fn waive_export(common: &Common, reason: &str) -> Result<(), Failure> {
    let (app, reason) = (open(common)?, reason.to_owned());
    app.store()
        .write_blocking(move |tx| maintenance::waive_export(tx, &Actor::Operator, &reason))
        .map_err(Problem::from)?;
    if common.json {
        out!("{}", json!({"waived": true}))?;
    }
    tell!("No copy of the keyring is asked for until it changes.");
    Ok(())
}
