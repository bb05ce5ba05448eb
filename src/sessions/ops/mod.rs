//! Sessions, devices, and the throttle for guesses.

mod devices;
mod lifecycle;
mod throttle;

pub use devices::{is_known_device, note_device, read_device};
pub use lifecycle::{
    cookie_state, current, end, end_all, end_live, end_reused, forget, purge_ended, renew, rotate, start,
};
pub use throttle::{LoginThrottle, count_request, request_wait};
