//! The file of all checkpoints, `audit/checkpoints` in the data folder: signed notes after each other. Backups take it, and a
//! restore puts it back.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use ed25519_dalek::VerifyingKey;

use super::checkpoint::{Checkpoint, NoteFault, SIGNED_BY};
use super::error::AuditError;
use crate::db::{self, Error, Layout};

/// Longer than any note of ours, in bytes.
const TAIL: u64 = 4096;
/// How long one process waits for another one, which needs the file for milliseconds.
pub(super) const LOCK_WAIT_MAX: Duration = Duration::from_secs(5);

/// Adds the newest checkpoint to the end of the file, unless the file ends with it. `newest` is asked while no other process
/// writes the file: otherwise an older one could follow a newer one. What a crash left of a note is removed before.
///
/// # Errors
/// [`Error`]; [`Error::File`] also when another process keeps the file longer than `patience`.
pub(super) fn append_newest(
    layout: &Layout,
    patience: Duration,
    newest: impl FnOnce() -> Result<Option<String>, Error>,
) -> Result<Option<String>, Error> {
    let _lock = db::lock_file_within(&layout.checkpoints_lock(), patience)?;
    let newest = newest()?;
    if let Some(note) = &newest {
        let path = layout.checkpoints();
        append(&path, note).map_err(|error| Error::file(&path, error))?;
    }
    Ok(newest)
}

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

/// The length of the file without a note that a crash, or a copy of this moment, cut off. A note ends with a line that
/// begins with a dash.
fn whole_notes(file: &mut File, length: u64) -> std::io::Result<u64> {
    let (text, tail) = read_tail(file, length)?;
    let mut whole = 0;
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        at += line.len() as u64;
        if is_end_of_note(line) {
            whole = at;
        }
    }
    Ok(if whole == 0 && length > TAIL { length } else { length - tail + whole })
}

fn read_tail(file: &mut File, length: u64) -> std::io::Result<(Vec<u8>, u64)> {
    let tail = length.min(TAIL);
    file.seek(SeekFrom::Start(length - tail))?;
    let mut text = Vec::new();
    file.take(tail).read_to_end(&mut text)?;
    Ok((text, tail))
}

fn is_end_of_note(line: &[u8]) -> bool {
    line.ends_with(b"\n") && line.starts_with(SIGNED_BY.as_bytes())
}

/// A file of checkpoints whose last one is signed by this appliance.
#[derive(Debug)]
pub struct CheckpointFile {
    file: File,
    /// Bytes up to the end of its last whole note.
    length: u64,
    newest: Checkpoint,
}

impl CheckpointFile {
    /// Reads the last checkpoint of an open file. `Ok(None)`: it has none.
    ///
    /// # Errors
    /// [`AuditError::Note`]: its last checkpoint is not one of the appliance with this key. [`AuditError::Db`]: the file cannot
    /// be read.
    pub fn open(path: &Path, mut file: File, key: &VerifyingKey) -> Result<Option<Self>, AuditError> {
        let unreadable = |error| Error::file(path, error);
        let all = file.metadata().map_err(unreadable)?.len();
        let length = whole_notes(&mut file, all).map_err(unreadable)?;
        if all == 0 {
            return Ok(None);
        }
        let (text, _) = read_tail(&mut file, length).map_err(unreadable)?;
        let newest = newest(&text, key)?;
        Ok(Some(Self { file, length, newest }))
    }

    fn read(&self) -> std::io::Result<impl BufRead + use<'_>> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        Ok(BufReader::new(file.take(self.length)))
    }

    /// The number of the restore after which its last checkpoint was signed. 1: there was none yet.
    pub fn epoch(&self) -> i64 {
        self.newest.epoch().unwrap_or(1)
    }

    /// The number of events in its last checkpoint.
    pub fn events(&self) -> i64 {
        i64::try_from(self.newest.size).unwrap_or(i64::MAX)
    }
}

/// The last note of the end of a file.
fn newest(tail: &[u8], key: &VerifyingKey) -> Result<Checkpoint, NoteFault> {
    let text = std::str::from_utf8(tail).or_else(|error| {
        // The beginning may be the middle of a character.
        std::str::from_utf8(&tail[error.valid_up_to() + error.error_len().unwrap_or(tail.len()).min(1)..])
    });
    let text = text.map_err(|_| NoteFault::NoCheckpoint)?;
    let is_signature = |line: &str| line.starts_with(SIGNED_BY);
    let lines: Vec<&str> = text.lines().collect();
    let signatures = lines.iter().rev().take_while(|line| is_signature(line)).count();
    let before = &lines[..lines.len() - signatures];
    let first = before.iter().rposition(|line| is_signature(line)).map_or(0, |end| end + 1);
    let note: String = lines[first..].iter().flat_map(|line| [*line, "\n"]).collect();
    Checkpoint::open(&note, key)
}

/// Writes the checkpoints of both files into an empty one: what both begin with, then the rest of the first, then the rest
/// of the second. So nothing that either proves is lost, and doing it again adds nothing.
///
/// # Errors
/// A file cannot be read or written.
pub fn merge(first: Option<CheckpointFile>, second: Option<CheckpointFile>, to: &mut File) -> std::io::Result<()> {
    let same = match (&first, &second) {
        (Some(first), Some(second)) => same_notes(first, second)?,
        _ => 0,
    };
    for (given, from) in [(first, 0), (second, same)] {
        let Some(mut given) = given else { continue };
        given.file.seek(SeekFrom::Start(from))?;
        std::io::copy(&mut given.file.take(given.length.saturating_sub(from)), to)?;
    }
    to.sync_all()
}

/// Bytes of the whole notes that both files begin with.
fn same_notes(first: &CheckpointFile, second: &CheckpointFile) -> std::io::Result<u64> {
    let (mut one, mut other) = (first.read()?, second.read()?);
    let (mut at, mut whole) = (0, 0);
    let (mut line, mut counterpart) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        counterpart.clear();
        let read = one.read_until(b'\n', &mut line)?;
        other.read_until(b'\n', &mut counterpart)?;
        if read == 0 || line != counterpart {
            return Ok(whole);
        }
        at += read as u64;
        if is_end_of_note(&line) {
            whole = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ed25519_dalek::SigningKey;

    use super::super::checkpoint::origin;
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn note(epoch: i64, size: u64) -> String {
        Checkpoint { origin: origin("a.example.org", epoch), size, root: [9; 32] }.sign(&key())
    }

    fn layout(folder: &Path) -> Layout {
        let layout = Layout::new(folder);
        std::fs::create_dir_all(layout.live_dir()).unwrap();
        layout
    }

    fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn opened(path: &Path) -> Option<CheckpointFile> {
        CheckpointFile::open(path, File::open(path).unwrap(), &key().verifying_key()).unwrap()
    }

    #[test]
    fn each_checkpoint_is_in_the_file_once_also_after_a_crash_in_the_middle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit/checkpoints");
        let (first, second) = (note(1, 1), note(1, 2));
        let both = format!("{first}{second}");

        append(&path, &first).unwrap();
        append(&path, &first).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
        for cut in 0..=second.len() {
            std::fs::write(&path, [first.as_bytes(), &second.as_bytes()[..cut]].concat()).unwrap();
            append(&path, &second).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), both, "after {cut} bytes");
        }
    }

    #[test]
    fn nobody_writes_or_asks_for_the_newest_one_while_another_has_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(folder.path());
        let held = db::lock_file(&layout.checkpoints_lock()).unwrap();

        let refused = append_newest(&layout, Duration::ZERO, || panic!("the newest one may become old meanwhile"));
        assert!(refused.unwrap_err().cure().contains("checkpoints.lock"));
        assert!(!layout.checkpoints().exists());

        drop(held);
        append_newest(&layout, Duration::ZERO, || Ok(Some(note(1, 1)))).unwrap();
        assert_eq!(std::fs::read_to_string(layout.checkpoints()).unwrap(), note(1, 1));
    }

    #[test]
    fn threads_that_append_at_once_write_each_checkpoint_once_and_in_order() {
        const THREADS: usize = 4;
        const EACH: usize = 50;
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(folder.path());
        let events = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        events.fetch_add(1, Ordering::SeqCst);
                        let newest = || Ok(Some(note(1, events.load(Ordering::SeqCst) as u64)));
                        append_newest(&layout, Duration::MAX, newest).unwrap();
                    }
                });
            }
        });

        let text = std::fs::read_to_string(layout.checkpoints()).unwrap();
        let sizes: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
        assert!(sizes.is_sorted_by(|one, next| one < next), "{sizes:?}");
        assert_eq!(sizes.last(), Some(&((THREADS * EACH) as u64)));
        let whole: String = sizes.iter().map(|size| note(1, *size)).collect();
        assert!(text == whole, "a note is torn");
    }

    #[test]
    fn two_files_become_one_that_has_everything_once() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = ([note(1, 1), note(1, 2)].concat(), [note(1, 3), note(1, 4)].concat());
        let long = [one.as_str(), &two].concat();
        let restored = note(2, 2);
        let branch = [one.as_str(), &restored].concat();
        // A copy of the moment in which a note was written.
        let torn = format!("{one}{}", &note(1, 3)[..40]);
        for (first, second, expected) in [
            (long.as_str(), one.as_str(), long.clone()),
            (&one, &long, long.clone()),
            (&long, &branch, [long.as_str(), &restored].concat()),
            (&torn, &long, long.clone()),
            (&long, "", long.clone()),
            ("", &torn, one.clone()),
        ] {
            let (first, second) = (write(folder.path(), "1", first), write(folder.path(), "2", second));
            let to = write(folder.path(), "3", "");
            for again in ["once", "twice"] {
                merge(opened(&first), opened(&second), &mut File::options().write(true).open(&to).unwrap()).unwrap();
                assert_eq!(std::fs::read_to_string(&to).unwrap(), expected, "{again}");
                std::fs::copy(&to, &second).unwrap();
            }
        }
    }

    #[test]
    fn a_file_of_another_appliance_or_of_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = |text: &str| {
            let path = write(folder.path(), "file", text);
            match CheckpointFile::open(&path, File::open(&path).unwrap(), &key().verifying_key()) {
                Ok(file) => Ok(file.is_some()),
                Err(AuditError::Note(fault)) => Err(fault),
                Err(other) => panic!("{other}"),
            }
        };
        let other = Checkpoint { origin: origin("b.example.org", 1), size: 1, root: [9; 32] };
        assert_eq!(open(&other.sign(&SigningKey::from_bytes(&[8; 32]))), Err(NoteFault::NotSigned));
        assert_eq!(open("hello"), Err(NoteFault::NoCheckpoint));
        assert_eq!(open(&"hello\n".repeat(2000)), Err(NoteFault::NoCheckpoint));
        assert_eq!(open(""), Ok(false));
        // So many that the end of the file is read only, from any place of a character on.
        for more in 0..3 {
            let many: String = (1..100).map(|size| note(1, size * 10_u64.pow(more))).collect();
            assert_eq!(open(&many), Ok(true));
            assert_eq!(opened(&folder.path().join("file")).unwrap().events(), 99 * 10_i64.pow(more));
        }
    }
}
