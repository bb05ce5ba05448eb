//! What is written to people about their account.

use crate::mail::PlainLetter;

/// The six digits that prove an address.
pub(super) fn verify_code(display_name: &str, code: &str, site: &str) -> PlainLetter {
    PlainLetter {
        subject: format!("{code} is your Domicile code"),
        paragraphs: vec![format!(
            "Hello {display_name}, type this code to show that the address is yours. It is good for ten minutes."
        )],
        code: Some(code.to_owned()),
        link: None,
        closing: "Nobody will ever ask you for this code. If you did not ask for it, do nothing.".into(),
        site: site.to_owned(),
    }
}
