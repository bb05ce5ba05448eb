//! What people can say about themselves, and choose.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::error::PeopleError;
use super::imaging::Rendered;
use super::links::Links;
use super::model::{MailChoices, MailKind, Picture, PictureSize, Preferences, PublicProfile, Settings, Theme};
use super::store;
use crate::accounts::{self, AccountState, Profile};
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor};
use crate::db::{self, Tx, View};
use crate::mail::{self, Message};

fn must_govern(view: &View<'_>, actor: &Actor, account: AccountId) -> Result<(), PeopleError> {
    let is_theirs = actor.can_manage(account) && accounts::find(view, account)?.is_some();
    if is_theirs { Ok(()) } else { Err(PeopleError::NotFound) }
}

/// Changes what the person says about themselves: all of it or nothing.
///
/// # Errors
/// [`PeopleError::Account`] when the account is not the actor's.
pub fn save_profile(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    profile: &Profile,
    links: &Links,
) -> Result<(), PeopleError> {
    accounts::update_profile(tx, actor, account, profile)?;
    if store::list_links(tx, account)? == *links {
        return Ok(());
    }
    store::replace_links(tx, account, links)?;
    let event =
        Event::new("account.profile_updated").target(account).subject(account).data(json!({"fields": ["links"]}));
    Ok(audit::record(tx, actor, event)?)
}

/// Where else the person can be found.
///
/// # Errors
/// [`db::Error`].
pub fn links(view: &View<'_>, account: AccountId) -> Result<Links, db::Error> {
    store::list_links(view, account)
}

/// Takes a picture that was written anew, in place of the one before. Answers its name.
///
/// # Errors
/// [`PeopleError::NotFound`] when the account is not the actor's.
pub fn set_picture(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    picture: &Rendered,
) -> Result<String, PeopleError> {
    must_govern(tx, actor, account)?;
    let [large, _, _] = &picture.files;
    let content = hex::encode(Sha256::digest(large));
    let keyed = tx.site().keyring.lookup(format!("picture:{account}:{content}").as_bytes());
    let name = hex::encode(&keyed[..16]);
    store::replace_picture(tx, account, &name, picture)?;
    let event = Event::new("account.avatar_changed").target(account).subject(account).data(json!({"removed": false}));
    audit::record(tx, actor, event)?;
    Ok(name)
}

/// Removes the picture; without one, nothing happens.
///
/// # Errors
/// [`PeopleError::NotFound`] when the account is not the actor's.
pub fn remove_picture(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), PeopleError> {
    must_govern(tx, actor, account)?;
    if store::delete_picture(tx, account)? == 0 {
        return Ok(());
    }
    let event = Event::new("account.avatar_changed").target(account).subject(account).data(json!({"removed": true}));
    Ok(audit::record(tx, actor, event)?)
}

/// A picture by its name. `None`: there is none, or no longer.
///
/// # Errors
/// [`db::Error`].
pub fn picture(view: &View<'_>, name: &str, size: PictureSize) -> Result<Option<Picture>, db::Error> {
    store::find_picture(view, name, size)
}

/// The person's own picture in its largest size. `None`: they have none.
///
/// # Errors
/// [`db::Error`].
pub fn own_picture(view: &View<'_>, account: AccountId) -> Result<Option<Picture>, db::Error> {
    store::find_own_picture(view, account)
}

/// What the person chose, or what the house takes where they did not.
///
/// # Errors
/// [`db::Error`].
pub fn preferences(view: &View<'_>, account: AccountId) -> Result<Preferences, db::Error> {
    Ok(store::find_preferences(view, account)?.unwrap_or_default())
}

/// Keeps how pages look and tell the time.
///
/// # Errors
/// [`PeopleError::NotFound`] when the account is not the actor's.
pub fn save_settings(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    settings: Settings,
) -> Result<(), PeopleError> {
    change(tx, actor, account, |chosen| chosen.settings = settings)
}

/// Keeps the theme, chosen at the rail.
///
/// # Errors
/// [`PeopleError::NotFound`] when the account is not the actor's.
pub fn set_theme(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, theme: Theme) -> Result<(), PeopleError> {
    change(tx, actor, account, |chosen| chosen.settings.theme = theme)
}

/// Keeps which optional mails the person wants.
///
/// # Errors
/// [`PeopleError::NotFound`] when the account is not the actor's.
pub fn save_mail_choices(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    mails: MailChoices,
) -> Result<(), PeopleError> {
    change(tx, actor, account, |chosen| chosen.mails = mails)
}

fn change(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    choose: impl FnOnce(&mut Preferences),
) -> Result<(), PeopleError> {
    must_govern(tx, actor, account)?;
    let before = store::find_preferences(tx, account)?;
    let mut chosen = before.clone().unwrap_or_default();
    choose(&mut chosen);
    // The first choice is kept even where it is what the house takes anyway: it was chosen.
    if before.as_ref() == Some(&chosen) {
        return Ok(());
    }
    store::replace_preferences(tx, account, &chosen)?;
    let fields = chosen.differs_from(&before.unwrap_or_default());
    let event =
        Event::new("account.preferences_updated").target(account).subject(account).data(json!({"fields": fields}));
    Ok(audit::record(tx, actor, event)?)
}

/// Whether the person wants mails of this kind.
///
/// # Errors
/// [`db::Error`].
pub fn wants(view: &View<'_>, account: AccountId, kind: MailKind) -> Result<bool, db::Error> {
    Ok(preferences(view, account)?.mails.wants(kind))
}

/// Queues a message of an optional kind to the person's primary address, where they want such messages. Answers whether it was
/// queued. Every mail that a person can choose goes through here; what must be told goes through [`mail::enqueue`].
///
/// # Errors
/// [`db::Error`].
pub fn mail_if_wanted(
    tx: &mut Tx<'_>,
    account: AccountId,
    kind: MailKind,
    message: &impl Message,
) -> Result<bool, db::Error> {
    if !wants(tx, account, kind)? {
        return Ok(false);
    }
    let Some(address) = accounts::primary_email(tx, account)? else { return Ok(false) };
    mail::enqueue(tx, Some(account), address, message)?;
    Ok(true)
}

/// What anybody on the platform may know of an active person. `None`: nobody active has the name.
///
/// # Errors
/// [`db::Error`].
pub fn public_profile(view: &View<'_>, username: &str) -> Result<Option<PublicProfile>, db::Error> {
    let found = accounts::find_by_username(view, username)?;
    let Some(person) = found.filter(|person| person.state == AccountState::Active) else { return Ok(None) };
    Ok(Some(PublicProfile {
        links: store::list_links(view, person.id)?,
        picture: store::find_picture_name(view, person.id)?,
        username: person.username,
        display_name: person.display_name,
        bio: person.bio,
        colour: person.colour,
    }))
}

/// Deletes everything this slice keeps about the person. Answers how many rows.
///
/// # Errors
/// [`db::Error`].
pub fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, db::Error> {
    store::delete_of_account(tx, account)
}
