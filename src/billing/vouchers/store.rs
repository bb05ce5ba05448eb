//! All SQL of vouchers. The checks and triggers of its migration refuse a use too many.

use std::time::Duration;

use rusqlite::named_params;

use super::model::{Batch, StoredCode, VoucherKind};
use super::tables::{VOUCHER_BATCH, VOUCHER_CODE, VOUCHER_REDEMPTION};
use crate::base::{AccountId, Timestamp, TransactionId, VoucherBatchId, VoucherCodeId, WorkspaceId, seconds};
use crate::db::{Error, Tx, View, by_name, columns, insert, only, sql, values};

const INSERT_BATCH: &str = insert!(VOUCHER_BATCH);
const INSERT_CODE: &str = insert!(VOUCHER_CODE);
const INSERT_REDEMPTION: &str = insert!(VOUCHER_REDEMPTION);
const LIST_BATCHES: &str = sql!(
    "select ",
    columns!(VOUCHER_BATCH as "b"),
    ", (select sum(uses) from voucher_code where batch_id = b.id) as uses
    from voucher_batch b
    order by b.created_at desc, b.id desc"
);
const IS_ACTIVE: &str = "select revoked_at is null from voucher_batch where id = :id";
const UPDATE_REVOKED: &str = "update voucher_batch set revoked_at = :now where id = :id and revoked_at is null";
const CODE: &str = "
    select c.id, c.batch_id, b.kind, b.reason, b.amount_micro, b.uses_per_account, b.credit_seconds, b.expires_at, b.revoked_at
    from voucher_code c join voucher_batch b on b.id = c.batch_id ";
const FIND_CODE: &str = sql!(CODE, "where c.lookup = :lookup");
const FIND_CODE_BY_ID: &str = sql!(CODE, "where c.id = :id");
const UPDATE_USED: &str = "update voucher_code set uses = uses + 1 where id = :id and uses < uses_max";
const COUNT_USES: &str = "
    select count(*) from voucher_redemption where code_id = :code_id and account_id = :account_id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT_BATCH,
    INSERT_CODE,
    INSERT_REDEMPTION,
    LIST_BATCHES,
    IS_ACTIVE,
    UPDATE_REVOKED,
    FIND_CODE,
    FIND_CODE_BY_ID,
    UPDATE_USED,
    COUNT_USES,
];

/// As the schema stores it.
fn whole_seconds(time: Option<Duration>) -> Option<i64> {
    time.map(|time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

fn duration(stored: Option<i64>) -> Option<Duration> {
    stored.map(|stored| seconds(u64::try_from(stored).unwrap_or_default()))
}

pub(super) fn insert_batch(tx: &mut Tx<'_>, batch: &Batch) -> Result<(), Error> {
    tx.execute(
        INSERT_BATCH,
        values!(VOUCHER_BATCH => {
            id: batch.id,
            kind: batch.kind.as_str(),
            reason: batch.reason,
            amount_micro: batch.amount,
            codes: batch.codes,
            uses_max: batch.uses_max,
            uses_per_account: batch.uses_per_account,
            credit_seconds: whole_seconds(batch.credit_lasts),
            created_at: batch.created_at,
            expires_at: batch.expires_at,
        }),
    )?;
    Ok(())
}

pub(super) fn insert_code(tx: &mut Tx<'_>, id: VoucherCodeId, batch: &Batch, lookup: &[u8; 32]) -> Result<(), Error> {
    tx.execute(
        INSERT_CODE,
        values!(VOUCHER_CODE => { id: id, batch_id: batch.id, lookup: lookup, uses_max: batch.uses_max }),
    )?;
    Ok(())
}

/// All batches, the newest first.
///
/// # Errors
/// [`Error`].
pub fn list_batches(view: &View<'_>) -> Result<Vec<Batch>, Error> {
    view.list(LIST_BATCHES, [], |row| {
        by_name!(row, LIST_BATCHES =>
            id, kind, reason, amount_micro, codes, uses_max, uses_per_account, credit_seconds, created_at, expires_at,
            revoked_at, uses);
        Ok(Batch {
            id: id.get()?,
            kind: kind.parse(VoucherKind::parse)?,
            reason: reason.get()?,
            amount: amount_micro.get()?,
            codes: codes.get()?,
            uses_max: uses_max.get()?,
            uses_per_account: uses_per_account.get()?,
            credit_lasts: duration(credit_seconds.get()?),
            created_at: created_at.get()?,
            expires_at: expires_at.get()?,
            revoked_at: revoked_at.get()?,
            uses: uses.get()?,
        })
    })
}

/// Whether a batch is not revoked. `None`: there is no such batch.
pub(super) fn is_active(view: &View<'_>, id: VoucherBatchId) -> Result<Option<bool>, Error> {
    view.find(IS_ACTIVE, named_params! {":id": id}, only)
}

/// Revokes a batch. Returns how many changed: none if there is no such one, or it was revoked before.
pub(super) fn update_revoked(tx: &mut Tx<'_>, id: VoucherBatchId) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(UPDATE_REVOKED, named_params! {":id": id, ":now": now})
}

fn read_code(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredCode> {
    by_name!(row, FIND_CODE =>
        id, batch_id, kind, reason, amount_micro, uses_per_account, credit_seconds, expires_at, revoked_at);
    Ok(StoredCode {
        id: id.get()?,
        batch: batch_id.get()?,
        kind: kind.parse(VoucherKind::parse)?,
        reason: reason.get()?,
        amount: amount_micro.get()?,
        uses_per_account: uses_per_account.get()?,
        credit_lasts: duration(credit_seconds.get()?),
        expires_at: expires_at.get()?,
        revoked_at: revoked_at.get()?,
    })
}

/// The code with this digest. `None`: there is none.
pub(super) fn find_code(view: &View<'_>, lookup: &[u8; 32]) -> Result<Option<StoredCode>, Error> {
    view.find(FIND_CODE, named_params! {":lookup": lookup}, read_code)
}

/// The code with this id. `None`: there is none.
pub(super) fn find_code_by_id(view: &View<'_>, id: VoucherCodeId) -> Result<Option<StoredCode>, Error> {
    view.find(FIND_CODE_BY_ID, named_params! {":id": id}, read_code)
}

/// Takes one use of a code. `false`: none is left.
pub(super) fn update_used(tx: &mut Tx<'_>, id: VoucherCodeId) -> Result<bool, Error> {
    Ok(tx.execute(UPDATE_USED, named_params! {":id": id})? > 0)
}

/// How often an account has redeemed a code.
pub(super) fn count_uses(view: &View<'_>, code: VoucherCodeId, account: AccountId) -> Result<u32, Error> {
    view.one(COUNT_USES, named_params! {":code_id": code, ":account_id": account}, only)
}

/// A redemption: the use of a code by an account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Redemption {
    pub code: VoucherCodeId,
    pub account: AccountId,
    pub workspace: WorkspaceId,
    /// Counts the uses of the code by the account, from 1.
    pub n: u32,
    pub at: Timestamp,
}

pub(super) fn insert_redemption(
    tx: &mut Tx<'_>,
    redemption: &Redemption,
    transaction: TransactionId,
) -> Result<(), Error> {
    tx.execute(
        INSERT_REDEMPTION,
        values!(VOUCHER_REDEMPTION => {
            tx_id: transaction,
            code_id: redemption.code,
            n: redemption.n,
            redeemed_at: redemption.at,
            account_id: redemption.account,
            workspace_id: redemption.workspace,
        }),
    )?;
    Ok(())
}
