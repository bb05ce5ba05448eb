//! Mails about the account.

use crate::mail::{Link, PlainMessage};

/// The six digits that verify an address. No name of a person is in it: the one who typed the address may not have it, and
/// could write to its owner through our mail.
pub(super) fn verify_code(code: &str, name: &str, site: &str) -> PlainMessage {
    PlainMessage {
        // Without the code: lists, logs and notifications show subjects.
        subject: format!("Your code for {name}"),
        paragraphs: vec!["Enter this code to verify your address. It is valid for ten minutes.".into()],
        code: Some(code.to_owned()),
        link: None,
        closing: "We will never ask you for this code. If you did not request it, do nothing.".into(),
        site: site.to_owned(),
    }
}

/// Tells the owner of an address that another account tried to add it.
pub(super) fn address_in_use(site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your address stays with your account".into(),
        paragraphs: vec!["There was a request to add this address to another account. The address belongs to your account, so nothing was changed.".into()],
        code: None,
        link: Some(Link { label: "Sign in", url: format!("{site}/signin") }),
        closing: "To use the address with another account, remove it from this one first. If this was not you, do nothing.".into(),
        site: site.into(),
    }
}

/// Tells the owner of an address that there was a sign-up with it.
pub(super) fn account_exists(site: &str) -> PlainMessage {
    PlainMessage {
        subject: "You have an account already".into(),
        paragraphs: vec!["There was a request to create an account with this address. You already have an account with it, so nothing was created.".into()],
        code: None,
        link: Some(Link { label: "Sign in", url: format!("{site}/signin") }),
        closing: "If you forgot your password, the sign-in page has a link to reset it. If this was not you, do nothing.".into(),
        site: site.into(),
    }
}

/// Tells a person that their locked API keys are accepted again.
pub(super) fn keys_unlocked(site: &str) -> PlainMessage {
    PlainMessage {
        subject: "Your API keys work again".into(),
        paragraphs: vec![
            "Your API keys have been blocked since you told us that a sign-in was not yours. You have set a new password, so they work again.".into(),
            "If the person who signed in could have seen or created a key, revoke it and create a new one.".into(),
        ],
        code: None,
        link: Some(Link { label: "Check your keys", url: format!("{site}/settings/keys") }),
        closing: format!("If you did not set the password, set a new one at {site}/forgot and tell your operator."),
        site: site.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{SITE, check_listing};

    #[test]
    fn mails_have_their_reviewed_words() {
        check_listing(
            "accounts",
            &[
                ("verify_code", verify_code("123456", "Domicile", SITE)),
                ("address_in_use", address_in_use(SITE)),
                ("account_exists", account_exists(SITE)),
                ("keys_unlocked", keys_unlocked(SITE)),
            ],
        );
    }
}
