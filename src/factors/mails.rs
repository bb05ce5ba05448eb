//! Mails about factors.

use crate::accounts::Account;
use crate::base::Timestamp;
use crate::mail::{Link, PlainMessage};

/// The notice of a change. `what` is the first sentence, after the greeting.
fn notice(subject: &str, person: &Account, what: &str, site: &str) -> PlainMessage {
    PlainMessage {
        subject: subject.into(),
        paragraphs: vec![
            format!("Hello {}, {what}", person.display_name),
            "All other sessions were signed out.".into(),
        ],
        code: None,
        link: Some(Link { label: "Check your security settings", url: format!("{site}/settings/security") }),
        closing: "If this was not you, change your password at once and tell your operator.".into(),
        site: site.into(),
    }
}

pub(super) fn totp_enabled(person: &Account, site: &str) -> PlainMessage {
    notice("Two-step sign-in is on", person, "an authenticator app was added to your account.", site)
}

pub(super) fn totp_disabled(person: &Account, site: &str) -> PlainMessage {
    notice("An authenticator app was removed", person, "the authenticator app was removed from your account.", site)
}

pub(super) fn codes_generated(person: &Account, site: &str) -> PlainMessage {
    let what = "new recovery codes were created for your account. The old ones no longer work.";
    notice("New recovery codes", person, what, site)
}

pub(super) fn passkey_added(person: &Account, name: &str, site: &str) -> PlainMessage {
    notice("A passkey was added", person, &format!("the passkey “{name}” was added to your account."), site)
}

pub(super) fn passkey_removed(person: &Account, name: &str, site: &str) -> PlainMessage {
    notice("A passkey was removed", person, &format!("the passkey “{name}” was removed from your account."), site)
}

/// `left`: the number of unused codes.
pub(super) fn recovery_code_used(person: &Account, left: u32, site: &str) -> PlainMessage {
    let left = match left {
        0 => "That was your last code. Create new codes now.".to_owned(),
        1 => "You have one code left. Create new codes soon.".to_owned(),
        left => format!("You have {left} codes left."),
    };
    PlainMessage {
        subject: "A recovery code was used".into(),
        paragraphs: vec![
            format!(
                "Hello {}, one of your recovery codes was used instead of your second factor.",
                person.display_name
            ),
            left,
        ],
        code: None,
        link: Some(Link { label: "Check your security settings", url: format!("{site}/settings/security") }),
        closing:
            "If this was not you, another person has your password and a recovery code. Change your password at once."
                .into(),
        site: site.into(),
    }
}

/// For every verified address. `link` stops the removal, which happens at `due_at` otherwise.
pub(super) fn reset_started(person: &Account, due_at: Timestamp, link: String, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your second factors will be removed".into(),
        paragraphs: vec![
            format!(
                "Hello {}, we received a request to remove your authenticator app, passkeys and recovery codes because they are lost.",
                person.display_name
            ),
            format!(
                "This happens on {}. Until then, you can stop it with one click, without signing in.",
                due_at.day_and_time()
            ),
        ],
        code: None,
        link: Some(Link { label: "This was not me: stop the removal", url: link }),
        closing: "If this was you, do nothing and sign in after that time. Signing in with a second factor also stops the removal."
            .into(),
        site: site.into(),
    }
}

pub(super) fn reset_cancelled(person: &Account, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your second factors were not changed".into(),
        paragraphs: vec![format!(
            "Hello {}, the removal of your second factors was stopped. Nothing was changed.",
            person.display_name
        )],
        code: None,
        link: None,
        closing: "If you did not request the removal, another person may have your password. Change it.".into(),
        site: site.into(),
    }
}

pub(super) fn reset_done(person: &Account, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your second factors were removed".into(),
        paragraphs: vec![format!(
            "Hello {}, your authenticator app, passkeys and recovery codes were removed, and you were signed out everywhere.",
            person.display_name
        )],
        code: None,
        link: Some(Link { label: "Sign in and set up a new second factor", url: format!("{site}/settings/security") }),
        closing: "If you did not expect this, change your password at once and tell your operator.".into(),
        site: site.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{SITE, check_listing};

    #[test]
    fn mails_have_their_reviewed_words() {
        let (ada, later) = (Account::sample(), Timestamp::from_millis(1_778_058_000_000));
        check_listing(
            "factors",
            &[
                ("totp_enabled", totp_enabled(&ada, SITE)),
                ("totp_disabled", totp_disabled(&ada, SITE)),
                ("codes_generated", codes_generated(&ada, SITE)),
                ("passkey_added", passkey_added(&ada, "Laptop", SITE)),
                ("passkey_removed", passkey_removed(&ada, "Laptop", SITE)),
                ("recovery_code_used", recovery_code_used(&ada, 9, SITE)),
                ("recovery_code_used, the last but one", recovery_code_used(&ada, 1, SITE)),
                ("recovery_code_used, the last", recovery_code_used(&ada, 0, SITE)),
                ("reset_started", reset_started(&ada, later, format!("{SITE}/signin/factor/keep?token=LINK"), SITE)),
                ("reset_cancelled", reset_cancelled(&ada, SITE)),
                ("reset_done", reset_done(&ada, SITE)),
            ],
        );
    }
}
