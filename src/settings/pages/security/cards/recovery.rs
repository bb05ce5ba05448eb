//! The card of the recovery codes.

use crate::settings::model::SecuritySettings;

pub(in super::super) struct RecoveryCard {
    /// Whether the account has a second factor that a code can replace.
    pub is_any: bool,
    pub left: u32,
    /// Whether the person should create new ones soon.
    pub is_low: bool,
}

impl RecoveryCard {
    pub fn new(settings: &SecuritySettings) -> Self {
        let factors = &settings.factors;
        Self { is_any: factors.is_any(), left: factors.codes_left, is_low: factors.codes_are_low() }
    }
}
