//! **For:** knowing the person behind a browser, for a while.
//! **Words:** session, cookie value (the secret, stored as a digest only), idle end, absolute end, device (a browser that
//! somebody signed in with before), guard, lane (where wrong proofs are counted).
//! **Tables:** `session`, `session_rotated`, `device`, `throttle`.
//! **Never:** knows how somebody signed in; trusts a clock that steps back; keeps the cookie's value.
//! **Start reading:** [`start`] and [`show`]; [`Guard`] for throttling.

mod device;
mod model;
mod ops;
mod store;

pub use device::device_of;
pub use model::{Current, DEVICE_KEPT, End, Left, NewSession, NotedDevice, Renewed, Session, Shown, Throttled};
pub use ops::{
    Guard, current, distrust_devices, end, end_all, end_copied, forget, is_known_device, list, note_device,
    note_failure, purge_ended, read_device, renew, rotate, show, start, throttled, touch,
};
pub use store::STATEMENTS;
