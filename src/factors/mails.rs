//! What is written to people about their factors.

use crate::accounts::Account;
use crate::base::Timestamp;
use crate::mail::{Link, PlainMessage};

/// Something changed. `what` is the first sentence and says it.
fn notice(subject: &str, person: &Account, what: &str, site: &str) -> PlainMessage {
    PlainMessage {
        subject: subject.into(),
        paragraphs: vec![
            format!("Hello {}, {what}", person.display_name),
            "All other sessions were signed out.".into(),
        ],
        code: None,
        link: Some(Link { label: "Look at your security settings", url: format!("{site}/settings/security") }),
        closing: "If it was not you, change your password at once and tell your operator.".into(),
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
    let what = "new recovery codes were made for your account. The old ones are worthless.";
    notice("New recovery codes", person, what, site)
}

pub(super) fn passkey_added(person: &Account, name: &str, site: &str) -> PlainMessage {
    notice("A passkey was added", person, &format!("the passkey “{name}” was added to your account."), site)
}

pub(super) fn passkey_removed(person: &Account, name: &str, site: &str) -> PlainMessage {
    notice("A passkey was removed", person, &format!("the passkey “{name}” was removed from your account."), site)
}

/// A recovery code was used. `left`: how many there are still.
pub(super) fn recovery_code_used(person: &Account, left: u32, site: &str) -> PlainMessage {
    let left = match left {
        0 => "That was the last one: make new ones now.".to_owned(),
        1 => "There is one left: make new ones soon.".to_owned(),
        left => format!("There are {left} left."),
    };
    PlainMessage {
        subject: "A recovery code was used".into(),
        paragraphs: vec![
            format!(
                "Hello {}, one of your recovery codes was used in place of your second factor.",
                person.display_name
            ),
            left,
        ],
        code: None,
        link: Some(Link { label: "Look at your security settings", url: format!("{site}/settings/security") }),
        closing: "If it was not you, somebody has your password and a code: change the password at once.".into(),
        site: site.into(),
    }
}

/// To every address: factors go at `due_at` unless somebody follows `link`.
pub(super) fn reset_started(person: &Account, due_at: Timestamp, link: String, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your second factors will be removed".into(),
        paragraphs: vec![
            format!(
                "Hello {}, somebody asked to remove your authenticator app, passkeys and recovery codes, because they are lost.",
                person.display_name
            ),
            format!(
                "This happens on {}. Until then it can be stopped with one click, without signing in.",
                due_at.day_and_time()
            ),
        ],
        code: None,
        link: Some(Link { label: "This was not me: stop it", url: link }),
        closing: "If it was you, do nothing and sign in after that time. Signing in with a factor stops it, too."
            .into(),
        site: site.into(),
    }
}

pub(super) fn reset_cancelled(person: &Account, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your second factors stay".into(),
        paragraphs: vec![format!(
            "Hello {}, the removal of your second factors was stopped. Nothing was changed.",
            person.display_name
        )],
        code: None,
        link: None,
        closing: "If you did not ask for the removal, somebody may have your password: change it.".into(),
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
        link: Some(Link { label: "Sign in and set up a new one", url: format!("{site}/settings/security") }),
        closing: "If you did not expect this, change your password at once and tell your operator.".into(),
        site: site.into(),
    }
}
