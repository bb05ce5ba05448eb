//! How large the database is, and how much space is free.

use std::path::{Path, PathBuf};

use super::{Error, Layout};

/// The size of the live database with its log, in bytes. Zero: there is none.
pub fn database_bytes(layout: &Layout) -> u64 {
    let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    size(layout.live()) + size(layout.log())
}

/// Free bytes that a running appliance needs at least: 64 MiB.
pub const FREE_BYTES_MIN: u64 = 64 << 20;

/// What fits beside a database on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskSpace {
    /// Everything that happens by itself.
    Enough,
    /// The next snapshot, but not an upgrade or a restore drill, which need three times the database.
    SnapshotOnly,
    /// Not even the next snapshot, which is a copy beside the old one.
    Nothing,
}

impl DiskSpace {
    /// What fits for a database of this size into these free bytes.
    pub fn new(database: u64, free: u64) -> Self {
        if free < FREE_BYTES_MIN || free < database {
            Self::Nothing
        } else if free < database.saturating_mul(3).max(FREE_BYTES_MIN * 4) {
            Self::SnapshotOnly
        } else {
            Self::Enough
        }
    }
}

/// The bytes that this user may still write on the disk of `folder`.
///
/// # Errors
/// [`Error::File`].
pub fn free_bytes(folder: &Path) -> Result<u64, Error> {
    let disk = nix::sys::statvfs::statvfs(folder).map_err(|error| Error::file(folder, std::io::Error::from(error)))?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
}
