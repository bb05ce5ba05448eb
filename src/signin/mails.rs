//! Mails about sign-up, sign-in, addresses and passwords.

use crate::accounts::{Account, AccountState};
use crate::base::{EmailAddress, Timestamp, Visitor};
use crate::mail::{Link, PlainMessage};
use crate::sessions::device_of;

/// The address is verified and the account is active.
pub(super) fn welcome(account: &Account, name: &str, site: &str) -> PlainMessage {
    PlainMessage {
        subject: format!("Welcome to {name}"),
        paragraphs: vec![
            format!("Hello {}, your account is ready.", account.display_name),
            format!("Your username is {}, and your data is stored in the region {}.", account.username, account.region),
        ],
        code: None,
        link: Some(Link { label: "Create your first API key", url: format!("{site}/settings/keys?create=1") }),
        closing: "On the Privacy page you can export your data or delete your account at any time.".into(),
        site: site.into(),
    }
}

/// A link to set a password.
pub(super) fn password_reset(account: &Account, link: String, site: &str) -> PlainMessage {
    let what = "se this link to set a new password. It works once and is valid for 30 minutes.";
    // The name of a sign-up without a proved address was chosen by anybody.
    let greeting = match account.state {
        AccountState::Pending => format!("U{what}"),
        AccountState::Active | AccountState::Suspended => format!("Hello {}, u{what}", account.display_name),
    };
    PlainMessage {
        subject: "Set your password".into(),
        paragraphs: vec![greeting],
        code: None,
        link: Some(Link { label: "Set a new password", url: link }),
        closing: "If you did not request this, you do not have to do anything. Your password stays the same.".into(),
        site: site.into(),
    }
}

/// A link that makes a browser known. Who typed the name may be anybody, so nothing of what they sent is in it.
pub(super) fn confirm_browser(account: &Account, link: String, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Confirm your browser to sign in".into(),
        paragraphs: vec![
            format!(
                "Hello {}, there were too many wrong passwords for your account in browsers that you never used. Until this is over, a new browser has to be confirmed before you sign in with it.",
                account.display_name
            ),
            "If you want to sign in with a new browser now, open this link in it. It works once and is valid for a day. Browsers that you signed in with before, and passkeys, work as always.".into(),
        ],
        code: None,
        link: Some(Link { label: "Confirm this browser", url: link }),
        closing: "If you do not want to sign in, you do not have to do anything. The link does not sign in anybody without your password. You get at most two of these emails a day.".into(),
        site: site.into(),
    }
}

/// A second address was verified and can be used to sign in.
pub(super) fn email_added(account: &Account, added: &EmailAddress, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "An address was added to your account".into(),
        paragraphs: vec![format!(
            "Hello {}, {added} was verified for your account. You can now sign in with it and your password.",
            account.display_name
        )],
        code: None,
        link: Some(Link { label: "Check your addresses", url: format!("{site}/settings/profile/emails") }),
        closing: "If this was not you, remove the address and change your password at once.".into(),
        site: site.into(),
    }
}

/// To the new primary address.
pub(super) fn primary_now(account: &Account, from: &EmailAddress, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "This is now your primary address".into(),
        paragraphs: vec![format!(
            "Hello {}, notices and links for your account are now sent to this address. Before, they were sent to {from}.",
            account.display_name
        )],
        code: None,
        link: Some(Link { label: "Check your addresses", url: format!("{site}/settings/profile/emails") }),
        closing: "We also informed your previous address.".into(),
        site: site.into(),
    }
}

/// To the previous primary address. `revert`: the link that undoes the change, and its expiry. `None`: the change was
/// itself the return to an earlier address.
pub(super) fn primary_no_longer(
    account: &Account,
    to: &EmailAddress,
    revert: Option<(String, Timestamp)>,
    site: &str,
) -> PlainMessage {
    let mut paragraphs = vec![format!(
        "Hello {}, notices and links for your account are now sent to {to}, and no longer to this address.",
        account.display_name
    )];
    let (link, closing) = match revert {
        Some((url, until)) => {
            paragraphs.push(format!(
                "If this was not you, undo the change with this link until {}. This address then becomes the primary one again, all sessions are signed out, and everything that was added since the change is removed.",
                until.day_and_time()
            ));
            let closing = "The link works once, without signing in. If this was you, you do not have to do anything.";
            (Some(Link { label: "Revert the change", url }), closing)
        }
        None => (None, "This undid the previous change. If this was not you, reset your password."),
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

/// An address was removed.
pub(super) fn email_removed(account: &Account, removed: &EmailAddress, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "An address was removed from your account".into(),
        paragraphs: vec![format!(
            "Hello {}, {removed} was removed from your account. It can no longer be used to sign in.",
            account.display_name
        )],
        code: None,
        link: None,
        closing: "If this was not you, change your password at once.".into(),
        site: site.into(),
    }
}

/// To the restored primary address.
pub(super) fn email_restored(account: &Account, had_password: bool, site: &str) -> PlainMessage {
    let mut paragraphs = vec![format!(
        "Hello {}, this is the primary address of your account again. All sessions were signed out, and addresses, second factors and API keys that were added since the change were removed.",
        account.display_name
    )];
    if had_password {
        paragraphs.push("The password no longer works. We sent you a link to set a new one in another email.".into());
    }
    PlainMessage {
        subject: "Your address is restored".into(),
        paragraphs,
        code: None,
        link: Some(Link { label: "Sign in", url: format!("{site}/signin") }),
        closing:
            "Check your sign-in methods, your keys and your activity, and tell your operator if something is missing."
                .into(),
        site: site.into(),
    }
}

/// The password was changed with a reset link or on the Security page. `visitor`: where the change came from, if it is
/// known.
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
                "Hello {}, your account has a new password, and your other sessions were signed out.",
                account.display_name
            ),
            format!("Time: {}", at.day_and_time()),
            format!("Network address: {}", from.unwrap_or("unknown")),
        ],
        code: None,
        link: Some(Link { label: "See your sessions", url: format!("{site}/settings/security") }),
        closing: format!("If this was not you, set a new password at {site}/forgot and tell your operator."),
        site: site.into(),
    }
}

/// An operator suspended the account.
pub(super) fn account_suspended(account: &Account, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your account is suspended".into(),
        paragraphs: vec![format!(
            "Hello {}, an operator suspended your account. You are signed out everywhere, and your API keys are refused. No data was deleted.",
            account.display_name
        )],
        code: None,
        link: None,
        closing: "Ask your operator for the reason and what to do next.".into(),
        site: site.into(),
    }
}

/// An operator reactivated the account.
pub(super) fn account_reactivated(account: &Account, site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your account is active again".into(),
        paragraphs: vec![format!(
            "Hello {}, your account is active again, and your API keys work as before.",
            account.display_name
        )],
        code: None,
        link: Some(Link { label: "Sign in", url: format!("{site}/signin") }),
        closing: "You do not have to do anything.".into(),
        site: site.into(),
    }
}

/// A sign-in with a browser that the account never used before.
pub(super) fn new_device(account: &Account, visitor: &Visitor, at: Timestamp, token: &str, site: &str) -> PlainMessage {
    let network = if visitor.address.is_empty() { "unknown" } else { &visitor.address };
    PlainMessage {
        subject: "A new device signed in to your account".into(),
        paragraphs: vec![
            format!("Hello {}, your account was signed in to with a browser that it was not used with before.", account.display_name),
            format!("Device: {}", device_of(&visitor.agent)),
            format!("Network address: {network}"),
            format!("Time: {}", at.day_and_time()),
        ],
        code: None,
        link: Some(Link { label: "This was not me", url: format!("{site}/not-me?token={token}") }),
        closing: "If this was you, you do not have to do anything. If it was not, the link signs out all sessions and blocks your API keys until you set a new password. It works once and is valid for seven days.".into(),
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
        let other = EmailAddress::parse("ada@example.net").unwrap();
        let agent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0".to_owned();
        let visitor = Visitor { address: "203.0.113.7".into(), agent, ..Visitor::default() };
        let revert = Some((format!("{SITE}/revert?token=LINK"), later));
        check_listing(
            "signin",
            &[
                ("welcome", welcome(&ada, "Domicile", SITE)),
                ("password_reset", password_reset(&ada, format!("{SITE}/reset?token=LINK"), SITE)),
                ("confirm_browser", confirm_browser(&ada, format!("{SITE}/signin/confirm?token=LINK"), SITE)),
                ("email_added", email_added(&ada, &other, SITE)),
                ("primary_now", primary_now(&ada, &other, SITE)),
                ("primary_no_longer", primary_no_longer(&ada, &other, revert, SITE)),
                ("primary_no_longer, undone", primary_no_longer(&ada, &other, None, SITE)),
                ("email_removed", email_removed(&ada, &other, SITE)),
                ("email_restored", email_restored(&ada, true, SITE)),
                ("email_restored, no password", email_restored(&ada, false, SITE)),
                ("password_changed", password_changed(&ada, Some(&visitor), later, SITE)),
                ("password_changed, unknown network", password_changed(&ada, None, later, SITE)),
                ("account_suspended", account_suspended(&ada, SITE)),
                ("account_reactivated", account_reactivated(&ada, SITE)),
                ("new_device", new_device(&ada, &visitor, later, "LINK", SITE)),
            ],
        );
    }
}
