//! The one transaction of each step; what is slow happens before, in `flows`.

mod change_password;
mod claims;
mod emails;
mod enter;
mod factor;
mod invited;
mod not_me;
mod reset;
mod sign_up;
mod step_up;
mod suspend;

pub(super) use change_password::change_password;
pub(super) use emails::revert_email;
pub(super) use enter::{admit, approach, enter, must_not_wait, password_at_the_door, refuse};
pub(super) use factor::{asked, enter_by_passkey, lost_factor, prove_half};
pub(super) use invited::{accept_invitation, invited_address};
pub(super) use reset::{request_reset, reset};
pub(super) use sign_up::{open_wallet, sign_up};
pub(super) use step_up::{proofs_open, refuse_step_up, step_up, step_up_by_factor, step_up_by_provider};

pub use claims::void_other_claims;
pub use emails::{remove_email, set_primary_email, verify_added_email};
pub use factor::remove_passkey;
pub use invited::claim_link;
pub use not_me::{find_not_me, not_me};
pub use reset::reset_link_by_mail;
pub use sign_up::{create_account, verify};
pub use suspend::{reactivate, suspend};
