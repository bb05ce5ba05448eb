//! A lock between processes, made of a lock file.

use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use super::Error;

/// Waits for the lock on the file `path`. The lock is held until the returned file is dropped or the process ends in
/// any way.
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

/// Between two attempts to lock a file.
const PAUSE: Duration = Duration::from_millis(1);

fn open(path: &Path) -> Result<File, Error> {
    let options = File::options().create(true).truncate(false).write(true).mode(0o600).open(path);
    options.map_err(|error| Error::file(path, error))
}
