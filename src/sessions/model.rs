//! What a session is, and when it ends.

use std::time::Duration;

use crate::base::{AccountId, Secret, SessionId, Timestamp, Visitor, WorkspaceId, minutes, seconds};

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
}

/// The new cookie of a session that goes on.
#[derive(Clone)]
pub struct Renewed {
    /// The cookie's value.
    pub token: Secret<String>,
    /// How long the browser keeps it. `None`: until it is closed.
    pub keep: Option<Duration>,
}

/// How long a proof is fresh: what a borrowed browser must not do asks for another one after it (safety S3).
pub const FRESH_FOR: Duration = minutes(10);

/// How stale `last_seen_at` may be: a write a minute per session, not one per page.
pub(super) const SEEN_STEP: Duration = minutes(1);

/// Failures before pauses begin (safety P7).
const FAILURES_FREE: u32 = 5;
/// The longest pause.
const PAUSE_MAX: Duration = minutes(15);

/// Nobody may try again yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// Seconds to wait, at least 1.
    pub wait_seconds: u32,
}

/// The pause after so many failures in a row: none for the first five, then 1 s, 2 s, 4 s … up to 15 minutes. Never for
/// ever, or a stranger could lock a person out.
pub(super) fn pause_after(failures: u32) -> Duration {
    match failures.checked_sub(FAILURES_FREE) {
        None | Some(0) => Duration::ZERO,
        Some(more) => seconds(1u64 << (more - 1).min(20)).min(PAUSE_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end_at_a_quarter_of_an_hour() {
        assert_eq!(pause_after(5), Duration::ZERO);
        assert_eq!((pause_after(6), pause_after(9)), (seconds(1), seconds(8)));
        assert_eq!(pause_after(1000), minutes(15));
    }
}
