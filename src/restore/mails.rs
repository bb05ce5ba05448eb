//! The mail that tells operators about a restore.

use super::model::{JOURNAL_INCOMPLETE, loss};
use crate::audit::Epoch;
use crate::mail::PlainMessage;

pub(super) fn backup_restored(display_name: &str, epoch: &Epoch, site: &str) -> PlainMessage {
    let (made, opened) = (epoch.snapshot_made_at.day_and_time(), epoch.opened_at.day_and_time());
    let mut paragraphs = vec![
        format!("Hello {display_name}, a backup of this site was restored on {opened}. It was made on {made}."),
        loss(epoch),
        "Everybody must sign in again. Services should send the usage again that they reported since the backup."
            .into(),
    ];
    if epoch.has_accepted_missing_journal {
        paragraphs.push(JOURNAL_INCOMPLETE.into());
    }
    PlainMessage {
        subject: "A backup was restored".into(),
        paragraphs,
        code: None,
        link: None,
        closing: "If you did not expect this, ask the person who runs the server.".into(),
        site: site.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::KnownHead;
    use crate::base::{Timestamp, hours};
    use crate::mail::{SITE, check_listing};

    #[test]
    fn mails_have_their_reviewed_words() {
        let at = Timestamp::from_millis(1_777_766_400_000);
        let epoch = Epoch {
            number: 2,
            opened_at: at.plus(hours(3)),
            snapshot_made_at: at,
            audit_seq: 40,
            audit_head: [1; 32],
            journal_seq: 3,
            known: Some(KnownHead { seq: 52, head: [2; 32] }),
            has_accepted_missing_journal: false,
        };
        let bare = Epoch { known: None, has_accepted_missing_journal: true, ..epoch.clone() };
        check_listing(
            "restore",
            &[
                ("backup_restored", backup_restored("Ada Lovelace", &epoch, SITE)),
                ("backup_restored, without a journal", backup_restored("Ada Lovelace", &bare, SITE)),
            ],
        );
    }
}
