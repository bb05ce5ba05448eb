//! The mails about exports and erasures.

use super::model::Receipt;
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
pub(super) fn account_deleted(display_name: &str, receipt: &Receipt, site: &str) -> PlainMessage {
    let mut paragraphs = vec![
        format!("Hello {display_name}, your account and all its data were erased."),
        format!(
            "Your receipt is {}. It contains no personal data. Keep it in case you have questions about the erasure.",
            receipt.id
        ),
    ];
    paragraphs.extend(receipt.requested());
    paragraphs.extend(receipt.remaining());
    PlainMessage {
        subject: "Your account is deleted".into(),
        paragraphs,
        code: None,
        link: Some(Link { label: "Open receipt", url: format!("{site}/erasure/{}", receipt.id) }),
        closing: "This is the last email that we send to you.".into(),
        site: site.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{AccountId, RequestId, Rng, Timestamp, days};
    use crate::db::KeptCopy;
    use crate::mail::{SITE, check_listing};

    #[test]
    fn mails_have_their_reviewed_words() {
        let at = Timestamp::from_millis(1_777_766_400_000);
        let copy =
            KeptCopy { name: "before-migration-17-22-2026-05-03.sqlite".into(), delete_after: at.plus(days(30)) };
        let (id, account) = (RequestId::new(at, &mut Rng::seeded(1)), AccountId::new(at, &mut Rng::seeded(2)));
        let receipt = |copies, services| Receipt { id, account, erased_at: at, exports: vec![], copies, services };
        let services = vec!["registry".to_owned(), "training".to_owned()];
        check_listing(
            "privacy",
            &[
                ("export_ready", export_ready("Ada Lovelace", "10 May 2026", SITE)),
                ("account_deleted", account_deleted("Ada Lovelace", &receipt(vec![], vec![]), SITE)),
                (
                    "account_deleted, a copy remains, services are asked",
                    account_deleted("Ada Lovelace", &receipt(vec![copy], services), SITE),
                ),
            ],
        );
    }
}
