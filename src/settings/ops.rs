//! Reads that combine several modules.

use super::model::{OwnProfile, ProfileForReader, SecuritySettings};
use crate::base::AccountId;
use crate::db::{Error, View};
use crate::signin::oauth;
use crate::{accounts, factors, people, sessions};

/// The profile of the account with everything on its profile page. `None`: there is no such account.
///
/// # Errors
/// [`Error`].
pub fn read_profile(view: &View<'_>, account: AccountId) -> Result<Option<OwnProfile>, Error> {
    let Some(person) = accounts::find(view, account)? else { return Ok(None) };
    Ok(Some(OwnProfile {
        account: person,
        links: people::links(view, account)?,
        addresses: accounts::addresses::list(view, account)?,
        preferences: people::preferences(view, account)?,
    }))
}

/// How the person signs in, and where they are signed in.
///
/// # Errors
/// [`Error`].
pub fn read_security(view: &View<'_>, account: AccountId) -> Result<SecuritySettings, Error> {
    Ok(SecuritySettings {
        password_changed_at: accounts::password_changed_at(view, account)?,
        factors: factors::enrolled(view, account)?,
        reset: factors::reset_of(view, account)?,
        passkeys_are_possible: factors::passkeys_are_possible(&view.site().config),
        passkeys: factors::passkeys(view, account)?,
        connections: oauth::connections(view, account)?,
        sessions: sessions::list(view, account)?,
    })
}

/// The public profile of the account with this username; its owner also sees what is not public. `None`: there is no
/// active account with this name.
///
/// # Errors
/// [`Error`].
pub fn profile_for_reader(
    view: &View<'_>,
    reader: AccountId,
    username: &str,
) -> Result<Option<ProfileForReader>, Error> {
    let Some(profile) = people::public_profile(view, username)? else { return Ok(None) };
    let own = accounts::find(view, reader)?.filter(|reader| reader.username == profile.username);
    Ok(Some(ProfileForReader { profile, own }))
}
