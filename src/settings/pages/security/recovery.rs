//! The form of the recovery codes, and stopping a reset of the factors.

use super::super::super::flashes::SettingsFlash;
pub use super::codes::new_codes;
use super::codes::show_codes;
use super::page::TWO_STEP;
use crate::factors;
use crate::http::page::AppData;
use crate::http::{Answer, Form, SignedIn, redirect_with_flash};

/// `POST /settings/security/recovery-codes`.
pub async fn regenerate(app: AppData, who: SignedIn, _form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let codes = app.write(move |tx| factors::generate_codes(tx, &actor, account)).await?;
    show_codes(&app, &who, &codes, SettingsFlash::CodesReplaced)
}

/// `POST /settings/security/reset/cancel`. It needs no fresh proof, because it only keeps the existing factors.
pub async fn cancel_reset(app: AppData, who: SignedIn, _form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    app.write(move |tx| factors::cancel_reset(tx, &actor, account)).await?;
    Ok(redirect_with_flash(TWO_STEP, SettingsFlash::FactorsKept))
}
