//! Reports about keys that were found in public.

use domicile::api_keys::{ExposureReport, RevokeReason};
use domicile::config::OnExposure;

use super::*;

fn report_of(site: &TestApp, text: &str) -> ExposureReport {
    ExposureReport {
        lookups: site.app.keyring().lookups(text.as_bytes()).collect(),
        kind: "domicile_key".into(),
        url: "https://git.example/leak/settings.py".into(),
        source: "commit".into(),
    }
}

impl TestApp {
    pub(super) fn report_exposure(&self, texts: &[&str]) {
        let reports: Vec<ExposureReport> = texts.iter().map(|text| report_of(self, text)).collect();
        self.write(move |tx| api_keys::expose(tx, &reports)).unwrap();
    }

    fn found_in_public(&self) -> Vec<String> {
        self.subjects().into_iter().filter(|subject| subject.contains("found in public")).collect()
    }
}

fn with(on_exposure: OnExposure) -> TestApp {
    TestApp::with(|config| config.api_keys.on_exposure = on_exposure)
}

#[test]
fn an_exposed_key_is_blocked_at_once_and_its_owner_decides() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let (found, other) = (site.api_key(&ada, "ci"), site.api_key(&ada, "other"));
    let verifier = site.verifier();
    let check = || [&found, &other].map(|key| verdict(&verifier, key.secret.expose()));
    assert_eq!(check(), [Ok(found.key.id), Ok(other.key.id)]);

    site.report_exposure(&[found.secret.expose()]);

    assert_eq!(check(), [Err(Refusal::Quarantined), Ok(other.key.id)]);
    assert_eq!(site.found_in_public(), ["Your API key “ci” was found in public"]);
    let events = ["api_key.exposure_reported", "api_key.quarantined"];
    let count = "select count(*) from audit_event where event in ('api_key.exposure_reported', 'api_key.quarantined')";
    assert_eq!(site.number(count), 2, "{events:?}");
    // Only a decision of the owner changes a key in quarantine.
    assert!(matches!(
        site.rotate(ada.credential_admin(), found.key.id, hours(1)),
        Err(ApiKeyError::InvalidState { .. })
    ));
    site.report_exposure(&[found.secret.expose()]);
    assert_eq!((site.number(count), site.found_in_public().len()), (2, 1));

    site.do_key(ada.credential_admin(), found.key.id, api_keys::restore).unwrap();
    assert_eq!(check(), [Ok(found.key.id), Ok(other.key.id)]);
    site.report_exposure(&[found.secret.expose()]);
    assert_eq!(check()[0], Err(Refusal::Quarantined), "a restored key that is found again is blocked again");
    site.do_key(ada.credential_admin(), found.key.id, api_keys::revoke).unwrap();
    assert_eq!(check()[0], Err(Refusal::Unknown));
}

#[test]
fn a_restored_key_returns_to_its_state_before_the_quarantine() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let (disabled, retiring) = (site.api_key(&ada, "disabled"), site.api_key(&ada, "retiring"));
    site.do_key(ada.credential_admin(), disabled.key.id, api_keys::disable).unwrap();
    site.rotate(ada.credential_admin(), retiring.key.id, hours(2)).unwrap();
    let verifier = site.verifier();

    site.report_exposure(&[disabled.secret.expose(), retiring.secret.expose()]);
    for key in [&disabled, &retiring] {
        assert_eq!(site.do_key(ada.credential_admin(), key.key.id, api_keys::restore).unwrap().state_before, None);
    }

    assert_eq!(verdict(&verifier, disabled.secret.expose()), Err(Refusal::Disabled));
    assert_eq!(verdict(&verifier, retiring.secret.expose()), Ok(retiring.key.id));
    site.report_exposure(&[retiring.secret.expose()]);
    site.clock.advance(hours(2));
    site.do_key(ada.credential_admin(), retiring.key.id, api_keys::restore).unwrap();
    assert_eq!(verdict(&verifier, retiring.secret.expose()), Err(Refusal::Replaced), "its overlap ended meanwhile");
}

#[test]
fn a_key_that_is_not_restored_from_quarantine_is_revoked_after_a_day() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    site.report_exposure(&[key.secret.expose()]);

    site.clock.advance(days(1) - seconds(1));
    site.job(api_keys::END_DUE);
    assert_eq!(site.key(key.key.id).state, KeyState::Quarantined);
    site.clock.advance(seconds(1));
    site.job(api_keys::END_DUE);

    assert_eq!(
        (site.key(key.key.id).state, site.key(key.key.id).revoke_reason),
        (KeyState::Revoked, Some(RevokeReason::Exposed))
    );
    assert!(matches!(
        site.do_key(ada.credential_admin(), key.key.id, api_keys::restore),
        Err(ApiKeyError::InvalidState { .. })
    ));
}

#[test]
fn a_site_can_revoke_exposed_keys_or_only_notify_their_owners() {
    let site = with(OnExposure::Revoke);
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    site.report_exposure(&[key.secret.expose()]);
    assert_eq!(verdict(&site.verifier(), key.secret.expose()), Err(Refusal::Unknown));
    assert_eq!((site.key(key.key.id).revoke_reason, site.found_in_public().len()), (Some(RevokeReason::Exposed), 1));

    let site = with(OnExposure::Notify);
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    for _ in 0..3 {
        site.report_exposure(&[key.secret.expose()]);
    }
    assert_eq!(verdict(&site.verifier(), key.secret.expose()), Ok(key.key.id));
    assert_eq!(site.found_in_public().len(), 1, "once a day");
    site.clock.advance(days(1));
    site.report_exposure(&[key.secret.expose()]);
    assert_eq!(site.found_in_public().len(), 2);
}

#[test]
fn reports_about_unknown_and_ended_keys_change_nothing() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let (revoked, expired) = (site.api_key(&ada, "revoked"), site.make_key(&ada, new_key(&["read"], "1d")));
    site.do_key(ada.credential_admin(), revoked.key.id, api_keys::revoke).unwrap();
    site.clock.advance(days(1));
    let unknown = KeyText::generate("dok", &mut Rng::seeded(3));
    let before = site.footprint();

    site.report_exposure(&[unknown.expose(), revoked.secret.expose(), expired.secret.expose()]);

    assert_eq!((site.footprint(), site.found_in_public()), (before, vec![]));
}

#[test]
fn the_place_of_an_exposure_is_erased_with_the_person() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    site.report_exposure(&[key.secret.expose()]);
    let id = ada.account.id;

    site.write(move |tx| privacy::erase(tx, &Actor::Operator, id)).unwrap();

    assert_eq!(site.columns_with("git.example"), Vec::<String>::new());
}
