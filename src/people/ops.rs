//! The operations on profiles, pictures and preferences.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::error::PeopleError;
use super::events::PeopleEvent;
use super::imaging::RenderedPicture;
use super::links::Links;
use super::model::{MailChoices, MailKind, Preferences, PublicProfile, Settings, Theme};
use super::store;
use crate::accounts::AccountEvent;
use crate::accounts::{self, AccountState, Profile};
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor};
use crate::db::{self, Tx, View};
use crate::mail::{self, Message};

fn must_manage(view: &View<'_>, actor: &Actor, account: AccountId) -> Result<(), PeopleError> {
    let is_allowed = actor.can_manage(account) && accounts::find(view, account)?.is_some();
    if is_allowed { Ok(()) } else { Err(PeopleError::NotFound) }
}

/// Changes the profile and the links of the person, both or neither.
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
        Event::new(AccountEvent::ProfileUpdated).target(account).subject(account).data(json!({"fields": ["links"]}));
    Ok(audit::record(tx, actor, event)?)
}

/// Stores a picture in place of the previous one. Returns its name.
///
/// # Errors
/// [`PeopleError::NotFound`] when the account is not the actor's.
pub fn set_picture(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    picture: &RenderedPicture,
) -> Result<String, PeopleError> {
    must_manage(tx, actor, account)?;
    let [large, _, _] = &picture.files;
    let content = hex::encode(Sha256::digest(large));
    let keyed = tx.site().keyring.lookup(format!("picture:{account}:{content}").as_bytes());
    let name = hex::encode(&keyed[..16]);
    store::replace_picture(tx, account, &name, picture)?;
    let event = Event::new(PeopleEvent::AvatarChanged).target(account).subject(account).data(json!({"removed": false}));
    audit::record(tx, actor, event)?;
    Ok(name)
}

/// Removes the picture. Without a picture, nothing happens.
///
/// # Errors
/// [`PeopleError::NotFound`] when the account is not the actor's.
pub fn remove_picture(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), PeopleError> {
    must_manage(tx, actor, account)?;
    if store::delete_picture(tx, account)? == 0 {
        return Ok(());
    }
    let event = Event::new(PeopleEvent::AvatarChanged).target(account).subject(account).data(json!({"removed": true}));
    Ok(audit::record(tx, actor, event)?)
}

/// The preferences of the person; defaults where they did not choose.
///
/// # Errors
/// [`db::Error`].
pub fn preferences(view: &View<'_>, account: AccountId) -> Result<Preferences, db::Error> {
    Ok(store::find_preferences(view, account)?.unwrap_or_default())
}

/// Stores the settings for the display of pages.
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

/// Stores the theme, which is chosen in the sidebar.
///
/// # Errors
/// [`PeopleError::NotFound`] when the account is not the actor's.
pub fn set_theme(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, theme: Theme) -> Result<(), PeopleError> {
    change(tx, actor, account, |chosen| chosen.settings.theme = theme)
}

/// Stores which optional mails the person wants.
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
    must_manage(tx, actor, account)?;
    let before = store::find_preferences(tx, account)?;
    let mut chosen = before.clone().unwrap_or_default();
    choose(&mut chosen);
    // The first choice is stored even if it equals the default, because the person chose it.
    if before.as_ref() == Some(&chosen) {
        return Ok(());
    }
    store::replace_preferences(tx, account, &chosen)?;
    let fields = chosen.differs_from(&before.unwrap_or_default());
    let event =
        Event::new(PeopleEvent::PreferencesUpdated).target(account).subject(account).data(json!({"fields": fields}));
    Ok(audit::record(tx, actor, event)?)
}

/// Whether the person wants mails of this kind.
///
/// # Errors
/// [`db::Error`].
pub fn wants(view: &View<'_>, account: AccountId, kind: MailKind) -> Result<bool, db::Error> {
    Ok(preferences(view, account)?.mails.wants(kind))
}

/// Queues a message of an optional kind to the person's primary address, if they want this kind. Returns whether it was
/// queued. Every optional mail goes through here; required mails go through [`mail::enqueue`].
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

/// The public profile of an active person. `None`: no active account has the username.
///
/// # Errors
/// [`db::Error`].
pub fn public_profile(view: &View<'_>, username: &str) -> Result<Option<PublicProfile>, db::Error> {
    let account = accounts::find_by_username(view, username)?;
    let Some(person) = account.filter(|person| person.state == AccountState::Active) else { return Ok(None) };
    Ok(Some(PublicProfile {
        links: store::list_links(view, person.id)?,
        picture: store::find_picture_name(view, person.id)?,
        username: person.username,
        display_name: person.display_name,
        bio: person.bio,
        colour: person.colour,
    }))
}
