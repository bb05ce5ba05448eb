//! What is written to people about their keys.

use super::model::{ApiKey, Budget, KeyCaller, Period};
use crate::base::Timestamp;
use crate::config::OnExposure;
use crate::mail::{Link, PlainMessage};

/// Keys that one message names; of more, it says how many.
const NAMED_MAX: usize = 20;

fn message(subject: String, paragraphs: Vec<String>, closing: &str, site: &str) -> PlainMessage {
    PlainMessage {
        subject,
        paragraphs,
        code: None,
        link: Some(Link { label: "See your keys", url: format!("{site}/settings/keys") }),
        closing: closing.to_owned(),
        site: site.to_owned(),
    }
}

/// A key was made.
pub(super) fn key_created(key: &ApiKey, site: &str) -> PlainMessage {
    let end = key.expires_at.map_or("It does not expire.".to_owned(), |end| format!("It expires on {}.", end.day()));
    message(
        format!("Your API key “{}” was created", key.name),
        vec![format!(
            "A new API key, {}…, can act for you with these scopes: {}. {end}",
            key.display,
            key.scopes.replace(' ', ", ")
        )],
        "If it was not you, revoke the key and change your password.",
        site,
    )
}

/// A key got a successor.
pub(super) fn key_rotated(new: &ApiKey, old: &ApiKey, retire_at: Timestamp, site: &str) -> PlainMessage {
    message(
        format!("Your API key “{}” was rotated", new.name),
        vec![
            format!(
                "A new key, {}…, takes the place of {}…, with the same scopes and limits.",
                new.display, old.display
            ),
            format!(
                "The old key is good until {}. Bring the new one to every program before.",
                retire_at.day_and_time()
            ),
        ],
        "If it was not you, revoke both keys and change your password.",
        site,
    )
}

/// A key was revoked.
pub(super) fn key_revoked(key: &ApiKey, site: &str) -> PlainMessage {
    message(
        format!("Your API key “{}” was revoked", key.name),
        vec![format!("The API key {}… is refused from now on, wherever it is used.", key.display)],
        "If it was not you, change your password.",
        site,
    )
}

/// A key was found where it should not be.
pub(super) fn key_exposed(key: &ApiKey, on_exposure: OnExposure, site: &str) -> PlainMessage {
    let what_happens = match on_exposure {
        OnExposure::Quarantine => {
            "It is refused from now on. Revoke it, or restore it if you are sure that nobody else has it; after 24 hours it is revoked by itself."
        }
        OnExposure::Revoke => "It was revoked. Create a new one for the program that used it.",
        OnExposure::Notify => "It is still good: whoever found it can use it. Rotate or revoke it.",
    };
    message(
        format!("Your API key “{}” was found in public", key.name),
        vec![
            format!("Somebody who has the whole text of your API key {}… reported it to us.", key.display),
            what_happens.to_owned(),
        ],
        "Keys do not belong into code, logs or chats; keep them where your program reads its secrets.",
        site,
    )
}

/// Keys end in some days.
pub(super) fn keys_end_soon(keys: &[ApiKey], days: u64, site: &str) -> PlainMessage {
    let span = if days == 1 { "within a day".to_owned() } else { format!("within {days} days") };
    let subject = match keys {
        [key] => format!("Your API key “{}” expires {span}", key.name),
        keys => format!("{} of your API keys expire {span}", keys.len()),
    };
    let line = |key: &ApiKey| {
        let end = key.expires_at.map(Timestamp::day_and_time).unwrap_or_default();
        format!("“{}” ({}…) expires on {end}.", key.name, key.display)
    };
    let mut paragraphs: Vec<String> = keys.iter().take(NAMED_MAX).map(line).collect();
    if keys.len() > NAMED_MAX {
        paragraphs.push(format!("And {} more.", keys.len() - NAMED_MAX));
    }
    paragraphs.push("Programs that use them are refused then. Rotate a key to get a new one of the same kind.".into());
    message(subject, paragraphs, "If nothing uses a key any more, there is nothing to do.", site)
}

/// Somebody used a key whose overlap is over.
pub(super) fn replaced_key_used(key: &ApiKey, caller: &KeyCaller, site: &str) -> PlainMessage {
    let from = if caller.address.is_empty() { "an unknown address" } else { &caller.address };
    message(
        format!("The old API key “{}” is still in use", key.name),
        vec![
            format!(
                "You replaced the API key {}…, and its overlap is over. It was just refused, from {from}.",
                key.display
            ),
            "A program of yours may have been forgotten, or somebody else has the old key.".to_owned(),
        ],
        "If you do not know who it is, look at what the key could do, and at your activity.",
        site,
    )
}

/// The budget of a key is spent.
pub(super) fn budget_spent(key: &ApiKey, budget: Budget, site: &str) -> PlainMessage {
    let until = match budget.period {
        Period::Month => "It is good again with the next month, or with a larger budget.",
        Period::Total => "It is good again with a larger budget.",
    };
    message(
        format!("The budget of your API key “{}” is spent", key.name),
        vec![
            format!(
                "What the API key {}… used cost {} credits, all of its budget. It is refused from now on.",
                key.display, budget.amount
            ),
            until.to_owned(),
        ],
        "If it was not you, revoke the key.",
        site,
    )
}
