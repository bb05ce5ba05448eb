//! Mails about connected accounts.

use crate::mail::{Link, PlainMessage};

/// An account at a provider was connected.
pub(super) fn linked(display_name: &str, provider: &str, label: &str, site: &str) -> PlainMessage {
    PlainMessage {
        subject: format!("{provider} is connected to your account"),
        paragraphs: vec![
            format!("Hello {display_name}, you can now sign in with {label} at {provider}."),
            "You were signed out everywhere else.".into(),
        ],
        code: None,
        link: Some(Link { label: "See connected accounts", url: format!("{site}/settings/security") }),
        closing: "If this was not you, disconnect it on the Security page at once and set a new password.".into(),
        site: site.to_owned(),
    }
}

/// An account at a provider was disconnected.
pub(super) fn unlinked(display_name: &str, provider: &str, label: &str, site: &str) -> PlainMessage {
    PlainMessage {
        subject: format!("{provider} is no longer connected to your account"),
        paragraphs: vec![
            format!("Hello {display_name}, {label} at {provider} can no longer be used to sign in to your account."),
            "You were signed out everywhere else.".into(),
        ],
        code: None,
        link: Some(Link { label: "See connected accounts", url: format!("{site}/settings/security") }),
        closing: "If this was not you, set a new password at once.".into(),
        site: site.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{SITE, check_listing};

    #[test]
    fn mails_have_their_reviewed_words() {
        check_listing(
            "signin-oauth",
            &[
                ("linked", linked("Ada Lovelace", "GitHub", "ada-l", SITE)),
                ("unlinked", unlinked("Ada Lovelace", "GitHub", "ada-l", SITE)),
            ],
        );
    }
}
