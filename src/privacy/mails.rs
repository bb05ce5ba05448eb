//! What is written to people about their data.

use crate::mail::{Link, PlainMessage};

/// An export can be downloaded.
pub(super) fn export_ready(display_name: &str, keep_until: &str, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your export is ready".into(),
        paragraphs: vec![format!(
            "Hello {display_name}, the archive you asked for is ready. It is kept until {keep_until}."
        )],
        code: None,
        link: Some(Link { label: "Download it", url: format!("{site}/settings/privacy") }),
        closing:
            "It is sealed: only your passphrase or your key opens it. If you did not ask for it, change your password."
                .into(),
        site: site.to_owned(),
    }
}

/// The last mail to somebody who left.
pub(super) fn account_deleted(display_name: &str, receipt: &str, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your account is deleted".into(),
        paragraphs: vec![
            format!("Goodbye {display_name}. Your account and everything in it were erased."),
            format!(
                "Your receipt is {receipt}. It holds nothing personal; keep it if you may have to ask about the erasure."
            ),
        ],
        code: None,
        link: None,
        closing: "This is the last mail you get from here.".into(),
        site: site.to_owned(),
    }
}
