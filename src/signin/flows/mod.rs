//! The flows of sign-up, sign-in and passwords, a file for each verb: a read, the slow step (hashing), then one
//! transaction.

mod change_password;
mod new_password;
mod prove_password;
mod reset;
mod revert_email;
mod sign_in;
mod sign_up;
mod step_up;

pub use change_password::change_password;
pub use new_password::{new_password, rate_password};
pub use prove_password::prove_password;
pub use reset::{request_reset, reset};
pub use revert_email::revert_email;
pub use sign_in::{prove_factor, sign_in, sign_in_by_passkey};
pub use sign_up::{accept_invitation, claim_operator, invited_address, sign_up};
pub use step_up::step_up;
