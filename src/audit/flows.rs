//! Makes the next checkpoint: in the database, and in the file of all checkpoints.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::ops;
use crate::app::App;
use crate::db::Error;

/// Makes a checkpoint of the last event, if the newest one is older, and adds it to the file. Also adds the newest one if
/// an earlier call could not. The result is the newest one; `None`: there is no event.
///
/// # Errors
/// [`Error`]; also of the file.
pub fn make_checkpoint(app: &App) -> Result<Option<String>, Error> {
    if let Some(new) = app.store().read_blocking(ops::next_checkpoint)? {
        app.store().write_blocking(move |tx| ops::store_checkpoint(tx, &new))?;
    }
    let newest = app.store().read_blocking(ops::newest_checkpoint)?;
    if let Some(note) = &newest {
        let path = app.store().layout().root().join("audit").join("checkpoints");
        append(&path, note).map_err(|error| Error::file(&path, error))?;
    }
    Ok(newest)
}

/// Adds a note to the end of the file, unless it ends with it. What a crash left of a note before is completed first: it is
/// the beginning of a note that is in the database, or of an older one.
fn append(path: &Path, note: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    let mut end = vec![0; note.len().min(usize::try_from(length).unwrap_or(usize::MAX))];
    file.seek(SeekFrom::End(-i64::try_from(end.len()).unwrap_or_default()))?;
    file.read_exact(&mut end)?;
    if end == note.as_bytes() {
        return Ok(());
    }
    let whole = whole_notes(&mut file, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    if let Err(error) = file.write_all(note.as_bytes()) {
        // A full disk: nothing half stays.
        let _ = file.set_len(whole);
        return Err(error);
    }
    file.sync_all()
}

/// The length of the file without a note that a crash cut off. A note ends with a line that begins with a dash.
fn whole_notes(file: &mut File, length: u64) -> std::io::Result<u64> {
    let tail = length.min(TAIL);
    file.seek(SeekFrom::Start(length - tail))?;
    let mut text = Vec::new();
    file.take(tail).read_to_end(&mut text)?;
    let mut whole = 0;
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        at += line.len() as u64;
        if line.ends_with(b"\n") && line.starts_with("\u{2014} ".as_bytes()) {
            whole = at;
        }
    }
    Ok(if whole == 0 && length > TAIL { length } else { length - tail + whole })
}

/// Longer than any note of ours, in bytes.
const TAIL: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "a/audit/1\n1\nAAAA\n\n\u{2014} a/audit/1 BBBB\n";
    const SECOND: &str = "a/audit/1\n2\nCCCC\n\n\u{2014} a/audit/1 DDDD\n";

    #[test]
    fn each_checkpoint_is_in_the_file_once_also_after_a_crash_in_the_middle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit/checkpoints");
        let both = format!("{FIRST}{SECOND}");

        append(&path, FIRST).unwrap();
        append(&path, FIRST).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), FIRST);
        for cut in 0..=SECOND.len() {
            std::fs::write(&path, [FIRST.as_bytes(), &SECOND.as_bytes()[..cut]].concat()).unwrap();
            append(&path, SECOND).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), both, "after {cut} bytes");
        }
    }
}
