//! **For:** the profile and the preferences of people: links, picture, theme, language, time zone, optional mails.
//! **Words:** link (of a profile), picture, preference, kind of mail (optional or required).
//! **Tables:** `profile_link`, `picture`, `preference`.
//! **Never:** serves a byte of an uploaded file, because pictures are encoded again; makes a required mail optional.
//! **Start reading:** `model.rs`, then `ops.rs`.

pub mod api;
mod error;
mod events;
pub mod flows;
mod imaging;
mod links;
mod model;
mod ops;
pub mod pages;
mod store;
mod tables;

pub use error::PeopleError;
pub use events::PeopleEvent;
pub use imaging::{PICTURE_BYTES_MAX, PICTURE_PIXELS_MAX, PictureFault, RenderedPicture};
pub use links::{Links, Platform};
pub use model::{
    Language, MailChoices, MailKind, Picture, PictureSize, Preferences, PublicProfile, Settings, Theme, picture_path,
};
pub use ops::{
    mail_if_wanted, preferences, public_profile, remove_picture, save_mail_choices, save_profile, save_settings,
    set_picture, set_theme, wants,
};
pub use store::{
    STATEMENTS, delete_of_account as forget, find_own_picture as own_picture, find_picture as picture,
    list_links as links,
};
pub use tables::TABLES;
pub(crate) use tables::{PICTURE, PREFERENCE, PROFILE_LINK};
