//! Three checks on a file that nobody writes: its pages are ours, they fit together, and what they say is true.
//!
//! Each finds what the one before cannot. A torn copy has only good pages, so authentication passes; pages of two moments
//! can even pass SQLite's own check, and then only the book and the audit do not add up.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::error::Damage;
use super::model::{Report, Stamp};
use super::store;
use crate::base::Timestamp;
use crate::billing::ledger;
use crate::db::{self, FileCopy, MIGRATIONS_COUNT, PAGE_BYTES, Site};
use crate::{audit, privacy};

/// What an SQLite file that nobody encrypted begins with.
const PLAIN_MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Checks a published snapshot, or any copy of one, and leaves it and its folder as they are. Needs nothing but the file
/// and the keyring. Reads all of it: about a second per 200 MB.
///
/// # Errors
/// The first [`Damage`] found, in the order of the checks.
pub fn verify_file(path: &Path, site: &Arc<Site>, now: Timestamp) -> Result<Report, Damage> {
    let bytes = look_from_outside(path)?;
    let copy = FileCopy::open(path, site, now)?;
    check_pages(&copy, bytes, site)?;
    check_structure(&copy, bytes)?;
    check_sense(&copy, bytes)
}

fn look_from_outside(path: &Path) -> Result<u64, Damage> {
    let mut file = std::fs::File::open(path).map_err(Damage::Unreadable)?;
    let about = file.metadata().map_err(Damage::Unreadable)?;
    if !about.is_file() {
        return Err(Damage::NotADatabase);
    }
    let mut head = [0u8; 16];
    match file.read_exact(&mut head) {
        Err(_) if about.len() == 0 => Err(Damage::Empty),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(Damage::NotADatabase),
        Err(error) => Err(Damage::Unreadable(error)),
        Ok(()) if head == *PLAIN_MAGIC => Err(Damage::NotEncrypted),
        Ok(()) if about.len() < PAGE_BYTES => Err(Damage::NotADatabase),
        Ok(()) => Ok(about.len()),
    }
}

fn check_pages(copy: &FileCopy, bytes: u64, site: &Site) -> Result<(), Damage> {
    let is_cut = !bytes.is_multiple_of(PAGE_BYTES);
    let faults = copy.forged_pages()?;
    let forged: Vec<u64> = faults.iter().filter_map(|fault| forged_page(fault)).collect();
    match forged.first() {
        Some(_) if forged.len() as u64 == bytes / PAGE_BYTES => {
            Err(if is_cut { Damage::NotADatabase } else { Damage::OtherKey { keyring: site.keyring.id() } })
        }
        Some(first) => {
            Err(Damage::Pages { count: forged.len(), from: (first - 1) * PAGE_BYTES, to: first * PAGE_BYTES - 1 })
        }
        None if is_cut => Err(Damage::Truncated { bytes }),
        None => faults.into_iter().next().map_or(Ok(()), |fault| Err(Damage::Structure(fault))),
    }
}

/// The page of `HMAC verification failed for page 4`. `None`: SQLCipher says something else.
fn forged_page(fault: &str) -> Option<u64> {
    fault.strip_prefix("HMAC ")?.rsplit(' ').next()?.parse().ok()
}

fn check_structure(copy: &FileCopy, bytes: u64) -> Result<(), Damage> {
    // Every page there is has passed, so a first page that SQLite does not take speaks of pages that are gone.
    copy.settle().map_err(|_| Damage::Truncated { bytes })?;
    let found = copy.schema_version()?;
    if found > MIGRATIONS_COUNT {
        return Err(Damage::Newer { found, known: MIGRATIONS_COUNT });
    }
    if let Some(fault) = copy.structure_fault()? {
        return Err(Damage::Structure(fault));
    }
    copy.dangling_table()?.map_or(Ok(()), |table| Err(Damage::Dangling(table)))
}

fn check_sense(copy: &FileCopy, bytes: u64) -> Result<Report, Damage> {
    let view = copy.view();
    let site = db::find_stamp(&view)?.ok_or(Damage::NotASnapshot)?;
    let stamp = store::find(&view)?.ok_or(Damage::NotASnapshot)?;
    let audited = audit::verify(&view)?;
    let booked = ledger::check(&view)?;
    let tombstone_seq = privacy::verify_tombstones(&view)?.map_err(|seq| Damage::Tombstone { seq })?;

    let found = Stamp {
        schema_version: i64::try_from(copy.schema_version()?).unwrap_or(i64::MAX),
        keyring_id: view.site().keyring.id(),
        audit_seq: audited.events,
        audit_head: audited.head,
        tombstone_seq,
        ..stamp.clone()
    };
    if found != stamp {
        return Err(Damage::OtherStamp { said: describe(&stamp), found: describe(&found) });
    }
    Ok(Report {
        stamp,
        region: site.region,
        site_id: site.site_id,
        bytes,
        rows: copy.row_counts()?,
        audit_events: audited.events,
        ledger_transactions: booked.transactions,
    })
}

fn describe(stamp: &Stamp) -> String {
    format!(
        "schema {}, keyring {}, {} audit events up to {}, {} tombstones",
        stamp.schema_version,
        stamp.keyring_id,
        stamp.audit_seq,
        hex::encode(&stamp.audit_head[..4]),
        stamp.tombstone_seq
    )
}
