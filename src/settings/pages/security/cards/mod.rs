//! What each card of the security page shows: `templates/settings/_security_<card>.html` prints it.

mod identities;
mod passkeys;
mod password;
mod recovery;
mod sessions;
mod two_step;

pub(super) use identities::IdentitiesCard;
pub(super) use passkeys::{PasskeyRow, PasskeysCard};
pub(super) use password::PasswordCard;
pub(super) use recovery::RecoveryCard;
pub(super) use sessions::SessionsCard;
pub(super) use two_step::TwoStepCard;
