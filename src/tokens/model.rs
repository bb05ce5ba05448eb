//! What a signing key and an access token are, and when a key signs.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::{Secret, Timestamp, hours, minutes};

/// No token lives longer (safety O7).
pub const LIFE_MAX: Duration = minutes(15);
/// How long a key is published before it signs: longer than any verifier keeps the key set without asking again (domain 1.2).
pub const PUBLISH_AHEAD: Duration = hours(24);
/// How long a key stays published after it signed for the last time: that token's life, and what clocks may differ by.
pub const KEEP_AFTER: Duration = minutes(LIFE_MAX.as_secs() / 60 + 5);
/// How long verifiers may keep the key set (RFC 9111): short, so that a key that was withdrawn is soon unknown.
pub const KEY_SET_AGE: Duration = minutes(5);
/// What the answer to an exchange calls what it gives (RFC 8693 §3).
pub const TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
/// Rows of the feed in one answer at most.
pub const FEED_PAGE_MAX: u32 = 1_000;
/// A row of the feed stays this long: many times as long as a token.
pub(super) const FEED_KEPT: Duration = hours(24);
/// Characters of an audience at most.
const AUDIENCE_CHARS_MAX: usize = 255;

/// Who a token is for: 1 to 255 visible ASCII characters without a space, such as a service's name or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience(String);

impl Audience {
    /// Reads an audience. `None`: empty, too long, or with other characters.
    pub fn parse(text: &str) -> Option<Self> {
        let is_right = (1..=AUDIENCE_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        is_right.then(|| Self(text.to_owned()))
    }

    /// A connected service by its name, which is such a word.
    pub fn of_service(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An exchange as asked for.
pub struct Asked {
    /// The key.
    pub key: Secret<String>,
    /// Who the token is for.
    pub audience: Audience,
    /// Fewer scopes than the key's. `None`: all of them.
    pub scope: Option<String>,
    /// Whence the key came. `None`: nobody said, so a key with a list of networks is refused.
    pub address: Option<IpAddr>,
    /// What the program calls itself. Empty: nothing.
    pub agent: String,
}

/// A token that was just made.
#[derive(Debug)]
pub struct Issued {
    /// The token itself.
    pub token: Secret<String>,
    /// How long it is good, in whole seconds.
    pub expires_in_seconds: i64,
    /// Every scope it grants, written out, separated by spaces.
    pub scope: String,
}

/// A signing key as kept.
#[derive(Clone, Debug)]
pub(super) struct TokenKey {
    pub kid: String,
    pub public_key: [u8; 32],
    /// `None`: it signs no more.
    pub sealed_secret: Option<Vec<u8>>,
    pub not_before: Timestamp,
}

/// A signing key as everybody may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    /// Its thumbprint (RFC 7638).
    pub kid: String,
    /// Ed25519.
    pub public_key: [u8; 32],
    /// When it begins to sign.
    pub not_before: Timestamp,
}

/// What has to be done about the signing keys now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// Make a key that signs from then on.
    Successor(Timestamp),
}

/// `newest_begins`: when the newest key begins to sign. `None`: there is no key yet, and so no verifier that could have kept an
/// older set: the first one signs at once. A successor is made a day before the newest one's time is over; where that was
/// missed, because nothing ran, the old key signs on until the new one was published for a day.
pub(super) fn due(newest_begins: Option<Timestamp>, rotate_every: Duration, now: Timestamp) -> Due {
    let Some(begins) = newest_begins else { return Due::Successor(now) };
    let ends = begins.plus(rotate_every);
    let first_good = now.plus(PUBLISH_AHEAD);
    if ends <= first_good { Due::Successor(ends.max(first_good)) } else { Due::Nothing }
}

/// The key that signs now: the newest whose time has come. `None`: there is none yet.
pub(super) fn signer(keys: &[TokenKey], now: Timestamp) -> Option<&TokenKey> {
    keys.iter().filter(|key| key.not_before <= now && key.sealed_secret.is_some()).max_by_key(|key| key.not_before)
}

/// What ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Its number, growing with every commit.
    pub seq: i64,
    /// `key` or `subject`.
    pub kind: String,
    /// The key's or the account's id.
    pub id: String,
}

/// A page of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The oldest first.
    pub revocations: Vec<Revocation>,
    /// Where to go on.
    pub next: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::days;

    #[test]
    fn a_successor_is_published_a_day_before_it_signs_whatever_was_missed() {
        let begin = Timestamp::from_millis(0);
        let rotate_every = days(90);
        let at = |span: Duration| due(Some(begin), rotate_every, begin.plus(span));

        assert_eq!(due(None, rotate_every, begin), Due::Successor(begin));
        assert_eq!(at(days(88)), Due::Nothing);
        assert_eq!(at(days(89)), Due::Successor(begin.plus(days(90))));
        assert_eq!(at(days(200)), Due::Successor(begin.plus(days(201))));
    }

    #[test]
    fn an_audience_is_one_visible_word() {
        assert!(Audience::parse("https://inference.example.org").is_some());
        for bad in ["", "two words", "ünter", "a\nb", &"a".repeat(256)] {
            assert_eq!(Audience::parse(bad), None, "{bad:?}");
        }
    }
}
