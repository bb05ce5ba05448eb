//! Limits of the plan, and leases that reserve places.

use std::time::Duration;

use domicile::base::{Actor, seconds};
use domicile::config::LimitKey;
use domicile::resources::{self, LEASE_DEFAULT, NewLease, NewResource, ResourceError};

use super::{Farm, plan};
use crate::support::{Person, TestApp, create_service, rounds};

#[test]
fn a_lease_takes_a_place_until_it_is_committed_released_or_over() {
    let mut farm = Farm::new(&[(LimitKey::Models, 2), (LimitKey::StorageBytes, 1000)]);
    let service = farm.farm.clone();

    let (first, second) = (farm.lease("model", 1, 300).unwrap(), farm.lease("model", 1, 300).unwrap());
    assert_eq!(farm.uses(LimitKey::Models), (0, 600, 0, 2));
    let refused = farm.lease("model", 1, 0);
    assert!(matches!(refused, Err(ResourceError::LimitReached { limit: LimitKey::Models, max: 2, current: 2, .. })));
    assert!(matches!(farm.put(&farm.new_of("model", "m-9")), Err(ResourceError::LimitReached { .. })));

    let model = NewResource { size_bytes: 250, ..farm.new_of("model", "m-1") };
    for _ in 0..2 {
        let created =
            farm.site.write(|tx| resources::commit(tx, &service, first.id, std::slice::from_ref(&model))).unwrap();
        assert_eq!((created.len(), created[0].size_bytes), (1, 250));
        assert_eq!(farm.uses(LimitKey::Models), (250, 300, 1, 1), "twice is the same as once");
    }
    for _ in 0..2 {
        farm.site.write(|tx| resources::release(tx, &service, second.id)).unwrap();
        assert_eq!(farm.uses(LimitKey::Models), (250, 0, 1, 0));
    }
    let ended = farm.site.write(|tx| resources::commit(tx, &service, second.id, &[]));
    assert!(matches!(ended, Err(ResourceError::LeaseEnded)));

    let third = farm.lease("model", 1, 0).unwrap();
    farm.site.clock.advance(LEASE_DEFAULT);
    let over = farm.site.write(|tx| resources::renew(tx, &service, third.id, seconds(9)));
    assert!(matches!(over, Err(ResourceError::LeaseEnded)));
    // Also before the job has ended it.
    farm.lease("model", 1, 0).unwrap();
    farm.site.clock.advance(LEASE_DEFAULT);
    farm.put(&farm.new_of("model", "m-2")).unwrap();
    assert_eq!(farm.site.write(resources::expire_leases).unwrap(), 0);
    farm.site.clock.advance(domicile::base::days(31));
    assert!(farm.site.write(resources::expire_leases).unwrap() >= 3, "leases of a month ago are deleted");
    assert!(farm.is_counted_right());
}

#[test]
fn a_lease_that_does_not_fit_commits_nothing() {
    let mut farm = Farm::new(&[(LimitKey::Models, 3), (LimitKey::StorageBytes, 1000)]);
    let service = farm.farm.clone();
    let lease = farm.lease("model", 2, 200).unwrap();
    let grace = farm.site.person("grace-h");
    let of = |farm: &Farm, external: &str, size_bytes| NewResource { size_bytes, ..farm.new_of("model", external) };
    let rows = farm.rows();

    let too_many = [of(&farm, "a", 1), of(&farm, "b", 1), of(&farm, "c", 1)];
    let foreign = [NewResource { workspace: grace.workspace, ..of(&farm, "a", 1) }];
    let other_type = [farm.new_of("dataset", "a")];
    for wrong in [&too_many[..], &foreign, &other_type] {
        let refused = farm.site.write(|tx| resources::commit(tx, &service, lease.id, wrong));
        assert!(matches!(refused, Err(ResourceError::OtherLease)));
    }
    let too_large = [of(&farm, "a", 150), of(&farm, "b", 900)];
    let refused = farm.site.write(|tx| resources::commit(tx, &service, lease.id, &too_large));
    assert!(matches!(refused, Err(ResourceError::LimitReached { limit: LimitKey::StorageBytes, .. })));
    assert_eq!((farm.rows(), farm.uses(LimitKey::Models)), (rows, (0, 200, 0, 2)), "nothing half done");

    let (other, fitting) = (farm.other.clone(), [of(&farm, "a", 150), of(&farm, "b", 800)]);
    let foreign = farm.site.write(|tx| resources::commit(tx, &other, lease.id, &fitting));
    assert!(matches!(foreign, Err(ResourceError::NoLease)));
    farm.site.write(|tx| resources::commit(tx, &service, lease.id, &fitting)).unwrap();
    assert_eq!(farm.uses(LimitKey::Models), (950, 0, 2, 0));
}

#[test]
fn limits_are_asked_for_each_thing_that_a_plan_limits() {
    let limits = [
        (LimitKey::Models, 1),
        (LimitKey::ConcurrentTrainings, 1),
        (LimitKey::StorageBytes, 1000),
        (LimitKey::ModelBytes, 500),
        (LimitKey::DatasetUploadBytes, 600),
        (LimitKey::ImageBytes, 50),
        (LimitKey::VideoBytes, 70),
    ];
    let mut farm = Farm::new(&limits);
    let (service, workspace) = (farm.farm.clone(), farm.ada.workspace);
    farm.registered("model", "m-1", None);
    let mut ask = |kind: &str, quantity: i64, size: i64| {
        let answer =
            farm.site.read(|tx| resources::check_limits(tx, &service, workspace, kind, quantity, size).unwrap());
        match answer.refusal {
            None => "yes".to_owned(),
            Some(ResourceError::LimitReached { limit, .. } | ResourceError::UploadTooLarge { limit, .. }) => {
                limit.as_str().to_owned()
            }
            Some(other) => panic!("{other}"),
        }
    };

    assert_eq!(ask("model", 1, 0), "models");
    assert_eq!(ask("model", 1, 501), "model_bytes");
    assert_eq!([ask("dataset", 1, 600), ask("dataset", 1, 601)], ["yes", "dataset_upload_bytes"]);
    assert_eq!([ask("dataset", 2, 900), ask("dataset", 2, 901)], ["yes", "storage_bytes"]);
    assert_eq!([ask("image", 1, 50), ask("image", 1, 51)], ["yes", "image_bytes"]);
    assert_eq!([ask("video", 1, 70), ask("video", 1, 71)], ["yes", "video_bytes"]);
    assert_eq!([ask("training", 1, 0), ask("training", 2, 0)], ["yes", "concurrent_trainings"]);
    assert_eq!(ask("project", 1000, 0), "yes", "this plan does not limit it");

    // A training takes its place until it ends, or shows no sign of life.
    let training = farm.lease("training", 1, 0).unwrap();
    assert!(matches!(farm.lease("training", 1, 0), Err(ResourceError::LimitReached { .. })));
    let service = farm.farm.clone();
    farm.site.clock.advance(LEASE_DEFAULT - seconds(1));
    farm.site.write(|tx| resources::renew(tx, &service, training.id, seconds(60))).unwrap();
    farm.site.clock.advance(seconds(59));
    assert!(matches!(farm.lease("training", 1, 0), Err(ResourceError::LimitReached { .. })));
    farm.site.clock.advance(seconds(1));
    farm.lease("training", 1, 0).unwrap();

    // A plan that allows less takes nothing away.
    farm.set_limits(&[(LimitKey::Models, 0), (LimitKey::StorageBytes, 0)]);
    let larger = NewResource { version: 2, size_bytes: 5000, ..farm.new_of("model", "m-1") };
    farm.put(&larger).unwrap();
    assert!(matches!(farm.put(&farm.new_of("model", "m-2")), Err(ResourceError::LimitReached { .. })));
}

#[test]
fn a_lease_lasts_a_day_at_most() {
    let mut farm = Farm::new(&[]);
    let (service, workspace) = (farm.farm.clone(), farm.ada.workspace);
    let mut ask = |quantity: i64, lasts: Duration| {
        let new = NewLease { workspace, kind: "model".into(), quantity, size_bytes: 0, lasts };
        farm.site.write(|tx| resources::grant_lease(tx, &service, &new)).map(drop)
    };

    ask(1000, resources::LEASE_MAX).unwrap();
    for (quantity, lasts) in [
        (1, resources::LEASE_MAX + seconds(1)),
        (1, Duration::ZERO),
        (0, LEASE_DEFAULT),
        (-1, LEASE_DEFAULT),
        (1001, LEASE_DEFAULT),
        (i64::MAX, LEASE_DEFAULT),
    ] {
        assert!(matches!(ask(quantity, lasts), Err(ResourceError::Bad { .. })), "{quantity} {lasts:?}");
    }
}

/// The limit of the crowd, and how many creators there are.
const PLACES: usize = 3;
const CREATORS: usize = 32;

/// Lets 32 creators ask at once, in the given way. Answers how many got a place.
fn crowd(site: &TestApp, person: &Person, farm: &Actor, with_leases: bool) -> usize {
    let creators = (0..CREATORS).map(|number| {
        let (app, farm, workspace) = (site.app.clone(), farm.clone(), person.workspace);
        async move {
            let new = super::new(workspace, "model", &format!("{workspace}-{number}"));
            if !with_leases {
                return app.write(move |tx| resources::put(tx, &farm, &new).map(drop)).await.is_ok();
            }
            let wish = NewLease { workspace, kind: "model".into(), quantity: 1, size_bytes: 100, lasts: LEASE_DEFAULT };
            let asker = farm.clone();
            let Ok(lease) = app.write(move |tx| resources::grant_lease(tx, &asker, &wish)).await else { return false };
            app.write(move |tx| resources::commit(tx, &farm, lease.id, &[new])).await.unwrap();
            true
        }
    });
    let creators: Vec<_> = creators.collect();
    site.block_on(async {
        let tasks: Vec<_> = creators.into_iter().map(tokio::spawn).collect();
        let mut created = 0;
        for task in tasks {
            created += usize::from(task.await.unwrap());
        }
        created
    })
}

#[test]
fn of_32_creators_exactly_three_get_the_three_places() {
    let site = TestApp::with(|config| config.plans = vec![plan(&[(LimitKey::Models, PLACES as i64)])]);
    let service = site.write(|tx| create_service(tx, "farm")).unwrap().0;
    let farm = Actor::Service { service: service.id, name: service.name, request: String::new() };
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(rounds(4, 20));
    for round in 0..rounds {
        let name: &'static str = Box::leak(format!("ada-{round}").into_boxed_str());
        let person = site.person(name);
        assert_eq!(crowd(&site, &person, &farm, round % 2 == 0), PLACES, "round {round}");
        let used = site.read(|view| resources::count(view, person.workspace, LimitKey::Models).unwrap());
        assert_eq!(used, PLACES as u64);
        assert!(site.read(|view| resources::is_counted_right(view, &Actor::System, person.workspace).unwrap()));
    }
}
