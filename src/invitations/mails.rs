//! What is written to people who are invited.

use crate::mail::{Link, PlainMessage};

pub(super) fn invited(link: String, site: &str) -> PlainMessage {
    let host = site.rsplit('/').next().unwrap_or(site);
    PlainMessage {
        subject: format!("You are invited to {host}"),
        paragraphs: vec![format!(
            "You are invited to create an account at {host}. The link is for this address alone. It is good for 14 days, once."
        )],
        code: None,
        link: Some(Link { label: "Create your account", url: link }),
        closing: "If you do not know what this is about, do nothing: without you no account is made.".into(),
        site: site.into(),
    }
}
