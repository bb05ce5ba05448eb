//! Sessions, devices, and the throttle for guesses.

mod counters;
mod devices;
mod lifecycle;
mod throttle;

pub use devices::{is_known_device, note_device, note_device_by_link, read_device};
pub use lifecycle::{
    cookie_state, current, end, end_all, end_live, end_reused, forget, purge_ended, renew, rotate, start,
};
pub use throttle::{
    check_mail, check_redemption, count_confirmation, count_mail, count_wrong_code, forget_confirmation,
    may_mail_confirmation,
};
