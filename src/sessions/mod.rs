//! **For:** knowing the person behind a browser, for a while.
//! **Words:** session, cookie value (the secret, stored as a digest only), idle end, absolute end, throttle.
//! **Tables:** `session`, `throttle`.
//! **Never:** knows how somebody signed in; trusts a clock that steps back; keeps the cookie's value.
//! **Start reading:** [`start`] and [`current`].

mod device;
mod model;
mod ops;
mod store;

pub use device::device_of;
pub use model::{Current, FRESH_FOR, NewSession, Renewed, Session, Throttled};
pub use ops::{
    clear_failures, current, end, end_all, forget, list, note_failure, purge_ended, renew, start, throttled, touch,
};
pub use store::STATEMENTS;
