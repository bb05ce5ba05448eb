//! The mails about exports and erasures.

use crate::mail::{Link, PlainMessage};

pub(super) fn export_ready(display_name: &str, keep_until: &str, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your export is ready".into(),
        paragraphs: vec![format!(
            "Hello {display_name}, your data export is ready. You can download it until {keep_until}."
        )],
        code: None,
        link: Some(Link { label: "Download export", url: format!("{site}/settings/privacy") }),
        closing:
            "It is encrypted: only your passphrase or your key can open it. If you did not request it, change your password."
                .into(),
        site: site.to_owned(),
    }
}

/// The confirmation of an erasure, the last mail to the address.
pub(super) fn account_deleted(display_name: &str, receipt: &str, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your account is deleted".into(),
        paragraphs: vec![
            format!("Hello {display_name}, your account and all its data were erased."),
            format!(
                "Your receipt is {receipt}. It contains no personal data. Keep it in case you have questions about the erasure."
            ),
        ],
        code: None,
        link: None,
        closing: "This is the last email that we send to you.".into(),
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
            "privacy",
            &[
                ("export_ready", export_ready("Ada Lovelace", "10 May 2026", SITE)),
                ("account_deleted", account_deleted("Ada Lovelace", "RECEIPT", SITE)),
            ],
        );
    }
}
