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
/// Byte offset of `mxFrame` in the same header: pages in the log.
const LOG_PAGES_OFFSET: usize = 16;
/// Byte offset of `nBackfill` behind the two copies of the header: pages of the log that are in the main file already.
const MOVED_PAGES_OFFSET: usize = 96;
/// SQLite maps the WAL-index in regions of this size.
const REGION_BYTES: i32 = 32 * 1024;

/// The commit counter of the live file, as every process of this machine shares it, and the length of the log beside it.
pub(super) struct CommitCounter {
    counter: *const AtomicU32,
    log_pages: *const AtomicU32,
    moved_pages: *const AtomicU32,
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
    pub(super) fn new(sentinel: Connection) -> Result<Self, Error> {
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
        // SAFETY: the region has 32 KiB, and the header at its start is four-byte aligned, as are the offsets.
        let at = |offset: usize| unsafe { mapping.cast::<u8>().add(offset) }.cast::<AtomicU32>().cast_const();
        Ok(Self {
            counter: at(CHANGE_COUNTER_OFFSET),
            log_pages: at(LOG_PAGES_OFFSET),
            moved_pages: at(MOVED_PAGES_OFFSET),
            _sentinel: sentinel,
        })
    }

    /// How many commits there have been, modulo 2^32.
    pub(super) fn read(&self) -> u32 {
        // SAFETY: mapped and aligned, see `of`; SQLite writes it as a whole under its own lock.
        unsafe { (*self.counter).load(Ordering::Acquire) }
    }

    /// Pages of the log that a checkpoint would have to move, give or take a commit of this moment.
    pub(super) fn pages_to_move(&self) -> u32 {
        // SAFETY: as in `read`.
        let (log, moved) =
            unsafe { ((*self.log_pages).load(Ordering::Relaxed), (*self.moved_pages).load(Ordering::Relaxed)) };
        log.saturating_sub(moved)
    }
}
