//! Notes beside the live database how far it goes, so that a start notices when the database lacks what it had: somebody put
//! an older copy over it, or removed the write-ahead log of a process that was killed.
//!
//! The note is written some seconds after a change, when it is on the disk, and at the end of each command and server. A note
//! that is a little older, or that was lost in a power cut, proves less and never something wrong.

use std::os::unix::fs::OpenOptionsExt;

use serde_json::{Value, json};

use super::continuation::{Head, head};
use crate::app::App;
use crate::db::{Error, Layout};

/// Notes how far the live database goes, if that is not noted yet.
///
/// # Errors
/// [`Error`].
pub fn note_head(app: &App) -> Result<(), Error> {
    let layout = app.store().layout();
    match app.store().read_blocking(head)? {
        Some(head) if read_noted(layout).as_ref() != Some(&head) => write(layout, &head),
        _ => Ok(()),
    }
}

/// How far the live database went. `None`: it is not known.
pub fn read_noted(layout: &Layout) -> Option<Head> {
    let text = std::fs::read_to_string(layout.head_note()).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    let leaf = hex::decode(value["audit_leaf"].as_str()?).ok()?;
    let ledger = match value["ledger_id"].as_str() {
        Some(id) => Some((value["ledger_seq"].as_i64()?, id.to_owned())),
        None => None,
    };
    Some(Head {
        site_id: value["site_id"].as_str()?.to_owned(),
        epoch: value["epoch"].as_i64()?,
        audit: (value["audit_seq"].as_i64()?, leaf.try_into().ok()?),
        ledger,
    })
}

fn write(layout: &Layout, head: &Head) -> Result<(), Error> {
    let (path, ledger) = (layout.head_note(), head.ledger.as_ref());
    let text = json!({
        "site_id": head.site_id,
        "epoch": head.epoch,
        "audit_seq": head.audit.0,
        "audit_leaf": hex::encode(head.audit.1),
        "ledger_seq": ledger.map(|(seq, _)| seq),
        "ledger_id": ledger.map(|(_, id)| id),
    });
    // Each process has its own, so that two of them never write the same file.
    let temporary = path.with_extension(std::process::id().to_string());
    let mut options = std::fs::File::options();
    let file = options.create(true).truncate(true).write(true).mode(0o600).open(&temporary);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, format!("{text}\n").as_bytes()))
        .and_then(|()| std::fs::rename(&temporary, &path))
        .map_err(|error| Error::file(&path, error))
}
