//! Makes the changes of a journal again in a restored database, in their order: what ended after the backup was made ends
//! again, and what was given back is given back.

use super::error::RestoreError;
use crate::accounts::{self, AccountEvent, AccountState};
use crate::api_keys::{self, ApiKeyEvent, KeyEvent};
use crate::audit::{EventKind, EventType, SiteEvent};
use crate::base::{
    AccountId, ApiKeyId, IdentityId, InvitationId, PasskeyId, Timestamp, VoucherBatchId, VoucherCodeId, WorkspaceId,
};
use crate::billing::{BillingEvent, allowances, vouchers};
use crate::db::{Error, Tx};
use crate::factors::{self, FactorEvent};
use crate::inbox::{self, InboxEvent};
use crate::invitations::{self, InvitationEvent};
use crate::journal::{self, Entry};
use crate::privacy;
use crate::resources::{self, ResourceEvent};
use crate::services::{self, ServiceEvent};
use crate::sessions::{self, SessionEvent};
use crate::signin::oauth::{self, IdentityEvent};
use crate::signin::{self, SigninEvent};
use crate::workspaces::{self, WorkspaceEvent};

/// What the journal changed in a restored database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Lines that were applied.
    pub lines: i64,
    /// People whom the backup had, and who were erased again.
    pub erased: i64,
    /// Other lines that changed something.
    pub changed: i64,
}

/// Makes the changes of these entries again and adds the entries to the table, with their numbers and hashes, so that the
/// chain goes on. An entry about something that the backup does not have changes nothing.
///
/// # Errors
/// [`RestoreError::UnknownEntry`] for an entry that this version does not know; [`RestoreError::Privacy`],
/// [`RestoreError::Db`]. The transaction must not commit then.
pub fn apply(tx: &mut Tx<'_>, entries: &[Entry]) -> Result<Replayed, RestoreError> {
    // All of them first, so that what is recorded from here on follows them.
    entries.iter().try_for_each(|entry| journal::adopt(tx, entry))?;
    let mut replayed = Replayed::default();
    for entry in entries {
        replayed.lines += 1;
        match &entry.event {
            None => replayed.erased += i64::from(erase(tx, entry)?),
            Some(event) => {
                let unknown = || RestoreError::UnknownEntry { line: entry.seq, event: event.clone() };
                let replay = find_replay(event).ok_or_else(unknown)?;
                replayed.changed += i64::from(replay(tx, entry)?.ok_or_else(unknown)?);
            }
        }
    }
    Ok(replayed)
}

fn erase(tx: &mut Tx<'_>, entry: &Entry) -> Result<bool, RestoreError> {
    let Some(account) = AccountId::parse(&entry.target) else { return Ok(false) };
    Ok(privacy::erase_again(tx, account, entry.receipt.as_deref().unwrap_or_default(), entry.at)?)
}

/// Makes the change of an entry again and answers whether something changed. `None`: the entry cannot be read.
type Replay = fn(&mut Tx<'_>, &Entry) -> Result<Option<bool>, Error>;

/// Whether the journal can be replayed for this type of event.
pub fn can_replay(kind: &EventType) -> bool {
    find_replay(kind.name).is_some()
}

fn find_replay(event: &str) -> Option<Replay> {
    let all = [&of_accounts()[..], &of_keys(), &of_services_and_plans(), &of_credit(), &of_factors(), &of_sign_in()];
    all.into_iter().flatten().find(|(kind, _)| kind.name == event).map(|(_, replay)| *replay)
}

type Row = (&'static EventType, Replay);

fn row(kind: impl EventKind, replay: Replay) -> Row {
    (kind.event_type(), replay)
}

fn of_accounts() -> [Row; 5] {
    [
        row(AccountEvent::KeysLocked, |tx, entry| {
            with_account(entry, |account| accounts::replay::lock_keys(tx, account))
        }),
        row(AccountEvent::KeysUnlocked, |tx, entry| {
            with_account(entry, |account| accounts::replay::unlock_keys(tx, account))
        }),
        row(AccountEvent::PasswordChanged, |tx, entry| {
            with_account(entry, |account| accounts::replay::end_password(tx, account))
        }),
        row(AccountEvent::EmailRemoved, |tx, entry| match account_of(entry) {
            Some(account) => accounts::replay::remove_email(tx, account, detail_of(entry)),
            None => Ok(None),
        }),
        row(AccountEvent::EmailChangeReverted, |tx, entry| match account_of(entry) {
            Some(account) => accounts::replay::revert_email_change(tx, account, detail_of(entry)),
            None => Ok(None),
        }),
    ]
}

fn of_keys() -> [Row; 8] {
    [
        row(ApiKeyEvent::Revoked, |tx, entry| {
            with_key(entry, |key| api_keys::replay::revoke(tx, key, detail_of(entry)))
        }),
        row(ApiKeyEvent::Disabled, |tx, entry| {
            with_key(entry, |key| api_keys::replay::change_state(tx, key, KeyEvent::Disable))
        }),
        row(ApiKeyEvent::Enabled, |tx, entry| {
            with_key(entry, |key| api_keys::replay::change_state(tx, key, KeyEvent::Enable))
        }),
        row(ApiKeyEvent::Quarantined, |tx, entry| {
            with_key(entry, |key| api_keys::replay::change_state(tx, key, KeyEvent::Expose))
        }),
        row(ApiKeyEvent::Restored, |tx, entry| {
            with_key(entry, |key| api_keys::replay::change_state(tx, key, KeyEvent::Restore))
        }),
        row(ApiKeyEvent::Rotated, |tx, entry| match ApiKeyId::parse(&entry.target) {
            Some(key) => api_keys::replay::rotate(tx, key, detail_of(entry)),
            None => Ok(None),
        }),
        row(ApiKeyEvent::ScopesReduced, |tx, entry| {
            with_key(entry, |key| api_keys::replay::reduce_scopes(tx, key, detail_of(entry)))
        }),
        row(ApiKeyEvent::Changed, |tx, entry| with_key(entry, |key| api_keys::replay::narrow(tx, key))),
    ]
}

fn of_services_and_plans() -> [Row; 11] {
    [
        row(WorkspaceEvent::PlanChanged, |tx, entry| match WorkspaceId::parse(&entry.target) {
            Some(workspace) => workspaces::replay::change_plan(tx, workspace, detail_of(entry)).map(Some),
            None => Ok(None),
        }),
        row(ServiceEvent::Disconnected, |tx, entry| services::replay::disconnect(tx, &entry.target).map(Some)),
        row(ServiceEvent::Changed, |tx, entry| services::replay::narrow(tx, &entry.target, detail_of(entry))),
        row(ServiceEvent::CredentialRotated, |tx, entry| services::replay::rotate(tx, &entry.target, detail_of(entry))),
        row(ServiceEvent::CredentialRevoked, |tx, entry| {
            services::replay::revoke(tx, &entry.target, detail_of(entry)).map(Some)
        }),
        row(InboxEvent::WebhookSet, |tx, entry| inbox::replay::end_address(tx, &entry.target)),
        row(InboxEvent::WebhookRemoved, |tx, entry| inbox::replay::end_address(tx, &entry.target)),
        row(InboxEvent::WebhookGone, |tx, entry| inbox::replay::end_address(tx, &entry.target)),
        row(InboxEvent::WebhookSecretRotated, |tx, entry| inbox::replay::end_secret(tx, &entry.target)),
        row(ResourceEvent::Deleted, purge_resource),
        row(ResourceEvent::FreedWithoutService, purge_resource),
    ]
}

fn purge_resource(tx: &mut Tx<'_>, entry: &Entry) -> Result<Option<bool>, Error> {
    resources::replay::purge(tx, &entry.target, detail_of(entry))
}

fn of_credit() -> [Row; 3] {
    [
        row(BillingEvent::AllowanceChanged, |tx, entry| match WorkspaceId::parse(&entry.target) {
            Some(workspace) => allowances::replay::set(tx, workspace, detail_of(entry)),
            None => Ok(None),
        }),
        row(BillingEvent::VouchersRevoked, |tx, entry| match VoucherBatchId::parse(&entry.target) {
            Some(batch) => vouchers::replay::revoke(tx, batch).map(Some),
            None => Ok(None),
        }),
        row(BillingEvent::VoucherRedeemed, |tx, entry| {
            match (VoucherCodeId::parse(&entry.target), account_of(entry)) {
                (Some(code), Some(account)) => vouchers::replay::redeem(tx, code, account, detail_of(entry), entry.at),
                _ => Ok(None),
            }
        }),
    ]
}

fn of_factors() -> [Row; 7] {
    [
        // The journal does not have the new app, so a password alone is not enough either: a mailed link sets a new one.
        row(FactorEvent::TotpEnabled, |tx, entry| {
            with_account(entry, |account| {
                let had_app = factors::replay::remove_totp(tx, account)?;
                Ok(accounts::replay::end_password(tx, account)? || had_app)
            })
        }),
        row(FactorEvent::TotpDisabled, |tx, entry| {
            with_account(entry, |account| factors::replay::remove_totp(tx, account))
        }),
        row(FactorEvent::PasskeyRemoved, |tx, entry| match (account_of(entry), PasskeyId::parse(&entry.target)) {
            (Some(account), Some(passkey)) => factors::replay::remove_passkey(tx, account, passkey).map(Some),
            _ => Ok(None),
        }),
        row(FactorEvent::RecoveryCodesGenerated, |tx, entry| {
            with_account(entry, |account| factors::replay::end_codes(tx, account))
        }),
        row(FactorEvent::RecoveryCodeUsed, |tx, entry| match account_of(entry) {
            Some(account) => factors::replay::use_code(tx, account, detail_of(entry)),
            None => Ok(None),
        }),
        row(FactorEvent::ResetCancelled, |tx, entry| {
            with_account(entry, |account| factors::replay::cancel_reset(tx, account))
        }),
        row(FactorEvent::ResetCompleted, |tx, entry| {
            with_account(entry, |account| factors::replay::remove_all(tx, account))
        }),
    ]
}

fn of_sign_in() -> [Row; 12] {
    [
        row(InvitationEvent::Withdrawn, end_invitation),
        row(SigninEvent::InvitationAccepted, end_invitation),
        row(SigninEvent::Suspended, |tx, entry| {
            with_account(entry, |account| accounts::replay::set_state(tx, account, AccountState::Suspended))
        }),
        row(SigninEvent::Reactivated, |tx, entry| {
            with_account(entry, |account| accounts::replay::set_state(tx, account, AccountState::Active))
        }),
        row(SigninEvent::PasswordResetCompleted, |tx, entry| with_account(entry, |account| reset(tx, account))),
        row(SigninEvent::ClaimVoided, |tx, entry| {
            with_account(entry, |account| {
                let had_methods = accounts::replay::end_sign_in_methods(tx, account)?;
                forget_factors_and_identities(tx, account)?;
                Ok(had_methods)
            })
        }),
        row(SigninEvent::Disowned, |tx, entry| with_account_since(entry, |account, since| disown(tx, account, since))),
        row(IdentityEvent::Unlinked, |tx, entry| match (account_of(entry), IdentityId::parse(&entry.target)) {
            (Some(account), Some(identity)) => oauth::replay::disconnect(tx, account, identity).map(Some),
            _ => with_account_since(entry, |account, since| oauth::replay::disconnect_since(tx, account, since)),
        }),
        // A restore ends all sessions, and the one that this entry is about was replaced by this one.
        row(SiteEvent::BackupRestored, |_, _| Ok(Some(false))),
        // A restore ends all sessions.
        row(SessionEvent::Revoked, |_, _| Ok(Some(false))),
        row(SessionEvent::RevokedAll, |_, _| Ok(Some(false))),
        row(SessionEvent::ReuseDetected, |_, _| Ok(Some(false))),
    ]
}

fn end_invitation(tx: &mut Tx<'_>, entry: &Entry) -> Result<Option<bool>, Error> {
    match InvitationId::parse(&entry.target) {
        Some(invitation) => invitations::replay::end(tx, invitation).map(Some),
        None => Ok(None),
    }
}

/// The password of before. If the account was not verified yet, everything that was prepared in it, possibly by another
/// person.
fn reset(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, Error> {
    if accounts::find(tx, account)?.is_some_and(|person| person.state == AccountState::Pending) {
        forget_factors_and_identities(tx, account)?;
    }
    sessions::distrust_devices(tx, account)?;
    accounts::replay::end_password(tx, account)
}

fn disown(tx: &mut Tx<'_>, account: AccountId, since: Timestamp) -> Result<bool, Error> {
    let had_factors = factors::replay::remove_since(tx, account, since)?;
    let had_identities = oauth::replay::disconnect_since(tx, account, since)?;
    sessions::distrust_devices(tx, account)?;
    Ok(had_factors || had_identities)
}

fn forget_factors_and_identities(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    signin::oauth::forget(tx, account)?;
    factors::forget(tx, account)
}

fn account_of(entry: &Entry) -> Option<AccountId> {
    AccountId::parse(entry.account.as_deref().unwrap_or(&entry.target))
}

fn detail_of(entry: &Entry) -> &str {
    entry.detail.as_deref().unwrap_or_default()
}

fn with_account(entry: &Entry, replay: impl FnOnce(AccountId) -> Result<bool, Error>) -> Result<Option<bool>, Error> {
    account_of(entry).map(replay).transpose()
}

fn with_account_since(
    entry: &Entry,
    replay: impl FnOnce(AccountId, Timestamp) -> Result<bool, Error>,
) -> Result<Option<bool>, Error> {
    let since = detail_of(entry).parse().map(Timestamp::from_millis);
    match (account_of(entry), since) {
        (Some(account), Ok(since)) => replay(account, since).map(Some),
        _ => Ok(None),
    }
}

fn with_key(entry: &Entry, replay: impl FnOnce(ApiKeyId) -> Result<bool, Error>) -> Result<Option<bool>, Error> {
    ApiKeyId::parse(&entry.target).map(replay).transpose()
}
