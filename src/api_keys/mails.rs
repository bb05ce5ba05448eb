//! What is written to people about their keys.

use super::model::ApiKey;
use crate::mail::{Link, PlainLetter};

/// A key was made.
pub(super) fn key_created(key: &ApiKey, site: &str) -> PlainLetter {
    let end = key.expires_at.map_or("It does not expire.".to_owned(), |end| format!("It expires on {}.", end.day()));
    PlainLetter {
        subject: format!("Your API key “{}” was created", key.name),
        paragraphs: vec![format!(
            "A new API key, {}…, can act for you with these scopes: {}. {end}",
            key.display,
            key.scopes.replace(' ', ", ")
        )],
        code: None,
        link: Some(Link { label: "See your keys", url: format!("{site}/settings/keys") }),
        closing: "If it was not you, revoke the key and change your password.".into(),
        site: site.to_owned(),
    }
}

/// A key was revoked.
pub(super) fn key_revoked(key: &ApiKey, site: &str) -> PlainLetter {
    PlainLetter {
        subject: format!("Your API key “{}” was revoked", key.name),
        paragraphs: vec![format!("The API key {}… is refused from now on, wherever it is used.", key.display)],
        code: None,
        link: Some(Link { label: "See your keys", url: format!("{site}/settings/keys") }),
        closing: "If it was not you, change your password.".into(),
        site: site.to_owned(),
    }
}
