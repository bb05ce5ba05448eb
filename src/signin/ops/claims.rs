//! When a person proves that they own an address, the claims of others to it become void.

use serde_json::json;

use super::super::error::SigninError;
use super::super::events::SigninEvent;
use super::super::oauth;
use crate::accounts;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, EmailAddress};
use crate::db::Tx;
use crate::factors;

/// Voids every other claim to the address that `owner` verified. Accounts that were waiting to verify it lose password,
/// factors, sessions, connected accounts and links. Other accounts lose only the unverified address. This prevents
/// account pre-hijacking (MSRC 2022, the five kinds; domain 5.1.12).
///
/// # Errors
/// [`SigninError::Db`], [`SigninError::Account`].
// No permission: the caller has just verified the address for `owner`.
pub fn void_other_claims(
    tx: &mut Tx<'_>,
    actor: &Actor,
    owner: AccountId,
    address: &EmailAddress,
) -> Result<(), SigninError> {
    for claimant in accounts::void_claims(tx, owner, address)? {
        factors::end_other_access(tx, actor, claimant, None)?;
        oauth::forget(tx, claimant)?;
        factors::forget(tx, claimant)?;
        let event =
            Event::new(SigninEvent::ClaimVoided).target(claimant).subject(claimant).data(json!({"by": "proof"}));
        audit::record(tx, actor, event)?;
    }
    Ok(())
}
