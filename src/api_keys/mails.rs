//! The messages to owners about their keys.

use super::model::{ApiKey, Budget, KeyCaller, Period};
use crate::base::Timestamp;
use crate::config::OnExposure;
use crate::mail::{Link, PlainMessage};

/// Keys that one message names. Of the others it gives the number.
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

/// A key was created.
pub(super) fn key_created(key: &ApiKey, site: &str) -> PlainMessage {
    let end = key.expires_at.map_or("It does not expire.".to_owned(), |end| format!("It expires on {}.", end.day()));
    message(
        format!("Your API key “{}” was created", key.name),
        vec![format!(
            "A new API key, {}…, can act for you with these scopes: {}. {end}",
            key.display,
            key.scopes.replace(' ', ", ")
        )],
        "If this was not you, revoke the key and change your password.",
        site,
    )
}

/// A key was rotated.
pub(super) fn key_rotated(new: &ApiKey, old: &ApiKey, retire_at: Timestamp, site: &str) -> PlainMessage {
    message(
        format!("Your API key “{}” was rotated", new.name),
        vec![
            format!("The new key {}… replaces {}… and has the same scopes and limits.", new.display, old.display),
            format!(
                "The old key works until {}. Give the new key to every program before then.",
                retire_at.day_and_time()
            ),
        ],
        "If this was not you, revoke both keys and change your password.",
        site,
    )
}

/// A key was revoked.
pub(super) fn key_revoked(key: &ApiKey, site: &str) -> PlainMessage {
    message(
        format!("Your API key “{}” was revoked", key.name),
        vec![format!("The API key {}… does not work any more. Programs that use it are refused.", key.display)],
        "If this was not you, change your password.",
        site,
    )
}

/// A key was found in public. `place`: where, if the report says so.
pub(super) fn key_exposed(key: &ApiKey, on_exposure: OnExposure, place: Option<&str>, site: &str) -> PlainMessage {
    let what_happens = match on_exposure {
        OnExposure::Quarantine => {
            "It is blocked from now on. Revoke it, or restore it if you are sure that no other person has it. If you do nothing, it will be revoked after 24 hours."
        }
        OnExposure::Revoke => "It was revoked. Create a new one for the program that used it.",
        OnExposure::Notify => "It still works, and the person who found it can use it. Rotate or revoke it.",
    };
    let mut paragraphs = vec![format!(
        "Your API key {}… was reported to us as found in public. The report contains the whole key.",
        key.display
    )];
    paragraphs.extend(place.map(|place| format!("According to the report, it is at {place}")));
    paragraphs.push(what_happens.to_owned());
    message(
        format!("Your API key “{}” was found in public", key.name),
        paragraphs,
        "Never put keys into code, logs or chats. Keep them where your program reads its secrets.",
        site,
    )
}

/// Keys expire in some days.
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
    paragraphs.push(
        "From then on, programs that use an expired key are refused. Rotate a key to get a new one with the same scopes.".into(),
    );
    message(subject, paragraphs, "If no program uses a key any more, you do not have to do anything.", site)
}

/// A replaced key was used after its overlap.
pub(super) fn replaced_key_used(key: &ApiKey, caller: &KeyCaller, site: &str) -> PlainMessage {
    let from = if caller.address.is_empty() { "an unknown address" } else { &caller.address };
    message(
        format!("The old API key “{}” is still in use", key.name),
        vec![
            format!(
                "You rotated the API key {}…, and its overlap is over. A program at {from} tried to use it and was refused.",
                key.display
            ),
            "Maybe one of your programs still has the old key, or another person has it.".to_owned(),
        ],
        "If you do not know this program, check the scopes of the key and your activity.",
        site,
    )
}

/// The budget of a key is spent.
pub(super) fn budget_spent(key: &ApiKey, budget: Budget, site: &str) -> PlainMessage {
    let until = match budget.period {
        Period::Month => "It works again next month, or when you raise its budget.",
        Period::Total => "It works again when you raise its budget.",
    };
    message(
        format!("The budget of your API key “{}” is spent", key.name),
        vec![
            format!(
                "The use of the API key {}… has cost its whole budget of {} credits. It is refused from now on.",
                key.display, budget.amount
            ),
            until.to_owned(),
        ],
        "If this was not you, revoke the key.",
        site,
    )
}

#[cfg(test)]
mod tests {
    use super::super::model::{KeyState, Limits};
    use super::*;
    use crate::base::{AccountId, ApiKeyId, Credits, Rng, WorkspaceId};
    use crate::mail::{SITE, check_listing};

    fn key(name: &str) -> ApiKey {
        let (created_at, rng) = (Timestamp::from_millis(1_777_798_800_000), &mut Rng::seeded(1));
        let id = ApiKeyId::new(created_at, rng);
        ApiKey {
            id,
            workspace: WorkspaceId::new(created_at, rng),
            account: AccountId::new(created_at, rng),
            name: name.into(),
            note: String::new(),
            display: "dok_4190467e".into(),
            scopes: "models:read billing:read".into(),
            state: KeyState::Active,
            state_at: created_at,
            state_before: None,
            revoke_reason: None,
            created_at,
            expires_at: None,
            retire_at: None,
            revoked_at: None,
            predecessor: None,
            family: id,
            limits: Limits::default(),
            spent_until: None,
            is_kept: false,
            last_used_at: None,
            uses: 0,
            last_address: String::new(),
            last_agent: String::new(),
        }
    }

    #[test]
    fn mails_have_their_reviewed_words() {
        let (ci, later) = (key("ci"), Timestamp::from_millis(1_778_058_000_000));
        let ends = ApiKey { expires_at: Some(later), ..key("ci") };
        let caller = KeyCaller { address: "203.0.113.7".into(), agent: "trainer/1.0".into(), last_at: later, uses: 3 };
        let unknown = KeyCaller { address: String::new(), ..caller.clone() };
        let budget = |period| Budget { amount: Credits::whole(5), period };
        let many: Vec<ApiKey> = (0..22).map(|number| ApiKey { name: format!("ci-{number}"), ..ends.clone() }).collect();
        check_listing(
            "api-keys",
            &[
                ("key_created", key_created(&ends, SITE)),
                ("key_created, no end", key_created(&ci, SITE)),
                ("key_rotated", key_rotated(&ci, &ci, later, SITE)),
                ("key_revoked", key_revoked(&ci, SITE)),
                ("key_exposed", key_exposed(&ci, OnExposure::Quarantine, Some("https://git.example/x"), SITE)),
                ("key_exposed, revoked", key_exposed(&ci, OnExposure::Revoke, None, SITE)),
                ("key_exposed, only told", key_exposed(&ci, OnExposure::Notify, None, SITE)),
                ("keys_end_soon", keys_end_soon(std::slice::from_ref(&ends), 7, SITE)),
                ("keys_end_soon, many", keys_end_soon(&many, 1, SITE)),
                ("replaced_key_used", replaced_key_used(&ci, &caller, SITE)),
                ("replaced_key_used, unknown address", replaced_key_used(&ci, &unknown, SITE)),
                ("budget_spent", budget_spent(&ci, budget(Period::Month), SITE)),
                ("budget_spent, for good", budget_spent(&ci, budget(Period::Total), SITE)),
            ],
        );
    }
}
