//! Sessions, the browsers they are in, and the guard against guesses.

mod devices;
mod guard;
mod life;

pub use devices::{distrust_devices, is_known_device, note_device, read_device};
pub use guard::{Guard, note_failure, throttled};
pub use life::{current, end, end_all, end_copied, forget, list, purge_ended, renew, rotate, show, start, touch};
