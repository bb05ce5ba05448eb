//! Mails to people who are invited.

use crate::mail::{Link, PlainMessage};

pub(super) fn invited(link: String, site: &str) -> PlainMessage {
    let host = site.rsplit('/').next().unwrap_or(site);
    PlainMessage {
        subject: format!("You are invited to {host}"),
        paragraphs: vec![format!(
            "You are invited to create an account at {host}. The link works once, for this address only, and expires after 14 days."
        )],
        code: None,
        link: Some(Link { label: "Create your account", url: link }),
        closing: "If you did not expect this invitation, do nothing. No account is created unless you use the link."
            .into(),
        site: site.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{SITE, check_listing};

    #[test]
    fn mails_have_their_reviewed_words() {
        check_listing("invitations", &[("invited", invited(format!("{SITE}/signup?invitation=LINK"), SITE))]);
    }
}
