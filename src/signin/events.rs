//! The events of signing in and of suspending an account.

use crate::audit::{EventType, Fact, Part, events};

events! {
    /// What happens when people sign in, and when they cannot any more.
    SigninEvent {
        Succeeded = "auth.signin_succeeded": EventType::for_person().done("Signed in").facts(&[Fact::Method("method")]),
        Failed = "auth.signin_failed": EventType::for_person().failed("Sign-in failed").denied("Sign-in refused").facts(&[Fact::Method("method")]),
        Disowned = "auth.signin_disowned": EventType::for_person().done("Sign-in reported as not you").ends_access(),
        FactorAsked = "auth.factor_asked": EventType::for_person().done("Second factor requested").facts(&[Fact::Method("method")]),
        ConfirmationAsked = "auth.confirmation_asked":
            EventType::for_person().done("Sign-in needs a confirmation by email: too many wrong passwords"),
        BrowserConfirmed = "auth.browser_confirmed": EventType::for_person().done("Browser confirmed by email"),
        StepUpSucceeded = "auth.stepup_succeeded": EventType::for_person().done("Identity confirmed").facts(&[Fact::Method("method")]),
        StepUpFailed = "auth.stepup_failed": EventType::for_person().failed("Confirmation failed").facts(&[Fact::Method("method")]),
        PasswordResetRequested = "auth.password_reset_requested":
            EventType::for_person().done("Password reset requested"),
        PasswordResetCompleted = "auth.password_reset_completed":
            EventType::for_person().done("Password reset").ends_access(),
        InvitationAccepted = "account.invitation_accepted":
            EventType::for_person().done("Invitation accepted").ends_access(),
        ClaimVoided = "account.claim_voided":
            EventType::for_person().done("Sign-in methods removed: another person verified the address").ends_access(),
        SignUpReplaced = "account.signup_replaced":
            EventType::for_person().done("Sign-up replaced by another one before its address was verified"),
        Suspended = "account.suspended":
            EventType::for_person().done("Account suspended").with(&[Part::Text]).ends_access(),
        Reactivated = "account.reactivated": EventType::for_person().done("Account reactivated").returns_access(),
    }
}
