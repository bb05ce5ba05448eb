//! Make, revoke and redeem codes.

use serde_json::json;

use super::super::events::BillingEvent;
use super::super::ledger::{self, Grant, PostedTransaction};
use super::super::model::REASON_CHARS_MAX;
use super::error::VoucherError;
use super::model::{Batch, CODES_MAX, NewBatch, NewCodes, StoredCode, USES_MAX, VoucherCode};
use super::store::{self, Redemption};
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor, Credits, Role, Secret, VoucherBatchId, VoucherCodeId};
use crate::db::{Decided, Decision, Tx, View};
use crate::{db, sessions, workspaces};

/// A batch that was made, with its codes, which can be shown only now.
#[derive(Clone, Debug)]
pub struct CreatedBatch {
    #[allow(missing_docs)]
    pub batch: Batch,
    #[allow(missing_docs)]
    pub codes: Vec<VoucherCode>,
}

/// The input of the look-up digest.
fn lookup_input(code: &VoucherCode) -> Vec<u8> {
    format!("voucher:{}", code.text()).into_bytes()
}

/// Makes codes that give credit.
///
/// # Errors
/// [`VoucherError::NotAllowed`] unless the actor is the operator; [`VoucherError::Reason`], [`VoucherError::Codes`],
/// [`VoucherError::Uses`], [`VoucherError::PromoTaken`]; [`VoucherError::Ledger`] if the amount is zero.
pub fn create(tx: &mut Tx<'_>, actor: &Actor, new: &NewBatch) -> Result<CreatedBatch, VoucherError> {
    if !matches!(actor, Actor::Operator) {
        return Err(VoucherError::NotAllowed);
    }
    let batch = batch_of(tx, new)?;
    let codes = match &new.codes {
        NewCodes::Vouchers(count) => (0..*count).map(|_| VoucherCode::generate(tx.rng())).collect(),
        NewCodes::Promo { code, .. } => vec![code.clone()],
    };
    store::insert_batch(tx, &batch)?;
    for code in &codes {
        if find(tx, code)?.is_some() {
            return Err(VoucherError::PromoTaken);
        }
        let (now, lookup) = (tx.now(), tx.site().keyring.lookup(&lookup_input(code)));
        let id = VoucherCodeId::new(now, tx.rng());
        store::insert_code(tx, id, &batch, &lookup)?;
    }
    let data = json!({
        "kind": batch.kind.as_str(),
        "amount": batch.amount.to_string(),
        "codes": batch.codes,
        "uses": batch.uses_max,
        "uses_per_account": batch.uses_per_account,
        "expires_at": batch.expires_at.map(|end| end.rfc3339()),
    });
    audit::record(tx, actor, Event::new(BillingEvent::VouchersCreated).target(batch.id).data(data))?;
    Ok(CreatedBatch { batch, codes })
}

fn batch_of(tx: &mut Tx<'_>, new: &NewBatch) -> Result<Batch, VoucherError> {
    let reason = new.reason.trim();
    if !(1..=REASON_CHARS_MAX).contains(&reason.chars().count()) {
        return Err(VoucherError::Reason);
    }
    if new.amount <= Credits::ZERO {
        return Err(ledger::LedgerError::NotPositive.into());
    }
    let (codes, uses_max, uses_per_account) = match new.codes {
        NewCodes::Vouchers(count) => (count, 1, 1),
        NewCodes::Promo { uses, uses_per_account, .. } => (1, uses, uses_per_account),
    };
    if !(1..=CODES_MAX).contains(&codes) {
        return Err(VoucherError::Codes);
    }
    if !(1..=USES_MAX).contains(&uses_max) || !(1..=uses_max).contains(&uses_per_account) {
        return Err(VoucherError::Uses);
    }
    let now = tx.now();
    Ok(Batch {
        id: VoucherBatchId::new(now, tx.rng()),
        kind: new.codes.kind(),
        reason: reason.to_owned(),
        amount: new.amount,
        codes,
        uses_max,
        uses_per_account,
        credit_lasts: new.credit_lasts,
        created_at: now,
        expires_at: new.lasts.map(|lasts| now.plus(lasts)),
        revoked_at: None,
        uses: 0,
    })
}

/// The code that was typed, under whatever pepper its digest is. `None`: there is none.
fn find(view: &View<'_>, code: &VoucherCode) -> Result<Option<StoredCode>, db::Error> {
    for lookup in view.site().keyring.lookups(&lookup_input(code)) {
        if let Some(found) = store::find_code(view, &lookup)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Ends all codes of a batch. Credit that they gave stays. Returns whether it was not revoked before.
///
/// # Errors
/// [`VoucherError::NotFound`], also when the actor is not the operator.
pub fn revoke(tx: &mut Tx<'_>, actor: &Actor, id: VoucherBatchId) -> Result<bool, VoucherError> {
    if !matches!(actor, Actor::Operator) {
        return Err(VoucherError::NotFound);
    }
    store::is_active(tx, id)?.ok_or(VoucherError::NotFound)?;
    if store::update_revoked(tx, id)? == 0 {
        return Ok(false);
    }
    audit::record(tx, actor, Event::new(BillingEvent::VouchersRevoked).target(id))?;
    Ok(true)
}

/// Gives the credit of a code to the workspace of the person who typed it.
///
/// A wrong code is counted, so its refusal is committed. Writes are serial, so of two people who use the last use at the same
/// moment one is refused.
///
/// # Errors
/// [`VoucherError::NotAllowed`] unless the actor is a person who manages the credit of the workspace;
/// [`VoucherError::Malformed`], [`VoucherError::Throttled`], [`VoucherError::AlreadyRedeemed`], [`VoucherError::Ledger`], which
/// change nothing; [`VoucherError::Refused`].
pub fn redeem(tx: &mut Tx<'_>, actor: &Actor, typed: &Secret<String>) -> Decided<PostedTransaction, VoucherError> {
    let Actor::SignedIn { account, workspace, .. } = actor else { return Err(VoucherError::NotAllowed) };
    if workspaces::role_of(tx, *workspace, *account)?.is_none_or(|role| role < Role::Admin) {
        return Err(VoucherError::NotAllowed);
    }
    let code = VoucherCode::parse(typed.expose()).map_err(VoucherError::Malformed)?;
    sessions::check_redemption::<VoucherError>(tx, actor, *account)?;
    let Some(code) = find(tx, &code)? else { return refuse(tx, actor, *account) };
    let before = store::count_uses(tx, code.id, *account)?;
    if before >= code.uses_per_account {
        return Err(VoucherError::AlreadyRedeemed);
    }
    if !code.is_valid(tx.now()) || !store::update_used(tx, code.id)? {
        return refuse(tx, actor, *account);
    }
    let at = tx.now();
    let redemption = Redemption { code: code.id, account: *account, workspace: *workspace, n: before + 1, at };
    let posted = give(tx, actor, &code, &redemption)?;
    let event = Event::new(BillingEvent::VoucherRedeemed)
        .workspace(*workspace)
        .subject(*account)
        .target(code.id)
        .detail(format_args!("{workspace} {}", redemption.n))
        .data(json!({
            "kind": code.kind.as_str(),
            "amount": code.amount.to_string(),
            "batch": code.batch.to_string(),
            "transaction": posted.id.to_string(),
        }));
    audit::record(tx, actor, event)?;
    Ok(Decision::Done(posted))
}

fn refuse(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Decided<PostedTransaction, VoucherError> {
    sessions::count_wrong_code(tx, actor, account)?;
    let event = Event::new(BillingEvent::VoucherRedeemed).outcome(Outcome::Failure).target(account).subject(account);
    audit::record(tx, actor, event)?;
    Ok(Decision::Refused(VoucherError::Refused))
}

/// Posts the credit of a use that was taken, and notes who has it.
pub(super) fn give(
    tx: &mut Tx<'_>,
    actor: &Actor,
    code: &StoredCode,
    redemption: &Redemption,
) -> Result<PostedTransaction, VoucherError> {
    let Redemption { workspace, account, n, at, .. } = *redemption;
    let idem_key = format!("voucher:{}:{account}:{n}", code.id);
    let grant = Grant {
        expires_at: code.credit_lasts.map(|lasts| at.plus(lasts)),
        ..Grant::new(workspace, code.amount, code.kind.origin(), code.reason.clone(), idem_key)
    };
    let posted = ledger::grant(tx, actor, grant)?;
    store::insert_redemption(tx, redemption, posted.id)?;
    Ok(posted)
}
