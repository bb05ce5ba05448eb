//! Sign-up by invitation, and the one-time link of the first operator.

use super::super::error::SigninError;
use super::super::events::SigninEvent;
use super::super::model::{Proof, SignInOutcome};
use super::activation::{open_wallet, welcome};
use super::claims::void_other_claims;
use super::sign_in::sign_in;
use super::sign_up::clear_name;
use crate::accounts::{self, AccountError, AccountState, LinkPurpose, NewAccount};
use crate::audit::{self, Event};
use crate::base::{Actor, EmailAddress};
use crate::db::{self, Tx};
use crate::invitations::{self, InvitationError};
use crate::workspaces;

/// Creates the account of an invited person and signs them in. The address is the one of the invitation. It counts as
/// verified, because the link was mailed there or an operator handed it over.
///
/// # Errors
/// [`InvitationError`], [`AccountError`]; then the invitation stays valid. [`InvitationError::LinkRefused`] also if the
/// invitation was withdrawn and created again for another address while the password was hashed.
// No permission: the link of the invitation is the permission.
pub(in crate::signin) fn accept_invitation(
    tx: &mut Tx<'_>,
    actor: &Actor,
    mut new: NewAccount,
    token: &str,
) -> Result<SignInOutcome, SigninError> {
    let invitation = invitations::take(tx, token)?;
    if invitation.address != new.email {
        return Err(InvitationError::LinkRefused.into());
    }
    new.is_verified = true;
    new.is_operator = invitation.is_operator;
    clear_name(tx, actor, &new.username, None)?;
    let account = accounts::create(tx, actor, &new)?;
    if new.is_operator {
        accounts::revoke_claims(tx)?;
    }
    workspaces::create_personal(tx, actor, &account)?;
    void_other_claims(tx, actor, account.id, &new.email)?;
    open_wallet(tx, &account)?;
    welcome(tx, &account)?;
    let event = Event::new(SigninEvent::InvitationAccepted).target(invitation.id).subject(account.id);
    audit::record(tx, actor, event)?;
    sign_in(tx, actor, &account, &Proof::Invitation, false)
}

/// The address an invitation is for. `None`: its link is not valid.
///
/// # Errors
/// [`db::Error`].
pub(in crate::signin) fn invited_address(view: &db::View<'_>, token: &str) -> Result<Option<EmailAddress>, db::Error> {
    Ok(invitations::find(view, token)?.map(|invitation| invitation.address))
}

/// Whether a link for the first operator is valid. It is not used.
///
/// # Errors
/// [`db::Error`].
pub(in crate::signin) fn is_claim_valid(view: &db::View<'_>, claim: &str) -> Result<bool, db::Error> {
    Ok(!accounts::has_operator(view)? && accounts::is_link_valid(view, LinkPurpose::OperatorClaim, claim)?)
}

/// A new one-time link for the first operator. The person who signs up with it becomes an operator, whatever the
/// sign-up mode is. Earlier links become invalid.
///
/// # Errors
/// [`SigninError::OperatorExists`].
pub fn claim_link(tx: &mut Tx<'_>) -> Result<String, SigninError> {
    if accounts::has_operator(tx)? {
        return Err(SigninError::OperatorExists);
    }
    accounts::revoke_claims(tx)?;
    let token = accounts::issue_link(tx, LinkPurpose::OperatorClaim, None)?;
    Ok(format!("{}/signup?claim={}", tx.site().config.public_url, token.expose()))
}

/// Creates the account of the first operator and signs them in. The link proves the person, who has it from the machine
/// itself; it does not prove the address. So the account is active, its address is not verified, and until it is, it is no
/// name to sign in with and gets no mail but the code.
///
/// # Errors
/// [`AccountError::LinkRefused`]; [`AccountError::EmailTaken`], [`AccountError::UsernameTaken`], after which the link is
/// still valid.
// No permission: the link is the permission.
pub(in crate::signin) fn claim_operator(
    tx: &mut Tx<'_>,
    actor: &Actor,
    new: NewAccount,
    claim: &str,
) -> Result<SignInOutcome, SigninError> {
    if accounts::has_operator(tx)? {
        return Err(AccountError::LinkRefused.into());
    }
    accounts::use_link(tx, LinkPurpose::OperatorClaim, claim)?;
    accounts::revoke_claims(tx)?;
    if accounts::is_email_taken(tx, &new.email)? {
        return Err(AccountError::EmailTaken.into());
    }
    clear_name(tx, actor, &new.username, None)?;
    let id = accounts::create(tx, actor, &new)?.id;
    accounts::set_state(tx, id, AccountState::Active)?;
    let account = accounts::find(tx, id)?.ok_or(AccountError::NotFound)?;
    workspaces::create_personal(tx, actor, &account)?;
    open_wallet(tx, &account)?;
    accounts::send_code(tx, actor, id)?;
    sign_in(tx, actor, &account, &Proof::OperatorLink, false)
}
