//! **For:** second factors: authenticator apps, recovery codes, passkeys; and sign-ins whose second factor is missing.
//! **Words:** factor, step (thirty seconds of a code), recovery code, passkey, challenge, pending sign-in (table
//! `half_session`), reset.
//! **Tables:** `totp`, `totp_setup`, `recovery_code`, `passkey`, `passkey_handle`, `passkey_challenge`, `half_session`,
//! `factor_reset`.
//! **Never:** accepts a code twice; shows a secret after its enrolment; tells a wrong code from one that was used.
//! **Start reading:** `model.rs`, then [`prove`].

mod ceremony;
mod error;
mod events;
pub mod flows;
pub mod jobs;
mod mails;
mod model;
mod ops;
pub mod pages;
mod qr;
pub mod replay;
mod store;
mod tables;
mod totp;

pub use ceremony::passkeys_are_possible;
pub use error::FactorError;
pub use events::FactorEvent;
pub use model::{
    Assertion, ChallengePurpose, EnrolledFactors, FactorKind, FactorProof, MFA_PENDING_LIFE, MFA_PENDING_TRIES_MAX,
    NewCodes, Passkey, PasskeyChallenge, PasskeyName, PendingSignIn, RESET_WAIT, RecoveryCode, Reset, ResetRequester,
    TotpSetup, VerifiedAssertion,
};
pub use ops::{
    add_passkey, cancel_reset, cancel_reset_by_link, challenge, confirm_totp, count_wrong_try, end_other_access,
    end_pending_sign_in, end_unfinished, follow_clock, forget, generate_codes, is_required, must_enrol,
    pending_sign_in, prove, purge_old, remove_passkey, remove_since, remove_totp, rename_passkey, reset_by_operators,
    reset_due, second_operator_hash, start_pending_sign_in, start_reset, start_totp_setup, totp_setup,
};
pub use qr::svg_path;
pub use store::{
    PASSKEY_STATEMENTS, STATEMENTS, UNFINISHED_STATEMENTS, find_enrolled as enrolled, find_reset as reset_of,
    list_passkeys as passkeys,
};
pub use tables::TABLES;
pub(crate) use tables::{FACTOR_RESET, PASSKEY, RECOVERY_CODE, TOTP};
pub use totp::{Seed, accepted_step};
