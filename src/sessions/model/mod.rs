//! What a session is, and when it ends.

mod rules;
#[cfg(test)]
mod simulation;
mod throttle;

use std::time::Duration;

use crate::base::{AccountId, Secret, SessionId, Timestamp, Visitor, WorkspaceId, days, hours, minutes, seconds};

pub(super) use rules::{CODE, CONFIRMATION, FACTOR, MAILS_ALL, MAILS_OF, MAILS_TO, NAME, NETWORK, REDEEM, REDEEM_OF};
pub(super) use throttle::{Bucket, Counter, NamedAttempt, folded, network_of, of_browser, of_session, of_terminal};
pub use throttle::{LoginThrottle, RetryAfter, Verdict};

/// A session that is about to start.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The account that signs in.
    pub account: AccountId,
    /// The browser that signs in, and its address.
    pub visitor: Visitor,
    /// Whether the person asked to stay signed in on this device.
    pub remember: bool,
    /// How they proved who they are, for the list of sessions.
    pub method: String,
}

/// A session as listed.
#[derive(Clone, Debug)]
pub struct Session {
    /// Public; it is not the cookie value.
    pub id: SessionId,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_seen_at: Timestamp,
    /// Its absolute end.
    pub ends_at: Timestamp,
    /// The browser that signed in, and its address.
    pub visitor: Visitor,
    /// How its person proved who they are. Empty: the session began before this was recorded.
    pub method: String,
}

/// A session in use, with everything about its person that all pages show.
#[derive(Clone, Debug)]
pub struct CurrentSession {
    /// Public; it is not the cookie value.
    pub id: SessionId,
    /// The account that is signed in.
    pub account: AccountId,
    /// Their personal workspace.
    pub workspace: WorkspaceId,
    /// Permanent and unique.
    pub username: String,
    /// The name that pages and mails show.
    pub display_name: String,
    /// When it was last used, to the minute.
    pub last_seen_at: Timestamp,
    /// When the person last proved who they are.
    pub proved_at: Timestamp,
    /// The name of their picture. `None`: they have none.
    pub picture: Option<String>,
    /// The background of their initials.
    pub colour: String,
    /// `light`, `dark` or `system`. `None`: they did not choose.
    pub theme: Option<String>,
    /// The language of their pages, BCP 47.
    pub language: String,
    /// The IANA name of their time zone.
    pub time_zone: String,
    /// Whether they run this appliance.
    pub is_operator: bool,
    /// How long it lives without being used.
    pub idle: Duration,
    /// Its absolute end.
    pub ends_at: Timestamp,
    /// When its cookie value was made.
    pub rotated_at: Timestamp,
    /// Whether the request had the newest cookie value. The value before it stays valid for a minute.
    pub is_newest: bool,
}

/// What a cookie value stands for.
#[derive(Clone, Debug)]
pub enum CookieState {
    /// A session in use.
    Live(Box<CurrentSession>),
    /// A session that expired less than a day ago.
    Ended(End),
    /// A value that was replaced more than a minute ago: two parties have the cookie.
    Reused(SessionId, AccountId),
    /// No known session: a person ended it, or the value is invented.
    Unknown,
}

/// Why a session expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was not used for too long.
    Idle,
    /// It reached its absolute end.
    Age,
}

/// How long a session still lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Whole seconds until it ends, if it is not used until then.
    pub seconds: u64,
    /// Whether use does not move that end, because it is the absolute end.
    pub is_final: bool,
}

impl CurrentSession {
    /// Whether it is time to store that the session was used: one write a minute, not one per page. Where sessions live
    /// only minutes, a tenth of their idle time.
    pub fn needs_touch(&self, now: Timestamp) -> bool {
        now.since(self.last_seen_at) >= SEEN_STEP.min(self.idle / 10)
    }

    /// Whether it is time for a new cookie value.
    pub fn needs_rotation(&self, now: Timestamp) -> bool {
        self.is_newest && now.since(self.rotated_at) >= ROTATE_AFTER
    }

    /// How long it still lives.
    pub fn remaining(&self, now: Timestamp) -> Remaining {
        let idle_end = self.last_seen_at.plus(self.idle);
        Remaining { seconds: idle_end.min(self.ends_at).since(now).as_secs(), is_final: self.ends_at <= idle_end }
    }
}

/// The new cookie of a session that continues.
#[derive(Clone)]
pub struct RenewedCookie {
    /// The cookie value.
    pub token: Secret<String>,
    /// How long the browser keeps it. `None`: until the browser is closed.
    pub keep: Option<Duration>,
}

/// The browser of a sign-in.
#[derive(Clone)]
pub struct SignInDevice {
    /// The value of its device cookie.
    pub cookie: Secret<String>,
    /// Whether the person should be told: they used other browsers before, but never this one.
    pub is_new: bool,
}

/// How long after the last sign-in a browser keeps its device cookie, and we its digest: the longest time that browsers
/// keep any cookie (RFC 6265bis §5.5).
pub const DEVICE_LIFETIME: Duration = days(400);

/// How stale `last_seen_at` may be.
const SEEN_STEP: Duration = minutes(1);
/// The age at which a cookie value is replaced (domain 5.1.7).
pub(super) const ROTATE_AFTER: Duration = hours(24);
/// How long the previous value stays valid, for requests that are under way.
pub(super) const ROTATED_GRACE: Duration = seconds(60);
/// How long an expired session is kept, so that its browser can be told why it ended.
pub(super) const ENDED_RETENTION: Duration = hours(24);
/// A session that was last used this much later than now is from before the clock was set back. It ends, because its
/// age is unknown.
pub(super) const CLOCK_SLACK: Duration = minutes(1);
/// Sessions of one account. One more ends the least recently used one.
pub(super) const SESSIONS_MAX: u32 = 100;
/// Known devices of one account. One more forgets the least recently used one.
pub(super) const DEVICES_MAX: u32 = 50;
