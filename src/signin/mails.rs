//! What is written to people at the door.

use crate::accounts::Account;
use crate::mail::{Link, PlainLetter};

/// The address is proved and the account in use.
pub(super) fn welcome(account: &Account, site: &str) -> PlainLetter {
    PlainLetter {
        subject: "Welcome to Domicile".into(),
        paragraphs: vec![
            format!("Hello {}, your account is ready.", account.display_name),
            format!("Your username is {}, and your data is kept in the region {}.", account.username, account.region),
        ],
        code: None,
        link: Some(Link { label: "Make your first API key", url: format!("{site}/settings/keys?create=1") }),
        closing: "Under Privacy you can take your data with you, or leave, at any time.".into(),
        site: site.into(),
    }
}

/// A link to set a password.
pub(super) fn password_reset(account: &Account, link: String, site: &str) -> PlainLetter {
    PlainLetter {
        subject: "Set your password".into(),
        paragraphs: vec![format!(
            "Hello {}, with this link you set a new password. It is good for 30 minutes, once.",
            account.display_name
        )],
        code: None,
        link: Some(Link { label: "Set a new password", url: link }),
        closing: "If you did not ask for it, do nothing: your password stays as it is.".into(),
        site: site.into(),
    }
}
