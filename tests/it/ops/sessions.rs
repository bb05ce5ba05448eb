//! Browser sessions: how long they live, and that they end on the server.

mod cleanup;

use domicile::base::{Actor, Secret, SessionId, Timestamp, Visitor, days, hours, minutes, seconds};
use domicile::sessions::{self, CookieState, CurrentSession, End, LoginThrottle, Verdict};

use crate::support::{Person, SessionBuilder, TestSite, visitor};

impl TestSite {
    fn begin(&mut self, person: &Person, remember: bool) -> (SessionId, String) {
        let (actor, new) =
            (self.anonymous(), SessionBuilder::new(person.account.id, visitor()).remember(remember).build());
        let (id, token) = self.write(|tx| sessions::start(tx, &actor, &new)).unwrap();
        (id, token.expose().clone())
    }

    fn current(&mut self, token: &str) -> Option<CurrentSession> {
        self.read(|tx| sessions::current(tx, token).unwrap())
    }

    /// What a page does: finds the session, and stores that it was used when it is time to. `false`: there is no
    /// session.
    fn use_session(&mut self, token: &str) -> bool {
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
fn a_session_knows_its_person_and_their_workspace() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (id, token) = site.begin(&ada, false);

    let current = site.current(&token).unwrap();

    assert_eq!((current.id, current.account, current.workspace), (id, ada.account.id, ada.workspace));
    assert_eq!((current.username.as_str(), current.proved_at), ("ada-ada", site.clock.now()));
    for other in ["", "nonsense", &token[1..], &id.to_string()] {
        assert!(site.current(other).is_none(), "{other:?}");
    }
}

#[test]
fn s3_a_session_ends_half_an_hour_after_its_last_use() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (_, token) = site.begin(&ada, false);

    site.clock.advance(minutes(30) - seconds(1));
    assert!(site.use_session(&token));
    site.clock.advance(minutes(30) - seconds(1));
    assert!(site.current(&token).is_some());
    site.clock.advance(seconds(1));

    assert!(site.current(&token).is_none());
}

#[test]
fn s3_a_session_ends_after_twelve_hours_however_busy_it_is() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (_, token) = site.begin(&ada, false);
    let ends_at = site.clock.now().plus(hours(12));

    while site.clock.now().plus(minutes(20)) < ends_at {
        site.clock.advance(minutes(20));
        assert!(site.use_session(&token));
    }
    site.clock.advance(ends_at.since(site.clock.now()) - seconds(1));
    assert!(site.use_session(&token));
    site.clock.advance(seconds(1));

    assert!(site.current(&token).is_none());
}

#[test]
fn s3_a_remembered_session_lasts_thirty_days() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (_, token) = site.begin(&ada, true);

    site.clock.advance(days(30) - seconds(1));
    assert!(site.use_session(&token));
    site.clock.advance(seconds(1));

    assert!(site.current(&token).is_none());
}

#[test]
fn use_is_stored_once_a_minute_at_most() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (_, token) = site.begin(&ada, false);
    let began = site.clock.now();

    site.clock.advance(seconds(59));
    site.use_session(&token);
    assert_eq!(site.seen_at(&token), began);
    site.clock.advance(seconds(1));
    site.use_session(&token);

    assert_eq!(site.seen_at(&token), began.plus(seconds(60)));
}

#[test]
fn use_of_a_short_session_is_stored_ten_times_at_most() {
    let mut site = TestSite::new();
    let mut shorter = crate::support::default_settings();
    shorter.config.session.idle_timeout = minutes(5);
    site.settings = std::sync::Arc::new(shorter);
    let ada = site.person("ada-ada");
    let (_, token) = site.begin(&ada, false);
    let began = site.clock.now();

    site.clock.advance(seconds(29));
    site.use_session(&token);
    assert_eq!(site.seen_at(&token), began);
    site.clock.advance(seconds(1));
    site.use_session(&token);

    assert_eq!(site.seen_at(&token), began.plus(seconds(30)));
}

#[test]
fn s4_signing_out_ends_the_session_on_the_server() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let (id, token) = site.begin(&ada, true);
    let (other, others_token) = site.begin(&ada, false);
    let actor = ada.by_browser();

    let by_bob = bob.by_browser();
    site.write(|tx| sessions::end(tx, &by_bob, bob.account.id, id)).unwrap();
    assert!(site.current(&token).is_some());
    site.write(|tx| sessions::end(tx, &actor, ada.account.id, id)).unwrap();
    let events = site.count("audit_event");
    site.write(|tx| sessions::end(tx, &actor, ada.account.id, id)).unwrap();

    assert!(site.current(&token).is_none());
    assert!(site.current(&others_token).is_some());
    assert_eq!((site.count("session"), site.count("audit_event")), (1, events));
    let listed = site.read(|tx| sessions::list(tx, ada.account.id).unwrap());
    assert_eq!(listed.iter().map(|session| session.id).collect::<Vec<_>>(), [other]);
}

#[test]
fn only_a_live_session_of_the_account_is_reported_as_ended() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let (id, token) = site.begin(&ada, false);
    let (by_ada, by_bob) = (ada.by_browser(), bob.by_browser());

    assert!(!site.write(|tx| sessions::end_live(tx, &by_bob, bob.account.id, id)).unwrap());
    assert!(site.current(&token).is_some());
    assert!(site.write(|tx| sessions::end_live(tx, &by_ada, ada.account.id, id)).unwrap());
    assert!(!site.write(|tx| sessions::end_live(tx, &by_ada, ada.account.id, id)).unwrap());
    assert!(site.current(&token).is_none());
}

#[test]
fn s4_every_other_session_can_be_ended_at_once() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let (here, token) = site.begin(&ada, false);
    let elsewhere = [site.begin(&ada, false).1, site.begin(&ada, true).1];
    let (_, bobs) = site.begin(&bob, false);
    let actor = ada.by_browser();
    let mut end_all = |except| site.write(|tx| sessions::end_all(tx, &actor, ada.account.id, except)).unwrap();

    assert_eq!((end_all(Some(here)), end_all(Some(here))), (2, 0));

    assert!(site.current(&token).is_some());
    assert!(elsewhere.iter().all(|ended| site.current(ended).is_none()));
    assert!(site.current(&bobs).is_some());
    let recorded = "select count(*) from audit_event where event = 'session.revoked_all'";
    assert_eq!(site.number(recorded), 1);

    assert_eq!(site.write(|tx| sessions::end_all(tx, &actor, ada.account.id, None)).unwrap(), 1);
    assert!(site.current(&token).is_none());
}

#[test]
fn s1_the_cookies_value_is_not_in_the_database() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");

    let (_, token) = site.begin(&ada, false);

    assert!(token.len() >= 43, "256 bits in base64url");
    assert_eq!(site.columns_with(&token), Vec::<String>::new());
}

#[test]
fn s3_a_clock_that_steps_back_lengthens_no_session() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (_, token) = site.begin(&ada, false);
    site.clock.advance(minutes(29));
    site.use_session(&token);
    let (last_seen, before) = (site.seen_at(&token), site.clock.clone());

    // By less than the slack: the session lives on, but not longer than it would have.
    site.clock = domicile::base::Clock::manual_at(before.now().minus(seconds(59)));
    let id = site.current(&token).unwrap().id;
    site.write(|tx| sessions::touch(tx, id)).unwrap();
    assert_eq!(site.seen_at(&token), last_seen);
    // By more: its age is unknown.
    site.clock = domicile::base::Clock::manual_at(before.now().minus(hours(1)));
    assert!(!site.use_session(&token));
    assert!(site.read(|tx| sessions::list(tx, ada.account.id).unwrap()).is_empty());
    // A person who signs in under that clock has a session.
    let (_, later) = site.begin(&ada, false);
    assert!(site.use_session(&later));
    site.clock = domicile::base::Clock::manual_at(last_seen.plus(minutes(30)));
    assert!(site.current(&token).is_none() && site.current(&later).is_none());
}

#[test]
fn s3_a_changed_setting_does_not_lengthen_a_session_that_exists() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (_, token) = site.begin(&ada, false);
    let mut longer = crate::support::default_settings();
    longer.config.session.idle_timeout = days(7);
    longer.config.session.absolute_timeout = days(7);
    site.settings = std::sync::Arc::new(longer);

    site.clock.advance(minutes(30));

    assert!(site.current(&token).is_none());
}

#[test]
fn s4_a_suspended_person_has_no_session() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (_, token) = site.begin(&ada, true);

    site.suspend(&ada);

    assert!(site.current(&token).is_none());
}

#[test]
fn a_browser_that_a_link_makes_known_gets_its_tries_back() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada").account.id;
    let browser = Visitor { device: Some(Secret::new("a browser".to_owned())), ..visitor() };
    let actor = Actor::Anonymous(browser.clone());
    let throttle = |site: &mut TestSite| site.read(|view| LoginThrottle::for_step_up(view, &actor, ada).unwrap());
    let waits = |site: &mut TestSite| {
        let throttle = throttle(site);
        site.read(|view| throttle.verdict(view).unwrap() != Verdict::Check)
    };
    site.write(|tx| sessions::note_device_by_link(tx, ada, &browser)).unwrap();
    for _ in 0..4 {
        let throttle = throttle(&mut site);
        site.write(|tx| throttle.note_failure(tx)).unwrap();
    }
    assert!(waits(&mut site));

    site.write(|tx| sessions::note_device(tx, ada, &browser)).unwrap();
    assert!(waits(&mut site), "a sign-in alone gives none back");
    site.write(|tx| sessions::note_device_by_link(tx, ada, &browser)).unwrap();

    assert!(!waits(&mut site));
}

#[test]
fn a_long_user_agent_is_truncated() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let mut new = SessionBuilder::new(ada.account.id, visitor()).build();
    new.visitor.agent = "é".repeat(10_000);
    let actor = site.anonymous();

    site.write(|tx| sessions::start(tx, &actor, &new)).unwrap();

    let listed = site.read(|tx| sessions::list(tx, ada.account.id).unwrap());
    assert_eq!(listed[0].visitor.agent, "é".repeat(256));
}

/// The state of a cookie value, in a word.
fn state_of(site: &mut TestSite, token: &str) -> &'static str {
    match site.read(|tx| sessions::cookie_state(tx, token).unwrap()) {
        CookieState::Live(current) if current.is_newest => "live",
        CookieState::Live(_) => "live for a minute",
        CookieState::Ended(End::Idle) => "idle",
        CookieState::Ended(End::Age) => "old",
        CookieState::Reused(..) => "reused",
        CookieState::Unknown => "unknown",
    }
}

#[test]
fn s1_a_cookie_is_a_day_old_at_most_and_the_previous_one_is_valid_for_a_minute() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (id, first) = site.begin(&ada, true);
    site.clock.advance(hours(24) - seconds(1));
    assert!(!site.current(&first).unwrap().needs_rotation(site.clock.now()));
    assert!(site.write(|tx| sessions::rotate(tx, id, &first)).unwrap().is_none(), "it is not time");
    site.clock.advance(seconds(1));
    assert!(site.current(&first).unwrap().needs_rotation(site.clock.now()));

    let renewed = site.write(|tx| sessions::rotate(tx, id, &first)).unwrap().unwrap();

    let second = renewed.token.expose().clone();
    assert_eq!(renewed.keep, Some(days(29)), "it is remembered as long as before");
    assert!(second.len() >= 43 && second != first, "256 bits in base64url");
    assert!(site.write(|tx| sessions::rotate(tx, id, &first)).unwrap().is_none(), "another tab was first");
    site.clock.advance(seconds(59));
    assert_eq!([state_of(&mut site, &first), state_of(&mut site, &second)], ["live for a minute", "live"]);
    site.clock.advance(seconds(1));
    assert_eq!([state_of(&mut site, &first), state_of(&mut site, &second)], ["reused", "live"]);
    assert!(site.current(&first).is_none(), "it opens nothing");
    assert!(site.columns_with(&second).is_empty());
}

#[test]
fn s1_a_reused_cookie_ends_the_session_of_both_holders() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (id, first) = site.begin(&ada, true);
    let (_, elsewhere) = site.begin(&ada, true);
    site.clock.advance(hours(24));
    let second = site.write(|tx| sessions::rotate(tx, id, &first)).unwrap().unwrap().token.expose().clone();
    site.clock.advance(seconds(60));
    let actor = site.anonymous();
    let CookieState::Reused(session, account) = site.read(|tx| sessions::cookie_state(tx, &first).unwrap()) else {
        panic!("not reused")
    };

    for _ in 0..2 {
        site.write(|tx| sessions::end_reused(tx, &actor, account, session)).unwrap();
        assert_eq!(site.events_of(&ada).iter().filter(|name| *name == "session.reuse_detected").count(), 1);
    }

    assert_eq!((session, account), (id, ada.account.id));
    assert_eq!([&first, &second, &elsewhere].map(|token| state_of(&mut site, token)), ["unknown", "unknown", "live"]);
    assert_eq!(site.count("session_rotated"), 0);
}

#[test]
fn s1_a_fresh_proof_gives_a_new_cookie_and_the_old_one_is_invalid_at_once() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let (id, old) = site.begin(&ada, false);
    site.clock.advance(minutes(10));
    assert!(site.write(|tx| sessions::renew(tx, bob.account.id, id)).unwrap().is_none(), "it is not bob's");

    let renewed = site.write(|tx| sessions::renew(tx, ada.account.id, id)).unwrap().unwrap();

    assert_eq!([state_of(&mut site, &old), state_of(&mut site, renewed.token.expose())], ["unknown", "live"]);
    assert_eq!(site.current(renewed.token.expose()).unwrap().proved_at, site.clock.now());
    site.clock.advance(minutes(30));
    assert!(site.write(|tx| sessions::renew(tx, ada.account.id, id)).unwrap().is_none(), "one that ended stays ended");
}

#[test]
fn s3_a_person_can_be_told_how_long_a_session_lives_and_why_it_ended() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (_, token) = site.begin(&ada, false);
    let remaining = |site: &mut TestSite| {
        let now = site.clock.now();
        let remaining = site.current(&token).unwrap().remaining(now);
        (remaining.seconds, remaining.is_final)
    };
    site.clock.advance(minutes(29));
    assert_eq!(remaining(&mut site), (60, false));
    site.use_session(&token);
    assert_eq!(remaining(&mut site), (1800, false));
    while site.clock.now() < site.current(&token).unwrap().ends_at.minus(minutes(20)) {
        site.clock.advance(minutes(10));
        site.use_session(&token);
    }
    let (seconds_left, is_final) = remaining(&mut site);
    assert!(seconds_left <= 1200 && is_final, "use does not move the end any more");
    site.clock.advance(minutes(20));
    assert_eq!(state_of(&mut site, &token), "old");

    let (_, idle) = site.begin(&ada, false);
    site.clock.advance(minutes(30) - seconds(1));
    assert_eq!(state_of(&mut site, &idle), "live");
    site.clock.advance(seconds(1));
    assert_eq!(state_of(&mut site, &idle), "idle");
    site.clock.advance(hours(25));
    site.write(sessions::purge_ended).unwrap();
    assert_eq!(state_of(&mut site, &idle), "unknown");
}

#[test]
fn use_does_not_bring_an_ended_session_back() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (id, token) = site.begin(&ada, false);
    site.clock.advance(minutes(30));

    site.write(|tx| sessions::touch(tx, id)).unwrap();

    assert_eq!(state_of(&mut site, &token), "idle");
}

#[test]
fn the_hundred_and_first_session_ends_the_least_recently_used_one() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let tokens: Vec<_> = (0..101)
        .map(|_| {
            site.clock.advance(seconds(1));
            site.begin(&ada, true).1
        })
        .collect();

    assert_eq!(site.count("session"), 100);
    assert_eq!(tokens.iter().filter(|token| site.current(token).is_none()).collect::<Vec<_>>(), [&tokens[0]]);
    assert_eq!(site.read(|tx| sessions::list(tx, ada.account.id).unwrap()).len(), 100, "the list shows all");
}
