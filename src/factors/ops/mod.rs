//! The operations on factors, each in one transaction. Every operation that changes factors ends the person's other
//! sessions, records the change and tells the person, all at once.

mod enrolment;
mod passkeys;
mod pending;
mod proofs;
mod recovery;
mod resets;
mod totp;

pub use enrolment::{
    end_other_access, end_unfinished, follow_clock, forget, is_required, must_enrol, purge_old, remove_since,
};
pub use passkeys::{add_passkey, challenge, remove_passkey, rename_passkey};
pub(super) use passkeys::{refuse_passkey, take_challenge};
pub use pending::{count_wrong_try, end_pending_sign_in, pending_sign_in, start_pending_sign_in};
pub use proofs::prove;
pub use recovery::generate_codes;
pub use resets::{
    cancel_reset, cancel_reset_by_link, reset_by_operators, reset_due, second_operator_hash, start_reset,
};
pub use totp::{confirm_totp, remove_totp, start_totp_setup, totp_setup};
