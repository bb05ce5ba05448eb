//! Mails that tell operators about the server.

use crate::mail::PlainMessage;

pub(super) fn certificate_ends(display_name: &str, sentence: &str, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "The certificate of this site ends soon".into(),
        paragraphs: vec![format!("Hello {display_name},"), sentence.to_owned()],
        code: None,
        link: None,
        closing: "You get this mail because you are an operator of this site.".into(),
        site: site.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{SITE, check_listing};

    #[test]
    fn mails_have_their_reviewed_words() {
        let sentence = "The certificate for account.example.org ends on 3 May 2026 at 00:00 UTC.";
        check_listing("maintenance", &[("certificate_ends", certificate_ends("Ada Lovelace", sentence, SITE))]);
    }
}
