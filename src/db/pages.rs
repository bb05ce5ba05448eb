//! Reads the encrypted pages of a file that nobody changes, without SQLite: in one pass, past the page cache, and so that
//! it can be ended early.
//!
//! A page of SQLCipher 4 is: content, an initialisation vector of 16 bytes, and an authentication code of 64 bytes
//! (HMAC-SHA-512 of both and of the number of the page). The first page begins with the salt instead of content. The key
//! of the codes is derived from the database key and the salt. A test compares the result with SQLCipher's own check.
//!
//! A file that is mixed from two moments has only authentic pages. So there is a digest of all codes: each version of a
//! page has another code, and the digest names exactly one version of each page.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256, Sha512};

use super::{Error, Interrupt};
use crate::base::Secret;

/// Size of a page of SQLCipher 4, in bytes.
pub const PAGE_BYTES: u64 = 4096;
const PAGE: usize = 4096;
/// Size of the salt at the beginning of a file.
pub const SALT_BYTES: usize = 16;
/// The authentication code at the end of each page.
const CODE: usize = 64;
/// Bytes that are read and written at once.
pub(super) const BLOCK_BYTES: usize = 1 << 20;
const PAGES_OF_A_BLOCK: u64 = (BLOCK_BYTES / PAGE) as u64;

/// A buffer for reads and writes past the page cache, which must begin at a multiple of the block size of the disk.
pub(super) struct Block {
    space: Vec<u8>,
    start: usize,
}

impl Block {
    pub(super) fn new() -> Self {
        let space = vec![0u8; BLOCK_BYTES + PAGE];
        let start = space.as_ptr().align_offset(PAGE);
        Self { space, start }
    }

    pub(super) fn first(&mut self, bytes: usize) -> &mut [u8] {
        &mut self.space[self.start..self.start + bytes]
    }
}

/// Makes reads and writes of `file` go past the page cache, or not. `false`: the file system cannot do it.
pub(super) fn set_direct(file: &File, is_direct: bool) -> bool {
    let flags = fcntl_getfl(file).map(|flags| if is_direct { flags | OFlags::DIRECT } else { flags - OFlags::DIRECT });
    flags.and_then(|flags| fcntl_setfl(file, flags)).is_ok()
}

/// Whether this file system accepts the flag for direct reads and then refuses the reads.
pub(super) fn is_refusal(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(Errno::INVAL.raw_os_error())
}

/// The digest of the authentication codes of all pages except some. It is made of one digest for each block, so that a
/// page can be left out later without reading the others again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CodesDigest {
    blocks: Vec<[u8; 32]>,
}

impl CodesDigest {
    /// Adds the next block. `first`: the number of its first page, from 1. `except`: pages that are left out.
    pub(super) fn add(&mut self, first: u64, block: &[u8], except: &[u64]) {
        self.blocks.push(codes_of(first, block, except));
    }

    pub(super) fn finish(&self) -> [u8; 32] {
        Sha256::digest(self.blocks.as_flattened()).into()
    }
}

fn codes_of(first: u64, block: &[u8], except: &[u64]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (number, page) in (first..).zip(block.chunks_exact(PAGE)).filter(|(number, _)| !except.contains(number)) {
        hash.update(number.to_le_bytes());
        hash.update(&page[PAGE - CODE..]);
    }
    hash.finalize().into()
}

/// The first page of a file, which changes with every write. No digest of codes has it.
pub(super) const FIRST_PAGE: u64 = 1;

/// The page at the first gigabyte, which SQLite locks and never writes (sqlite.org/fileformat2.html#the_lock_byte_page).
/// It has no authentication code.
const LOCK_BYTE_PAGE: u64 = (1 << 30) / PAGE_BYTES + 1;

/// What one pass over a file found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PageSummary {
    pub bytes: u64,
    /// Whole pages of the file.
    pub pages: u64,
    /// How many of them have a wrong authentication code: damaged, or written with another key.
    pub forged: u64,
    /// The number of the first of those, from 1.
    pub first_forged: Option<u64>,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    codes: CodesDigest,
}

impl PageSummary {
    /// The digest of the authentication codes of all pages except the first and `page`, of the same file.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn codes_without(&self, path: &Path, page: u64) -> Result<[u8; 32], Error> {
        let file_error = |error| Error::file(path, error);
        let index = (page.max(FIRST_PAGE) - 1) / PAGES_OF_A_BLOCK;
        let at = index * BLOCK_BYTES as u64;
        let length = usize::try_from(self.bytes.saturating_sub(at)).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        let mut block = vec![0u8; length];
        File::open(path).and_then(|file| file.read_exact_at(&mut block, at)).map_err(file_error)?;
        let mut codes = self.codes.clone();
        if let Some(digest) = usize::try_from(index).ok().and_then(|index| codes.blocks.get_mut(index)) {
            *digest = codes_of(index * PAGES_OF_A_BLOCK + 1, &block, &[FIRST_PAGE, page]);
        }
        Ok(codes.finish())
    }
}

/// Reads the whole file at `path` and checks the authentication code of each page with the database key, as 64
/// hexadecimal digits.
///
/// # Errors
/// [`Error::File`]; [`Error::Stopped`] when it was interrupted.
pub fn read_pages(path: &Path, key: &Secret<String>, interrupt: &Interrupt) -> Result<PageSummary, Error> {
    let file = File::open(path).map_err(|error| Error::file(path, error))?;
    read_pages_of(&file, path, key, None, interrupt)
}

/// As [`read_pages`], for an open file. `salt`: that of the first page, if the file may have a wrong one. `path` is for
/// errors.
///
/// # Errors
/// As [`read_pages`].
pub fn read_pages_of(
    file: &File,
    path: &Path,
    key: &Secret<String>,
    salt: Option<[u8; SALT_BYTES]>,
    interrupt: &Interrupt,
) -> Result<PageSummary, Error> {
    let file_error = |error| Error::file(path, error);
    let bytes = file.metadata().map_err(file_error)?.len();
    // Direct reads cannot end within a block.
    let mut is_direct = bytes.is_multiple_of(PAGE_BYTES) && set_direct(file, true);
    let codes = salt.and_then(|salt| code_key(key, &salt));
    let mut pass = Pass { codes, digest: CodesDigest::default(), sha256: Sha256::new(), forged: 0, first_forged: None };
    let mut block = Block::new();
    let mut at = 0;
    while at < bytes {
        if interrupt.is_set() {
            return Err(Error::Stopped);
        }
        let length = usize::try_from(bytes - at).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        let block = block.first(length);
        match file.read_exact_at(block, at) {
            Ok(()) => {}
            Err(error) if is_direct && is_refusal(&error) => {
                is_direct = false;
                set_direct(file, false);
                continue;
            }
            Err(error) => return Err(file_error(error)),
        }
        pass.read(at / PAGE_BYTES + 1, block, key);
        at += length as u64;
    }
    Ok(PageSummary {
        bytes,
        pages: bytes / PAGE_BYTES,
        forged: pass.forged,
        first_forged: pass.first_forged,
        sha256: pass.sha256.finalize().into(),
        codes: pass.digest,
    })
}

struct Pass {
    /// Known from the first page on, which has the salt, if no other salt was given.
    codes: Option<Hmac<Sha512>>,
    digest: CodesDigest,
    sha256: Sha256,
    forged: u64,
    first_forged: Option<u64>,
}

impl Pass {
    fn read(&mut self, first: u64, block: &[u8], key: &Secret<String>) {
        self.sha256.update(block);
        self.digest.add(first, block, &[FIRST_PAGE]);
        for (number, page) in (first..).zip(block.chunks_exact(PAGE)) {
            if number == 1 && self.codes.is_none() {
                self.codes = code_key(key, &page[..SALT_BYTES]);
            }
            let start = if number == 1 { SALT_BYTES } else { 0 };
            if number != LOCK_BYTE_PAGE
                && !self.codes.as_ref().is_some_and(|codes| is_authentic(codes, number, &page[start..]))
            {
                self.forged += 1;
                self.first_forged.get_or_insert(number);
            }
        }
    }
}

/// The key of the authentication codes: PBKDF2-HMAC-SHA-512 with two rounds, the first 32 bytes.
fn code_key(key: &Secret<String>, salt: &[u8]) -> Option<Hmac<Sha512>> {
    let raw = Secret::new(hex::decode(key.expose()).ok()?);
    let prf = Hmac::<Sha512>::new_from_slice(raw.expose()).ok()?;
    let mask = |byte: &u8| byte ^ 0x3a;
    let first = prf.clone().chain_update(salt.iter().map(mask).collect::<Vec<u8>>()).chain_update(1u32.to_be_bytes());
    let first = first.finalize().into_bytes();
    let second = prf.chain_update(first).finalize().into_bytes();
    let derived = Secret::new(first.iter().zip(second).map(|(a, b)| a ^ b).collect::<Vec<u8>>());
    Hmac::<Sha512>::new_from_slice(&derived.expose()[..32]).ok()
}

fn is_authentic(codes: &Hmac<Sha512>, number: u64, page: &[u8]) -> bool {
    let Ok(number) = u32::try_from(number) else { return false };
    let (signed, code) = page.split_at(page.len() - CODE);
    codes.clone().chain_update(signed).chain_update(number.to_le_bytes()).verify_slice(code).is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::base::Rng;

    const PAGES: u64 = 2 * PAGES_OF_A_BLOCK + 5;

    /// A file of random pages, and what one pass over it finds.
    fn noise() -> (tempfile::NamedTempFile, Vec<u8>, PageSummary) {
        let (file, mut rng) = (tempfile::NamedTempFile::new().unwrap(), Rng::seeded(17));
        let bytes: Vec<u8> = (0..PAGES).flat_map(|_| rng.bytes::<PAGE>()).collect();
        std::fs::write(file.path(), &bytes).unwrap();
        let key = Secret::new("0".repeat(64));
        let summary = read_pages(file.path(), &key, &Interrupt::default()).unwrap();
        (file, bytes, summary)
    }

    /// The digest of the codes of all pages except these, as the comment of [`CodesDigest`] describes it.
    fn digest_without(bytes: &[u8], except: &[u64]) -> [u8; 32] {
        let mut blocks = Sha256::new();
        for (block, pages) in bytes.chunks(1 << 20).enumerate() {
            let mut codes = Sha256::new();
            for (index, page) in pages.chunks(4096).enumerate() {
                let number = block as u64 * 256 + index as u64 + 1;
                if !except.contains(&number) {
                    codes.update(number.to_le_bytes());
                    codes.update(&page[4096 - 64..]);
                }
            }
            blocks.update(codes.finalize());
        }
        blocks.finalize().into()
    }

    #[test]
    fn a_page_can_be_left_out_of_the_digest_wherever_it_is() {
        let (file, bytes, summary) = noise();
        assert_eq!((summary.bytes, summary.pages), (PAGES * 4096, PAGES));
        assert_eq!((summary.forged, summary.first_forged), (PAGES, Some(1)));
        assert_eq!(summary.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)));

        let pages = [1, 2, 255, 256, 257, 258, 512, 513, PAGES];
        for page in pages {
            let expected = digest_without(&bytes, &[1, page]);
            assert_eq!(summary.codes_without(file.path(), page).unwrap(), expected, "page {page}");
        }
        // A number that no page has leaves out only the first page.
        let whole = digest_without(&bytes, &[1]);
        assert_eq!([0, PAGES + 1].map(|page| summary.codes_without(file.path(), page).unwrap()), [whole; 2]);
        let different: HashSet<_> = pages.iter().map(|page| digest_without(&bytes, &[1, *page])).collect();
        assert_eq!(different.len(), pages.len());
    }

    #[test]
    fn a_pass_that_is_interrupted_ends() {
        let (file, _, _) = noise();
        let interrupt = Interrupt::default();
        interrupt.set();

        let key = Secret::new("0".repeat(64));
        assert!(matches!(read_pages(file.path(), &key, &interrupt), Err(Error::Stopped)));
    }

    #[test]
    fn a_block_begins_at_a_whole_page_of_memory() {
        let mut block = Block::new();
        let all = block.first(BLOCK_BYTES);
        assert_eq!((all.as_ptr().align_offset(PAGE), all.len()), (0, BLOCK_BYTES));
    }

    #[test]
    fn only_an_invalid_argument_is_a_refusal_of_direct_work() {
        let error = |error: Errno| std::io::Error::from_raw_os_error(error.raw_os_error());
        assert!(is_refusal(&error(Errno::INVAL)));
        assert!(!is_refusal(&error(Errno::IO)) && !is_refusal(&std::io::ErrorKind::InvalidInput.into()));
    }

    #[test]
    fn direct_work_is_a_flag_of_the_open_file() {
        let (file, _, _) = noise();
        let file = File::open(file.path()).unwrap();
        let is_direct = || fcntl_getfl(&file).unwrap().contains(OFlags::DIRECT);

        // Some file systems cannot do it.
        let can_be_direct = set_direct(&file, true);
        assert_eq!((is_direct(), set_direct(&file, true), is_direct()), (can_be_direct, can_be_direct, can_be_direct));
        assert_eq!((set_direct(&file, false), is_direct()), (true, false));
    }

    #[test]
    fn the_page_that_sqlite_never_writes_needs_no_code() {
        let key = Secret::new("00".repeat(32));
        let forged = |number: u64| {
            let codes = code_key(&key, &[7; SALT_BYTES]);
            let (digest, sha256) = (CodesDigest::default(), Sha256::new());
            let mut pass = Pass { codes, digest, sha256, forged: 0, first_forged: None };
            pass.read(number - 1, &[0; 3 * PAGE], &key);
            (pass.forged, pass.first_forged)
        };

        assert_eq!(forged(262_145), (2, Some(262_144)));
        assert_eq!(forged(262_140), (3, Some(262_139)));
    }
}
