//! **For:** second factors: authenticator apps, recovery codes, passkeys; and sign-ins that still owe one.
//! **Words:** factor, step (thirty seconds of a code), recovery code, passkey, challenge, half-session, reset.
//! **Tables:** `totp`, `totp_setup`, `recovery_code`, `passkey`, `passkey_handle`, `passkey_challenge`, `half_session`,
//! `factor_reset`.
//! **Never:** takes a code twice; shows a secret after its enrolment; says whether it was the code or the count that was wrong.
//! **Start reading:** `model.rs`, then [`prove`].

mod ceremony;
mod error;
pub mod flows;
pub mod jobs;
mod mails;
mod model;
mod ops;
mod qr;
mod store;
mod totp;

pub use ceremony::passkeys_are_possible;
pub use error::FactorError;
pub use model::{
    AskedBy, Asserted, Assertion, ChallengeFor, Challenged, Enrolled, FactorProof, HALF_LIFE, HALF_TRIES_MAX, Half,
    NewCodes, Passkey, PasskeyName, RESET_WAIT, RecoveryCode, Reset, SetUp, Used,
};
pub use ops::{
    add_passkey, cancel_reset, cancel_reset_by_link, challenge, confirm_totp, count_wrong_try, end_half, enrolled,
    forget, generate_codes, half, is_owed, is_required, owe, passkeys, prove, purge_old, remove_passkey, remove_since,
    remove_totp, rename_passkey, reset_by_operators, reset_due, reset_of, set_up, set_up_under_way, start_reset,
};
pub use qr::svg_path;
pub use store::STATEMENTS;
pub use totp::{Seed, accepted_step};
