//! Recognises a live database that somebody copied or put back by hand.
//!
//! The file `owner` beside the live database names the file that this appliance made: its inode, and the time at which the
//! file system made it. A copy has other ones. So a copied file, which may be torn or older than the journal, is not
//! served by mistake. Devices have other numbers after a restart of the machine, so they are not compared.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::{Error, Layout};
use crate::base::Timestamp;

/// What the file `owner` says about the live database beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The appliance made this file.
    Own,
    /// There is no file `owner`: a release without it made the database.
    Unknown,
    /// The live database is another file than the one that the appliance made.
    Foreign,
}

/// Compares the live database with the file `owner`. Changes nothing.
///
/// # Errors
/// [`Error::File`].
pub fn ownership(layout: &Layout) -> Result<Ownership, Error> {
    let path = layout.owner();
    match std::fs::read_to_string(&path) {
        Ok(text) if text == identity(&layout.live())? => Ok(Ownership::Own),
        Ok(_) => Ok(Ownership::Foreign),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Ownership::Unknown),
        Err(error) => Err(Error::file(&path, error)),
    }
}

/// Records that the live database is the one of this appliance. Called after each replacement of
/// its file.
///
/// # Errors
/// [`Error::File`].
pub fn record_owner(layout: &Layout) -> Result<(), Error> {
    let path = layout.owner();
    let text = identity(&layout.live())?;
    let temporary = path.with_extension("new");
    let write = || {
        let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)?;
        File::open(layout.live_dir())?.sync_all()
    };
    write().map_err(|error| Error::file(&path, error))
}

/// The inode, and when the file system made it, if the file system says so.
fn identity(path: &Path) -> Result<String, Error> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::file(path, error))?;
    let made_at = metadata.created().ok().map(Timestamp::from_system_time);
    let made_at = made_at.map_or_else(|| "-".to_owned(), |at| at.millis().to_string());
    Ok(format!("inode {} made {made_at}\n", metadata.ino()))
}
