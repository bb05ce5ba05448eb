//! What can be done about factors, each in one transaction. Whatever changes them ends the person's other sessions, records it
//! and tells the person, all at once.

mod half;
mod passkeys;
mod proofs;
mod recovery;
mod resets;
mod totp;
mod whole;

pub use half::{count_wrong_try, end_half, half, owe};
pub use passkeys::{add_passkey, challenge, passkeys, remove_passkey, rename_passkey};
pub(super) use passkeys::{find_credential, refuse_passkey, take_challenge};
pub use proofs::prove;
pub use recovery::generate_codes;
pub use resets::{cancel_reset, cancel_reset_by_link, reset_by_operators, reset_due, reset_of, start_reset};
pub use totp::{confirm_totp, remove_totp, set_up, set_up_under_way};
pub use whole::{enrolled, forget, is_owed, is_required, purge_old, remove_since};
