//! Says what is wrong with the live database after something could not read it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use super::error::Damage;
use super::verify::{check_header, check_pages, check_records, check_structure};
use crate::base::Timestamp;
use crate::db::{self, FileCopy, Interrupt, Layout, SALT_BYTES, Site};

/// How long to wait until nobody has the database open: the threads of a server that stops need a moment.
const USERS_WAIT_MAX: Duration = Duration::from_secs(3);

/// What is wrong with the live database, as exactly as the file tells. Reads the whole file; changes nothing. `None`:
/// nothing is wrong with it, another process uses it, it cannot be read now, or the keyring is of another appliance.
pub fn find_live_damage(layout: &Layout, site: &Arc<Site>, now: Timestamp) -> Option<Damage> {
    // Nobody may write the file meanwhile.
    let _users = db::lock_file_within(&layout.users_lock(), USERS_WAIT_MAX).ok()?;
    match check_live(layout, site, now) {
        Ok(()) | Err(Damage::WrongKey { .. } | Damage::Newer { .. } | Damage::Unreadable(_)) => None,
        Err(damage) => Some(damage),
    }
}

fn check_live(layout: &Layout, site: &Arc<Site>, now: Timestamp) -> Result<(), Damage> {
    let live = layout.live();
    let file = db::live_file(&live)?;
    check_header(&file)?;
    let key = site.keyring.database_key_hex();
    let read = |salt| db::read_pages_of(&file, &live, &key, salt, &Interrupt::default());
    let pages = read(None)?;
    if pages.forged == pages.pages
        && let Some(salt) = published_salt(layout)
        && let with_salt = read(Some(salt))?
        && with_salt.forged < with_salt.pages
    {
        // The salt in the first page is wrong, and the key of all codes is derived from it.
        return Err(Damage::Pages { count: with_salt.forged + 1, from: 0, to: db::PAGE_BYTES - 1, tables: Vec::new() });
    }
    check_pages(&pages, site, || FileCopy::unreadable_tables(|| FileCopy::open_live(layout, site, now)))?;
    let copy = FileCopy::open_live(layout, site, now).map_err(|_| Damage::Truncated { bytes: pages.bytes })?;
    check_structure(&copy, pages.bytes, true)?;
    check_records(&copy.view(), None).map(drop)
}

/// A snapshot has the salt of the live database.
fn published_salt(layout: &Layout) -> Option<[u8; SALT_BYTES]> {
    let mut salt = [0; SALT_BYTES];
    File::open(layout.snapshot()).and_then(|file| file.read_exact_at(&mut salt, 0)).ok()?;
    Some(salt)
}
