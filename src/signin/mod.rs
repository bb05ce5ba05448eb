//! **For:** sign-up, verification of addresses, sign-in, password reset, the second step, step-up, and changes of
//! addresses, which are sign-in names. Sign-in with other providers is in `oauth`.
//! **Words:** sign-up, code, sign-in, pending sign-in (the first factor was right, the second is missing), reset link,
//! claim (the one-time link of the first operator).
//! **Tables:** none of its own: it combines accounts, invitations, workspaces, sessions and billing.
//! **Never:** reveals to an anonymous caller, by words or by timing, whether an address or a name has an account;
//! hashes inside a transaction.
//! **Start reading:** [`flows`], top to bottom.

mod error;
mod events;
mod flashes;
pub mod flows;
mod mails;
mod model;
pub mod oauth;
mod ops;
pub mod pages;

pub use error::SigninError;
pub use events::SigninEvent;
pub use flashes::SigninFlash;
pub use model::{
    FactorInput, NewPerson, PasswordContext, PendingSignUp, Proof, SignIn, SignInOutcome, SignUp, StepUp,
    StepUpOptions, method_label,
};
pub use ops::{
    PasswordAttempt, claim_link, confirm_browser, create_account, find_not_me, not_me, reactivate, remove_email,
    remove_passkey, reset_link_by_mail, restart_sign_up, set_primary_email, suspend, verify, verify_added_email,
    void_other_claims,
};
