//! The counters of the throttle in the database.

use std::time::Duration;

use super::super::model::{Bucket, Counter};
use super::super::store;
use crate::db::{Error, Tx, View};

/// Buckets are stored by a keyed digest: the table names no person.
fn digest_of(view: &View<'_>, bucket: &Bucket) -> [u8; 32] {
    view.site().keyring.lookup(format!("throttle:{}", bucket.key()).as_bytes())
}

/// `None`: there is nothing to wait for.
pub(super) fn wait_of(view: &View<'_>, bucket: &Bucket) -> Result<Option<Duration>, Error> {
    let counter = store::find_throttle(view, &digest_of(view, bucket))?;
    Ok(counter.and_then(|counter| counter.wait(view.now())))
}

pub(super) fn count(tx: &mut Tx<'_>, bucket: &Bucket) -> Result<(), Error> {
    let digest = digest_of(tx, bucket);
    let next = Counter::next(store::find_throttle(tx, &digest)?, bucket, tx.now());
    store::insert_throttle(tx, &digest, &next)
}

pub(super) fn forget(tx: &mut Tx<'_>, bucket: &Bucket) -> Result<(), Error> {
    let digest = digest_of(tx, bucket);
    store::delete_throttle(tx, &digest)
}
