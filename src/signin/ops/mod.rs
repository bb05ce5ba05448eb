//! One transaction for each step. Slow work, such as hashing, happens before it, in `flows`.

mod activation;
mod change_password;
mod claims;
mod confirm;
mod emails;
mod factor;
mod failures;
mod invitation;
mod not_me;
mod password;
mod resend;
mod reset;
mod reset_link;
mod sign_in;
mod sign_up;
mod step_up;
mod suspend;

pub(super) use activation::{open_wallet, welcome};
pub(super) use change_password::change_password;
pub use confirm::confirm_browser;
pub(super) use confirm::{find_confirmation, mail_link, may_mail_link};
pub(super) use emails::revert_email;
pub(super) use factor::{lost_factor, pending_factor, prove_factor, sign_in_by_passkey};
pub(super) use invitation::{accept_invitation, claim_operator, invited_address, is_claim_valid};
pub(super) use resend::resend_code;
pub(super) use reset::{request_reset, reset};
pub(super) use sign_in::sign_in;
pub(super) use sign_up::{clear_name, note_wrong_sign_up, sign_up, waiting_sign_up};
pub(super) use step_up::{step_up, step_up_by_factor, step_up_by_provider, step_up_options};

pub use claims::void_other_claims;
pub use emails::{remove_email, set_primary_email, verify_added_email};
pub use factor::remove_passkey;
pub use invitation::claim_link;
pub use not_me::{find_not_me, not_me};
pub use password::PasswordAttempt;
pub use reset_link::reset_link_by_mail;
pub use sign_up::{create_account, restart_sign_up, verify};
pub use suspend::{reactivate, suspend};
