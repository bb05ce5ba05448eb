//! When sessions last used the operator console: it asks for a new proof of identity after a pause.
//!
//! In memory only: after a restart the console asks again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{SessionId, Timestamp, minutes};

/// How long the console stays open for a session that does not use it.
pub const CONSOLE_IDLE: Duration = minutes(15);

/// The last use of the console by each session.
#[derive(Default)]
pub struct ConsoleUse(Mutex<HashMap<SessionId, Timestamp>>);

impl ConsoleUse {
    /// Whether the session may use the console at `now`: it proved who its person is, or used the open console, not longer
    /// than [`CONSOLE_IDLE`] ago. Counts this as a use.
    pub fn enter(&self, session: SessionId, proved_at: Timestamp, now: Timestamp) -> bool {
        // After a panic the map is still whole: each change of it is one call.
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A time ahead of now is from before the clock was set back, so its age is unknown.
        uses.retain(|_, used| *used <= now && now.since(*used) <= CONSOLE_IDLE);
        let is_proved = proved_at <= now && now.since(proved_at) <= CONSOLE_IDLE;
        let may_enter = is_proved || uses.contains_key(&session);
        if may_enter {
            uses.insert(session, now);
        }
        may_enter
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, seconds};

    #[test]
    fn the_console_stays_open_while_it_is_used_and_closes_after_a_pause() {
        let uses = ConsoleUse::default();
        let start = Timestamp::from_millis(1_777_798_800_000);
        let session = SessionId::new(start, &mut Rng::system());
        let at = |minute: u64| start.plus(minutes(minute));

        assert!(uses.enter(session, start, at(15)), "the proof opens it");
        assert!(uses.enter(session, start, at(30)), "its use keeps it open");
        assert!(uses.enter(session, start, at(45)));
        let other = SessionId::new(start, &mut Rng::system());
        assert!(!uses.enter(other, start, at(45)), "a session without a proof and a use");
        assert!(!uses.enter(other, at(50), at(45)), "the proof is from before the clock was set back");
        assert!(!uses.enter(session, start, at(60).plus(seconds(1))), "a pause closes it");
        assert!(!uses.enter(session, start, at(60).plus(seconds(2))), "a refused use does not open it");
        assert!(uses.enter(session, at(61), at(61)), "a new proof opens it again");
        assert!(!uses.enter(session, start, at(40)), "a use ahead of the clock counts as none");
    }
}
