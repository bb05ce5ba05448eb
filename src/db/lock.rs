//! Locks between processes, made of lock files. A lock ends when its file is dropped or the process ends in any way.

use std::fs::{File, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use super::{Error, Interrupt};

/// Waits for the lock on the file `path`.
///
/// # Errors
/// [`Error::File`] when the file cannot be created or locked.
pub fn lock_file(path: &Path) -> Result<File, Error> {
    let file = open(path)?;
    file.lock().map_err(|error| Error::file(path, error))?;
    Ok(file)
}

/// As [`lock_file`], but gives up after about this time.
///
/// # Errors
/// [`Error::File`] when the file cannot be created or locked, and when another process has kept the lock all the time.
pub fn lock_file_within(path: &Path, longest: Duration) -> Result<File, Error> {
    let file = open(path)?;
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if waited < longest => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            Err(error) => return Err(Error::file(path, error.into())),
        }
    }
}

/// As [`lock_file`], but does not wait any longer once `interrupt` is set.
///
/// # Errors
/// [`Error::Stopped`] when it was interrupted; [`Error::File`].
pub fn lock_file_unless(path: &Path, interrupt: &Interrupt) -> Result<File, Error> {
    let mut pause = PAUSE;
    loop {
        match try_lock_file(path)? {
            Some(file) => return Ok(file),
            None if interrupt.is_set() => return Err(Error::Stopped),
            None => std::thread::sleep(pause),
        }
        // Who holds it for long, such as a drill, is not asked a thousand times a second.
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Takes the lock on the file `path` without waiting. `None`: another process has it.
///
/// # Errors
/// As [`lock_file`].
pub fn try_lock_file(path: &Path) -> Result<Option<File>, Error> {
    try_with(path, File::try_lock)
}

/// As [`try_lock_file`], for a lock that several processes may share. `None`: another process has it alone.
///
/// # Errors
/// As [`lock_file`].
pub fn try_share_file(path: &Path) -> Result<Option<File>, Error> {
    try_with(path, File::try_lock_shared)
}

fn try_with(path: &Path, lock: fn(&File) -> Result<(), TryLockError>) -> Result<Option<File>, Error> {
    let failure = |error| Error::file(path, error);
    loop {
        let file = open(path)?;
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failure(error)),
        }
        // A restore may have put another folder here between the two steps; the lock would protect nothing then.
        let own = file.metadata().map_err(failure)?;
        if std::fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (own.dev(), own.ino())) {
            return Ok(Some(file));
        }
    }
}

/// Between two attempts to lock a file.
const PAUSE: Duration = Duration::from_millis(1);
/// Between two attempts after many.
const PAUSE_MAX: Duration = Duration::from_millis(50);

fn open(path: &Path) -> Result<File, Error> {
    let options = File::options().create(true).truncate(false).write(true).mode(0o600).open(path);
    options.map_err(|error| Error::file(path, error))
}
