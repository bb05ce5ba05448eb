//! The card of the passkeys.

use crate::factors::Passkey;
use crate::settings::model::SecuritySettings;

/// A row of the list.
pub(in super::super) struct PasskeyRow {
    pub id: String,
    pub name: String,
    pub created: String,
    /// Such as `Last used on 3 May 2026, 09:00 UTC`.
    pub last_used: String,
    pub is_backed_up: bool,
}

impl PasskeyRow {
    pub fn new(passkey: &Passkey) -> Self {
        Self {
            id: passkey.id.to_string(),
            name: passkey.name.clone(),
            created: passkey.created_at.day(),
            last_used: passkey
                .last_used_at
                .map_or_else(|| "Not used yet".into(), |at| format!("Last used on {}", at.day_and_time())),
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
    pub fn new(settings: &SecuritySettings) -> Self {
        Self {
            is_possible: settings.passkeys_are_possible,
            rows: settings.passkeys.iter().map(PasskeyRow::new).collect(),
        }
    }
}
