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

/// The password was changed, by reset or in person. `visitor`: where from, if it came from anywhere.
pub(super) fn password_changed(account: &Account, visitor: Option<&Visitor>, at: Timestamp, site: &str) -> PlainLetter {
    let from = visitor.map(|visitor| visitor.address.as_str()).filter(|address| !address.is_empty());
    PlainLetter {
        subject: "Your password was changed".into(),
        paragraphs: vec![
            format!(
                "Hello {}, your account has a new password, and your other sessions are ended.",
                account.display_name
            ),
            format!("Time: {}", at.day_and_time()),
            format!("Network address: {}", from.unwrap_or("unknown")),
        ],
        code: None,
        link: Some(Link { label: "See where you are signed in", url: format!("{site}/settings/security") }),
        closing: format!("If it was not you, set a new password at {site}/forgot and tell your operator."),
        site: site.into(),
    }
}

/// An operator stopped the account.
pub(super) fn account_suspended(account: &Account, site: &str) -> PlainLetter {
    PlainLetter {
        subject: "Your account is suspended".into(),
        paragraphs: vec![format!(
            "Hello {}, an operator suspended your account. You are signed out everywhere, and your API keys are refused. Nothing is deleted.",
            account.display_name
        )],
        code: None,
        link: None,
        closing: "Ask your operator for the reason and for what to do.".into(),
        site: site.into(),
    }
}

/// An operator gave the account back.
pub(super) fn account_reactivated(account: &Account, site: &str) -> PlainLetter {
    PlainLetter {
        subject: "Your account is in use again".into(),
        paragraphs: vec![format!(
            "Hello {}, your account is active again, and your API keys are good as before.",
            account.display_name
        )],
        code: None,
        link: Some(Link { label: "Sign in", url: format!("{site}/signin") }),
        closing: "You do not have to do anything.".into(),
        site: site.into(),
    }
}
