//! Reads the shared WAL-index to tell whether any process has committed.
//!
//! `PRAGMA data_version` gives the same answer in 1.8 µs. The hot path asks for every request, and this takes a
//! nanosecond. `SQLITE_FCNTL_DATA_VERSION` must not be used: without a read in between it does not see commits of other
//! processes.
#![allow(unsafe_code)] // SQLite owns the mapping and has no safe interface to it. All unsafe code of the program is here.

use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::{Connection, ffi};

use super::Error;

/// Byte offset of `iChange` in the WAL-index header (sqlite.org/walformat.html §2.1): it grows by one with every
/// commit of any process, and a checkpoint that truncates the WAL does not reset it.
const CHANGE_COUNTER_OFFSET: usize = 8;
/// Byte offset of `mxFrame` in the same header: pages in the log.
const LOG_PAGES_OFFSET: usize = 16;
/// Byte offset of `nBackfill`, after the two copies of the header: pages of the log that are already in the main file.
const MOVED_PAGES_OFFSET: usize = 96;
/// SQLite maps the WAL-index in regions of this size.
const REGION_BYTES: i32 = 32 * 1024;

/// The commit counter of the live file, which all processes of this machine share, and the length of its log.
pub(super) struct CommitCounter {
    counter: *const AtomicU32,
    log_pages: *const AtomicU32,
    moved_pages: *const AtomicU32,
    // Keeps the connection open, and with it SQLite's mapping, as long as the pointers exist.
    _sentinel: Connection,
}

// SAFETY: the pointers lead to shared memory that SQLite itself treats as shared between threads and processes. We only
// load from it, atomically, and the connection that keeps it mapped is never used again.
unsafe impl Send for CommitCounter {}
// SAFETY: as above.
unsafe impl Sync for CommitCounter {}

impl CommitCounter {
    /// Keeps `sentinel`, a connection in WAL mode, and reads once with it.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when SQLite does not give out its mapping.
    pub(super) fn new(sentinel: Connection) -> Result<Self, Error> {
        sentinel.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
        let failure = |code| Error::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        let mut mapping: *mut std::ffi::c_void = std::ptr::null_mut();
        // SAFETY: the handle is open; FILE_POINTER writes one pointer to the connection's own file object, whose
        // methods are those of the unix VFS with version 2 or later (it has shared memory, else WAL would not work).
        // Region 0 exists because the connection has read in WAL mode.
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
            return Err(failure(code));
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

    /// The number of commits so far, modulo 2^32.
    pub(super) fn read(&self) -> u32 {
        // SAFETY: mapped and aligned, see `new`; SQLite writes it as a whole under its own lock.
        unsafe { (*self.counter).load(Ordering::Acquire) }
    }

    /// Pages of the log that a checkpoint would have to move. A commit at this moment may or may not be counted.
    pub(super) fn pages_to_move(&self) -> u32 {
        // SAFETY: as in `read`.
        let (log, moved) =
            unsafe { ((*self.log_pages).load(Ordering::Relaxed), (*self.moved_pages).load(Ordering::Relaxed)) };
        log.saturating_sub(moved)
    }
}
