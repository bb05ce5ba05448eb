//! Mails about credit.

use std::collections::BTreeMap;

use super::mails;
use super::model::{DAYS_MAX, days_before, low_after, spent_share};
use super::store::{self, Expiring, Standing};
use crate::base::{Credits, Timestamp, WorkspaceId, days};
use crate::db::{Error, Tx, View};
use crate::mail::Message;
use crate::people::{self, MailKind};
use crate::workspaces;

/// Allowances that one call of [`send_allowance_notices`] looks at.
const ALLOWANCES_AT_ONCE: u32 = 500;
/// Owners that one call of [`send_expiry_notices`] mails at most.
const MAILS_AT_ONCE: usize = 100;
/// Rows that one call of [`forget_past`] deletes at most.
const PURGE_BATCH_MAX: u32 = 1000;

fn currency(view: &View<'_>) -> String {
    view.site().config.billing.currency.to_uppercase()
}

/// Mails the owner of a workspace, if they want mails about usage. `write`: makes the mail from the name of the workspace, the
/// currency and the address of the site.
fn mail_owner<M: Message>(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    write: impl FnOnce(&str, &str, &str) -> M,
) -> Result<(), Error> {
    let Some(found) = workspaces::find(tx, workspace)? else { return Ok(()) };
    let (currency, site) = (currency(tx), tx.site().config.public_url.clone());
    people::mail_if_wanted(tx, found.owner, MailKind::Usage, &write(&found.name, &currency, &site))?;
    Ok(())
}

/// Tells the owner if this charge took the balance below the limit of the site, or to nothing. It is told again only after the
/// balance rose above it.
///
/// # Errors
/// [`Error`].
pub(in crate::billing) fn note_charge(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    charged: Credits,
    after: Credits,
) -> Result<(), Error> {
    let before = after.plus(charged).unwrap_or(Credits::MAX);
    let limit = tx.site().config.billing.low_balance;
    let Some(low) = low_after(before, after, limit) else { return Ok(()) };
    mail_owner(tx, workspace, |name, currency, site| mails::credit_low(name, low, after, currency, site))
}

/// Mails owners whose allowance of this month is spent to 50, 80 or 100 %: once for each, and only the highest that is reached.
/// `after`: where to go on, empty at first. Returns the last workspace that was looked at; `None`: that was the last one.
///
/// # Errors
/// [`Error`].
// No permission, no event: the schedule runs it, and mails are all that it does.
pub fn send_allowance_notices(tx: &mut Tx<'_>, after: &str) -> Result<Option<String>, Error> {
    let standings = store::list_allowances(tx, after, ALLOWANCES_AT_ONCE)?;
    for standing in &standings {
        let Standing { workspace, amount, granted_until, told_percent, left } = *standing;
        let share = spent_share(amount, left);
        if share > told_percent && store::update_told(tx, workspace, share)? {
            mail_owner(tx, workspace, |name, currency, site| {
                mails::allowance_spent(name, share, amount, granted_until, currency, site)
            })?;
        }
    }
    Ok(standings.last().map(|last| last.workspace.to_string()))
}

/// Mails owners whose credit expires in 30, 7 or 1 days: one mail for all credit of a workspace with the same end, and at most 100
/// mails. Returns how many ends were told; the caller repeats it until the result is 0.
///
/// # Errors
/// [`Error`].
// No permission, no event: as for `send_allowance_notices`.
pub fn send_expiry_notices(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let now = tx.now();
    let expiring = store::list_expiring(tx, now.plus(days(DAYS_MAX)))?;
    let mut due: BTreeMap<(Timestamp, WorkspaceId), Vec<(Expiring, u64)>> = BTreeMap::new();
    for one in expiring {
        let told = days_before(one.granted_at, one.end, now).filter(|told| *told < one.told_days);
        if let Some(told) = told {
            due.entry((one.end, one.workspace)).or_default().push((one, told));
        }
    }
    let count = due.len().min(MAILS_AT_ONCE);
    for ((end, workspace), lots) in due.into_iter().take(MAILS_AT_ONCE) {
        let mut left = Credits::ZERO;
        for (one, told) in &lots {
            store::replace(tx, one, *told)?;
            left = left.plus(one.left).unwrap_or(Credits::MAX);
        }
        mail_owner(tx, workspace, |name, currency, site| mails::credit_expires(name, left, end, currency, site))?;
    }
    Ok(count)
}

/// Forgets what was told about credit that is spent or has expired. Returns how many rows.
///
/// # Errors
/// [`Error`].
pub fn forget_past(tx: &mut Tx<'_>) -> Result<usize, Error> {
    store::delete_past(tx, PURGE_BATCH_MAX)
}
