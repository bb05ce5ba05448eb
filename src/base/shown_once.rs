//! Texts that are shown once, such as a new key.
//!
//! The form that makes one answers with a redirect, and the page after it shows the text. So a reload makes nothing again,
//! and shows the text once more for a few minutes. Texts are kept in memory only: after a restart they are gone.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Secret, SessionId, Timestamp, minutes};

/// How long a text can be shown: long enough for a reload, or to come back after a look at another page.
pub const SHOWN_FOR: Duration = minutes(5);
/// Texts that are kept, the newest ones: a megabyte at most.
const TEXTS_MAX: usize = 2_000;
/// Texts of one session that are kept, so that nobody pushes out those of others.
const TEXTS_OF_SESSION_MAX: usize = 20;

/// The texts that can be shown at the moment.
#[derive(Default)]
pub struct ShownOnce(Mutex<VecDeque<KeptText>>);

struct KeptText {
    session: SessionId,
    /// Which of the texts of its session it is.
    what: String,
    text: Secret<String>,
    since: Timestamp,
}

impl ShownOnce {
    /// Keeps a text for the session that made it. Replaces the one with the same name.
    pub fn keep(&self, session: SessionId, what: &str, text: Secret<String>, now: Timestamp) {
        // After a panic the lock still protects whole entries, so it stays usable.
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts.retain(|shown| is_kept(shown, now) && !(shown.session == session && shown.what == what));
        let own = texts.iter().filter(|shown| shown.session == session).count();
        if own == TEXTS_OF_SESSION_MAX
            && let Some(oldest) = texts.iter().position(|shown| shown.session == session)
        {
            texts.remove(oldest);
        } else if texts.len() == TEXTS_MAX {
            texts.pop_front();
        }
        texts.push_back(KeptText { session, what: what.to_owned(), text, since: now });
    }

    /// Forgets the texts whose time is over.
    pub fn forget_old(&self, now: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|shown| is_kept(shown, now));
    }

    /// The text with this name. `None`: its time is over, or this session did not make it.
    pub fn text(&self, session: SessionId, what: &str, now: Timestamp) -> Option<Secret<String>> {
        let texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = texts.iter().find(|shown| shown.session == session && shown.what == what);
        found.filter(|shown| is_kept(shown, now)).map(|shown| shown.text.clone())
    }
}

fn is_kept(shown: &KeptText, now: Timestamp) -> bool {
    now.since(shown.since) < SHOWN_FOR
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    #[test]
    fn a_text_is_shown_for_minutes_and_only_to_the_session_that_made_it() {
        let (now, mut rng) = (Timestamp::from_millis(1_777_798_800_000), Rng::seeded(1));
        let [ada, grace] = [SessionId::new(now, &mut rng), SessionId::new(now, &mut rng)];
        let shown = ShownOnce::default();
        let text = |session, what: &str, after: u64| {
            shown.text(session, what, now.plus(super::super::seconds(after))).map(|text| text.expose().clone())
        };

        shown.keep(ada, "key:1", Secret::new("a".into()), now);
        shown.keep(ada, "key:2", Secret::new("b".into()), now);
        shown.keep(ada, "key:1", Secret::new("c".into()), now);

        assert_eq!([text(ada, "key:1", 0), text(ada, "key:2", 299)], [Some("c".into()), Some("b".into())]);
        assert_eq!([text(grace, "key:1", 0), text(ada, "key:3", 0), text(ada, "key:1", 300)], [const { None }; 3]);
        let keep = |session, number: usize| shown.keep(session, &number.to_string(), Secret::new(String::new()), now);
        (0..=TEXTS_OF_SESSION_MAX).for_each(|number| keep(grace, number));
        assert_eq!(
            (text(grace, "0", 0), text(grace, "1", 0)),
            (None, Some(String::new())),
            "the oldest of a session go"
        );
        assert_eq!(text(ada, "key:1", 0), Some("c".into()), "and nobody else's");
        (0..TEXTS_MAX).for_each(|number| keep(SessionId::new(now, &mut rng), number));
        assert_eq!((text(ada, "key:1", 0), shown.0.lock().unwrap().len()), (None, TEXTS_MAX), "the oldest go");
        shown.forget_old(now.plus(SHOWN_FOR));
        assert!(shown.0.lock().unwrap().is_empty());
    }
}
