//! Copies the main file of the live database while nobody can change it.
//!
//! ```text
//! move the log into the main file ── with the write lock: move the rest, begin a read ── copy the main file ── end the read
//! ```
//! In WAL mode only a checkpoint writes into the main file, and a checkpoint never moves a page that an open read still
//! needs in its old form. So a read that begins while the main file has every commit, and while nobody can commit,
//! keeps the main file as it is: whatever is committed afterwards stays in the log until the read ends. The bytes are
//! copied as they are, so pages that did not change are the same in two copies.
//!
//! SQLite's locks are POSIX locks, and closing *any* descriptor of a file drops all locks that the process has on it.
//! Another process that ends would then take itself for the last user of the database and delete the log, with
//! acknowledged commits in it. SQLite 3.51 and later notice most of these cases by a lock on the index of the log; nothing here
//! relies on that. So this module opens the live file once per process and never closes it, and nothing
//! else in the program may open it, except through SQLite.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, named_params};
use rustix::fs::{FallocateFlags, fallocate, ioctl_ficlone};
use rustix::io::Errno;

use super::connection::{self, Purpose};
use super::pages::{BLOCK_BYTES, Block, CodesDigest, FIRST_PAGE, PAGE_BYTES, is_refusal, set_direct};
use super::{Error, Interrupt, SNAPSHOT_STAMP, only};
use crate::base::Secret;

const FIND_ROOT_PAGE: &str = "select rootpage from sqlite_schema where type = 'table' and name = :name";

/// All statements of this file, for the test that prepares each of them.
pub const STATEMENTS: &[&str] = &[FIND_ROOT_PAGE];

/// Device and inode.
type FileId = (u64, u64);

/// The live files of this process that are open for copying; see the comment of the module.
static SOURCES: Mutex<Vec<(FileId, Arc<File>)>> = Mutex::new(Vec::new());

/// Opens the live file at `path` for reads of any size, without SQLite. It stays open: see the comment of the module. Not
/// while this process copies the file.
///
/// # Errors
/// [`Error::File`].
pub fn live_file(path: &Path) -> Result<Arc<File>, Error> {
    let file = source(path)?;
    set_direct(&file, false);
    Ok(file)
}

/// Opens the file at `path` for copying, if this process did not do so before.
fn source(path: &Path) -> Result<Arc<File>, Error> {
    let file_error = |error| Error::file(path, error);
    let id = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let mut sources = SOURCES.lock().unwrap_or_else(PoisonError::into_inner);
    // A file that stays open keeps its inode, so no other file can have the same one.
    let wanted = id(std::fs::metadata(path).map_err(file_error)?);
    if let Some((_, file)) = sources.iter().find(|(id, _)| *id == wanted) {
        return Ok(file.clone());
    }
    let file = Arc::new(File::open(path).map_err(file_error)?);
    sources.push((id(file.metadata().map_err(file_error)?), file.clone()));
    Ok(file)
}

/// Two connections that freeze the main file: one moves the log, and one reads.
pub(super) struct Freezer {
    mover: Connection,
    reader: Connection,
}

impl Freezer {
    pub(super) fn new(live: &Path, key: &Secret<String>) -> Result<Self, Error> {
        let mover = connection::open(live, key, Purpose::Write)?;
        let reader = connection::open(live, key, Purpose::Read)?;
        Ok(Self { mover, reader })
    }

    /// Moves committed pages from the log into the main file, as far as open reads allow. Nobody waits for it. `true`:
    /// the main file had every commit at one moment.
    pub(super) fn move_log(&self) -> Result<bool, Error> {
        let (busy, in_log, moved): (i64, i64, i64) =
            self.mover
                .query_row("pragma wal_checkpoint(passive)", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        // While another connection moves the log, both numbers are -1.
        Ok(busy == 0 && in_log >= 0 && in_log == moved)
    }

    /// As [`Freezer::move_log`], and empties the log, so that deleted data is not in it any more. Never waits: `false`
    /// if a read or a write is open at this moment.
    pub(super) fn empty_log(&self) -> Result<bool, Error> {
        self.mover.busy_timeout(Duration::ZERO)?;
        let busy: i64 = self.mover.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))?;
        Ok(busy == 0)
    }

    /// Moves the rest of the log and begins the read. Call it while the write lock is held, so that nobody can commit.
    /// `false`: an open read still needs old pages of the main file; nothing is frozen.
    pub(super) fn freeze(&self) -> Result<bool, Error> {
        if !self.move_log()? {
            return Ok(false);
        }
        self.reader.execute_batch("begin")?;
        self.reader.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
        Ok(true)
    }

    /// The main file, frozen until the value is dropped. Only after [`Freezer::freeze`] answered `true`.
    pub(super) fn into_frozen(self, live: &Path) -> Result<Frozen, Error> {
        let source = source(live)?;
        let before = State::of(&source).map_err(|error| Error::file(live, error))?;
        let stamp_page = stamp_page(&self.reader)?;
        Ok(Frozen { source, before, stamp_page, _reader: self.reader })
    }
}

/// What changes when somebody writes into a file.
#[derive(PartialEq, Eq)]
struct State {
    bytes: u64,
    changed_at: (i64, i64),
}

impl State {
    fn of(file: &File) -> std::io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { bytes: metadata.len(), changed_at: (metadata.mtime(), metadata.mtime_nsec()) })
    }
}

/// The main file while nobody can change it.
pub(super) struct Frozen {
    source: Arc<File>,
    before: State,
    stamp_page: u64,
    // Keeps the file frozen, with the read that it has begun.
    _reader: Connection,
}

impl Frozen {
    /// Copies the file into the new file `path`, which is not durable yet. Shares its blocks where the file system can;
    /// otherwise goes past the page cache, because writers would wait for the pages of the copy. Answers the digest of
    /// the codes of its pages, except those that the stamp changes.
    ///
    /// # Errors
    /// [`Error::File`]; [`Error::Stopped`] if it was interrupted. A part of the file may be left then.
    pub(super) fn copy_to(&self, path: &Path, interrupt: &Interrupt) -> Result<[u8; 32], Error> {
        let file_error = |error| Error::file(path, error);
        let target = File::options().read(true).write(true).create_new(true).mode(0o600).open(path);
        let target = target.map_err(file_error)?;
        let target = ioctl_ficlone(&target, &*self.source).err().map(|_| target);
        let codes = self.read_blocks(target.as_ref(), interrupt).map_err(file_error)?.ok_or(Error::Stopped)?;
        if State::of(&self.source).map_err(file_error)? != self.before {
            return Err(Error::Damaged("the live database changed while it was copied".into()));
        }
        Ok(codes)
    }

    /// Reads the file, and copies it to `target` if there is one. `None`: interrupted.
    fn read_blocks(&self, target: Option<&File>, interrupt: &Interrupt) -> std::io::Result<Option<[u8; 32]>> {
        if let Some(target) = target {
            // Takes the space at once, so that a full disk is noticed before the copy. Some file systems cannot.
            match fallocate(target, FallocateFlags::empty(), 0, self.before.bytes) {
                Err(Errno::NOSPC) => return Err(Errno::NOSPC.into()),
                _ => target.set_len(self.before.bytes)?,
            }
            set_direct(target, true);
        }
        set_direct(&self.source, true);
        let mut codes = CodesDigest::default();
        let mut space = Block::new();
        let mut at = 0;
        while at < self.before.bytes {
            if interrupt.is_set() {
                return Ok(None);
            }
            // The last block may be shorter; the file has whole pages, which are aligned.
            let length = usize::try_from(self.before.bytes - at).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
            let block = space.first(length);
            retry_through_the_cache(&self.source, || self.source.read_exact_at(block, at))?;
            if let Some(target) = target {
                retry_through_the_cache(target, || target.write_all_at(block, at))?;
            }
            codes.add(at / PAGE_BYTES + 1, block, &[FIRST_PAGE, self.stamp_page]);
            at += length as u64;
        }
        Ok(Some(codes.finish()))
    }
}

/// The page of the stamp, which a copy writes after it was made. The stamp is one row, so its table is one page.
pub(super) fn stamp_page(connection: &Connection) -> Result<u64, Error> {
    let page: i64 = connection.query_row(FIND_ROOT_PAGE, named_params! {":name": SNAPSHOT_STAMP.name}, only)?;
    u64::try_from(page).map_err(|_| Error::Damaged("the page of the stamp".into()))
}

/// Does direct work on `file`, and does it again through the page cache if this file system refuses that.
fn retry_through_the_cache(file: &File, mut work: impl FnMut() -> std::io::Result<()>) -> std::io::Result<()> {
    match work() {
        Err(error) if is_refusal(&error) => {
            set_direct(file, false);
            work()
        }
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    /// A live database with a table `t`, and the connection that writes it.
    struct Live {
        folder: TempDir,
        path: PathBuf,
        key: Secret<String>,
        writer: Connection,
    }

    impl Live {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (path, key) = (folder.path().join("live.sqlite"), Secret::new(format!("x'{}'", "1".repeat(64))));
            let writer = connection::open(&path, &key, Purpose::Write).unwrap();
            let stamp = SNAPSHOT_STAMP.name;
            writer
                .execute_batch(&format!("create table {stamp} (a); create table t (a); insert into t values (1)"))
                .unwrap();
            Self { folder, path, key, writer }
        }

        fn insert(&self) {
            self.writer.execute_batch("insert into t values (2)").unwrap();
        }

        fn freezer(&self) -> Freezer {
            Freezer::new(&self.path, &self.key).unwrap()
        }

        fn freeze(&self) -> Frozen {
            let freezer = self.freezer();
            assert!(freezer.freeze().unwrap());
            freezer.into_frozen(&self.path).unwrap()
        }

        /// The rows of a copy.
        fn rows(&self, path: &Path) -> i64 {
            let copy = connection::open(path, &self.key, Purpose::Read).unwrap();
            copy.query_row("select count(*) from t", [], only).unwrap()
        }

        fn log_bytes(&self) -> u64 {
            std::fs::metadata(self.folder.path().join("live.sqlite-wal")).unwrap().len()
        }
    }

    #[test]
    fn an_open_read_that_needs_old_pages_keeps_the_file_from_being_frozen() {
        let live = Live::new();
        let freezer = live.freezer();
        assert!(freezer.move_log().unwrap());
        let reader = connection::open(&live.path, &live.key, Purpose::Read).unwrap();
        reader.execute_batch("begin; select * from t").unwrap();
        live.insert();

        assert_eq!((freezer.move_log().unwrap(), freezer.freeze().unwrap()), (false, false));
        assert!(!freezer.empty_log().unwrap() && live.log_bytes() > 0);

        reader.execute_batch("commit").unwrap();
        assert!(freezer.move_log().unwrap() && live.log_bytes() > 0);
        assert!(freezer.empty_log().unwrap() && live.log_bytes() == 0);
        assert!(freezer.freeze().unwrap());
    }

    #[test]
    fn a_frozen_file_keeps_its_state_and_a_copy_of_it_is_complete() {
        let live = Live::new();
        // More than one block, and not a whole number of them.
        live.writer.execute_batch("insert into t values (zeroblob(2500000))").unwrap();
        let frozen = live.freeze();
        let bytes = std::fs::read(&live.path).unwrap();
        assert!(bytes.len() > 2 * BLOCK_BYTES && !bytes.len().is_multiple_of(BLOCK_BYTES));

        live.insert();
        assert!(!live.freezer().move_log().unwrap(), "the frozen read needs the old pages");
        let copy = live.folder.path().join("copy.sqlite");
        let codes = frozen.copy_to(&copy, &Interrupt::default()).unwrap();

        assert!(std::fs::read(&copy).unwrap() == bytes);
        let mut expected = CodesDigest::default();
        for (index, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
            expected.add((index * BLOCK_BYTES) as u64 / PAGE_BYTES + 1, block, &[1, frozen.stamp_page]);
        }
        assert_eq!(codes, expected.finish());
        assert_eq!(live.rows(&copy), 2);
        drop(frozen);
        assert!(live.freezer().move_log().unwrap());
    }

    #[test]
    fn a_copy_is_refused_if_it_exists_is_interrupted_or_the_file_changes() {
        let live = Live::new();
        let frozen = live.freeze();
        let copy = |name: &str| live.folder.path().join(name);
        std::fs::write(copy("old"), "kept").unwrap();
        assert!(matches!(frozen.copy_to(&copy("old"), &Interrupt::default()), Err(Error::File { .. })));
        assert_eq!(std::fs::read(copy("old")).unwrap(), b"kept");

        let interrupt = Interrupt::default();
        interrupt.set();
        assert!(matches!(frozen.copy_to(&copy("interrupted"), &interrupt), Err(Error::Stopped)));

        // Another program writes into the file.
        let mut file = File::options().append(true).open(&live.path).unwrap();
        file.write_all(&[0; 4096]).unwrap();
        assert!(matches!(frozen.copy_to(&copy("changed"), &Interrupt::default()), Err(Error::Damaged(_))));
    }

    #[test]
    fn each_live_file_is_opened_once() {
        let (one, two) = (Live::new(), Live::new());
        let [first, again, other] = [&one, &one, &two].map(|live| source(&live.path).unwrap());

        assert!(Arc::ptr_eq(&first, &again) && !Arc::ptr_eq(&first, &other));
        assert!(State::of(&first).unwrap() == State::of(&again).unwrap());
    }

    #[test]
    fn refused_direct_work_is_done_again_and_other_errors_are_returned() {
        let live = Live::new();
        let file = File::open(&live.path).unwrap();
        let run = |errors: &[Errno]| {
            let mut left = errors.iter();
            let done = retry_through_the_cache(&file, || left.next().map_or(Ok(()), |error| Err((*error).into())));
            (done.is_ok(), left.len())
        };

        assert_eq!(run(&[]), (true, 0));
        assert_eq!(run(&[Errno::INVAL]), (true, 0));
        assert_eq!(run(&[Errno::INVAL, Errno::INVAL]), (false, 0));
        assert_eq!(run(&[Errno::IO, Errno::IO]), (false, 1));
    }
}
