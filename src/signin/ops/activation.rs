//! What every account gets when it becomes active, however its person signed up.

use super::super::error::SigninError;
use super::super::mails;
use crate::accounts::{self, Account};
use crate::billing;
use crate::db::{self, Tx};
use crate::{mail, workspaces};

/// Queues the welcome mail.
pub(in crate::signin) fn welcome(tx: &mut Tx<'_>, account: &Account) -> Result<(), db::Error> {
    let Some(address) = accounts::primary_email(tx, account.id)? else { return Ok(()) };
    let config = &tx.site().config;
    let message = mails::welcome(account, &config.site.name, &config.public_url);
    mail::enqueue(tx, Some(account.id), address, &message)
}

/// Grants the sign-up credit. Calling it twice is the same as once.
pub(in crate::signin) fn open_wallet(tx: &mut Tx<'_>, account: &Account) -> Result<(), SigninError> {
    if let Some(workspace) = workspaces::personal(tx, account.id)? {
        billing::signup_credit(tx, &workspace)?;
    }
    Ok(())
}
