//! **For:** doors: what pages and JSON routes share to read a request and to answer it.
//! **Words:** context (what surrounds a page), form, fault, identity, flash (a sentence said once).
//! **Tables:** none.
//! **Never:** knows a slice; decides about the domain.
//! **Start reading:** `page.rs`, then `form.rs` and `csrf.rs`.

pub mod assets;
mod cookies;
pub mod csrf;
mod fault;
mod form;
mod forwarded;
mod identity;
pub mod json;
mod leaving;
mod paced;
pub mod page;
mod upload;

pub use cookies::{DEVICE, SESSION, cookie, forget};
pub use fault::{Answer, Fault};
pub use form::{Form, decode as decode_form, decode_owned as decode_form_owned};
pub use forwarded::{program_behind, visitor_at};
pub use identity::{Face, Identity, Renewed, RequestId, SessionLeft, SignedIn, SignedOut, VisitorOf, redirect};
pub use leaving::Leaving;
pub use paced::Paced;
pub use upload::{FILE_BYTES_MAX, Upload};
