//! Tools for doors: what pages and JSON routes share. Knows actix, knows no slice.

pub mod assets;
mod cookies;
pub mod csrf;
mod fault;
mod form;

mod identity;
pub mod json;
pub mod page;

pub use cookies::{SESSION, cookie, forget};
pub use fault::{Answer, Fault};
pub use form::{Form, decode as decode_form};
pub use identity::{Identity, RequestId, SignedIn, VisitorOf, redirect};
