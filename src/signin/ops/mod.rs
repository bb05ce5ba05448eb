//! The one transaction of each step; what is slow happens before, in `flows`.

mod change_password;
mod emails;
mod enter;
mod factor;
mod invited;
mod reset;
mod sign_up;
mod step_up;
mod suspend;

pub(super) use change_password::change_password;
pub(super) use emails::revert_email;
pub(super) use enter::{admit, find_for_sign_in, must_not_wait, refuse, typed_bucket};
pub(super) use factor::{asked, enter_by_passkey, lost_factor, prove_half};
pub(super) use invited::{accept_invitation, invited_address};
pub(super) use reset::{request_reset, reset};
pub(super) use sign_up::sign_up;
pub(super) use step_up::{proofs_open, refuse_step_up, step_up, step_up_bucket, step_up_by_factor};

pub use emails::{remove_email, set_primary_email, verify_added_email};
pub use factor::remove_passkey;
pub use invited::claim_link;
pub use reset::reset_link_by_mail;
pub use sign_up::{create_account, verify};
pub use suspend::{reactivate, suspend};
