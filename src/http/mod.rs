//! **For:** what pages and JSON routes share to read a request and to answer it.
//! **Words:** page context (what every page needs), form, fault, identity, flash (a message that is shown once).
//! **Tables:** none.
//! **Never:** knows a slice; decides about the domain.
//! **Start reading:** `page.rs`, then `form.rs` and `csrf.rs`.

pub mod assets;
mod attachment;
mod cookies;
mod credentials;
pub mod csrf;
pub mod diagnosis;
mod fault;
pub mod flash;
mod form;
mod forwarded;
mod identity;
pub mod json;
mod moment;
pub mod page;
mod rate_limit;
pub mod schema;
mod shutdown;
mod upload;

pub use attachment::{attachment, csv_text};
pub use cookies::{DEVICE, SESSION, cookie, drop_encoded_names, forget, give_plain_names, take_plain_names};
pub use credentials::{RepeatedCredential, bearer, sole_header, strip_scheme};
pub use fault::{Answer, Fault};
pub use flash::{CommonFlash, Flash, NO_MAIL, redirect_with_flash, set_flash};
pub use form::{
    ALREADY_SIGNED_IN, ContinueAt, Field, Form, decode as decode_form, decode_owned as decode_form_owned,
    decode_part as decode_form_part,
};
pub use forwarded::{UnreadableHop, client_address, forwarded_client};
pub use identity::{
    Avatar, Dismissal, EntryRefused, Identity, NamedAct, OperatorInSession, RenewedCookie, RequestId, SIGNED_OUT,
    SessionTimeLeft, SignOutNotice, SignedIn, StandingNotice, StandingNotices, VisitorOf, redirect,
};
pub use moment::{Moment, TimeFormat};
pub use rate_limit::set_rate_limit;
pub use shutdown::ShutdownSignal;
pub use upload::{FILE_BYTES_MAX, Upload};
