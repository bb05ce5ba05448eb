//! Flash messages: a sentence that the next page shows once. Each slice declares its own with [`flashes`], and the
//! server gives all of them to the pages (see [`super::page::PageFrame`]).

use actix_web::{HttpRequest, HttpResponse};

use super::{cookie, redirect};

/// The cookie with the code of a flash message.
pub const FLASH: &str = "__Host-flash";

/// A flash message. The cookie holds only its code, so an attacker cannot make a page show a text of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flash {
    /// Its name in the cookie.
    pub code: &'static str,
    /// The text that the page shows.
    pub sentence: &'static str,
    /// Whether it reports a success. `false`: it explains why something ended.
    pub is_good: bool,
    /// Whether it says that a mail is sent. A site without mail shows [`CommonFlash::NoMail`] instead.
    pub promises_mail: bool,
}

/// Declares the flash messages of a slice: an enum, and all of them as `ALL`. A page can only show what is declared.
macro_rules! flashes {
    ($(#[$doc:meta])* $visibility:vis enum $name:ident {
        $($variant:ident = $tone:ident $code:literal: $sentence:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        $visibility enum $name {
            $($variant,)*
        }

        impl $name {
            /// All of them, for the server.
            pub const ALL: &[$crate::http::Flash] = &[
                $($crate::http::Flash {
                    code: $code,
                    sentence: $sentence,
                    is_good: $crate::http::flash::tone!($tone).0,
                    promises_mail: $crate::http::flash::tone!($tone).1,
                },)*
            ];
        }

        impl From<$name> for $crate::http::Flash {
            fn from(flash: $name) -> Self {
                // In the order of the declaration.
                $name::ALL[flash as usize]
            }
        }
    };
}

/// The tone of a message: `good` reports a success, `mailed` also says that a mail is sent, `ended` explains why something
/// ended or cannot be.
macro_rules! tone {
    (good) => {
        (true, false)
    };
    (mailed) => {
        (true, true)
    };
    (ended) => {
        (false, false)
    };
}

pub(crate) use {flashes, tone};

flashes! {
    /// The flash messages that fit every form.
    pub enum CommonFlash {
        Saved = good "saved": "Saved.",
        NoMail = ended "no-mail":
            "This site does not send email yet, so no code or link will arrive. Ask the people who run it.",
    }
}

/// The sentence of a site without mail, for pages that would tell of one.
pub const NO_MAIL: &str = CommonFlash::ALL[CommonFlash::NoMail as usize].sentence;

/// Redirects to a page that shows the flash message: at its top, or at the place that the fragment of the target names,
/// such as `/settings/emails#emails`. The template has to show it there with `parts::said`.
pub fn redirect_with_flash(to: &str, flash: impl Into<Flash>) -> HttpResponse {
    let mut response = redirect(to);
    let place = to.split_once('#').map_or("", |(_, place)| place);
    add_cookie(&mut response, flash.into(), place);
    response
}

/// Makes the next page show the flash message at its top.
pub fn set_flash(response: &mut HttpResponse, flash: impl Into<Flash>) {
    add_cookie(response, flash.into(), "");
}

fn add_cookie(response: &mut HttpResponse, flash: Flash, place: &str) {
    let value = if place.is_empty() { flash.code.to_owned() } else { format!("{}.{place}", flash.code) };
    // If the cookie cannot be added, the message is not shown.
    let _ = response.add_cookie(&cookie(FLASH, value, Some(crate::base::minutes(1))));
}

/// The flash message that the browser asks for, out of those that exist, and its place. An empty place is the top.
pub(super) fn requested(request: &HttpRequest, known: &[&'static [Flash]]) -> Option<(Flash, String)> {
    let cookie = request.cookie(FLASH)?;
    let (code, place) = cookie.value().split_once('.').unwrap_or((cookie.value(), ""));
    let flash = known.iter().copied().flatten().find(|flash| flash.code == code).copied()?;
    Some((flash, place.to_owned()))
}
