//! Looks into the shared WAL-index: has anybody committed?
//!
//! `PRAGMA data_version` answers the same in 1.8 µs; the hot path asks for every request, and this takes a nanosecond.
//! `SQLITE_FCNTL_DATA_VERSION` must not be used: without a read in between it does not see foreign commits.
#![allow(unsafe_code)] // The mapping is SQLite's; there is no safe way to it. Everything unsafe of the house is here.

use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::{Connection, ffi};

use super::Error;

/// Byte offset of `iChange` in the WAL-index header (sqlite.org/walformat.html §2.1): it grows by one with every
/// commit of any process, also across a checkpoint that truncates the WAL.
const CHANGE_COUNTER_OFFSET: usize = 8;
/// SQLite maps the WAL-index in regions of this size.
const REGION_BYTES: i32 = 32 * 1024;

/// The commit counter of the live file, as every process of this machine shares it.
pub(super) struct CommitCounter {
    counter: *const AtomicU32,
    // Keeps the connection, and with it SQLite's mapping, for as long as the pointer lives.
    _sentinel: Connection,
}

// SAFETY: the pointer leads to shared memory that SQLite itself treats as shared between threads and processes; we
// only load from it, atomically, and the connection that keeps it mapped is never used again.
unsafe impl Send for CommitCounter {}
// SAFETY: as above.
unsafe impl Sync for CommitCounter {}

impl CommitCounter {
    /// Takes a connection in WAL mode that has read at least once.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when SQLite does not hand out its mapping.
    pub(super) fn of(sentinel: Connection) -> Result<Self, Error> {
        sentinel.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
        let refused = |code| Error::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        let mut mapping: *mut std::ffi::c_void = std::ptr::null_mut();
        // SAFETY: the handle is open; FILE_POINTER writes one pointer to the connection's own file object, whose methods
        // are those of the unix VFS with version 2 or later (it has shared memory, else WAL would not work). Region 0
        // exists because the connection has read in WAL mode.
        let code = unsafe {
            let mut file: *mut ffi::sqlite3_file = std::ptr::null_mut();
            let code = ffi::sqlite3_file_control(
                sentinel.handle(),
                c"main".as_ptr(),
                ffi::SQLITE_FCNTL_FILE_POINTER,
                (&raw mut file).cast(),
            );
            match (code, file.as_ref().and_then(|file| file.pMethods.as_ref()).and_then(|methods| methods.xShmMap)) {
                (ffi::SQLITE_OK, Some(map)) => map(file, 0, REGION_BYTES, 0, &raw mut mapping),
                (ffi::SQLITE_OK, None) => ffi::SQLITE_NOTFOUND,
                (code, _) => code,
            }
        };
        if code != ffi::SQLITE_OK || mapping.is_null() {
            return Err(refused(code));
        }
        // SAFETY: the region has 32 KiB, and the header at its start is four-byte aligned.
        let counter = unsafe { mapping.cast::<u8>().add(CHANGE_COUNTER_OFFSET) }.cast::<AtomicU32>().cast_const();
        Ok(Self { counter, _sentinel: sentinel })
    }

    /// How many commits there have been, modulo 2^32.
    pub(super) fn read(&self) -> u32 {
        // SAFETY: mapped and aligned, see `of`; SQLite writes it as a whole under its own lock.
        unsafe { (*self.counter).load(Ordering::Acquire) }
    }
}
