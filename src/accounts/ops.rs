//! What can be done with an account by itself.

use serde_json::json;

use super::error::AccountError;
use super::model::{
    Account, AccountState, CODE_LIFE, CODE_TRIES_MAX, CODES_MAX, CODES_WINDOW, Colour, DisplayName, Email, LinkPurpose,
    NewAccount, PENDING_LIFE, Profile, RESEND_AFTER, USERNAME_RETIRED, Username,
};
use super::{addresses, likeness, mails, store};
use crate::audit::{self, Event, Part};
use crate::base::{AccountId, Actor, Cursor, EmailAddress, EmailId, PAGE_SIZE_MAX, Page, Secret, Timestamp};
use crate::crypto::tokens;
use crate::db::{self, Tx, View};
use crate::mail::{self, PlainMessage};

/// Names that are tried to find a free one.
const SUGGESTIONS_MAX: u32 = 40;
/// Rows of each kind that one tidying deletes at most.
const PURGE_BATCH_MAX: u32 = 1000;

/// Makes an account with its first address. It is `pending` until the address is verified.
///
/// # Errors
/// [`AccountError::UsernameTaken`], [`AccountError::UsernameLooksTaken`]; [`AccountError::EmailTaken`] when the address is to
/// count as verified and another account verified it. A mere claim to a known address is taken like any other, so that nobody learns from it (safety P8).
pub fn create(tx: &mut Tx<'_>, actor: &Actor, new: &NewAccount) -> Result<Account, AccountError> {
    must_be_free(tx, &new.username)?;
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
    let event = Event::new("account.created")
        .target(id)
        .subject(id)
        .data(json!({"region": region, "verified": new.is_verified, "operator": new.is_operator}))
        .private(Part::Contact, json!({"email": new.email.as_str(), "username": new.username.as_str()}));
    audit::record(tx, actor, event)?;
    store::find(tx, id)?.ok_or(AccountError::NotFound)
}

/// Whether somebody could take the name now: nobody has it or one that looks like it, or had it less than a year ago.
///
/// # Errors
/// [`db::Error`].
pub fn is_username_free(view: &View<'_>, username: &str) -> Result<bool, db::Error> {
    let is_had = store::has_lookalike(view, &likeness::skeleton(username))?;
    Ok(!is_had && !store::is_retired(view, &name_digest(view, username))?)
}

/// Refuses a name that nobody can take now.
///
/// # Errors
/// [`AccountError::UsernameTaken`], [`AccountError::UsernameLooksTaken`].
pub fn must_be_free(view: &View<'_>, username: &Username) -> Result<(), AccountError> {
    if is_username_free(view, username.as_str())? {
        return Ok(());
    }
    // A left name that only looks like it is told as taken: nobody has it to be compared with.
    let is_left = store::is_retired(view, &name_digest(view, username.as_str()))?;
    let is_taken = is_left || store::find_by_username(view, username.as_str())?.is_some();
    Err(if is_taken { AccountError::UsernameTaken } else { AccountError::UsernameLooksTaken })
}

/// A username like `wanted` that somebody could take now. `None`: none was found near it.
///
/// # Errors
/// [`db::Error`].
pub fn suggest_username(view: &View<'_>, wanted: &str) -> Result<Option<Username>, db::Error> {
    for number in 1..=SUGGESTIONS_MAX {
        let Ok(candidate) = Username::parse(&likeness::variant(wanted, number)) else { continue };
        if is_username_free(view, candidate.as_str())? {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// Whether some account verified the address.
///
/// # Errors
/// [`db::Error`].
pub fn is_email_taken(view: &View<'_>, address: &EmailAddress) -> Result<bool, db::Error> {
    Ok(store::find_verified_owner(view, address)?.is_some())
}

/// A keyed digest, so that the list of left names does not tell the names. Of the skeleton: nor does anybody get a name that
/// looks like a left one.
fn name_digest(view: &View<'_>, username: &str) -> [u8; 32] {
    view.site().keyring.lookup(format!("retired-username:{}", likeness::skeleton(username)).as_bytes())
}

/// The account. `None`: there is none.
///
/// # Errors
/// [`db::Error`].
pub fn find(view: &View<'_>, id: AccountId) -> Result<Option<Account>, db::Error> {
    store::find(view, id)
}

/// The account behind an id, a username or an e-mail address. `None`: there is none.
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

/// The account of this username, whatever its case. `None`: there is none.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_username(view: &View<'_>, username: &str) -> Result<Option<Account>, db::Error> {
    store::find_by_username(view, username)
}

/// The account behind a username, or behind an e-mail address that it verified. `None`: there is none.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_proved_name(view: &View<'_>, name: &str) -> Result<Option<Account>, db::Error> {
    match EmailAddress::parse(name.trim()) {
        Ok(address) => store::find_verified_owner(view, &address)?.map_or(Ok(None), |owner| store::find(view, owner)),
        Err(_) => store::find_by_username(view, name.trim()),
    }
}

/// The account that verified the address, else the newest that signed up with it; who merely added it to their others does
/// not answer for it. `None`: nobody.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_email(view: &View<'_>, address: &EmailAddress) -> Result<Option<Account>, db::Error> {
    store::find_by_email(view, address)
}

/// Accounts, the newest first, `limit` at most (100).
///
/// # Errors
/// [`db::Error`].
pub fn list(view: &View<'_>, before: Option<Cursor>, limit: u32) -> Result<Page<Account>, db::Error> {
    store::list(view, before, limit.min(PAGE_SIZE_MAX))
}

/// How many accounts there are.
///
/// # Errors
/// [`db::Error`].
pub fn count(view: &View<'_>) -> Result<i64, db::Error> {
    store::count(view)
}

/// The addresses, the primary one first.
///
/// # Errors
/// [`db::Error`].
pub fn emails(view: &View<'_>, account: AccountId) -> Result<Vec<Email>, db::Error> {
    store::list_emails(view, account)
}

/// Where notices go.
///
/// # Errors
/// [`db::Error`].
pub fn primary_email(view: &View<'_>, account: AccountId) -> Result<Option<EmailAddress>, db::Error> {
    Ok(primary(view, account)?.map(|email| email.address))
}

pub(super) fn primary(view: &View<'_>, account: AccountId) -> Result<Option<Email>, db::Error> {
    Ok(store::list_emails(view, account)?.into_iter().find(|email| email.is_primary))
}

/// The stored password hash. `None`: no password, or no account.
///
/// # Errors
/// [`db::Error`].
pub fn password_hash(view: &View<'_>, account: AccountId) -> Result<Option<String>, db::Error> {
    store::find_password(view, account)
}

/// Changes what the person may change about themselves.
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
    let event = Event::new("account.profile_updated").target(account).subject(account).data(json!({"fields": fields}));
    Ok(audit::record(tx, actor, event)?)
}

/// Chooses what stands behind the person's initials.
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
        Event::new("account.profile_updated").target(account).subject(account).data(json!({"fields": ["colour"]}));
    Ok(audit::record(tx, actor, event)?)
}

/// Sets what pages and mails call the person, without a word: part of making an account.
///
/// # Errors
/// [`db::Error`].
pub fn set_display_name(tx: &mut Tx<'_>, account: AccountId, name: &DisplayName) -> Result<(), db::Error> {
    store::update_display_name(tx, account, name.as_str())
}

/// Voids what others claimed of the address that `owner` proved: accounts in use lose the unproved address, those that
/// waited for it lose password, codes and links. Answers the latter, for whoever keeps more about them.
///
/// # Errors
/// [`db::Error`].
pub fn void_claims(tx: &mut Tx<'_>, owner: AccountId, address: &EmailAddress) -> Result<Vec<AccountId>, db::Error> {
    store::delete_claims(tx, owner, address)?;
    let claimants = store::list_pending_claims(tx, owner, address)?;
    for claimant in &claimants {
        store::delete_ways_in(tx, *claimant)?;
    }
    Ok(claimants)
}

/// Sends a new six-digit code to the account's primary address, in place of any earlier one. Where another account verified
/// the address, its owner is told instead and the code is one that nobody gets: the same rows in the same time.
///
/// # Errors
/// [`AccountError::NotFound`] without a primary address.
pub fn send_code(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), AccountError> {
    let person = store::find(tx, account)?.ok_or(AccountError::NotFound)?;
    let email = primary(tx, account)?.ok_or(AccountError::NotFound)?;
    send_code_to(tx, actor, &person, &email, mails::account_exists)
}

/// Sends a code to an address of the person. `to_owner`: what the owner is told where another account verified it.
pub(super) fn send_code_to(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    email: &Email,
    to_owner: fn(&str) -> PlainMessage,
) -> Result<(), AccountError> {
    let account = person.id;
    let code = tokens::six_digits(tx.rng());
    let expires_at = tx.now().plus(CODE_LIFE);
    let owner = store::find_verified_owner(tx, &email.address)?;
    let is_taken = owner.is_some_and(|owner| owner != account);
    let digest = if is_taken { tx.rng().bytes() } else { code_digest(tx, email.id, code.expose()) };
    let window = tx.now().minus(CODES_WINDOW);
    store::insert_code(tx, email.id, &digest, expires_at, window)?;
    let url = &tx.site().config.public_url;
    let message = if is_taken { to_owner(url) } else { mails::verify_code(&person.display_name, code.expose(), url) };
    mail::enqueue(tx, Some(account), email.address.clone(), &message)?;
    Ok(audit::record(tx, actor, Event::new("email.code_sent").target(account).subject(account))?)
}

/// As [`send_code`], when the last code is at least a minute old, there were not too many in the last hour, and the address
/// still needs one.
///
/// # Errors
/// [`AccountError::CodeTooSoon`], [`AccountError::NotFound`].
pub fn resend_code(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), AccountError> {
    let email = primary(tx, account)?.filter(|email| email.verified_at.is_none()).ok_or(AccountError::NotFound)?;
    must_not_be_too_soon(tx, email.id)?;
    send_code(tx, actor, account)
}

/// Refuses another code within a minute, and after five in an hour.
pub(super) fn must_not_be_too_soon(view: &View<'_>, email: EmailId) -> Result<(), AccountError> {
    if let Some(code) = store::find_code(view, email)? {
        let minute = code.sent_at.plus(RESEND_AFTER);
        let hour = code.counted_from.plus(CODES_WINDOW);
        let next = if code.sent_count >= CODES_MAX { minute.max(hour) } else { minute };
        let wait = next.since(view.now());
        if !wait.is_zero() {
            return Err(AccountError::CodeTooSoon {
                wait_seconds: u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX),
            });
        }
    }
    Ok(())
}

fn code_digest(view: &View<'_>, email: EmailId, code: &str) -> [u8; 32] {
    view.site().keyring.lookup(format!("email-code:{email}:{code}").as_bytes())
}

/// How a code was received. A wrong code is an answer and not an error, because the try it used up must be committed.
pub enum CodeAnswer {
    /// The address is verified and the account active.
    Verified(Account),
    /// Not good.
    Refused(AccountError),
}

/// Tries a code for the account's primary address. Spaces in the code are ignored.
///
/// # Errors
/// [`AccountError::Db`] only.
pub fn verify_email(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    code: &str,
) -> Result<CodeAnswer, AccountError> {
    let refused = Ok(CodeAnswer::Refused(AccountError::CodeRefused));
    let Some(email) = primary(tx, account)?.filter(|email| email.verified_at.is_none()) else { return refused };
    if !try_code(tx, actor, account, &email, code)? {
        return refused;
    }
    Ok(CodeAnswer::Verified(activate(tx, actor, account, &email)?))
}

/// Whether the code is the one that was sent to the address; a right one is used up, a wrong one uses up a try.
pub(super) fn try_code(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: &Email,
    code: &str,
) -> Result<bool, AccountError> {
    let Some(kept) = store::find_code(tx, email.id)? else { return Ok(false) };
    if kept.tries >= CODE_TRIES_MAX || kept.expires_at <= tx.now() {
        return Ok(false);
    }
    let typed: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if !Secret::new(kept.digest).matches(&code_digest(tx, email.id, &typed)) {
        store::update_code_tries(tx, email.id)?;
        let event = Event::new("email.verify_failed").outcome(audit::Outcome::Failure).target(account).subject(account);
        audit::record(tx, actor, event)?;
        return Ok(false);
    }
    store::end_code(tx, email.id)?;
    // Somebody else may have proved the address since the code was sent; this claim to it is void then.
    Ok(store::find_verified_owner(tx, &email.address)?.is_none())
}

/// Takes the primary address as proved, because an operator vouches for it.
///
/// # Errors
/// [`AccountError::NotFound`], [`AccountError::EmailTaken`].
pub fn verify_by_operator(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<Account, AccountError> {
    let email = primary(tx, account)?.ok_or(AccountError::NotFound)?;
    match store::find_verified_owner(tx, &email.address)? {
        Some(owner) if owner != account => Err(AccountError::EmailTaken),
        _ => activate(tx, actor, account, &email),
    }
}

fn activate(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, email: &Email) -> Result<Account, AccountError> {
    store::update_state(tx, account, AccountState::Active)?;
    prove(tx, actor, account, email)?;
    store::find(tx, account)?.ok_or(AccountError::NotFound)
}

/// Notes that the address is the account's. What others claimed by it is void: whoever calls sees to it, because sessions and
/// factors may hang on it (see [`void_claims`]).
pub(super) fn prove(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, email: &Email) -> Result<(), AccountError> {
    store::update_verified(tx, email.id)?;
    Ok(audit::record(tx, actor, Event::new("email.verified").target(account).subject(account))?)
}

/// Puts the account into a state; whoever calls it records why.
///
/// # Errors
/// [`db::Error`].
pub fn set_state(tx: &mut Tx<'_>, account: AccountId, state: AccountState) -> Result<(), db::Error> {
    store::update_state(tx, account, state)
}

/// Sets the password to an Argon2id hash made elsewhere. API keys that were locked are good again.
///
/// # Errors
/// [`AccountError::Db`].
pub fn set_password(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, phc: &str) -> Result<(), AccountError> {
    store::insert_password(tx, account, phc)?;
    if store::update_keys_unlocked(tx, account)? > 0 {
        audit::record(tx, actor, Event::new("account.keys_unlocked").target(account).subject(account))?;
        if let Some(email) = primary(tx, account)? {
            let message = mails::keys_unlocked(&tx.site().config.public_url);
            mail::enqueue(tx, Some(account), email.address, &message)?;
        }
    }
    Ok(audit::record(tx, actor, Event::new("auth.password_changed").target(account).subject(account))?)
}

/// Has the account's API keys refused, from the next request on, until it has a new password. Twice is the same as once.
///
/// # Errors
/// [`db::Error`].
pub fn lock_keys(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), db::Error> {
    if store::update_keys_locked(tx, account)? > 0 {
        audit::record(tx, actor, Event::new("account.keys_locked").target(account).subject(account))?;
    }
    Ok(())
}

/// Since when the account's API keys are refused. `None`: they are not.
///
/// # Errors
/// [`db::Error`].
pub fn keys_locked_at(view: &View<'_>, account: AccountId) -> Result<Option<Timestamp>, db::Error> {
    store::find_keys_locked(view, account)
}

/// Makes a one-time link's secret; only its digest is kept.
///
/// # Errors
/// [`db::Error`].
pub fn issue_link(
    tx: &mut Tx<'_>,
    purpose: LinkPurpose,
    account: Option<AccountId>,
) -> Result<Secret<String>, db::Error> {
    let token = tokens::random_token(tx.rng());
    store::insert_link(tx, &tokens::digest(token.expose()), purpose, account, None)?;
    Ok(token)
}

/// As [`issue_link`], for a link that is about something of the account, by its id.
///
/// # Errors
/// [`db::Error`].
pub fn issue_link_about(
    tx: &mut Tx<'_>,
    purpose: LinkPurpose,
    account: AccountId,
    about: &str,
) -> Result<Secret<String>, db::Error> {
    let token = tokens::random_token(tx.rng());
    store::insert_link(tx, &tokens::digest(token.expose()), purpose, Some(account), Some(about))?;
    Ok(token)
}

/// Makes every link to set the account's password worthless. Links that undo something stay good: whoever reads the mailbox
/// and sets a new password must not take them from their owner.
///
/// # Errors
/// [`db::Error`].
pub fn revoke_links(tx: &mut Tx<'_>, account: AccountId) -> Result<(), db::Error> {
    store::delete_reset_links(tx, account)
}

/// Makes every link that would make a first operator worthless.
///
/// # Errors
/// [`db::Error`].
pub fn revoke_claims(tx: &mut Tx<'_>) -> Result<(), db::Error> {
    store::delete_open_claims(tx)
}

/// Whether somebody runs the appliance: an operator with a proved address, stopped or not.
///
/// # Errors
/// [`db::Error`].
pub fn has_operator(view: &View<'_>) -> Result<bool, db::Error> {
    store::has_operator(view)
}

/// When the password was set. `None`: there is none.
///
/// # Errors
/// [`db::Error`].
pub fn password_changed_at(view: &View<'_>, account: AccountId) -> Result<Option<Timestamp>, db::Error> {
    store::find_password_time(view, account)
}

/// Keeps a better hash of the password that was found right. Where it was changed meanwhile, nothing happens.
///
/// # Errors
/// [`db::Error`].
pub fn renew_password_hash(tx: &mut Tx<'_>, account: AccountId, checked: &str, renewed: &str) -> Result<(), db::Error> {
    store::update_password_hash(tx, account, checked, renewed)
}

/// Whose one-time link it is, without using it up. `None`: it is not good, or not about an account.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_link(view: &View<'_>, purpose: LinkPurpose, token: &str) -> Result<Option<Account>, db::Error> {
    let account = store::find_link(view, &tokens::digest(token), purpose)?.and_then(|link| link.account);
    account.map_or(Ok(None), |account| store::find(view, account))
}

/// Whose one-time link it is and what it is about, without using it up. `None`: it is not good.
///
/// # Errors
/// [`db::Error`].
pub fn find_link_about(
    view: &View<'_>,
    purpose: LinkPurpose,
    token: &str,
) -> Result<Option<(AccountId, Option<String>)>, db::Error> {
    let link = store::find_link(view, &tokens::digest(token), purpose)?;
    Ok(link.and_then(|link| Some((link.account?, link.about))))
}

/// Uses a one-time link up. `None`: a link that is not about an account.
///
/// # Errors
/// [`AccountError::LinkRefused`] for one that is unknown, used or too old; which of these is not told.
pub fn use_link(tx: &mut Tx<'_>, purpose: LinkPurpose, token: &str) -> Result<Option<AccountId>, AccountError> {
    let link = store::update_link_used(tx, &tokens::digest(token), purpose)?;
    link.map(|link| link.account).ok_or(AccountError::LinkRefused)
}

/// Uses up a link of [`issue_link_about`]: whose it is, and what it is about.
///
/// # Errors
/// [`AccountError::LinkRefused`].
pub fn use_link_about(tx: &mut Tx<'_>, purpose: LinkPurpose, token: &str) -> Result<(AccountId, String), AccountError> {
    let link = store::update_link_used(tx, &tokens::digest(token), purpose)?.ok_or(AccountError::LinkRefused)?;
    link.account.zip(link.about).ok_or(AccountError::LinkRefused)
}

/// Pending accounts whose day is over, a hundred at most: whoever erases accounts erases these.
///
/// # Errors
/// [`db::Error`].
pub fn purge_pending(view: &View<'_>) -> Result<Vec<AccountId>, db::Error> {
    store::list_pending_before(view, view.now().minus(PENDING_LIFE), PAGE_SIZE_MAX)
}

/// Deletes codes and links an hour after their time, and retired names after their year.
///
/// # Errors
/// [`db::Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, db::Error> {
    let before = tx.now().minus(CODES_WINDOW);
    Ok(store::delete_old(tx, before, PURGE_BATCH_MAX)? + addresses::purge_old(tx, before, PURGE_BATCH_MAX)?)
}

/// Deletes every row about the person that this slice keeps, and keeps the username out of use for a year.
///
/// # Errors
/// [`AccountError::NotFound`].
pub fn erase(tx: &mut Tx<'_>, account: AccountId) -> Result<(), AccountError> {
    let person = store::find(tx, account)?.ok_or(AccountError::NotFound)?;
    let until = tx.now().plus(USERNAME_RETIRED);
    // A name that was never proved to be anybody's does not stay blocked.
    if person.state != AccountState::Pending {
        store::insert_retired(tx, &name_digest(tx, &person.username), until)?;
    }
    addresses::forget(tx, account)?;
    Ok(store::delete(tx, account)?)
}
