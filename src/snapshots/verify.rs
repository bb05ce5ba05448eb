//! Three checks on a file that does not change: its pages are authentic, they are consistent, and their content is
//! correct.
//!
//! Each check finds what the previous one cannot find. A torn copy has only authentic pages. Pages of two moments can
//! even pass SQLite's own integrity check; then only the ledger and the audit chain show the damage.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::error::Damage;
use super::model::{Report, Stamp};
use super::store;
use crate::audit;
use crate::base::Timestamp;
use crate::billing::ledger;
use crate::db::{self, FileCopy, MIGRATIONS_COUNT, PAGE_BYTES, Site};
use crate::journal::{self, TableState};

/// The first bytes of an unencrypted SQLite file.
const PLAIN_MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Verifies a published snapshot or a copy of one. Changes neither the file nor its folder. Needs only the file and the
/// keyring. Reads the whole file: about one second per 200 MB.
///
/// # Errors
/// The first [`Damage`] found, in the order of the checks.
pub fn verify_file(path: &Path, site: &Arc<Site>, now: Timestamp) -> Result<Report, Damage> {
    let bytes = check_header(path)?;
    let copy = FileCopy::open(path, site, now)?;
    check_pages(&copy, bytes, site)?;
    check_structure(&copy, bytes)?;
    check_content(&copy, bytes)
}

fn check_header(path: &Path) -> Result<u64, Damage> {
    let mut file = std::fs::File::open(path).map_err(Damage::Unreadable)?;
    let metadata = file.metadata().map_err(Damage::Unreadable)?;
    if !metadata.is_file() {
        return Err(Damage::NotADatabase);
    }
    let mut head = [0u8; 16];
    match file.read_exact(&mut head) {
        Err(_) if metadata.len() == 0 => Err(Damage::Empty),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(Damage::NotADatabase),
        Err(error) => Err(Damage::Unreadable(error)),
        Ok(()) if head == *PLAIN_MAGIC => Err(Damage::NotEncrypted),
        Ok(()) if metadata.len() < PAGE_BYTES => Err(Damage::NotADatabase),
        Ok(()) => Ok(metadata.len()),
    }
}

fn check_pages(copy: &FileCopy, bytes: u64, site: &Site) -> Result<(), Damage> {
    let is_truncated = !bytes.is_multiple_of(PAGE_BYTES);
    let faults = copy.forged_pages()?;
    let forged: Vec<u64> = faults.iter().filter_map(|fault| forged_page(fault)).collect();
    match forged.first() {
        Some(_) if forged.len() as u64 == bytes / PAGE_BYTES => {
            Err(if is_truncated { Damage::NotADatabase } else { Damage::WrongKey { keyring: site.keyring.id() } })
        }
        Some(first) => {
            Err(Damage::Pages { count: forged.len(), from: (first - 1) * PAGE_BYTES, to: first * PAGE_BYTES - 1 })
        }
        None if is_truncated => Err(Damage::Truncated { bytes }),
        None => faults.into_iter().next().map_or(Ok(()), |fault| Err(Damage::Structure(fault))),
    }
}

/// The number at the end of `HMAC verification failed for page 4`. `None`: another message.
fn forged_page(fault: &str) -> Option<u64> {
    fault.strip_prefix("HMAC ")?.rsplit(' ').next()?.parse().ok()
}

fn check_structure(copy: &FileCopy, bytes: u64) -> Result<(), Damage> {
    // Every page of the file is authentic. If SQLite still does not accept the first page, pages are missing.
    copy.prepare().map_err(|_| Damage::Truncated { bytes })?;
    let found = copy.schema_version()?;
    if found > MIGRATIONS_COUNT {
        return Err(Damage::Newer { found, known: MIGRATIONS_COUNT });
    }
    if let Some(fault) = copy.structure_fault()? {
        return Err(Damage::Structure(fault));
    }
    copy.dangling_table()?.map_or(Ok(()), |table| Err(Damage::Dangling(table)))
}

fn check_content(copy: &FileCopy, bytes: u64) -> Result<Report, Damage> {
    let view = copy.view();
    let site = db::find_stamp(&view)?.ok_or(Damage::NotASnapshot)?;
    let stamp = store::find(&view)?.ok_or(Damage::NotASnapshot)?;
    let audit = audit::verify(&view)?;
    let ledger = ledger::check(&view)?;
    let tombstone_seq = match journal::check_table(&view)? {
        TableState::Intact(head) => head.seq,
        TableState::BrokenAt(seq) => return Err(Damage::Journal { seq }),
    };

    let actual = Stamp {
        schema_version: i64::try_from(copy.schema_version()?).unwrap_or(i64::MAX),
        keyring_id: view.site().keyring.id(),
        audit_seq: audit.events,
        audit_head: audit.head,
        tombstone_seq,
        ..stamp.clone()
    };
    if actual != stamp {
        return Err(Damage::WrongStamp { stamped: summary(&stamp), actual: summary(&actual) });
    }
    Ok(Report {
        stamp,
        region: site.region,
        site_id: site.site_id,
        bytes,
        rows: copy.row_counts()?,
        audit_events: audit.events,
        ledger_transactions: ledger.transactions,
    })
}

fn summary(stamp: &Stamp) -> String {
    format!(
        "schema {}, keyring {}, {} audit events up to {}, {} journal entries",
        stamp.schema_version,
        stamp.keyring_id,
        stamp.audit_seq,
        hex::encode(&stamp.audit_head[..4]),
        stamp.tombstone_seq
    )
}
