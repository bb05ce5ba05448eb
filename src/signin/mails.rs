//! What is written to people at the door.

use crate::accounts::Account;
use crate::base::{EmailAddress, Timestamp, Visitor};
use crate::mail::{Link, PlainMessage};
use crate::sessions::device_of;

/// The address is proved and the account in use.
pub(super) fn welcome(account: &Account, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Welcome to Domicile".into(),
        paragraphs: vec![
            format!("Hello {}, your account is ready.", account.display_name),
            format!("Your username is {}, and your data is kept in the region {}.", account.username, account.region),
        ],
        code: None,
        link: Some(Link { label: "Make your first API key", url: format!("{site}/settings/keys?create=1") }),
        closing: "Under Privacy you can take your data with you, or leave, at any time.".into(),
        site: site.into(),
    }
}

/// A link to set a password.
pub(super) fn password_reset(account: &Account, link: String, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Set your password".into(),
        paragraphs: vec![format!(
            "Hello {}, with this link you set a new password. It is good for 30 minutes, once.",
            account.display_name
        )],
        code: None,
        link: Some(Link { label: "Set a new password", url: link }),
        closing: "If you did not ask for it, do nothing: your password stays as it is.".into(),
        site: site.into(),
    }
}

/// A second address is a way in from now on.
pub(super) fn email_added(account: &Account, added: &EmailAddress, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "An address was added to your account".into(),
        paragraphs: vec![format!(
            "Hello {}, {added} was verified for your account. Whoever reads its mail can sign in with it and your password.",
            account.display_name
        )],
        code: None,
        link: Some(Link { label: "Look at your addresses", url: format!("{site}/settings/profile") }),
        closing: "If it was not you, remove the address and change your password at once.".into(),
        site: site.into(),
    }
}

/// To the new primary address.
pub(super) fn primary_now(account: &Account, from: &EmailAddress, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "This is your primary address now".into(),
        paragraphs: vec![format!(
            "Hello {}, notices and links of your account come here from now on. Before, they went to {from}.",
            account.display_name
        )],
        code: None,
        link: Some(Link { label: "Look at your addresses", url: format!("{site}/settings/profile") }),
        closing: "The address before was told, too.".into(),
        site: site.into(),
    }
}

/// To the address that was primary. `revert`: the link that undoes it, and until when; without one, this was the way back.
pub(super) fn primary_no_longer(
    account: &Account,
    to: &EmailAddress,
    revert: Option<(String, Timestamp)>,
    site: &str,
) -> PlainMessage {
    let mut paragraphs = vec![format!(
        "Hello {}, notices and links of your account go to {to} from now on, and no longer to this address.",
        account.display_name
    )];
    let (link, closing) = match revert {
        Some((url, until)) => {
            paragraphs.push(format!(
                "If it was not you, undo it with this link until {}: this address is the primary one again, everybody is signed out, and what was added since is removed.",
                until.day_and_time()
            ));
            let closing = "The link works without signing in, once. If it was you, do nothing.";
            (Some(Link { label: "Revert the change", url }), closing)
        }
        None => (None, "The change before is undone with this. If it was not you, reset your password."),
    };
    PlainMessage {
        subject: "Your primary address was changed".into(),
        paragraphs,
        code: None,
        link,
        closing: closing.into(),
        site: site.into(),
    }
}

/// An address is no longer a way in.
pub(super) fn email_removed(account: &Account, removed: &EmailAddress, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "An address was removed from your account".into(),
        paragraphs: vec![format!(
            "Hello {}, {removed} was removed from your account. Nobody can sign in with it any more.",
            account.display_name
        )],
        code: None,
        link: None,
        closing: "If it was not you, change your password at once.".into(),
        site: site.into(),
    }
}

/// To the address that is primary again.
pub(super) fn email_restored(account: &Account, had_password: bool, site: &str) -> PlainMessage {
    let mut paragraphs = vec![format!(
        "Hello {}, this is the primary address of your account again. Everybody was signed out, and addresses, second factors and API keys that were added since the change are gone.",
        account.display_name
    )];
    if had_password {
        paragraphs.push("The password no longer works. A link to set a new one is in another mail.".into());
    }
    PlainMessage {
        subject: "Your address is restored".into(),
        paragraphs,
        code: None,
        link: Some(Link { label: "Sign in", url: format!("{site}/signin") }),
        closing: "Look at your ways in, your keys and your activity, and tell your operator if you miss something."
            .into(),
        site: site.into(),
    }
}

/// The password was changed, by reset or in person. `visitor`: where from, if it came from anywhere.
pub(super) fn password_changed(
    account: &Account,
    visitor: Option<&Visitor>,
    at: Timestamp,
    site: &str,
) -> PlainMessage {
    let from = visitor.map(|visitor| visitor.address.as_str()).filter(|address| !address.is_empty());
    PlainMessage {
        subject: "Your password was changed".into(),
        paragraphs: vec![
            format!(
                "Hello {}, your account has a new password, and your other sessions are ended.",
                account.display_name
            ),
            format!("Time: {}", at.day_and_time()),
            format!("Network address: {}", from.unwrap_or("unknown")),
        ],
        code: None,
        link: Some(Link { label: "See where you are signed in", url: format!("{site}/settings/security") }),
        closing: format!("If it was not you, set a new password at {site}/forgot and tell your operator."),
        site: site.into(),
    }
}

/// An operator stopped the account.
pub(super) fn account_suspended(account: &Account, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your account is suspended".into(),
        paragraphs: vec![format!(
            "Hello {}, an operator suspended your account. You are signed out everywhere, and your API keys are refused. Nothing is deleted.",
            account.display_name
        )],
        code: None,
        link: None,
        closing: "Ask your operator for the reason and for what to do.".into(),
        site: site.into(),
    }
}

/// An operator gave the account back.
pub(super) fn account_reactivated(account: &Account, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your account is in use again".into(),
        paragraphs: vec![format!(
            "Hello {}, your account is active again, and your API keys are good as before.",
            account.display_name
        )],
        code: None,
        link: Some(Link { label: "Sign in", url: format!("{site}/signin") }),
        closing: "You do not have to do anything.".into(),
        site: site.into(),
    }
}

/// Somebody signed in with a browser that the person never used here.
pub(super) fn new_device(account: &Account, visitor: &Visitor, at: Timestamp, token: &str, site: &str) -> PlainMessage {
    let network = if visitor.address.is_empty() { "unknown" } else { &visitor.address };
    PlainMessage {
        subject: "A new device signed in to your account".into(),
        paragraphs: vec![
            format!("Hello {}, somebody signed in to your account with a browser that it does not know.", account.display_name),
            format!("Device: {}", device_of(&visitor.agent)),
            format!("Network address: {network}"),
            format!("Time: {}", at.day_and_time()),
        ],
        code: None,
        link: Some(Link { label: "This was not me", url: format!("{site}/not-me?token={token}") }),
        closing: "If it was you, do nothing. If not, the link signs everybody out and stops your API keys until you set a new password. It is good for seven days, once.".into(),
        site: site.into(),
    }
}
