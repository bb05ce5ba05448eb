//! The card of two-step sign-in: the authenticator app.

use crate::http::{Moment, TimeFormat};
use crate::settings::model::SecuritySettings;

pub(in super::super) struct TwoStepCard {
    pub is_on: bool,
    /// Whether the account has any second factor.
    pub is_any: bool,
    /// When all factors will be removed. `None`: no reset is waiting.
    pub due: Option<Moment>,
}

impl TwoStepCard {
    pub fn new(settings: &SecuritySettings, times: TimeFormat<'_>) -> Self {
        Self {
            is_on: settings.factors.has_totp,
            is_any: settings.factors.is_any(),
            due: settings.reset.as_ref().map(|reset| times.moment(reset.due_at)),
        }
    }
}
