//! Signing keys, access tokens and the revocation feed, and the rule that decides when a key signs.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::{Secret, Timestamp, WorkspaceId, hours, minutes};

/// The maximum lifetime of a token (safety O7).
pub const LIFE_MAX: Duration = minutes(15);
/// How long a key is published before it signs: longer than any verifier caches the key set (domain 1.2).
pub const PUBLISH_AHEAD: Duration = hours(24);
/// How long a key stays published after it signed for the last time: the lifetime of that token, and 5 minutes for
/// different clocks.
pub const KEEP_AFTER: Duration = minutes(LIFE_MAX.as_secs() / 60 + 5);
/// How long verifiers may cache the key set (RFC 9111). It is short, so that they soon stop to accept a withdrawn key.
pub const KEY_SET_AGE: Duration = minutes(5);
/// The `issued_token_type` in the answer to an exchange (RFC 8693 §3).
pub const TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
/// The maximum number of rows of the feed in one answer.
pub const FEED_PAGE_MAX: u32 = 1_000;
/// How long a row of the feed is stored: many times the lifetime of a token.
pub(super) const FEED_KEPT: Duration = hours(24);
/// The maximum length of an audience in characters.
const AUDIENCE_CHARS_MAX: usize = 255;

/// The service that a token is for: 1 to 255 visible ASCII characters without spaces, such as its name or URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience(String);

impl Audience {
    /// Reads an audience. `None`: empty, too long, or with other characters.
    pub fn parse(text: &str) -> Option<Self> {
        let is_valid = (1..=AUDIENCE_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        is_valid.then(|| Self(text.to_owned()))
    }

    /// The audience of a connected service. The name of a service is always a valid audience.
    pub fn of_service(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The audience as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request to exchange a key for a token.
pub struct ExchangeRequest {
    /// The API key.
    pub key: Secret<String>,
    /// The service that the token is for.
    pub audience: Audience,
    /// The wanted scopes, separated by spaces. `None`: all scopes of the key.
    pub scope: Option<String>,
    /// The address that the key was used from. `None`: it is unknown, so a key with a list of networks is refused.
    pub address: Option<IpAddr>,
    /// The `User-Agent` of the program. Empty: unknown.
    pub agent: String,
    /// The workspaces that the asking service may touch, in order. `None`: all, or the program itself asks.
    pub workspaces: Option<Vec<WorkspaceId>>,
}

/// A token that was just issued.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token itself.
    pub token: Secret<String>,
    /// Its lifetime in whole seconds.
    pub expires_in_seconds: i64,
    /// Every scope that it grants, separated by spaces. Bundles are expanded.
    pub scope: String,
}

/// A signing key as it is stored.
#[derive(Clone, Debug)]
pub(super) struct TokenKey {
    pub kid: String,
    pub public_key: [u8; 32],
    /// `None`: it no longer signs.
    pub sealed_secret: Option<Vec<u8>>,
    pub not_before: Timestamp,
}

/// The public part of a signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    /// The key id: its thumbprint (RFC 7638).
    pub kid: String,
    /// The Ed25519 public key.
    pub public_key: [u8; 32],
    /// When the key begins to sign.
    pub not_before: Timestamp,
}

/// What has to be done with the signing keys now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// Make a key that signs from this time on.
    Successor(Timestamp),
}

/// Decides whether a key is due. `newest_begins`: when the newest key begins to sign. `None`: there is no key yet, and
/// so no verifier with an older key set: the first key signs at once. A successor is made a day before the newest key
/// must be replaced. If that was missed because the server was stopped, the old key continues to sign until the new one
/// was published for a day.
pub(super) fn due(newest_begins: Option<Timestamp>, rotate_every: Duration, now: Timestamp) -> Due {
    let Some(begins) = newest_begins else { return Due::Successor(now) };
    let ends = begins.plus(rotate_every);
    let first_good = now.plus(PUBLISH_AHEAD);
    if ends <= first_good { Due::Successor(ends.max(first_good)) } else { Due::Nothing }
}

/// The key that signs now: the newest one whose `not_before` has passed. If there is none, because the clock was ahead when
/// they were made, the oldest one: it was published first. `None`: there is no key.
pub(super) fn signer(keys: &[TokenKey], now: Timestamp) -> Option<&TokenKey> {
    let can_sign = || keys.iter().filter(|key| key.sealed_secret.is_some());
    let begun = can_sign().filter(|key| key.not_before <= now).max_by_key(|key| key.not_before);
    begun.or_else(|| can_sign().min_by_key(|key| key.not_before))
}

/// A row of the revocation feed: a key or an account whose tokens ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The number of the row. Numbers grow with every commit.
    pub seq: i64,
    /// `key` or `subject`.
    pub kind: String,
    /// The id of the key or the account.
    pub id: String,
}

/// A page of the revocation feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedPage {
    /// The rows, the oldest first.
    pub revocations: Vec<Revocation>,
    /// The number after which the next page begins.
    pub next: i64,
    /// Whether the page is full, so that there may be more.
    pub has_more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::days;

    #[test]
    fn a_successor_is_published_a_day_before_it_signs_even_if_the_rotation_is_late() {
        let begin = Timestamp::from_millis(0);
        let rotate_every = days(90);
        let at = |span: Duration| due(Some(begin), rotate_every, begin.plus(span));

        assert_eq!(due(None, rotate_every, begin), Due::Successor(begin));
        assert_eq!(at(days(88)), Due::Nothing);
        assert_eq!(at(days(89)), Due::Successor(begin.plus(days(90))));
        assert_eq!(at(days(200)), Due::Successor(begin.plus(days(201))));
    }

    #[test]
    fn an_audience_is_one_word_of_visible_characters() {
        assert!(Audience::parse("https://inference.example.org").is_some());
        for bad in ["", "two words", "ünter", "a\nb", &"a".repeat(256)] {
            assert_eq!(Audience::parse(bad), None, "{bad:?}");
        }
    }
}
