//! A service connects itself with a code, once and within ten minutes; and when it was last seen.

use domicile::base::seconds;
use domicile::services::{EnrolCode, Enrolled, Grant, ServiceName, ServiceScopes, WorkspaceGrant};

use super::*;

fn code(site: &TestApp, grant: Option<Grant>) -> Result<EnrolCode, ServiceError> {
    let name = ServiceName::parse("training").unwrap();
    site.write(move |tx| services::create_enrol_code(tx, &Actor::Operator, &name, grant))
}

fn enrol(site: &TestApp, code: &str) -> Result<Enrolled, ServiceError> {
    let code = code.to_owned();
    site.write(move |tx| services::enrol(tx, &code, String::new()))
}

fn is_refused(result: Result<Enrolled, ServiceError>) -> bool {
    matches!(result, Err(ServiceError::EnrolCode))
}

#[test]
fn a_code_connects_a_service_once() {
    let site = TestApp::new();
    let callers = Callers::new(site.app.clone());
    let grant = Grant { scopes: ServiceScopes::parse("usage:write").unwrap(), workspaces: WorkspaceGrant::All };
    let made = code(&site, Some(grant.clone())).unwrap();
    assert_eq!(made.expires_at, site.clock.now().plus(minutes(10)));
    assert!(site.columns_with(made.code.expose()).is_empty(), "the code is stored");

    let Enrolled { service, credential, webhook_secret } = enrol(&site, made.code.expose()).unwrap();
    assert!(webhook_secret.unwrap().expose().starts_with("whsec_"));

    assert_eq!((service.id, &service.grant), (made.service.id, &grant));
    assert_eq!(service_of(&site, &callers, &credential).as_deref(), Some("training"));
    assert!(is_refused(enrol(&site, made.code.expose())));
    assert_eq!(site.number("select count(*) from service_credential"), 1);
    // A second code gives another credential, and the first one stays.
    let again = code(&site, None).unwrap();
    let Enrolled { credential: other, webhook_secret, .. } = enrol(&site, again.code.expose()).unwrap();
    assert!(webhook_secret.is_none());
    assert!([&credential, &other].iter().all(|one| service_of(&site, &callers, one).is_some()));
    let refused = code(&site, Some(grant)).map(drop);
    assert!(matches!(refused, Err(ServiceError::HasGrant)), "{refused:?}");
}

#[test]
fn a_wrong_an_old_and_a_replaced_code_get_the_same_answer() {
    let site = TestApp::new();
    let first = code(&site, None).unwrap().code;
    let second = code(&site, None).unwrap();
    let credential = create(&site, "other");
    let before = site.footprint();
    let mut mistyped = second.code.expose().clone();
    let last = if mistyped.pop() == Some('0') { '1' } else { '0' };
    mistyped.push(last);
    let wrong = ["", "doe_", "x", "doe_\0", &"a".repeat(100_000), first.expose(), &mistyped, credential.expose()];
    for text in wrong {
        assert!(is_refused(enrol(&site, text)), "{text:.50}");
    }
    assert_eq!(site.footprint(), before);
    site.clock.advance(minutes(10) - seconds(1));
    assert!(enrol(&site, second.code.expose()).is_ok());

    let late = code(&site, None).unwrap().code;
    site.clock.advance(minutes(10));
    assert!(is_refused(enrol(&site, late.expose())));
    site.write(services::purge_enrol_codes).unwrap();
    assert_eq!(site.number("select count(*) from service_enrolment"), 0);

    let open = code(&site, None).unwrap().code;
    site.write(|tx| services::disconnect(tx, &Actor::Operator, "training")).unwrap();
    assert!(is_refused(enrol(&site, open.expose())));
}

#[test]
fn only_an_operator_makes_codes() {
    let site = TestApp::new();
    let ada = site.person("ada-ada").by_browser();
    let before = site.footprint();
    let name = ServiceName::parse("training").unwrap();
    let refused = site.write(move |tx| services::create_enrol_code(tx, &ada, &name, None).map(drop));
    assert!(matches!(refused, Err(ServiceError::NotAllowed)), "{refused:?}");
    assert_eq!(site.footprint(), before);
}

#[test]
fn the_minute_in_which_a_service_was_seen_is_written_and_changes_no_credential() {
    let site = TestApp::new();
    let (training, _other) = (create(&site, "training"), create(&site, "other"));
    let callers = Callers::new(site.app.clone());
    let record = || site.block_on(services::record_seen(&site.app, &callers)).unwrap();
    let seen =
        |name: &str| site.read(|view| services::last_seen(view, services::find(view, name).unwrap().id).unwrap());
    record();
    assert_eq!((seen("training"), seen("other")), (None, None));

    let generation = site.app.store().generation();
    assert!(service_of(&site, &callers, &training).is_some());
    record();
    let first = site.clock.now();
    assert_eq!((seen("training"), seen("other")), (Some(first), None));
    assert_eq!(site.app.store().generation(), generation, "the cached credentials are read again");
    // Nothing is written without a request, and one from the cache counts too.
    site.clock.advance(minutes(1));
    let written = site.number("select count(*) from credential_change");
    record();
    assert_eq!((seen("training"), site.number("select count(*) from credential_change")), (Some(first), written));
    assert!(service_of(&site, &callers, &training).is_some());
    record();
    assert_eq!(seen("training"), Some(first.plus(minutes(1))));
}
