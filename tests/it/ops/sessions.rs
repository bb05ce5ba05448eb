//! Browser sessions: how long they live, and that they end where they are kept.

use domicile::base::{SessionId, Timestamp, days, hours, minutes, seconds};
use domicile::sessions::{self, Current, End, NewSession, Shown};

use crate::support::{Person, TestHouse, visitor};

impl TestHouse {
    fn begin(&mut self, person: &Person, remember: bool) -> (SessionId, String) {
        let (actor, new) = (
            self.stranger(),
            NewSession { account: person.account.id, visitor: visitor(), remember, method: "password".into() },
        );
        let (id, token) = self.write(|tx| sessions::start(tx, &actor, &new)).unwrap();
        (id, token.expose().clone())
    }

    fn current(&mut self, token: &str) -> Option<Current> {
        self.look(|tx| sessions::current(tx, token).unwrap())
    }

    /// What a page does: knows the session and notes that it was seen, where it is time.
    fn see(&mut self, token: &str) -> bool {
        let Some(current) = self.current(token) else { return false };
        if current.needs_touch(self.clock.now()) {
            self.write(|tx| sessions::touch(tx, current.id)).unwrap();
        }
        true
    }

    fn seen_at(&mut self, token: &str) -> Timestamp {
        self.current(token).unwrap().last_seen_at
    }
}

#[test]
fn a_session_knows_its_person_and_where_they_work() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let (id, token) = house.begin(&ada, false);

    let current = house.current(&token).unwrap();

    assert_eq!((current.id, current.account, current.workspace), (id, ada.account.id, ada.workspace));
    assert_eq!((current.username.as_str(), current.proved_at), ("ada-ada", house.clock.now()));
    for other in ["", "nonsense", &token[1..], &id.to_string()] {
        assert!(house.current(other).is_none(), "{other:?}");
    }
}

#[test]
fn s3_a_session_ends_half_an_hour_after_it_was_last_seen() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let (_, token) = house.begin(&ada, false);

    house.clock.advance(minutes(30) - seconds(1));
    assert!(house.see(&token));
    house.clock.advance(minutes(30) - seconds(1));
    assert!(house.current(&token).is_some());
    house.clock.advance(seconds(1));

    assert!(house.current(&token).is_none());
}

#[test]
fn s3_a_session_ends_after_twelve_hours_however_busy_it_is() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let (_, token) = house.begin(&ada, false);
    let ends_at = house.clock.now().plus(hours(12));

    while house.clock.now().plus(minutes(20)) < ends_at {
        house.clock.advance(minutes(20));
        assert!(house.see(&token));
    }
    house.clock.advance(ends_at.since(house.clock.now()) - seconds(1));
    assert!(house.see(&token));
    house.clock.advance(seconds(1));

    assert!(house.current(&token).is_none());
}

#[test]
fn s3_who_stays_signed_in_stays_for_thirty_days() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let (_, token) = house.begin(&ada, true);

    house.clock.advance(days(30) - seconds(1));
    assert!(house.see(&token));
    house.clock.advance(seconds(1));

    assert!(house.current(&token).is_none());
}

#[test]
fn being_seen_is_noted_once_a_minute_and_no_more() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let (_, token) = house.begin(&ada, false);
    let began = house.clock.now();

    house.clock.advance(seconds(59));
    house.see(&token);
    assert_eq!(house.seen_at(&token), began);
    house.clock.advance(seconds(1));
    house.see(&token);

    assert_eq!(house.seen_at(&token), began.plus(seconds(60)));
}

#[test]
fn s4_signing_out_ends_the_session_where_it_is_kept() {
    let mut house = TestHouse::new();
    let (ada, bob) = (house.person("ada-ada"), house.person("bob-bob"));
    let (id, token) = house.begin(&ada, true);
    let (other, others_token) = house.begin(&ada, false);
    let actor = ada.by_browser();

    let by_bob = bob.by_browser();
    house.write(|tx| sessions::end(tx, &by_bob, bob.account.id, id)).unwrap();
    assert!(house.current(&token).is_some());
    house.write(|tx| sessions::end(tx, &actor, ada.account.id, id)).unwrap();
    let events = house.count("audit_event");
    house.write(|tx| sessions::end(tx, &actor, ada.account.id, id)).unwrap();

    assert!(house.current(&token).is_none());
    assert!(house.current(&others_token).is_some());
    assert_eq!((house.count("session"), house.count("audit_event")), (1, events));
    let listed = house.look(|tx| sessions::list(tx, ada.account.id).unwrap());
    assert_eq!(listed.iter().map(|session| session.id).collect::<Vec<_>>(), [other]);
}

#[test]
fn s4_every_other_session_can_be_ended_at_once() {
    let mut house = TestHouse::new();
    let (ada, bob) = (house.person("ada-ada"), house.person("bob-bob"));
    let (here, token) = house.begin(&ada, false);
    let elsewhere = [house.begin(&ada, false).1, house.begin(&ada, true).1];
    let (_, bobs) = house.begin(&bob, false);
    let actor = ada.by_browser();
    let mut end_all = |except| house.write(|tx| sessions::end_all(tx, &actor, ada.account.id, except)).unwrap();

    assert_eq!((end_all(Some(here)), end_all(Some(here))), (2, 0));

    assert!(house.current(&token).is_some());
    assert!(elsewhere.iter().all(|ended| house.current(ended).is_none()));
    assert!(house.current(&bobs).is_some());
    let recorded = "select count(*) from audit_event where event = 'session.revoked_all'";
    assert_eq!(house.number(recorded), 1);

    assert_eq!(house.write(|tx| sessions::end_all(tx, &actor, ada.account.id, None)).unwrap(), 1);
    assert!(house.current(&token).is_none());
}

#[test]
fn s1_the_cookies_value_is_not_in_the_database() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");

    let (_, token) = house.begin(&ada, false);

    assert!(token.len() >= 43, "256 bits in base64url");
    assert_eq!(house.places_of(&token), Vec::<String>::new());
}

#[test]
fn s3_a_clock_that_steps_back_lengthens_no_session() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let (_, token) = house.begin(&ada, false);
    house.clock.advance(minutes(29));
    house.see(&token);
    let (seen, busy) = (house.seen_at(&token), house.clock.clone());

    // By less than it takes to be noted: the session lives on, and not a moment longer than it would have.
    house.clock = domicile::base::Clock::standing_at(busy.now().minus(seconds(59)));
    let id = house.current(&token).unwrap().id;
    house.write(|tx| sessions::touch(tx, id)).unwrap();
    assert_eq!(house.seen_at(&token), seen);
    // By more: nobody can say how old it is.
    house.clock = domicile::base::Clock::standing_at(busy.now().minus(hours(1)));
    assert!(!house.see(&token));
    assert!(house.look(|tx| sessions::list(tx, ada.account.id).unwrap()).is_empty());
    // Who signs in under that clock is in.
    let (_, later) = house.begin(&ada, false);
    assert!(house.see(&later));
    house.clock = domicile::base::Clock::standing_at(seen.plus(minutes(30)));
    assert!(house.current(&token).is_none() && house.current(&later).is_none());
}

#[test]
fn s3_a_changed_setting_does_not_lengthen_a_session_that_exists() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let (_, token) = house.begin(&ada, false);
    let mut patient = crate::support::site();
    patient.config.session.idle_timeout = days(7);
    patient.config.session.absolute_timeout = days(7);
    house.site = std::sync::Arc::new(patient);

    house.clock.advance(minutes(30));

    assert!(house.current(&token).is_none());
}

#[test]
fn s4_a_suspended_person_has_no_session() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let (_, token) = house.begin(&ada, true);

    house.suspend(&ada);

    assert!(house.current(&token).is_none());
}

#[test]
fn sessions_that_ended_are_deleted() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    house.begin(&ada, false);
    let (_, kept) = house.begin(&ada, true);
    house.write(|tx| sessions::note_failure(tx, "network:203.0.113.7")).unwrap();

    house.clock.advance(minutes(30));
    assert_eq!(house.write(sessions::purge_ended).unwrap(), 0, "its browser can still be told why");
    house.clock.advance(hours(24));
    assert_eq!(house.write(sessions::purge_ended).unwrap(), 2);

    assert_eq!((house.count("session"), house.count("throttle")), (1, 0));
    assert!(house.current(&kept).is_some());
}

#[test]
fn a_browser_that_talks_too_much_is_cut_short() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let mut new =
        NewSession { account: ada.account.id, visitor: visitor(), remember: false, method: "password".into() };
    new.visitor.agent = "é".repeat(10_000);
    let actor = house.stranger();

    house.write(|tx| sessions::start(tx, &actor, &new)).unwrap();

    let listed = house.look(|tx| sessions::list(tx, ada.account.id).unwrap());
    assert_eq!(listed[0].visitor.agent, "é".repeat(256));
}

/// What is behind a cookie, in a word.
fn behind(house: &mut TestHouse, token: &str) -> &'static str {
    match house.look(|tx| sessions::show(tx, token).unwrap()) {
        Shown::Live(current) if current.is_newest => "live",
        Shown::Live(_) => "live for a moment",
        Shown::Over(End::Idle) => "idle",
        Shown::Over(End::Age) => "old",
        Shown::Copied(..) => "copied",
        Shown::Unknown => "unknown",
    }
}

#[test]
fn s1_a_cookie_is_a_day_old_at_most_and_the_one_before_is_good_for_a_minute() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let (id, first) = house.begin(&ada, true);
    house.clock.advance(hours(24) - seconds(1));
    assert!(!house.current(&first).unwrap().needs_rotation(house.clock.now()));
    assert!(house.write(|tx| sessions::rotate(tx, id, &first)).unwrap().is_none(), "it is not time");
    house.clock.advance(seconds(1));
    assert!(house.current(&first).unwrap().needs_rotation(house.clock.now()));

    let renewed = house.write(|tx| sessions::rotate(tx, id, &first)).unwrap().unwrap();

    let second = renewed.token.expose().clone();
    assert_eq!(renewed.keep, Some(days(29)), "it is remembered as long as before");
    assert!(second.len() >= 43 && second != first, "256 bits in base64url");
    assert!(house.write(|tx| sessions::rotate(tx, id, &first)).unwrap().is_none(), "another tab was first");
    house.clock.advance(seconds(59));
    assert_eq!([behind(&mut house, &first), behind(&mut house, &second)], ["live for a moment", "live"]);
    house.clock.advance(seconds(1));
    assert_eq!([behind(&mut house, &first), behind(&mut house, &second)], ["copied", "live"]);
    assert!(house.current(&first).is_none(), "it opens nothing");
    assert!(house.places_of(&second).is_empty());
}

#[test]
fn s1_a_cookie_that_was_copied_ends_the_session_of_both() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let (id, first) = house.begin(&ada, true);
    let (_, elsewhere) = house.begin(&ada, true);
    house.clock.advance(hours(24));
    let second = house.write(|tx| sessions::rotate(tx, id, &first)).unwrap().unwrap().token.expose().clone();
    house.clock.advance(seconds(60));
    let actor = house.stranger();
    let Shown::Copied(session, account) = house.look(|tx| sessions::show(tx, &first).unwrap()) else {
        panic!("copied")
    };

    for _ in 0..2 {
        house.write(|tx| sessions::end_copied(tx, &actor, account, session)).unwrap();
    }

    assert_eq!((session, account), (id, ada.account.id));
    assert_eq!([&first, &second, &elsewhere].map(|token| behind(&mut house, token)), ["unknown", "unknown", "live"]);
    assert_eq!(house.events_of(&ada).iter().filter(|name| *name == "session.reuse_detected").count(), 1);
    assert_eq!(house.count("session_rotated"), 0);
}

#[test]
fn s1_a_fresh_proof_gives_a_new_cookie_and_the_old_one_is_dead_at_once() {
    let mut house = TestHouse::new();
    let (ada, bob) = (house.person("ada-ada"), house.person("bob-bob"));
    let (id, old) = house.begin(&ada, false);
    house.clock.advance(minutes(10));
    assert!(house.write(|tx| sessions::renew(tx, bob.account.id, id)).unwrap().is_none(), "it is not bob's");

    let renewed = house.write(|tx| sessions::renew(tx, ada.account.id, id)).unwrap().unwrap();

    assert_eq!([behind(&mut house, &old), behind(&mut house, renewed.token.expose())], ["unknown", "live"]);
    assert_eq!(house.current(renewed.token.expose()).unwrap().proved_at, house.clock.now());
    house.clock.advance(minutes(30));
    assert!(house.write(|tx| sessions::renew(tx, ada.account.id, id)).unwrap().is_none(), "one that ended stays ended");
}

#[test]
fn s3_its_person_can_be_told_how_long_a_session_lives_and_why_it_ended() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let (_, token) = house.begin(&ada, false);
    let left = |house: &mut TestHouse| {
        let now = house.clock.now();
        let left = house.current(&token).unwrap().left(now);
        (left.seconds, left.is_final)
    };
    house.clock.advance(minutes(29));
    assert_eq!(left(&mut house), (60, false));
    house.see(&token);
    assert_eq!(left(&mut house), (1800, false));
    while house.clock.now() < house.current(&token).unwrap().ends_at.minus(minutes(20)) {
        house.clock.advance(minutes(10));
        house.see(&token);
    }
    let (seconds_left, is_final) = left(&mut house);
    assert!(seconds_left <= 1200 && is_final, "being seen does not move the end any more");
    house.clock.advance(minutes(20));
    assert_eq!(behind(&mut house, &token), "old");

    let (_, idle) = house.begin(&ada, false);
    house.clock.advance(minutes(30) - seconds(1));
    assert_eq!(behind(&mut house, &idle), "live");
    house.clock.advance(seconds(1));
    assert_eq!(behind(&mut house, &idle), "idle");
    house.clock.advance(hours(25));
    house.write(sessions::purge_ended).unwrap();
    assert_eq!(behind(&mut house, &idle), "unknown");
}

#[test]
fn being_seen_brings_no_session_back() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let (id, token) = house.begin(&ada, false);
    house.clock.advance(minutes(30));

    house.write(|tx| sessions::touch(tx, id)).unwrap();

    assert_eq!(behind(&mut house, &token), "idle");
}

#[test]
fn the_hundred_and_first_session_ends_the_one_that_was_not_seen_for_longest() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let tokens: Vec<_> = (0..101)
        .map(|_| {
            house.clock.advance(seconds(1));
            house.begin(&ada, true).1
        })
        .collect();

    assert_eq!(house.count("session"), 100);
    assert_eq!(tokens.iter().filter(|token| house.current(token).is_none()).collect::<Vec<_>>(), [&tokens[0]]);
    assert_eq!(house.look(|tx| sessions::list(tx, ada.account.id).unwrap()).len(), 100, "the list shows all");
}
