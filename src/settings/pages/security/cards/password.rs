//! The card of the password.

use crate::base::{Problem, Timestamp};
use crate::http::page::FormFault;
use crate::settings::model::SecuritySettings;

pub(in super::super) struct PasswordCard {
    pub fault: Option<FormFault>,
    /// When it was set. `None`: the account has no password.
    pub changed: Option<String>,
    /// For password managers.
    pub username: String,
    pub min_length: usize,
}

impl PasswordCard {
    /// `refused`: why the new password was refused.
    pub fn new(settings: &SecuritySettings, username: &str, min_length: usize, refused: Option<&Problem>) -> Self {
        let changed = settings.password_changed_at.map(Timestamp::day);
        Self { fault: refused.map(FormFault::from), changed, username: username.to_owned(), min_length }
    }
}
