//! What is written to people about connected accounts.

use crate::mail::{Link, PlainMessage};

/// An account elsewhere opens this one from now on.
pub(super) fn linked(display_name: &str, provider: &str, label: &str, site: &str) -> PlainMessage {
    PlainMessage {
        subject: format!("{provider} is connected with your account"),
        paragraphs: vec![
            format!("Hello {display_name}, from now on you can come in with {label} at {provider}."),
            "You were signed out everywhere else.".into(),
        ],
        code: None,
        link: Some(Link { label: "See connected accounts", url: format!("{site}/settings/security") }),
        closing: "If it was not you, disconnect it there at once and set a new password.".into(),
        site: site.to_owned(),
    }
}

/// It no longer does.
pub(super) fn unlinked(display_name: &str, provider: &str, label: &str, site: &str) -> PlainMessage {
    PlainMessage {
        subject: format!("{provider} is no longer connected with your account"),
        paragraphs: vec![
            format!("Hello {display_name}, {label} at {provider} does not open your account any more."),
            "You were signed out everywhere else.".into(),
        ],
        code: None,
        link: Some(Link { label: "See connected accounts", url: format!("{site}/settings/security") }),
        closing: "If it was not you, set a new password at once.".into(),
        site: site.to_owned(),
    }
}
