//! The flash messages of the sign-in pages.

use crate::http::flash::flashes;

flashes! {
    /// What happened at a sign-in or sign-up, and why a session ended.
    pub enum SigninFlash {
        SignedOut = good "signed-out": "You are signed out.",
        CodeSent = mailed "code-sent": "A new code is on its way.",
        SignUpOver = ended "sign-up-over":
            "This sign-up is over: its address was verified, or it was replaced. Sign in, or create your account again.",
        BrowserConfirmed = good "browser-confirmed": "This browser is confirmed. Sign in now.",
        Verified = good "verified": "Your address is verified. Welcome.",
        PasswordChanged = good "password-changed": "Your password is changed. Sign in with the new one.",
        SignInOver = good "signin-over":
            "The sign-in took too long, or there were too many wrong codes. Sign in again.",
        Connected = good "connected": "Account connected. You can now use it to sign in.",
        Disconnected = good "disconnected": "Account disconnected. You can no longer use it to sign in.",
        EndedIdle = ended "ended-idle":
            "You were signed out because you were inactive for a while. Sign in again to return to the page you were on.",
        EndedAge = ended "ended-age":
            "You were signed out because your session reached its maximum length. Sign in again to continue.",
        Ended = ended "ended": "You were signed out because your session was ended. Sign in again to continue.",
    }
}
