//! Those who are let in by name: with an invitation, or with the first operator's link.

use super::super::error::SigninError;
use super::super::model::{Proof, Started};
use super::claims::void_other_claims;
use super::enter::enter;
use super::sign_up::{open_wallet, welcome};
use crate::accounts::{self, AccountError, LinkPurpose, NewAccount};
use crate::audit::{self, Event};
use crate::base::{Actor, EmailAddress};
use crate::db::{self, Tx};
use crate::invitations::{self, InvitationError};
use crate::workspaces;

/// Makes the account of somebody who holds an invitation, and lets them in. The address is the invitation's; it counts as
/// proved, because the link was mailed there or an operator handed it over.
///
/// # Errors
/// [`InvitationError`], [`AccountError`]; the invitation stays good then. It was withdrawn and made anew for another
/// address while the password was hashed: [`InvitationError::LinkRefused`].
pub(in crate::signin) fn accept_invitation(
    tx: &mut Tx<'_>,
    actor: &Actor,
    mut new: NewAccount,
    token: &str,
) -> Result<Started, SigninError> {
    let invitation = invitations::take(tx, token)?;
    if invitation.address != new.email {
        return Err(InvitationError::LinkRefused.into());
    }
    new.is_verified = true;
    new.is_operator = invitation.is_operator;
    let account = accounts::create(tx, actor, &new)?;
    if new.is_operator {
        accounts::revoke_claims(tx)?;
    }
    workspaces::create_personal(tx, actor, &account)?;
    void_other_claims(tx, actor, account.id, &new.email)?;
    open_wallet(tx, &account)?;
    welcome(tx, &account)?;
    let event = Event::new("account.invitation_accepted").target(invitation.id).subject(account.id);
    audit::record(tx, actor, event)?;
    enter(tx, actor, &account, &Proof::Invitation, false)
}

/// The address an invitation is for. `None`: its link is not good.
///
/// # Errors
/// [`db::Error`].
pub(in crate::signin) fn invited_address(view: &db::View<'_>, token: &str) -> Result<Option<EmailAddress>, db::Error> {
    Ok(invitations::find(view, token)?.map(|invitation| invitation.address))
}

/// The first operator's one-time link: whoever follows it signs up as operator, whatever the sign-up mode. Links that were
/// made before are no longer good.
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

/// Uses up an operator's link, for an account that is about to be made.
pub(super) fn use_claim(tx: &mut Tx<'_>, claim: &str) -> Result<(), SigninError> {
    if accounts::has_operator(tx)? {
        return Err(AccountError::LinkRefused.into());
    }
    accounts::use_link(tx, LinkPurpose::OperatorClaim, claim)?;
    Ok(accounts::revoke_claims(tx)?)
}
