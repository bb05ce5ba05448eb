//! The flash messages of the settings pages.

use crate::http::flash::flashes;

flashes! {
    /// What happened to a profile, or to what protects an account.
    pub enum SettingsFlash {
        EmailAdded = mailed "email-added": "A code is on its way to this address. Enter it here.",
        EmailVerified = good "email-verified":
            "The address is verified. You can sign in with it, and you can make it your primary address.",
        EmailPrimary = mailed "email-primary":
            "Your primary address is changed. Both addresses get an e-mail, and the previous one can undo this for a week.",
        EmailRemoved = good "email-removed": "The address is removed.",
        PictureSaved = good "picture-saved": "Your picture is saved.",
        PictureRemoved = good "picture-removed": "Your picture is removed.",
        PasswordChanged = good "own-password-changed":
            "Your password is changed. Your other sessions were signed out.",
        SessionEnded = good "session-ended": "That device is signed out.",
        OthersEnded = good "others-ended": "You are signed out everywhere else.",
        AuthenticatorAdded = good "two-step-on": "The authenticator app is set up.",
        TwoStepOn = good "first-app": "Two-step sign-in is on.",
        FirstPasskey = good "first-passkey": "The passkey is added, and two-step sign-in is on.",
        CodesReplaced = good "codes-replaced": "The old codes no longer work.",
        PasskeyAdded = good "passkey-added": "The passkey was added.",
        FactorRemoved = good "factor-removed":
            "The second factor was removed. Your other sessions were signed out.",
        FactorsKept = good "factors-kept": "Your second factors were not changed.",
    }
}
