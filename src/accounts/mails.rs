//! What is written to people about their account.

use crate::mail::{Link, PlainMessage};

/// The six digits that prove an address.
pub(super) fn verify_code(display_name: &str, code: &str, site: &str) -> PlainMessage {
    PlainMessage {
        // Without the code: subjects stand in lists, logs and notifications.
        subject: "Your code for Domicile".into(),
        paragraphs: vec![format!(
            "Hello {display_name}, type this code to show that the address is yours. It is good for ten minutes."
        )],
        code: Some(code.to_owned()),
        link: None,
        closing: "Nobody will ever ask you for this code. If you did not ask for it, do nothing.".into(),
        site: site.to_owned(),
    }
}

/// Somebody wanted to add an address to their account, and it is another account's.
pub(super) fn address_in_use(site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your address stays with your account".into(),
        paragraphs: vec!["Somebody, perhaps you, wanted to add this address to another account. It belongs to yours, so nothing was changed.".into()],
        code: None,
        link: Some(Link { label: "Sign in", url: format!("{site}/signin") }),
        closing: "To use the address with another account, remove it from this one first. If it was not you, do nothing.".into(),
        site: site.into(),
    }
}

/// Somebody tried to sign up with an address that has an account.
pub(super) fn account_exists(site: &str) -> PlainMessage {
    PlainMessage {
        subject: "You have an account already".into(),
        paragraphs: vec!["Somebody, perhaps you, tried to create an account with this address. It has one already, so nothing was made.".into()],
        code: None,
        link: Some(Link { label: "Sign in", url: format!("{site}/signin") }),
        closing: "If you forgot your password, the sign-in page has a link to reset it. If it was not you, do nothing.".into(),
        site: site.into(),
    }
}

/// API keys that were locked are good again.
pub(super) fn keys_unlocked(site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your API keys work again".into(),
        paragraphs: vec![
            "Your API keys were refused since you told us that a sign-in was not yours. You have a new password now, so they are good again.".into(),
            "If whoever signed in could have seen or made a key, revoke it and make a new one.".into(),
        ],
        code: None,
        link: Some(Link { label: "Look through your keys", url: format!("{site}/settings/keys") }),
        closing: format!("If it was not you who set the password, set a new one at {site}/forgot and tell your operator."),
        site: site.into(),
    }
}
