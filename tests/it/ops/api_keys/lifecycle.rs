//! Rotation, disabling, expiry, revocation: each change applies from the next request.

use domicile::api_keys::{KeyActs, KeyEvent, KeyPolicy, OVERLAP_DEFAULT, OVERLAP_MAX, RevokeReason};
use domicile::people::{self, MailChoices};

use super::*;

const LIFE: Duration = days(90);

#[test]
fn both_keys_are_good_during_the_overlap_and_then_only_the_new_one() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let old = site.api_key(&ada, "ci");
    let verifier = site.verifier();
    assert_eq!(verdict(&verifier, old.secret.expose()), Ok(old.key.id));

    let new = site.rotate(ada.credential_admin(), old.key.id, OVERLAP_DEFAULT).unwrap();

    let both = |verifier: &Verifier| [&old, &new].map(|key| verdict(verifier, key.secret.expose()));
    assert_eq!(both(&verifier), [Ok(old.key.id), Ok(new.key.id)]);
    assert_eq!((new.key.scopes.as_str(), new.key.name.as_str()), ("models:read", "ci"));
    assert_eq!((new.key.predecessor, new.key.family), (Some(old.key.id), old.key.id));
    assert_eq!(new.key.expires_at, Some(site.clock.now().plus(LIFE)), "the same lifetime");
    let end = site.clock.now().plus(OVERLAP_DEFAULT);
    assert_eq!((site.key(old.key.id).state, site.key(old.key.id).retire_at), (KeyState::Retiring, Some(end)));
    site.clock.advance(OVERLAP_DEFAULT - seconds(1));
    for verifier in [&verifier, &site.verifier()] {
        assert_eq!(both(verifier), [Ok(old.key.id), Ok(new.key.id)]);
        assert_eq!(verifier.verify(old.secret.expose()).unwrap().into_result().unwrap().expires_at, Some(end));
    }

    site.clock.advance(seconds(1));

    for verifier in [&verifier, &site.verifier()] {
        assert_eq!(both(verifier), [Err(Refusal::Replaced), Ok(new.key.id)]);
    }
    assert_eq!(site.key(old.key.id).state, KeyState::Revoked, "before the job has run");
    site.job(api_keys::END_DUE);
    assert_eq!(site.key(old.key.id).revoke_reason, Some(RevokeReason::Rotated));
    assert_eq!(both(&verifier), [Err(Refusal::Replaced), Ok(new.key.id)]);
    assert!(site.subjects().contains(&"Your API key “ci” was rotated".to_owned()));
}

#[test]
fn an_overlap_survives_a_restart() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let old = site.api_key(&ada, "ci");
    let new = site.rotate(ada.credential_admin(), old.key.id, hours(2)).unwrap();

    let site = site.reopen();
    site.clock.advance(hours(2) - seconds(1));
    let verifier = site.verifier();
    assert_eq!(verifier.preload().unwrap(), 2);
    assert_eq!(verdict(&verifier, old.secret.expose()), Ok(old.key.id));
    site.clock.advance(seconds(1));

    assert_eq!(verdict(&verifier, old.secret.expose()), Err(Refusal::Replaced));
    assert_eq!(verdict(&verifier, new.secret.expose()), Ok(new.key.id));
}

#[test]
fn an_overlap_ends_with_the_expiry_of_the_old_key_and_is_at_most_a_week() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let old = site.api_key(&ada, "ci");
    let before = site.footprint();
    let refused = site.rotate(ada.credential_admin(), old.key.id, OVERLAP_MAX + seconds(1));
    assert!(matches!(refused, Err(ApiKeyError::Overlap)));
    assert_eq!((site.footprint(), site.key(old.key.id).state), (before, KeyState::Active));

    site.clock.advance(LIFE - days(3));
    site.rotate(ada.credential_admin(), old.key.id, OVERLAP_MAX).unwrap();
    assert_eq!(site.key(old.key.id).retire_at, old.key.expires_at);
    let at_once = site.api_key(&ada, "at once");
    let new = site.rotate(ada.credential_admin(), at_once.key.id, Duration::ZERO).unwrap();
    let verifier = site.verifier();
    assert_eq!(verdict(&verifier, at_once.secret.expose()), Err(Refusal::Replaced));
    assert_eq!(verdict(&verifier, new.secret.expose()), Ok(new.key.id));
}

#[test]
fn only_an_active_key_gets_a_successor_and_only_one() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let keys = ["twice", "disabled", "expired", "revoked"].map(|name| site.api_key(&ada, name).key.id);
    let new = site.rotate(ada.credential_admin(), keys[0], hours(1)).unwrap();
    site.do_key(ada.credential_admin(), keys[1], api_keys::disable).unwrap();
    site.do_key(ada.credential_admin(), keys[3], api_keys::revoke).unwrap();
    let refused = |id| site.rotate(ada.credential_admin(), id, hours(1)).err().map(|error| error.to_string());
    let before = site.footprint();
    for (id, state) in [(keys[0], "retiring"), (keys[1], "disabled"), (keys[3], "revoked")] {
        assert_eq!(refused(id), Some(format!("Rotate cannot happen to a key that is {state}")));
    }
    assert_eq!(site.footprint(), before);

    // The family continues from the new key, and so does its budget.
    let third = site.rotate(ada.credential_admin(), new.key.id, hours(1)).unwrap();
    assert_eq!((third.key.predecessor, third.key.family), (Some(new.key.id), keys[0]));
    site.clock.advance(LIFE);
    assert_eq!(refused(keys[2]).as_deref(), Some("Rotate cannot happen to a key that is expired"));
}

#[test]
fn a_disabled_key_is_refused_until_it_is_enabled_and_keeps_its_expiry() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let verifier = site.verifier();
    let check = || verdict(&verifier, key.secret.expose());
    assert_eq!(check(), Ok(key.key.id));

    for _ in 0..2 {
        assert_eq!(
            site.do_key(ada.credential_admin(), key.key.id, api_keys::disable).unwrap().state,
            KeyState::Disabled
        );
        assert_eq!(check(), Err(Refusal::Disabled));
    }
    for _ in 0..2 {
        assert_eq!(site.do_key(ada.credential_admin(), key.key.id, api_keys::enable).unwrap().state, KeyState::Active);
        assert_eq!(check(), Ok(key.key.id));
    }
    let events = site.number("select count(*) from audit_event where event in ('api_key.disabled', 'api_key.enabled')");
    assert_eq!(events, 2, "doing it twice is the same as once");
    site.do_key(ada.credential_admin(), key.key.id, api_keys::disable).unwrap();
    site.clock.advance(LIFE);

    assert_eq!(check(), Err(Refusal::Expired));
    assert!(matches!(
        site.do_key(ada.credential_admin(), key.key.id, api_keys::enable),
        Err(ApiKeyError::InvalidState { .. })
    ));
}

#[test]
fn the_possible_events_are_those_of_the_diagram() {
    use KeyState::{Active, Disabled, Expired, Quarantined, Retiring, Revoked};
    let after = |state: KeyState, event| state.after(event, Some(Disabled));

    let mut possible = Vec::new();
    for state in KeyState::ALL {
        for event in KeyEvent::ALL {
            possible.extend(after(state, event).map(|next| (state, event, next)));
        }
        assert_eq!(KeyState::parse(state.as_str()), Some(state));
    }

    let drawn = [
        (Active, KeyEvent::Rotate, Retiring),
        (Active, KeyEvent::Disable, Disabled),
        (Active, KeyEvent::Expose, Quarantined),
        (Active, KeyEvent::Revoke, Revoked),
        (Retiring, KeyEvent::Retire, Revoked),
        (Retiring, KeyEvent::Expose, Quarantined),
        (Retiring, KeyEvent::Revoke, Revoked),
        (Disabled, KeyEvent::Enable, Active),
        (Disabled, KeyEvent::Expose, Quarantined),
        (Disabled, KeyEvent::Revoke, Revoked),
        (Quarantined, KeyEvent::Restore, Disabled),
        (Quarantined, KeyEvent::Revoke, Revoked),
        (Expired, KeyEvent::Revoke, Revoked),
    ];
    assert_eq!(possible, drawn);
    assert!(KeyEvent::ALL.into_iter().all(|event| after(Revoked, event).is_none()), "a revoked key never comes back");
}

#[test]
fn a_revoked_key_stays_as_a_tombstone_that_matches_nothing() {
    let site = TestApp::with(|config| config.api_keys.reveal = domicile::config::Reveal::Owner);
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    let lookup = site.app.keyring().lookup(key.secret.expose().as_bytes());
    let columns = |site: &TestApp| site.read(|view| columns_with(view, &lookup));
    assert_eq!(columns(&site), ["api_key.lookup"]);

    site.do_key(ada.credential_admin(), key.key.id, api_keys::revoke).unwrap();

    assert_eq!(columns(&site), Vec::<String>::new());
    assert_eq!(site.number("select count(*) from api_key where sealed is not null"), 0);
    let left = site.key(key.key.id);
    assert_eq!(
        (left.state, left.revoke_reason, left.revoked_at),
        (KeyState::Revoked, Some(RevokeReason::Requested), Some(site.clock.now()))
    );
    assert_eq!((left.name.as_str(), left.display, left.scopes.as_str()), ("ci", key.key.display, "models:read"));
}

#[test]
fn each_reminder_is_sent_once_and_covers_all_keys_of_the_owner() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.api_key(&ada, "ci");
    site.api_key(&ada, "nightly");
    site.make_key(&ada, new_key(&["read"], "7d"));
    site.make_key(&ada, new_key(&["read"], "never"));

    for _ in 0..4 * 91 {
        site.clock.advance(hours(6));
        site.job(api_keys::REMIND);
    }

    let messages = site.mailbox().messages();
    let ends: Vec<_> =
        messages.iter().map(|message| message.subject.clone()).filter(|text| text.contains("expire")).collect();
    let of = |part: &str| ends.iter().filter(|subject| subject.contains(part)).count();
    assert_eq!(
        (of("2 of your API keys expire within 30 days"), of("2 of your API keys expire within 7 days")),
        (1, 1),
        "{ends:?}"
    );
    assert_eq!(of("2 of your API keys expire within a day"), 1, "{ends:?}");
    assert_eq!(
        of("Your API key =?utf-8?b?4oCcY2nigJ0=?= expires within a day"),
        1,
        "for the key of a week only the reminder of the last day is sent: {ends:?}"
    );
    assert_eq!(ends.len(), 4, "{ends:?}");
}

#[test]
fn unwanted_reminders_are_not_sent_and_not_sent_later_either() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.api_key(&ada, "ci");
    let choose = |key_reminders| {
        let (actor, account, chosen) =
            (ada.by_browser(), ada.account.id, MailChoices { key_reminders, ..MailChoices::default() });
        site.write(move |tx| people::save_mail_choices(tx, &actor, account, chosen)).unwrap();
    };
    let reminders = || {
        site.clock.advance(minutes(1));
        site.run_jobs();
        site.mailbox().messages().iter().filter(|message| message.subject.contains("expire")).count()
    };

    choose(false);
    site.clock.advance(days(61));
    site.job(api_keys::REMIND);
    choose(true);
    site.job(api_keys::REMIND);
    assert_eq!(reminders(), 0);
    site.clock.advance(days(22));
    site.job(api_keys::REMIND);

    assert_eq!(reminders(), 1, "the next reminder is sent");
}

#[test]
fn reminders_that_are_due_at_once_are_sent_as_one() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.api_key(&ada, "ci");

    site.clock.advance(LIFE - hours(5));
    site.job(api_keys::REMIND);
    site.clock.advance(hours(1));
    site.job(api_keys::REMIND);

    let messages = site.mailbox().messages();
    let ends: Vec<_> = messages.iter().filter(|message| message.subject.contains("expire")).collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert!(ends[0].subject.contains("within a day"), "{ends:?}");
}

#[test]
fn a_workspace_can_be_stricter_than_its_site_and_rotation_respects_it() {
    let site = TestApp::with(|config| config.api_keys.max_lifetime = Some(days(60)));
    let ada = site.person("ada-ada");
    let old = site.make_key(&ada, new_key(&["read"], "60d"));
    let set = |admin: CredentialAdmin, max: Option<u32>| {
        let (account, workspace) = (ada.account.id, ada.workspace);
        let policy = max.map(|max_life_days| KeyPolicy { max_life_days });
        site.write(move |tx| api_keys::set_policy(tx, &admin, account, workspace, policy))
    };
    let make = |expiry: &'static str| {
        let (admin, account, workspace) = (ada.credential_admin(), ada.account.id, ada.workspace);
        site.write(move |tx| api_keys::create(tx, &admin, account, workspace, &new_key(&["read"], expiry)))
    };

    set(ada.credential_admin(), Some(14)).unwrap();
    for expiry in ["15d", "60d", "never"] {
        assert!(matches!(make(expiry), Err(ApiKeyError::LifetimeTooLong { max_days: 14 })), "{expiry}");
    }
    assert!(make("14d").is_ok());
    let rotated = site.rotate(ada.credential_admin(), old.key.id, hours(1)).unwrap();
    assert_eq!(rotated.key.expires_at, Some(site.clock.now().plus(days(14))));
    assert_eq!(site.key(old.key.id).expires_at, old.key.expires_at, "existing keys are not affected");

    // A longer maximum than the site's has no effect.
    set(ada.credential_admin(), Some(365)).unwrap();
    assert!(matches!(make("61d"), Err(ApiKeyError::LifetimeTooLong { max_days: 60 })));
    let before = site.footprint();
    for bad in [0, 3654] {
        assert!(matches!(set(ada.credential_admin(), Some(bad)), Err(ApiKeyError::Expiry)));
    }
    set(ada.credential_admin(), Some(365)).unwrap();
    assert_eq!(site.footprint(), before);
    set(ada.credential_admin(), None).unwrap();
    assert_eq!(site.number("select count(*) from api_key_policy"), 0);
}

#[test]
fn a_preview_of_a_rotation_is_what_the_rotation_gives() {
    for (site_max, own_max) in [(None, None), (None, Some(30)), (Some(60), None), (Some(60), Some(14))] {
        let site = TestApp::with(|config| config.api_keys.max_lifetime = site_max.map(days));
        let ada = site.person("ada-ada");
        let keys: Vec<_> = ["never", "365d", "60d", "10d", "1d"]
            .into_iter()
            .filter(|expiry| Expiry::parse(expiry).unwrap().is_within(site_max.map(days)))
            .map(|expiry| site.make_key(&ada, new_key(&["read"], expiry)))
            .collect();
        let (admin, account, workspace) = (ada.credential_admin(), ada.account.id, ada.workspace);
        let policy = own_max.map(|max_life_days| KeyPolicy { max_life_days });
        site.write(move |tx| api_keys::set_policy(tx, &admin, account, workspace, policy)).unwrap();
        site.clock.advance(hours(12));

        for old in keys {
            let admin = ada.credential_admin();
            let preview = site.read(|view| api_keys::rotation_preview(view, &admin, old.key.id).unwrap());
            let overlap = api_keys::parse_overlap(preview.overlaps.last().unwrap()).unwrap();
            let new = site.rotate(ada.credential_admin(), old.key.id, overlap).unwrap();

            let now = site.clock.now();
            assert_eq!(new.key.expires_at, preview.successor.life.map(|life| now.plus(life)));
            assert_eq!(new.predecessor_ends_at, Some(now.plus(overlap)), "no offered overlap is cut short");
            assert!(preview.overlaps.contains(&preview.preselected));
            let life = old.key.expires_at.map(|end| end.since(old.key.created_at));
            assert_eq!(preview.successor.is_shortened, preview.successor.life != life);
        }
    }
}

#[test]
fn a_key_can_have_done_to_it_what_it_says() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = || site.make_key(&ada, new_key(&["read"], "2d"));
    let in_state = |state: KeyState| {
        let made = key();
        let (id, admin) = (made.key.id, ada.credential_admin());
        match state {
            KeyState::Active => {}
            KeyState::Retiring => drop(site.rotate(admin, id, hours(6)).unwrap()),
            KeyState::Disabled => drop(site.do_key(admin, id, api_keys::disable).unwrap()),
            KeyState::Quarantined => site.report_exposure(&[made.secret.expose()]),
            KeyState::Expired => site.clock.advance(days(2)),
            KeyState::Revoked => drop(site.do_key(admin, id, api_keys::revoke).unwrap()),
        }
        assert_eq!(site.key(id).state, state);
        id
    };
    type Act = (fn(KeyActs) -> bool, fn(&TestApp, CredentialAdmin, ApiKeyId) -> Result<(), ApiKeyError>);
    let acts: [Act; 6] = [
        (|acts| acts.can_rotate, |site, admin, id| site.rotate(admin, id, hours(1)).map(drop)),
        (|acts| acts.can_disable, |site, admin, id| site.do_key(admin, id, api_keys::disable).map(drop)),
        (|acts| acts.can_enable, |site, admin, id| site.do_key(admin, id, api_keys::enable).map(drop)),
        (|acts| acts.can_restore, |site, admin, id| site.do_key(admin, id, api_keys::restore).map(drop)),
        (|acts| acts.can_revoke, |site, admin, id| site.do_key(admin, id, api_keys::revoke).map(drop)),
        (|acts| acts.can_change, |site, admin, id| site.change(admin, id, limits("", "7", "", "")).map(drop)),
    ];

    for state in KeyState::ALL {
        for (number, (can, act)) in acts.iter().enumerate() {
            let id = in_state(state);
            let can = can(site.key(id).acts());
            let before = site.number("select count(*) from audit_event");
            let done = act(&site, ada.credential_admin(), id);
            let changed = site.number("select count(*) from audit_event") > before;
            // To do again what is done already is no error, and does nothing.
            assert_eq!((can, can && done.is_ok()), (changed, changed), "act {number} in the state {state:?}: {done:?}");
        }
    }
}

#[test]
fn a_key_is_good_until_the_end_of_its_last_day() {
    let site = TestApp::new();
    let now = site.clock.now();
    let today = now.iso_day();
    let tomorrow = now.plus(days(1)).iso_day();

    let Some(Expiry::After(life)) = Expiry::on_day(&tomorrow, now) else { panic!("{tomorrow} is a day") };
    assert_eq!(now.plus(life).rfc3339(), now.plus(days(2)).iso_day() + "T00:00:00.000Z");
    assert!(matches!(Expiry::on_day(&today, now), Some(Expiry::After(life)) if life <= days(1)));
    let too_late = now.plus(days(3700)).iso_day();
    for none in ["", "soon", "2026-13-01", "2026-02-30", "2020-01-01", "2027-01-01T00:00:00Z", "+02027-1-1", &too_late]
    {
        assert_eq!(Expiry::on_day(none, now), None, "{none}");
    }
}

#[test]
fn the_key_of_another_person_cannot_be_changed() {
    let site = TestApp::with(|config| config.api_keys.reveal = domicile::config::Reveal::Owner);
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let (key, held) = (site.api_key(&ada, "ci"), site.api_key(&ada, "held").key.id);
    site.do_key(ada.credential_admin(), held, api_keys::disable).unwrap();
    let id = key.key.id;
    let before = site.footprint();
    let is_hidden =
        |result: Result<(), ApiKeyError>| assert!(matches!(result, Err(ApiKeyError::NotFound)), "{result:?}");

    for action in [api_keys::disable, api_keys::enable, api_keys::restore, api_keys::revoke] {
        is_hidden(site.do_key(bob.credential_admin(), id, action).map(drop));
        is_hidden(site.do_key(bob.credential_admin(), held, action).map(drop));
    }
    is_hidden(site.rotate(bob.credential_admin(), id, hours(1)).map(drop));
    is_hidden(site.change(bob.credential_admin(), id, Limits::default()).map(drop));
    let admin = bob.credential_admin();
    is_hidden(site.write(move |tx| api_keys::reveal(tx, &admin, id).map(drop)));
    let (admin, account, workspace) = (bob.credential_admin(), ada.account.id, ada.workspace);
    is_hidden(site.write(move |tx| api_keys::set_policy(tx, &admin, account, workspace, None)));

    assert_eq!(site.footprint(), before);
    assert_eq!(verdict(&site.verifier(), key.secret.expose()), Ok(id));
}

#[test]
fn a_former_owner_of_the_workspace_can_only_disable_and_revoke_keys() {
    let site = TestApp::with(|config| config.api_keys.reveal = domicile::config::Reveal::Owner);
    let ada = site.person("ada-ada");
    let [first, second] = ["ci", "nightly"].map(|name| site.api_key(&ada, name).key.id);
    site.write(|tx| tx.execute("update membership set role = 'viewer'", [])).unwrap();
    let is_hidden =
        |result: Result<(), ApiKeyError>| assert!(matches!(result, Err(ApiKeyError::NotFound)), "{result:?}");

    site.do_key(ada.credential_admin(), first, api_keys::disable).unwrap();
    is_hidden(site.do_key(ada.credential_admin(), first, api_keys::enable).map(drop));
    is_hidden(site.rotate(ada.credential_admin(), second, hours(1)).map(drop));
    is_hidden(site.change(ada.credential_admin(), second, limits("", "5", "", "")).map(drop));
    let admin = ada.credential_admin();
    is_hidden(site.write(move |tx| api_keys::reveal(tx, &admin, second).map(drop)));

    assert_eq!(site.do_key(ada.credential_admin(), second, api_keys::revoke).unwrap().state, KeyState::Revoked);
}

#[test]
fn the_use_of_a_replaced_key_is_noticed() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let old = site.api_key(&ada, "ci");
    let verifier = site.verifier();
    site.rotate(ada.credential_admin(), old.key.id, hours(1)).unwrap();
    site.clock.advance(hours(1));
    site.job(api_keys::END_DUE);
    let late = "select count(*) from audit_event where event = 'api_key.rotated_key_used' and outcome = 'denied'";
    let messages =
        || site.mailbox().messages().into_iter().filter(|message| message.subject.contains("still in use")).count();

    for _ in 0..3 {
        for _ in 0..5 {
            assert_eq!(verify(&verifier, &old, &from("203.0.113.9")).err(), Some(Refusal::Replaced));
        }
        site.record(&verifier);
        site.run_jobs();
    }
    assert_eq!((site.number(late), messages()), (1, 1));
    site.clock.advance(days(2));
    assert_eq!(verify(&verifier, &old, &from("203.0.113.9")).err(), Some(Refusal::Replaced));
    site.record(&verifier);
    site.run_jobs();
    assert_eq!((site.number(late), messages()), (2, 1), "one audit event a day, one message in all");
    let callers = site
        .read(|view| api_keys::insight(view, &api_keys::find(view, &CredentialAdmin::operator(), old.key.id).unwrap()));
    let callers = callers.unwrap().callers;
    assert_eq!(
        (callers[0].address.as_str(), callers[0].agent.as_str(), callers[0].uses),
        ("203.0.113.9", "trainer/1.0", 16)
    );

    // After ninety days its digest is deleted, and its use is not noticed any more.
    site.clock.advance(days(91));
    site.job(api_keys::REMIND);
    assert_eq!(verdict(&verifier, old.secret.expose()), Err(Refusal::Unknown));
    let lookup = site.app.keyring().lookup(old.secret.expose().as_bytes());
    assert_eq!(site.read(|view| columns_with(view, &lookup)), Vec::<String>::new());
}
