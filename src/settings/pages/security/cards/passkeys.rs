//! The card of the passkeys.

use crate::factors::Passkey;
use crate::http::{Moment, TimeFormat};
use crate::settings::model::SecuritySettings;

/// A row of the list.
pub(in super::super) struct PasskeyRow {
    pub id: String,
    pub name: String,
    pub created: Moment,
    /// `None`: it was not used yet.
    pub last_used: Option<Moment>,
    pub is_backed_up: bool,
}

impl PasskeyRow {
    pub fn new(passkey: &Passkey, times: TimeFormat<'_>) -> Self {
        Self {
            id: passkey.id.to_string(),
            name: passkey.name.clone(),
            created: times.moment(passkey.created_at),
            last_used: passkey.last_used_at.map(|at| times.moment(at)),
            is_backed_up: passkey.is_backed_up,
        }
    }
}

pub(in super::super) struct PasskeysCard {
    /// Whether this site can have passkeys: it needs a host name.
    pub is_possible: bool,
    pub rows: Vec<PasskeyRow>,
}

impl PasskeysCard {
    pub fn new(settings: &SecuritySettings, times: TimeFormat<'_>) -> Self {
        Self {
            is_possible: settings.passkeys_are_possible,
            rows: settings.passkeys.iter().map(|passkey| PasskeyRow::new(passkey, times)).collect(),
        }
    }
}
