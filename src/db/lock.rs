//! A lock between processes, made of a lock file.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::Error;

/// Waits for the lock on the file `path`. The lock is held until the returned file is dropped or the process ends in
/// any way.
///
/// # Errors
/// [`Error::File`] when the file cannot be created or locked.
pub fn lock_file(path: &Path) -> Result<File, Error> {
    let failure = |error| Error::file(path, error);
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(failure)?;
    file.lock().map_err(failure)?;
    Ok(file)
}
