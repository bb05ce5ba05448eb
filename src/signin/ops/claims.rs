//! Somebody proved that an address is theirs: whatever others prepared with it is void.

use serde_json::json;

use super::super::error::SigninError;
use super::super::oauth;
use crate::accounts;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, EmailAddress};
use crate::db::Tx;
use crate::{factors, sessions};

/// Voids every other claim to the address that `owner` proved: accounts that were waiting for it lose password, factors,
/// sessions, connected accounts and links, others lose the unproved address alone. So nobody can prepare an account for somebody who
/// comes later (MSRC 2022, the five kinds of pre-hijacking; domain 5.1.12).
///
/// # Errors
/// [`SigninError::Db`], [`SigninError::Account`].
pub fn void_other_claims(
    tx: &mut Tx<'_>,
    actor: &Actor,
    owner: AccountId,
    address: &EmailAddress,
) -> Result<(), SigninError> {
    for claimant in accounts::void_claims(tx, owner, address)? {
        sessions::end_all(tx, actor, claimant, None)?;
        oauth::forget(tx, claimant)?;
        factors::forget(tx, claimant)?;
        let event = Event::new("account.claim_voided").target(claimant).subject(claimant).data(json!({"by": "proof"}));
        audit::record(tx, actor, event)?;
    }
    Ok(())
}
