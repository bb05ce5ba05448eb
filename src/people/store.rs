//! All SQL about links, pictures and preferences.

use rusqlite::{Row, named_params};

use super::imaging::RenderedPicture;
use super::links::{Links, Platform};
use super::model::{Language, MailChoices, Picture, PictureSize, Preferences, Settings, Theme};
use super::tables::{PICTURE, PREFERENCE, PROFILE_LINK};
use crate::base::{AccountId, Zone};
use crate::db::{Error, Tx, View, by_name, insert, only, values};

const LIST_LINKS: &str = "select platform, value from profile_link where account_id = :account_id";
const INSERT_LINK: &str = insert!(PROFILE_LINK);
const DELETE_LINKS: &str = "delete from profile_link where account_id = :account_id";

const REPLACE_PICTURE: &str = insert!("insert or replace", PICTURE);
const FIND_PICTURE_NAME: &str = "select name from picture where account_id = :account_id";
const FIND_OWN: &str = "select media, large as bytes from picture where account_id = :account_id";
const FIND_LARGE: &str = "select media, large as bytes from picture where name = :name";
const FIND_MEDIUM: &str = "select media, medium as bytes from picture where name = :name";
const FIND_SMALL: &str = "select media, small as bytes from picture where name = :name";
const DELETE_PICTURE: &str = "delete from picture where account_id = :account_id";

const FIND_PREFERENCE: &str = "
    select theme, language, time_zone, is_mailed_key_reminders, is_mailed_usage from preference
    where account_id = :account_id";
const REPLACE_PREFERENCE: &str = insert!("insert or replace", PREFERENCE);
const DELETE_PREFERENCE: &str = "delete from preference where account_id = :account_id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    LIST_LINKS,
    INSERT_LINK,
    DELETE_LINKS,
    REPLACE_PICTURE,
    FIND_PICTURE_NAME,
    FIND_OWN,
    FIND_LARGE,
    FIND_MEDIUM,
    FIND_SMALL,
    DELETE_PICTURE,
    FIND_PREFERENCE,
    REPLACE_PREFERENCE,
    DELETE_PREFERENCE,
];

/// The links of the person to their profiles on other platforms.
///
/// # Errors
/// [`Error`].
pub fn list_links(view: &View<'_>, account: AccountId) -> Result<Links, Error> {
    let rows = view.list(LIST_LINKS, named_params! {":account_id": account}, |row| {
        by_name!(row, LIST_LINKS => platform, value);
        Ok((platform.parse(Platform::parse)?, value.get()?))
    })?;
    Ok(Links::new(rows))
}

pub(super) fn replace_links(tx: &mut Tx<'_>, account: AccountId, links: &Links) -> Result<(), Error> {
    tx.execute(DELETE_LINKS, named_params! {":account_id": account})?;
    for (platform, value) in links.iter() {
        tx.execute(
            INSERT_LINK,
            values!(PROFILE_LINK => {
                platform: platform.as_str(),
                value: value,
                account_id: account,
            }),
        )?;
    }
    Ok(())
}

pub(super) fn replace_picture(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
    picture: &RenderedPicture,
) -> Result<(), Error> {
    let now = tx.now();
    let [large, medium, small] = &picture.files;
    tx.execute(
        REPLACE_PICTURE,
        values!(PICTURE => {
            media: picture.media,
            uploaded_at: now,
            account_id: account,
            name: name,
            large: large,
            medium: medium,
            small: small,
        }),
    )?;
    Ok(())
}

pub(super) fn find_picture_name(view: &View<'_>, account: AccountId) -> Result<Option<String>, Error> {
    view.find(FIND_PICTURE_NAME, named_params! {":account_id": account}, only)
}

fn read_picture(row: &Row<'_>) -> rusqlite::Result<Picture> {
    by_name!(row, FIND_OWN => media, bytes);
    Ok(Picture { media: media.get()?, bytes: bytes.get()? })
}

/// The picture of the person in its largest size. `None`: they have none.
///
/// # Errors
/// [`Error`].
pub fn find_own_picture(view: &View<'_>, account: AccountId) -> Result<Option<Picture>, Error> {
    view.find(FIND_OWN, named_params! {":account_id": account}, read_picture)
}

/// A picture by its name. `None`: there is none with this name.
///
/// # Errors
/// [`Error`].
pub fn find_picture(view: &View<'_>, name: &str, size: PictureSize) -> Result<Option<Picture>, Error> {
    let statement = match size {
        PictureSize::Large => FIND_LARGE,
        PictureSize::Medium => FIND_MEDIUM,
        PictureSize::Small => FIND_SMALL,
    };
    view.find(statement, named_params! {":name": name}, read_picture)
}

pub(super) fn delete_picture(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_PICTURE, named_params! {":account_id": account})
}

fn read_preferences(row: &Row<'_>) -> rusqlite::Result<Preferences> {
    by_name!(row, FIND_PREFERENCE => theme, language, time_zone, is_mailed_key_reminders, is_mailed_usage);
    Ok(Preferences {
        settings: Settings {
            theme: theme.parse(Theme::parse)?,
            // A language that the pages no longer have is read as the default.
            language: Language::parse(language.text()?).unwrap_or_default(),
            zone: Zone::new(time_zone.text()?),
        },
        mails: MailChoices { key_reminders: is_mailed_key_reminders.get()?, usage: is_mailed_usage.get()? },
    })
}

pub(super) fn find_preferences(view: &View<'_>, account: AccountId) -> Result<Option<Preferences>, Error> {
    view.find(FIND_PREFERENCE, named_params! {":account_id": account}, read_preferences)
}

pub(super) fn replace_preferences(tx: &mut Tx<'_>, account: AccountId, chosen: &Preferences) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        REPLACE_PREFERENCE,
        values!(PREFERENCE => {
            theme: chosen.settings.theme.as_str(),
            language: chosen.settings.language.as_str(),
            time_zone: chosen.settings.zone.name(),
            is_mailed_key_reminders: chosen.mails.key_reminders,
            is_mailed_usage: chosen.mails.usage,
            updated_at: now,
            account_id: account,
        }),
    )?;
    Ok(())
}

/// Deletes every row of this slice about the person. Returns how many rows.
///
/// # Errors
/// [`Error`].
pub fn delete_of_account(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    let mut rows = 0;
    for statement in [DELETE_LINKS, DELETE_PICTURE, DELETE_PREFERENCE] {
        rows += tx.execute(statement, named_params! {":account_id": account})?;
    }
    Ok(rows)
}
