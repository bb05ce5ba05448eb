//! **For:** recognizing the person who uses a browser, for a limited time.
//! **Words:** session, cookie value (the secret, stored as a digest only), idle end, absolute end, device (a browser
//! that a person signed in with before), throttle (slows wrong proofs down), bucket (where they are counted).
//! **Tables:** `session`, `session_rotated`, `device`, `throttle`.
//! **Never:** checks a proof; trusts a clock that steps back; stores the cookie value.
//! **Start reading:** [`start`] and [`cookie_state`]; [`LoginThrottle`].

mod device;
mod error;
mod events;
mod model;
mod ops;
mod store;
mod tables;

pub use device::device_of;
pub use error::TooManyMails;
pub use events::SessionEvent;
pub use model::{
    CookieState, CurrentSession, DEVICE_LIFETIME, End, LoginThrottle, NewSession, Remaining, RenewedCookie, RetryAfter,
    Session, SignInDevice, Verdict,
};
pub use ops::{
    check_mail, check_redemption, cookie_state, count_confirmation, count_mail, count_wrong_code, current, end,
    end_all, end_live, end_reused, forget, forget_confirmation, is_known_device, may_mail_confirmation, note_device,
    note_device_by_link, purge_ended, read_device, renew, rotate, start,
};
pub use store::{STATEMENTS, count_live, delete_of_all as end_of_all, distrust_devices, list, update_seen as touch};
pub use tables::TABLES;
pub(crate) use tables::{DEVICE, SESSION};
