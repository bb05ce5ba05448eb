//! How large the database is, and how much space is free.

use std::path::{Path, PathBuf};

use super::{Error, Layout};

/// The size of the live database with its log, in bytes. Zero: there is none.
pub fn database_bytes(layout: &Layout) -> u64 {
    let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    size(layout.live()) + size(layout.log())
}

/// The bytes that this user may still write on the disk of `folder`.
///
/// # Errors
/// [`Error::File`].
pub fn free_bytes(folder: &Path) -> Result<u64, Error> {
    let disk = nix::sys::statvfs::statvfs(folder).map_err(|error| Error::file(folder, std::io::Error::from(error)))?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
}
