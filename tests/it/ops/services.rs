//! Credentials of services: created, rotated, revoked, and found.

use domicile::base::{Actor, Secret, ServiceCredentialId, days, hours, minutes};
use domicile::db::Tx;
use domicile::services::{self, Callers, Service, ServiceError};

use crate::support::{TestApp, create_service};

mod enrolment;
mod grants;
mod manifests;

/// The service that has this credential, as the hot path and as a plain read find it. Both must agree.
fn service_of(site: &TestApp, callers: &Callers, credential: &Secret<String>) -> Option<String> {
    let cached = callers.find(credential.expose()).unwrap().map(|caller| caller.service.name.clone());
    let read = site.read(|view| services::find_by_credential(view, credential.expose()).unwrap());
    assert_eq!(cached, read.map(|(service, _)| service.name));
    cached
}

fn create(site: &TestApp, name: &'static str) -> Secret<String> {
    site.write(move |tx| create_service(tx, name)).unwrap().1
}

#[test]
fn a_rotated_credential_is_good_until_the_end_of_the_overlap() {
    let site = TestApp::new();
    let callers = Callers::new(site.app.clone());
    let old = create(&site, "training");
    let issued = site.write(|tx| services::rotate(tx, &Actor::Operator, "training", hours(24))).unwrap();
    assert_eq!(issued.predecessor_ends_at, Some(site.clock.now().plus(hours(24))));

    // Also from the cache.
    let found = || [&old, &issued.secret].map(|secret| service_of(&site, &callers, secret));
    assert_eq!(found(), [Some("training".to_owned()), Some("training".to_owned())]);
    site.clock.advance(hours(24) - minutes(1));
    assert_eq!(found(), [Some("training".to_owned()), Some("training".to_owned())]);
    site.clock.advance(minutes(1));
    assert_eq!(found(), [None, Some("training".to_owned())]);
}

#[test]
fn a_second_rotation_ends_no_credential_later() {
    let site = TestApp::new();
    let callers = Callers::new(site.app.clone());
    let first = create(&site, "training");
    let rotate = |overlap| site.write(move |tx| services::rotate(tx, &Actor::Operator, "training", overlap)).unwrap();
    let second = rotate(hours(1)).secret;
    let third = rotate(days(3)).secret;
    site.clock.advance(hours(1));
    let found = [&first, &second, &third].map(|secret| service_of(&site, &callers, secret).is_some());
    assert_eq!(found, [false, true, true]);

    // Without an overlap, all others end at once.
    let fourth = rotate(hours(0));
    assert_eq!(fourth.predecessor_ends_at, None);
    let found = [&second, &third, &fourth.secret].map(|secret| service_of(&site, &callers, secret).is_some());
    assert_eq!(found, [false, false, true]);
}

#[test]
fn revoked_credentials_are_refused_at_once_and_a_rotation_gives_a_new_one() {
    let site = TestApp::new();
    let callers = Callers::new(site.app.clone());
    let (first, other) = (create(&site, "training"), create(&site, "other"));
    let second = site.write(|tx| services::rotate(tx, &Actor::Operator, "training", hours(1))).unwrap().secret;
    assert!(service_of(&site, &callers, &first).is_some() && service_of(&site, &callers, &second).is_some());

    // One of them, by its id.
    let credentials = site.read(|view| {
        let service = services::find(view, "training").unwrap();
        services::list_credentials(view, service.id).unwrap()
    });
    let leaked = credentials[0].id;
    let (_, count) = site.write(revocation(Some(leaked))).unwrap();
    let found = [&first, &second, &other].map(|secret| service_of(&site, &callers, secret).is_some());
    assert_eq!((count, found), (1, [false, true, true]));

    let refused = site.write(revocation(Some(leaked))).unwrap_err();
    assert!(matches!(refused, ServiceError::NoCredential), "{refused:?}");
    let (service, count) = site.write(revocation(None)).unwrap();
    let found = [&first, &second, &other].map(|secret| service_of(&site, &callers, secret).is_some());
    assert_eq!((service.name.as_str(), count, found), ("training", 1, [false, false, true]));
    let refused = site.write(revocation(None)).unwrap_err();
    assert!(matches!(refused, ServiceError::NoCredential), "{refused:?}");

    // By its id too.
    let id = service.id.to_string();
    let issued = site.write(move |tx| services::rotate(tx, &Actor::Operator, &id, hours(24))).unwrap();
    assert_eq!(issued.predecessor_ends_at, None);
    assert!(service_of(&site, &callers, &issued.secret).is_some());
    assert!(service_of(&site, &callers, &second).is_none());
}

/// Revokes credentials of the service "training".
fn revocation(
    only: Option<ServiceCredentialId>,
) -> impl FnOnce(&mut Tx<'_>) -> Result<(Service, usize), ServiceError> + Send + 'static {
    move |tx| services::revoke(tx, &Actor::Operator, "training", only)
}

#[test]
fn a_refused_operation_changes_nothing() {
    let site = TestApp::new();
    let secret = create(&site, "training");
    let callers = Callers::new(site.app.clone());
    let long = site.write(|tx| services::rotate(tx, &Actor::Operator, "training", days(7) + minutes(1)).map(drop));
    assert!(matches!(long, Err(ServiceError::Overlap)), "{long:?}");
    let unknown = site.write(|tx| services::rotate(tx, &Actor::Operator, "other", hours(1)).map(drop));
    assert!(matches!(unknown, Err(ServiceError::NotFound)), "{unknown:?}");
    let unknown = site.write(|tx| services::revoke(tx, &Actor::Operator, "other", None).map(drop));
    assert!(matches!(unknown, Err(ServiceError::NotFound)), "{unknown:?}");
    assert!(service_of(&site, &callers, &secret).is_some());
    let count = site.read(|view| {
        let service = services::find(view, "training").unwrap();
        services::list_credentials(view, service.id).unwrap().len()
    });
    assert_eq!(count, 1);
}
