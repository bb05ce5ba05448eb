//! A lock between processes: one at a time does what the file's name says.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::Error;

/// Waits for the lock file `path` and holds it until the answer is dropped, or the process ends however it does.
///
/// # Errors
/// [`Error::File`] when the file cannot be made or locked.
pub fn lock_file(path: &Path) -> Result<File, Error> {
    let told = |error| Error::file(path, error);
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(told)?;
    file.lock().map_err(told)?;
    Ok(file)
}
