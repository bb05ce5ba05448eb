//! What is written to people at the door.

use crate::accounts::Account;
use crate::base::{Timestamp, Visitor};
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

/// The password was changed: told to whoever might not have done it. `visitor`: where from, if it came from anywhere.
pub(super) fn password_changed(account: &Account, visitor: Option<&Visitor>, at: Timestamp, site: &str) -> PlainLetter {
    let from = match visitor {
        Some(visitor) => format!("from the network address {}", visitor.address),
        None => "by an operator at the machine".to_owned(),
    };
    PlainLetter {
        subject: "Your password was changed".into(),
        paragraphs: vec![format!(
            "Hello {}, the password of your account {} was changed on {}, {from}. Everybody who was signed in elsewhere is signed out.",
            account.display_name,
            account.username,
            at.day_and_time()
        )],
        code: None,
        link: Some(Link { label: "Set a new password", url: format!("{site}/forgot") }),
        closing: "If it was you, there is nothing to do. If not, set a new password at once, and look through your security settings."
            .into(),
        site: site.into(),
    }
}
