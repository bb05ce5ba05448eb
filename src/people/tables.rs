//! The tables of people: each column once, with its tags.

use crate::db::{Cell, DERIVED, Erasure, LINK, Table, exported, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[PROFILE_LINK, PICTURE, PREFERENCE];

table! {
    /// Links on a profile.
    pub(crate) PROFILE_LINK: "profile_link" { part: Some("account/links"), erasure: Erasure::Deletes }
    platform = exported(Cell::Text);
    value = exported(Cell::Text).personal("shown on the profile");
    account_id = left_out(LINK);
}

table! {
    /// Pictures of people.
    pub(crate) PICTURE: "picture" { part: Some("account/profile"), erasure: Erasure::Deletes }
    media = exported(Cell::Text).named("picture");
    uploaded_at = exported(Cell::Time).named("picture_uploaded_at");
    account_id = left_out(LINK);
    name = left_out(DERIVED);
    large = left_out("a separate file in the archive, account/picture").personal("shown on the profile");
    medium = left_out(DERIVED).personal("shown in pages");
    small = left_out(DERIVED).personal("shown in pages");
}

table! {
    /// Preferences.
    pub(crate) PREFERENCE: "preference" { part: Some("account/preferences"), erasure: Erasure::Deletes }
    theme = exported(Cell::Text);
    language = exported(Cell::Text).personal("the language of pages and mails");
    time_zone = exported(Cell::Text).personal("the times in pages and mails");
    is_mailed_key_reminders = exported(Cell::Flag).named("mail_key_reminders");
    is_mailed_usage = exported(Cell::Flag).named("mail_usage");
    updated_at = exported(Cell::Time).named("changed_at");
    account_id = left_out(LINK);
}
