//! What a session is, and when it ends.

mod pauses;

use std::time::Duration;

use crate::base::{AccountId, Secret, SessionId, Timestamp, Visitor, WorkspaceId, days, hours, minutes, seconds};

pub use pauses::Throttled;
pub(super) use pauses::{PAUSE_MAX, Pace, network_of};

/// A session to be started.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Whose.
    pub account: AccountId,
    /// Where from.
    pub visitor: Visitor,
    /// Whether the person asked to stay signed in on this device.
    pub remember: bool,
    /// How they proved who they are, for the list of sessions.
    pub method: String,
}

/// A session as listed.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its public name; not the cookie's value.
    pub id: SessionId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last seen, to the minute.
    pub last_seen_at: Timestamp,
    /// When it ends whatever happens.
    pub ends_at: Timestamp,
    /// Where from.
    pub visitor: Visitor,
    /// How its person proved who they are. Empty: it is older than this note.
    pub method: String,
}

/// A session in use, with what every page shows of its person.
#[derive(Clone, Debug)]
pub struct Current {
    /// The session.
    pub id: SessionId,
    /// The person.
    pub account: AccountId,
    /// Their personal workspace.
    pub workspace: WorkspaceId,
    /// Their username.
    pub username: String,
    /// What to call them.
    pub display_name: String,
    /// When it was last seen, to the minute.
    pub last_seen_at: Timestamp,
    /// When the person last proved who they are.
    pub proved_at: Timestamp,
    /// The name of their picture. `None`: they have none.
    pub picture: Option<String>,
    /// What stands behind their initials.
    pub colour: String,
    /// `light`, `dark` or `system`. `None`: they did not choose.
    pub theme: Option<String>,
    /// The language of their pages, BCP 47.
    pub language: String,
    /// The name of their time zone.
    pub time_zone: String,
    /// Whether they run this appliance.
    pub is_operator: bool,
    /// How long it lives without being seen.
    pub idle: Duration,
    /// When it ends whatever happens.
    pub ends_at: Timestamp,
    /// When its cookie got its value.
    pub rotated_at: Timestamp,
    /// Whether the cookie that was shown is the newest. The one before is good for a moment.
    pub is_newest: bool,
}

/// What is behind the value of a cookie.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A session in use.
    Live(Box<Current>),
    /// A session that ended by itself, less than a day ago.
    Over(End),
    /// A value that was replaced long ago: whoever shows it has a copy.
    Copied(SessionId, AccountId),
    /// Nothing that is known: a session that somebody ended, or made up.
    Unknown,
}

/// Why a session ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was not seen for too long.
    Idle,
    /// It was as old as a session gets.
    Age,
}

/// How long a session still lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Whole seconds until it ends, if it is not seen until then.
    pub seconds: u64,
    /// Whether being seen does not move that end: it is the session's age.
    pub is_final: bool,
}

impl Current {
    /// Whether it is time to note that the session was seen: a write a minute, not one per page. Where sessions live only
    /// minutes, a tenth of that.
    pub fn needs_touch(&self, now: Timestamp) -> bool {
        now.since(self.last_seen_at) >= SEEN_STEP.min(self.idle / 10)
    }

    /// Whether it is time for a new value of the cookie.
    pub fn needs_rotation(&self, now: Timestamp) -> bool {
        self.is_newest && now.since(self.rotated_at) >= ROTATE_AFTER
    }

    /// How long it still lives.
    pub fn left(&self, now: Timestamp) -> Left {
        let idle_end = self.last_seen_at.plus(self.idle);
        Left { seconds: idle_end.min(self.ends_at).since(now).as_secs(), is_final: self.ends_at <= idle_end }
    }
}

/// The new cookie of a session that goes on.
#[derive(Clone)]
pub struct Renewed {
    /// The cookie's value.
    pub token: Secret<String>,
    /// How long the browser keeps it. `None`: until it is closed.
    pub keep: Option<Duration>,
}

/// What a sign-in learnt about the browser.
#[derive(Clone)]
pub struct NotedDevice {
    /// The value of its device cookie.
    pub cookie: Secret<String>,
    /// Whether the person should hear of it: they used other browsers before, and this one never.
    pub is_news: bool,
}

/// How long a browser keeps its device cookie, and we its digest, after the last sign-in: the longest that browsers keep any
/// (RFC 6265bis §5.5).
pub const DEVICE_KEPT: Duration = days(400);

/// How stale `last_seen_at` may be.
const SEEN_STEP: Duration = minutes(1);
/// How old the value of a session's cookie gets (domain 5.1.7).
pub(super) const ROTATE_AFTER: Duration = hours(24);
/// How long the value before is good, for requests that were under way.
pub(super) const ROTATED_GRACE: Duration = seconds(60);
/// How long what ended by itself is kept, so that its browser can be told why.
pub(super) const ENDED_KEPT: Duration = hours(24);
/// A session that was seen later than now, by more than this, is from before the clock was set back. It ends, because nobody
/// can say how old it is.
pub(super) const CLOCK_SLACK: Duration = minutes(1);
/// Sessions of one account; one more ends the one that was not seen for longest.
pub(super) const SESSIONS_MAX: u32 = 100;
/// Devices that one account knows; one more forgets the one that was not seen for longest.
pub(super) const DEVICES_MAX: u32 = 50;
