//! Checks on a file that does not change: its pages are authentic and of one moment, they are consistent, and their
//! content is correct. Each check finds what the previous one cannot find.
//!
//! | check | a new snapshot | every night (also a copy of the live database), at a restore, by `domicile verify` |
//! |---|---|---|
//! | authentication code of each page | all pages | all pages |
//! | the pages are those of the stamp: no mixture of two moments | all pages | all pages |
//! | audit, ledger and balances | what follows the published snapshot | from the beginning |
//! | journal, stamp | all | all |
//! | structure of tables and indexes, foreign keys | no | all |
//!
//! So each published snapshot is a true copy of the pages, and what was added since the one before is correct: it must
//! continue the audit at exactly the event where that one ended, and its balances are that one's plus what was posted
//! since. Damage by which an old row or an index changed without a wrong page, which takes a fault of the program or an
//! attacker with the key, is found in the night. If the check of what is new finds a fault, or the published snapshot
//! cannot be read, the whole is checked.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::error::Damage;
use super::model::{Report, Stamp};
use super::store;
use crate::audit::{self, AuditSummary};
use crate::base::Timestamp;
use crate::billing::ledger::{self, LedgerSummary};
use crate::db::{self, FileCopy, Interrupt, MIGRATIONS_COUNT, PAGE_BYTES, PageSummary, Site, View};
use crate::journal::{self, TableState};

/// The first bytes of an unencrypted SQLite file.
const PLAIN_MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A file that was verified.
pub(super) struct Verified {
    pub report: Report,
    pub sha256: [u8; 32],
}

/// A published snapshot that a new one continues.
pub(super) struct Base {
    copy: FileCopy,
    stamp: Stamp,
}

impl Base {
    /// Opens the snapshot at `path`. `None`: there is none, or it cannot be used, so that a new one is verified as a
    /// whole.
    pub(super) fn open(path: &Path, site: &Arc<Site>, now: Timestamp) -> Option<Self> {
        if !path.exists() {
            return None;
        }
        let open = || {
            let copy = FileCopy::open(path, site, now)?;
            copy.prepare()?;
            let stamp = store::find(&copy.view())?;
            Ok::<_, db::Error>((copy, stamp))
        };
        match open() {
            Ok((copy, Some(stamp))) if stamp.codes_digest.is_some() => Some(Self { copy, stamp }),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "The published snapshot cannot be read, so the new one is verified as a whole.");
                None
            }
        }
    }
}

/// Verifies a published snapshot or a copy of one, as a whole. Changes neither the file nor its folder. Needs only the
/// file and the keyring. Reads the whole file: about one second per 200 MB.
///
/// # Errors
/// The first [`Damage`] found, in the order of the checks.
pub fn verify_file(path: &Path, site: &Arc<Site>, now: Timestamp) -> Result<Report, Damage> {
    verify_whole(path, site, now, &Interrupt::default()).map(|verified| verified.report)
}

/// As [`verify_file`], and can be interrupted.
pub(super) fn verify_whole(
    path: &Path,
    site: &Arc<Site>,
    now: Timestamp,
    interrupt: &Interrupt,
) -> Result<Verified, Damage> {
    verify(path, site, now, None, interrupt)
}

/// Verifies a new snapshot: its pages, and what follows the published one.
pub(super) fn verify_new(
    path: &Path,
    site: &Arc<Site>,
    now: Timestamp,
    base: Option<&Base>,
    interrupt: &Interrupt,
) -> Result<Verified, Damage> {
    match verify(path, site, now, base, interrupt) {
        // The published snapshot itself may be what is damaged.
        Err(_) if base.is_some() && !interrupt.is_set() => verify_whole(path, site, now, interrupt),
        verified => verified,
    }
}

fn verify(
    path: &Path,
    site: &Arc<Site>,
    now: Timestamp,
    base: Option<&Base>,
    interrupt: &Interrupt,
) -> Result<Verified, Damage> {
    check_header(&File::open(path).map_err(Damage::Unreadable)?)?;
    let copy = FileCopy::open(path, site, now)?;
    copy.end_with(interrupt)?;
    let pages = db::read_pages(path, &site.keyring.database_key_hex(), interrupt)?;
    check_pages(&pages, site, || FileCopy::unreadable_tables(|| FileCopy::open(path, site, now)))?;
    check_structure(&copy, pages.bytes, base.is_none())?;
    Ok(Verified { report: check_content(path, &copy, &pages, base)?, sha256: pages.sha256 })
}

pub(super) fn check_header(file: &File) -> Result<(), Damage> {
    let metadata = file.metadata().map_err(Damage::Unreadable)?;
    if !metadata.is_file() {
        return Err(Damage::NotADatabase);
    }
    let mut head = [0u8; 16];
    match file.read_exact_at(&mut head, 0) {
        Err(_) if metadata.len() == 0 => Err(Damage::Empty),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(Damage::NotADatabase),
        Err(error) => Err(Damage::Unreadable(error)),
        Ok(()) if head == *PLAIN_MAGIC => Err(Damage::NotEncrypted),
        Ok(()) if metadata.len() < PAGE_BYTES => Err(Damage::NotADatabase),
        Ok(()) => Ok(()),
    }
}

/// `unreadable`: the tables that cannot be read. They are looked for when a page is damaged.
pub(super) fn check_pages(
    pages: &PageSummary,
    site: &Site,
    unreadable: impl FnOnce() -> Vec<String>,
) -> Result<(), Damage> {
    let is_truncated = !pages.bytes.is_multiple_of(PAGE_BYTES);
    match pages.first_forged {
        Some(_) if pages.forged == pages.pages => {
            Err(if is_truncated { Damage::NotADatabase } else { Damage::WrongKey { keyring: site.keyring.id() } })
        }
        Some(first) => {
            let (from, to) = ((first - 1) * PAGE_BYTES, first * PAGE_BYTES - 1);
            Err(Damage::Pages { count: pages.forged, from, to, tables: unreadable() })
        }
        None if is_truncated => Err(Damage::Truncated { bytes: pages.bytes }),
        None => Ok(()),
    }
}

pub(super) fn check_structure(copy: &FileCopy, bytes: u64, is_whole: bool) -> Result<(), Damage> {
    // Every page of the file is authentic. If SQLite still does not accept the first page, pages are missing.
    copy.prepare().map_err(|_| Damage::Truncated { bytes })?;
    let found = copy.schema_version()?;
    if found > MIGRATIONS_COUNT {
        return Err(Damage::Newer { found, known: MIGRATIONS_COUNT });
    }
    if !is_whole {
        return Ok(());
    }
    if let Some(fault) = copy.structure_fault()? {
        return Err(Damage::Structure(fault));
    }
    copy.dangling_table()?.map_or(Ok(()), |table| Err(Damage::Dangling(table)))
}

fn check_content(path: &Path, copy: &FileCopy, pages: &PageSummary, base: Option<&Base>) -> Result<Report, Damage> {
    let view = copy.view();
    let schema = copy.schema_version()?;
    let site = db::find_stamp(&view)?.ok_or(Damage::NotASnapshot)?;
    let stamp = store::find(&view)?.ok_or(Damage::NotASnapshot)?;
    let (audit, ledger) = check_records(&view, base)?;
    let tombstone_seq = match journal::check_table(&view)? {
        TableState::Intact(head) => head.seq,
        TableState::BrokenAt(seq) => return Err(Damage::Journal { seq }),
    };

    let actual = Stamp {
        schema_version: i64::try_from(schema).unwrap_or(i64::MAX),
        keyring_id: view.site().keyring.id(),
        audit_seq: audit.events,
        audit_head: audit.head,
        tombstone_seq,
        // Stamps of older schemas do not have it.
        ledger_seq: stamp.codes_digest.map_or(0, |_| ledger.transactions),
        ..stamp.clone()
    };
    if actual != stamp {
        return Err(Damage::WrongStamp { stamped: summary(&stamp), actual: summary(&actual) });
    }
    if let Some(digest) = stamp.codes_digest
        && digest != pages.codes_without(path, copy.stamp_page()?)?
    {
        return Err(Damage::Mixed);
    }
    Ok(Report {
        stamp,
        region: site.region,
        site_id: site.site_id,
        bytes: pages.bytes,
        rows: copy.row_counts()?,
        epoch: audit.epochs.last().map_or(1, |epoch| epoch.number),
        audit_events: audit.events,
        ledger_transactions: ledger.transactions,
    })
}

/// Checks audit and ledger: what follows `base`, or everything.
pub(super) fn check_records(view: &View<'_>, base: Option<&Base>) -> Result<(AuditSummary, LedgerSummary), Damage> {
    match base {
        None => Ok((audit::verify(view)?, ledger::check(view)?)),
        Some(Base { copy, stamp }) => Ok((
            audit::verify_since(view, stamp.audit_seq, stamp.audit_head)?,
            ledger::check_since(view, &copy.view(), stamp.ledger_seq)?,
        )),
    }
}

fn summary(stamp: &Stamp) -> String {
    format!(
        "schema {}, keyring {}, {} audit events up to {}, {} ledger transactions, {} journal entries",
        stamp.schema_version,
        stamp.keyring_id,
        stamp.audit_seq,
        hex::encode(&stamp.audit_head[..4]),
        stamp.ledger_seq,
        stamp.tombstone_seq
    )
}
