//! Keys that somebody found in public.

use domicile::api_keys::{Ended, Find};
use domicile::config::OnExposure;

use super::*;

fn find_of(house: &TestApp, text: &str) -> Find {
    Find {
        lookups: house.app.keyring().lookups(text.as_bytes()).collect(),
        kind: "domicile_key".into(),
        url: "https://git.example/leak/settings.py".into(),
        source: "commit".into(),
    }
}

impl TestApp {
    fn report(&self, texts: &[&str]) {
        let finds: Vec<Find> = texts.iter().map(|text| find_of(self, text)).collect();
        self.write(move |tx| api_keys::expose(tx, &finds)).unwrap();
    }

    fn found_in_public(&self) -> Vec<String> {
        self.subjects().into_iter().filter(|subject| subject.contains("found in public")).collect()
    }
}

fn with(on_exposure: OnExposure) -> TestApp {
    TestApp::with(|config| config.api_keys.on_exposure = on_exposure)
}

#[test]
fn a_key_that_was_found_is_refused_at_once_and_its_owner_is_told_and_decides() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let (found, other) = (house.api_key(&ada, "ci"), house.api_key(&ada, "other"));
    let verifier = house.verifier();
    let told = || [&found, &other].map(|key| verdict(&verifier, key.secret.expose()));
    assert_eq!(told(), [Ok(found.key.id), Ok(other.key.id)]);

    house.report(&[found.secret.expose()]);

    assert_eq!(told(), [Err(Refusal::Quarantined), Ok(other.key.id)]);
    assert_eq!(house.found_in_public(), ["Your API key “ci” was found in public"]);
    let events = ["api_key.exposure_reported", "api_key.quarantined"];
    let count = "select count(*) from audit_event where event in ('api_key.exposure_reported', 'api_key.quarantined')";
    assert_eq!(house.number(count), 2, "{events:?}");
    // In quarantine nothing but the owner's decision moves it.
    assert!(matches!(house.rotate(ada.in_person(), found.key.id, hours(1)), Err(ApiKeyError::NotNow { .. })));
    house.report(&[found.secret.expose()]);
    assert_eq!((house.number(count), house.found_in_public().len()), (2, 1));

    house.do_key(ada.in_person(), found.key.id, api_keys::restore).unwrap();
    assert_eq!(told(), [Ok(found.key.id), Ok(other.key.id)]);
    house.report(&[found.secret.expose()]);
    assert_eq!(told()[0], Err(Refusal::Quarantined), "a restored key that is found again is stopped again");
    house.do_key(ada.in_person(), found.key.id, api_keys::revoke).unwrap();
    assert_eq!(told()[0], Err(Refusal::Unknown));
}

#[test]
fn a_key_comes_back_from_quarantine_to_where_it_was() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let (disabled, retiring) = (house.api_key(&ada, "disabled"), house.api_key(&ada, "retiring"));
    house.do_key(ada.in_person(), disabled.key.id, api_keys::disable).unwrap();
    house.rotate(ada.in_person(), retiring.key.id, hours(2)).unwrap();
    let verifier = house.verifier();

    house.report(&[disabled.secret.expose(), retiring.secret.expose()]);
    for key in [&disabled, &retiring] {
        assert_eq!(house.do_key(ada.in_person(), key.key.id, api_keys::restore).unwrap().state_before, None);
    }

    assert_eq!(verdict(&verifier, disabled.secret.expose()), Err(Refusal::Disabled));
    assert_eq!(verdict(&verifier, retiring.secret.expose()), Ok(retiring.key.id));
    house.report(&[retiring.secret.expose()]);
    house.clock.advance(hours(2));
    house.do_key(ada.in_person(), retiring.key.id, api_keys::restore).unwrap();
    assert_eq!(verdict(&verifier, retiring.secret.expose()), Err(Refusal::Replaced), "its overlap ended meanwhile");
}

#[test]
fn a_key_that_nobody_takes_out_of_quarantine_is_revoked_after_a_day() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let key = house.api_key(&ada, "ci");
    house.report(&[key.secret.expose()]);

    house.clock.advance(days(1) - seconds(1));
    house.job(api_keys::END_DUE);
    assert_eq!(house.key(key.key.id).state, KeyState::Quarantined);
    house.clock.advance(seconds(1));
    house.job(api_keys::END_DUE);

    assert_eq!((house.key(key.key.id).state, house.key(key.key.id).ended), (KeyState::Revoked, Some(Ended::Exposed)));
    assert!(matches!(house.do_key(ada.in_person(), key.key.id, api_keys::restore), Err(ApiKeyError::NotNow { .. })));
}

#[test]
fn a_site_can_revoke_what_was_found_or_only_tell() {
    let house = with(OnExposure::Revoke);
    let ada = house.person("ada-ada");
    let key = house.api_key(&ada, "ci");
    house.report(&[key.secret.expose()]);
    assert_eq!(verdict(&house.verifier(), key.secret.expose()), Err(Refusal::Unknown));
    assert_eq!((house.key(key.key.id).ended, house.found_in_public().len()), (Some(Ended::Exposed), 1));

    let house = with(OnExposure::Notify);
    let ada = house.person("ada-ada");
    let key = house.api_key(&ada, "ci");
    for _ in 0..3 {
        house.report(&[key.secret.expose()]);
    }
    assert_eq!(verdict(&house.verifier(), key.secret.expose()), Ok(key.key.id));
    assert_eq!(house.found_in_public().len(), 1, "once a day");
    house.clock.advance(days(1));
    house.report(&[key.secret.expose()]);
    assert_eq!(house.found_in_public().len(), 2);
}

#[test]
fn what_is_no_key_of_here_or_has_ended_changes_nothing() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let (revoked, expired) = (house.api_key(&ada, "revoked"), house.make_key(&ada, new(&["read"], "1d")));
    house.do_key(ada.in_person(), revoked.key.id, api_keys::revoke).unwrap();
    house.clock.advance(days(1));
    let unknown = KeyText::generate("dok", &mut Chance::seeded(3));
    let before = house.footprint();

    house.report(&[unknown.expose(), revoked.secret.expose(), expired.secret.expose()]);

    assert_eq!((house.footprint(), house.found_in_public()), (before, vec![]));
}

#[test]
fn where_a_key_was_found_goes_with_the_person() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let key = house.api_key(&ada, "ci");
    house.report(&[key.secret.expose()]);
    let id = ada.account.id;

    house.write(move |tx| privacy::erase(tx, &Actor::Operator, id)).unwrap();

    assert_eq!(house.places_of("git.example"), Vec::<String>::new());
}
