//! The operations on accounts.

mod codes;
mod links;

pub use codes::{SentCode, resend_code, send_code, sent_code, verify_by_operator, verify_email};
pub(super) use codes::{must_not_be_too_soon, send_code_to, set_verified, try_code};
pub use links::{find_by_link, find_link_about, is_link_valid, issue_link, issue_link_about, use_link, use_link_about};

use serde_json::json;

use super::error::AccountError;
use super::events::AccountEvent;
use super::model::{
    Account, AccountState, CODES_WINDOW, Colour, DisplayName, Email, NAME_HELD, NewAccount, PENDING_LIFE, Profile,
    USERNAME_RETIRED, Username,
};
use super::names::store as names;
use super::{addresses, confusables, mails, store};
use crate::audit::{self, Event, Part};
use crate::base::{AccountId, Actor, Cursor, EmailAddress, EmailId, PAGE_SIZE_MAX, Page};
use crate::db::{self, Tx, View};
use crate::mail::{self, Message};

/// Names that are tried for a suggestion.
const SUGGESTIONS_MAX: u32 = 40;
/// Rows of each kind that one cleanup deletes at most.
const PURGE_BATCH_MAX: u32 = 1000;

/// Creates an account with its first address. It is `pending` until the address is verified.
///
/// # Errors
/// [`AccountError::UsernameTaken`], [`AccountError::UsernameConfusable`]; [`AccountError::EmailTaken`] when the address
/// is to count as verified and another account has verified it. An unverified address is accepted even if another
/// account has verified it, so that a sign-up does not tell which addresses are known (safety P8).
// No permission: an anonymous visitor creates an account too; the caller decides whether sign-up is open.
pub fn create(tx: &mut Tx<'_>, actor: &Actor, new: &NewAccount) -> Result<Account, AccountError> {
    must_be_free(tx, &new.username, None)?;
    if new.is_verified && is_email_taken(tx, &new.email)? {
        return Err(AccountError::EmailTaken);
    }
    let now = tx.now();
    let region = tx.site().config.region.clone();
    let id = AccountId::new(now, tx.rng());
    let email = EmailId::new(now, tx.rng());
    let colours = Colour::ALL;
    let colour = colours[usize::try_from(tx.rng().below(colours.len() as u32)).unwrap_or_default()];
    store::insert(tx, id, new, colour, &region)?;
    store::insert_email(tx, email, id, &new.email, new.is_verified.then_some(now), true)?;
    if let Some(phc) = &new.password {
        store::insert_password(tx, id, phc)?;
    }
    let event = Event::new(AccountEvent::Created)
        .target(id)
        .subject(id)
        .data(json!({"region": region, "verified": new.is_verified, "operator": new.is_operator}))
        .private(Part::Contact, json!({"email": new.email.as_str(), "username": new.username.as_str()}));
    audit::record(tx, actor, event)?;
    store::find(tx, id)?.ok_or(AccountError::NotFound)
}

/// Whether the name can be taken now: no account has it or a name that looks like it, or had one less than a year ago.
///
/// # Errors
/// [`db::Error`].
pub fn is_username_free(view: &View<'_>, username: &str) -> Result<bool, db::Error> {
    is_free_for(view, username, None)
}

/// Whether the name can be taken by a person who replaces their own sign-up `own`.
fn is_free_for(view: &View<'_>, username: &str, own: Option<AccountId>) -> Result<bool, db::Error> {
    let lookalikes = names::list_lookalikes(view, &confusables::skeleton(username))?;
    let is_taken = lookalikes.iter().any(|other| !gives_way(view, other, own));
    Ok(!is_taken && !store::is_retired(view, &name_digest(view, username))?)
}

/// Whether a sign-up without a proof of its address loses its name to another: it is the person's own, or half an hour old.
/// Otherwise anybody could keep any number of names from others for a day.
fn gives_way(view: &View<'_>, other: &names::Lookalike, own: Option<AccountId>) -> bool {
    let is_old = view.now().since(other.created_at) >= NAME_HELD;
    other.state == AccountState::Pending && (is_old || own == Some(other.id))
}

/// The sign-ups that have to give way before the name can be taken; see [`void_sign_up`].
///
/// # Errors
/// [`db::Error`].
pub fn sign_ups_in_the_way(
    view: &View<'_>,
    username: &Username,
    own: Option<AccountId>,
) -> Result<Vec<AccountId>, db::Error> {
    let lookalikes = names::list_lookalikes(view, &username.skeleton())?;
    let in_the_way = lookalikes.iter().filter(|other| gives_way(view, other, own)).map(|other| other.id);
    let own = own.filter(|own| lookalikes.iter().all(|other| other.id != *own));
    let own = own.map_or(Ok(None), |own| store::find(view, own))?;
    let own = own.filter(|own| own.state == AccountState::Pending).map(|own| own.id);
    Ok(in_the_way.chain(own).collect())
}

/// Takes name, address, code and password away from a sign-up that another one replaces. The account stays, without any way
/// in, until it is erased like every other whose address was not verified. Returns its new name. Records nothing; the caller
/// does.
///
/// # Errors
/// [`db::Error`].
pub fn void_sign_up(tx: &mut Tx<'_>, account: AccountId) -> Result<String, db::Error> {
    let name = format!("replaced-{}", hex::encode(tx.rng().bytes::<8>()));
    names::void_sign_up(tx, account, &name)?;
    Ok(name)
}

/// Refuses a name that cannot be taken now. `own`: a sign-up of the same person that this one replaces.
///
/// # Errors
/// [`AccountError::UsernameTaken`], [`AccountError::UsernameConfusable`].
pub fn must_be_free(view: &View<'_>, username: &Username, own: Option<AccountId>) -> Result<(), AccountError> {
    if is_free_for(view, username.as_str(), own)? {
        return Ok(());
    }
    // A name that looks like a retired one is reported as taken, because no visible account has the retired name.
    let is_retired = store::is_retired(view, &name_digest(view, username.as_str()))?;
    let is_taken = is_retired || store::find_by_username(view, username.as_str())?.is_some();
    Err(if is_taken { AccountError::UsernameTaken } else { AccountError::UsernameConfusable })
}

/// A free username similar to `wanted`. `None`: the first 40 variants are all taken or invalid.
///
/// # Errors
/// [`db::Error`].
pub fn suggest_username(view: &View<'_>, wanted: &str) -> Result<Option<Username>, db::Error> {
    for number in 1..=SUGGESTIONS_MAX {
        let Ok(candidate) = Username::parse(&confusables::variant(wanted, number)) else { continue };
        if is_username_free(view, candidate.as_str())? {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// Whether an account has verified the address.
///
/// # Errors
/// [`db::Error`].
pub fn is_email_taken(view: &View<'_>, address: &EmailAddress) -> Result<bool, db::Error> {
    Ok(store::find_verified_owner(view, address)?.is_some())
}

/// A keyed digest, so that the list of retired names does not reveal them. It is made from the skeleton, so that names
/// that look like a retired one are out of use too.
fn name_digest(view: &View<'_>, username: &str) -> [u8; 32] {
    view.site().keyring.lookup(format!("retired-username:{}", confusables::skeleton(username)).as_bytes())
}

/// The account with this id, username or e-mail address. `None`: there is none.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_name(view: &View<'_>, name: &str) -> Result<Option<Account>, db::Error> {
    let name = name.trim();
    if let Some(id) = AccountId::parse(name) {
        return store::find(view, id);
    }
    match EmailAddress::parse(name) {
        Ok(address) => store::find_by_email(view, &address),
        Err(_) => store::find_by_username(view, name),
    }
}

/// The account with this username, with this verified e-mail address, or else the newest one that waits for the code of this
/// address. `None`: there is none.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_sign_in_name(view: &View<'_>, name: &str) -> Result<Option<Account>, db::Error> {
    match EmailAddress::parse(name.trim()) {
        Ok(address) => store::find_by_email(view, &address),
        Err(_) => store::find_by_username(view, name.trim()),
    }
}

/// Accounts, the newest first, `limit` at most (100).
///
/// # Errors
/// [`db::Error`].
pub fn list(view: &View<'_>, before: Option<Cursor>, limit: u32) -> Result<Page<Account>, db::Error> {
    store::list(view, before, limit.min(PAGE_SIZE_MAX))
}

/// Whether the actor is an operator: the admin at the command line, the appliance itself, or an operator in a session.
///
/// # Errors
/// [`db::Error`].
pub fn is_operator(view: &View<'_>, actor: &Actor) -> Result<bool, db::Error> {
    let account = match actor {
        Actor::Operator | Actor::System => return Ok(true),
        Actor::SignedIn { account, .. } => *account,
        Actor::Anonymous(_) | Actor::KeyHolder { .. } | Actor::Service { .. } => return Ok(false),
    };
    let person = store::find(view, account)?;
    Ok(person.is_some_and(|person| person.is_operator && person.state == AccountState::Active))
}

/// The address to which notices and links are sent: the primary one. If it is not verified, as the one of the first
/// operator, another one that is: a mail to an address that was typed wrong would give its owner the links in it. An
/// account that waits for the code of its only address has that one. `None`: there is no such address.
///
/// # Errors
/// [`db::Error`].
pub fn primary_email(view: &View<'_>, account: AccountId) -> Result<Option<EmailAddress>, db::Error> {
    let emails = store::list_emails(view, account)?;
    if let Some(verified) = emails.iter().find(|email| email.verified_at.is_some()) {
        return Ok(Some(verified.address.clone()));
    }
    let is_pending = store::find(view, account)?.is_some_and(|person| person.state == AccountState::Pending);
    Ok(emails.into_iter().find(|email| email.is_primary && is_pending).map(|email| email.address))
}

/// Queues the message to every verified address, so that the person learns of it whichever mailbox they read.
///
/// # Errors
/// [`db::Error`].
pub fn mail_all_verified(tx: &mut Tx<'_>, account: AccountId, message: &impl Message) -> Result<(), db::Error> {
    for email in store::list_emails(tx, account)?.into_iter().filter(|email| email.verified_at.is_some()) {
        mail::enqueue(tx, Some(account), email.address, message)?;
    }
    Ok(())
}

pub(in crate::accounts) fn primary(view: &View<'_>, account: AccountId) -> Result<Option<Email>, db::Error> {
    Ok(store::list_emails(view, account)?.into_iter().find(|email| email.is_primary))
}

/// Changes the profile of the person.
///
/// # Errors
/// [`AccountError::NotFound`] when the account is not the actor's.
pub fn update_profile(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    profile: &Profile,
) -> Result<(), AccountError> {
    let before = store::find(tx, account)?.filter(|_| actor.can_manage(account)).ok_or(AccountError::NotFound)?;
    let fields = profile.differs_from(&before);
    if fields.is_empty() {
        return Ok(());
    }
    store::update_profile(tx, account, profile)?;
    let event =
        Event::new(AccountEvent::ProfileUpdated).target(account).subject(account).data(json!({"fields": fields}));
    Ok(audit::record(tx, actor, event)?)
}

/// Sets the background of the person's initials.
///
/// # Errors
/// [`AccountError::NotFound`] when the account is not the actor's.
pub fn set_colour(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, colour: Colour) -> Result<(), AccountError> {
    let before = store::find(tx, account)?.filter(|_| actor.can_manage(account)).ok_or(AccountError::NotFound)?;
    if before.colour == colour {
        return Ok(());
    }
    store::update_colour(tx, account, colour)?;
    let event =
        Event::new(AccountEvent::ProfileUpdated).target(account).subject(account).data(json!({"fields": ["colour"]}));
    Ok(audit::record(tx, actor, event)?)
}

/// Sets the display name. It records nothing, because it is part of the creation of an account.
///
/// # Errors
/// [`db::Error`].
pub fn set_display_name(tx: &mut Tx<'_>, account: AccountId, name: &DisplayName) -> Result<(), db::Error> {
    store::update_display_name(tx, account, name.as_str())
}

/// Voids the claims of other accounts to the address that `owner` verified: active accounts lose the unverified
/// address, pending accounts lose password, codes and links. Returns the pending accounts, so that the caller can end
/// their sessions and factors.
///
/// # Errors
/// [`db::Error`].
pub fn void_claims(tx: &mut Tx<'_>, owner: AccountId, address: &EmailAddress) -> Result<Vec<AccountId>, db::Error> {
    store::delete_claims(tx, owner, address)?;
    let claimants = store::list_pending_claims(tx, owner, address)?;
    for claimant in &claimants {
        store::delete_sign_in_methods(tx, *claimant)?;
    }
    Ok(claimants)
}

/// Sets the password to a finished Argon2id hash. Locked API keys are accepted again.
///
/// # Errors
/// [`AccountError::Db`].
// No permission: a reset link proves the person, who is not signed in; the caller checks the link or the actor.
pub fn set_password(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, phc: &str) -> Result<(), AccountError> {
    store::insert_password(tx, account, phc)?;
    if store::update_keys_unlocked(tx, account)? > 0 {
        audit::record(tx, actor, Event::new(AccountEvent::KeysUnlocked).target(account).subject(account))?;
        if let Some(email) = primary(tx, account)? {
            let message = mails::keys_unlocked(&tx.site().config.public_url);
            mail::enqueue(tx, Some(account), email.address, &message)?;
        }
    }
    Ok(audit::record(tx, actor, Event::new(AccountEvent::PasswordChanged).target(account).subject(account))?)
}

/// Locks the account's API keys: they are refused from the next request on, until the account has a new password.
/// Calling it twice is the same as once.
///
/// # Errors
/// [`db::Error`].
// No permission: a person who is not signed in reports a sign-in; the caller checks the link.
pub fn lock_keys(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), db::Error> {
    if store::update_keys_locked(tx, account)? > 0 {
        audit::record(tx, actor, Event::new(AccountEvent::KeysLocked).target(account).subject(account))?;
    }
    Ok(())
}

/// Pending accounts that are older than a day, a hundred at most, for the job that erases them.
///
/// # Errors
/// [`db::Error`].
pub fn purge_pending(view: &View<'_>) -> Result<Vec<AccountId>, db::Error> {
    store::list_pending_before(view, view.now().minus(PENDING_LIFE), PAGE_SIZE_MAX)
}

/// Deletes codes and links an hour after they were sent or expired, and retired names after their year. Returns how
/// many rows.
///
/// # Errors
/// [`db::Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, db::Error> {
    let before = tx.now().minus(CODES_WINDOW);
    Ok(store::delete_old(tx, before, PURGE_BATCH_MAX)? + addresses::purge_old(tx, before, PURGE_BATCH_MAX)?)
}

/// Deletes every row of this slice about the person, and keeps the username out of use for a year.
///
/// # Errors
/// [`AccountError::NotFound`].
pub fn erase(tx: &mut Tx<'_>, account: AccountId) -> Result<(), AccountError> {
    let person = store::find(tx, account)?.ok_or(AccountError::NotFound)?;
    let until = tx.now().plus(USERNAME_RETIRED);
    // The name of an account that was never verified is free at once.
    if person.state != AccountState::Pending {
        store::insert_retired(tx, &name_digest(tx, &person.username), until)?;
    }
    addresses::forget(tx, account)?;
    Ok(store::delete(tx, account)?)
}
