//! All SQL about links, pictures and preferences.

use rusqlite::{Row, named_params};

use super::imaging::RenderedPicture;
use super::links::{Links, Platform};
use super::model::{Language, MailChoices, Picture, PictureSize, Preferences, Settings, Theme};
use crate::base::{AccountId, Zone};
use crate::db::{Error, Tx, View};

const LIST_LINKS: &str = "select platform, value from profile_link where account_id = :account_id";
const INSERT_LINK: &str = "
    insert into profile_link (account_id, platform, value) values (:account_id, :platform, :value)";
const DELETE_LINKS: &str = "delete from profile_link where account_id = :account_id";

const REPLACE_PICTURE: &str = "
    insert or replace into picture (account_id, name, media, large, medium, small, uploaded_at)
    values (:account_id, :name, :media, :large, :medium, :small, :now)";
const FIND_PICTURE_NAME: &str = "select name from picture where account_id = :account_id";
const FIND_OWN: &str = "select media, large from picture where account_id = :account_id";
const FIND_LARGE: &str = "select media, large from picture where name = :name";
const FIND_MEDIUM: &str = "select media, medium from picture where name = :name";
const FIND_SMALL: &str = "select media, small from picture where name = :name";
const DELETE_PICTURE: &str = "delete from picture where account_id = :account_id";

const FIND_PREFERENCE: &str = "
    select theme, language, time_zone, is_mailed_key_reminders, is_mailed_usage from preference
    where account_id = :account_id";
const REPLACE_PREFERENCE: &str = "
    insert or replace into preference (
      account_id, theme, language, time_zone, is_mailed_key_reminders, is_mailed_usage, updated_at)
    values (:account_id, :theme, :language, :time_zone, :key_reminders, :usage, :now)";
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

pub(super) fn list_links(view: &View<'_>, account: AccountId) -> Result<Links, Error> {
    let rows = view.list(LIST_LINKS, named_params! {":account_id": account}, |row| {
        let platform: String = row.get(0)?;
        Ok((Platform::parse(&platform).ok_or(rusqlite::Error::InvalidQuery)?, row.get(1)?))
    })?;
    Ok(Links::new(rows))
}

pub(super) fn replace_links(tx: &mut Tx<'_>, account: AccountId, links: &Links) -> Result<(), Error> {
    tx.execute(DELETE_LINKS, named_params! {":account_id": account})?;
    for (platform, value) in links.iter() {
        let params = named_params! {":account_id": account, ":platform": platform.as_str(), ":value": value};
        tx.execute(INSERT_LINK, params)?;
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
        named_params! {
            ":account_id": account,
            ":name": name,
            ":media": picture.media,
            ":large": large,
            ":medium": medium,
            ":small": small,
            ":now": now,
        },
    )?;
    Ok(())
}

pub(super) fn find_picture_name(view: &View<'_>, account: AccountId) -> Result<Option<String>, Error> {
    view.find(FIND_PICTURE_NAME, named_params! {":account_id": account}, |row| row.get(0))
}

fn read_picture(row: &Row<'_>) -> rusqlite::Result<Picture> {
    Ok(Picture { media: row.get(0)?, bytes: row.get(1)? })
}

pub(super) fn find_own_picture(view: &View<'_>, account: AccountId) -> Result<Option<Picture>, Error> {
    view.find(FIND_OWN, named_params! {":account_id": account}, read_picture)
}

pub(super) fn find_picture(view: &View<'_>, name: &str, size: PictureSize) -> Result<Option<Picture>, Error> {
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
    let (theme, language, zone): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(Preferences {
        settings: Settings {
            theme: Theme::parse(&theme).ok_or(rusqlite::Error::InvalidQuery)?,
            // A language that the pages no longer have is read as the default.
            language: Language::parse(&language).unwrap_or_default(),
            zone: Zone::new(&zone),
        },
        mails: MailChoices { key_reminders: row.get(3)?, usage: row.get(4)? },
    })
}

pub(super) fn find_preferences(view: &View<'_>, account: AccountId) -> Result<Option<Preferences>, Error> {
    view.find(FIND_PREFERENCE, named_params! {":account_id": account}, read_preferences)
}

pub(super) fn replace_preferences(tx: &mut Tx<'_>, account: AccountId, chosen: &Preferences) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        REPLACE_PREFERENCE,
        named_params! {
            ":account_id": account,
            ":theme": chosen.settings.theme.as_str(),
            ":language": chosen.settings.language.as_str(),
            ":time_zone": chosen.settings.zone.name(),
            ":key_reminders": chosen.mails.key_reminders,
            ":usage": chosen.mails.usage,
            ":now": now,
        },
    )?;
    Ok(())
}

pub(super) fn delete_of_account(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    let mut rows = 0;
    for statement in [DELETE_LINKS, DELETE_PICTURE, DELETE_PREFERENCE] {
        rows += tx.execute(statement, named_params! {":account_id": account})?;
    }
    Ok(rows)
}
