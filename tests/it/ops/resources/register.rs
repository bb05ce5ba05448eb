//! Services register what they keep: by version, with parents, one or many at a time.

use domicile::base::{Actor, Problem, WorkspaceId};
use domicile::config::LimitKey;
use domicile::resources::{self, Change, NUMBER_MAX, NewResource, ResourceError, ResourceName, State};

use super::{Farm, id};

#[test]
fn a_version_counts_once_and_an_older_one_never() {
    let mut farm = Farm::new(&[]);
    let first = NewResource { version: 3, ..farm.new_of("model", "m-1") };

    assert_eq!(farm.put(&first).unwrap().1, Change::Created);
    assert_eq!(farm.put(&first).unwrap().1, Change::Unchanged);
    let rows = farm.rows();
    let other_name = ResourceName::parse("Another").unwrap();
    for stale in [
        NewResource { version: 2, ..first.clone() },
        NewResource { name: other_name.clone(), ..first.clone() },
        NewResource { size_bytes: 7, ..first.clone() },
        NewResource { slug: None, ..first.clone() },
    ] {
        assert!(matches!(farm.put(&stale), Err(ResourceError::StaleVersion { stored: 3 })), "{stale:?}");
    }
    assert_eq!(farm.rows(), rows, "a refusal changes nothing");
    let newer = NewResource { version: 9, name: other_name, size_bytes: 7, slug: None, ..first };
    let (stored, change) = farm.put(&newer).unwrap();
    assert_eq!((change, stored.name.as_str(), stored.size_bytes, stored.version), (Change::Updated, "Another", 7, 9));
    assert_eq!(farm.uses(LimitKey::Models), (7, 0, 1, 0));
    assert_eq!(farm.events(), ["resource.registered"]);
}

#[test]
fn what_was_deleted_for_good_never_comes_back() {
    let mut farm = Farm::new(&[]);
    let model = farm.new_of("model", "m-1");
    let stored = farm.put(&model).unwrap().0;
    let service = farm.farm.clone();

    for _ in 0..2 {
        farm.site.write(|tx| resources::delete_by_service(tx, &service, &id("m-1"))).unwrap();
        assert_eq!(farm.uses(LimitKey::Models), (0, 0, 0, 0));
    }
    let rows = farm.rows();
    for version in [1, 2] {
        let again = NewResource { version, ..model.clone() };
        assert!(matches!(farm.put(&again), Err(ResourceError::Deleted)));
    }
    let found = farm.site.read(|tx| resources::find_of_service(tx, &service, &id("m-1")));
    assert!(matches!(found, Err(ResourceError::Deleted)));
    assert!(matches!(farm.trash(stored.id), Err(ResourceError::Deleted)));
    assert_eq!(farm.rows(), rows);
    let sql = "select name || slug from resource";
    assert_eq!(farm.site.read(|tx| tx.one(sql, [], |row| row.get::<_, String>(0)).unwrap()), "");
}

#[test]
fn a_parent_is_known_active_of_the_right_type_and_never_below() {
    let mut farm = Farm::new(&[]);
    let project = farm.registered("project", "p-1", None);
    farm.registered("dataset", "d-1", None);
    let with = |farm: &Farm, kind: &str, external: &str, parent: &str| NewResource {
        parent: Some(id(parent)),
        ..farm.new_of(kind, external)
    };

    let model = with(&farm, "model", "m-1", "p-1");
    assert_eq!(farm.put(&model).unwrap().0.parent, Some(project));
    let unknown = with(&farm, "model", "m-2", "p-9");
    assert!(matches!(farm.put(&unknown), Err(ResourceError::UnknownParent)));
    let wrong = with(&farm, "model", "m-2", "d-1");
    assert!(matches!(farm.put(&wrong), Err(ResourceError::WrongParent(kind)) if kind == "project"));
    let own = with(&farm, "dataset", "d-2", "d-2");
    assert!(matches!(farm.put(&own), Err(ResourceError::ParentLoop)));

    // Deployments may stand below each other.
    farm.registered("deployment", "a", None);
    farm.registered("deployment", "b", Some("a"));
    farm.registered("deployment", "c", Some("b"));
    let closed = NewResource { version: 2, ..with(&farm, "deployment", "a", "c") };
    assert!(matches!(farm.put(&closed), Err(ResourceError::ParentLoop)));
    for level in 1..40 {
        let parent = if level == 1 { "c".to_owned() } else { format!("l-{}", level - 1) };
        match farm.put(&with(&farm, "deployment", &format!("l-{level}"), &parent)) {
            Ok(_) => assert!(level < resources::DEPTH_MAX),
            Err(error) => {
                assert!(matches!(error, ResourceError::ParentLoop) && level > 5, "{level}: {error}");
                break;
            }
        }
        assert!(level < 30, "no depth is refused");
    }

    farm.trash(project).unwrap();
    let late = with(&farm, "model", "m-3", "p-1");
    assert!(matches!(farm.put(&late), Err(ResourceError::ParentInTrash)));
    // Another person's project is not known.
    let grace = farm.site.person("grace-h");
    let foreign = NewResource { workspace: grace.workspace, ..with(&farm, "model", "m-4", "p-1") };
    assert!(matches!(farm.put(&foreign), Err(ResourceError::UnknownParent)));
}

#[test]
fn a_resource_keeps_its_workspace_and_type_and_belongs_to_its_service() {
    let mut farm = Farm::new(&[]);
    let grace = farm.site.person("grace-h");
    let model = farm.new_of("model", "m-1");
    let stored = farm.put(&model).unwrap().0;
    let newer = NewResource { version: 2, ..model.clone() };

    let moved = NewResource { workspace: grace.workspace, ..newer.clone() };
    assert!(matches!(farm.put(&moved), Err(ResourceError::OtherWorkspace)));
    let changed = NewResource { kind: "dataset".into(), ..newer.clone() };
    assert!(matches!(farm.put(&changed), Err(ResourceError::OtherType)));
    let odd = NewResource { kind: "spaceship".into(), ..newer };
    assert!(matches!(farm.put(&odd), Err(ResourceError::UnknownType)));
    let nowhere = WorkspaceId::new(farm.site.clock.now(), &mut farm.site.rng);
    let lost = NewResource { workspace: nowhere, ..farm.new_of("model", "m-2") };
    assert!(matches!(farm.put(&lost), Err(ResourceError::NoWorkspace)));

    // To another service, the id is its own.
    let (other, workspace) = (farm.other.clone(), farm.ada.workspace);
    let found = farm.site.read(|tx| resources::find_of_service(tx, &other, &id("m-1")));
    assert!(matches!(found, Err(ResourceError::NotFound)));
    let trashed = farm.site.write(|tx| resources::trash(tx, &other, workspace, stored.id));
    assert!(matches!(trashed, Err(ResourceError::NotFound)));
    let gone = farm.site.write(|tx| resources::delete_by_service(tx, &other, &id("m-1")));
    assert!(matches!(gone, Err(ResourceError::NotFound)));
    assert_eq!(farm.site.write(|tx| resources::put(tx, &other, &model)).unwrap().1, Change::Created);
    for actor in [Actor::Operator, Actor::System, farm.ada.by_browser()] {
        let put = farm.site.write(|tx| resources::put(tx, &actor, &model));
        assert!(matches!(put, Err(ResourceError::NotAService)), "{actor:?}");
    }
    assert_eq!(farm.find(stored.id).state, State::Active);
}

#[test]
fn a_batch_takes_what_is_good_and_says_what_is_not() {
    let mut farm = Farm::new(&[(LimitKey::Models, 2)]);
    let known = farm.new_of("model", "m-1");
    farm.put(&known).unwrap();
    let service = farm.farm.clone();
    let batch = vec![
        Ok(known.clone()),
        Ok(farm.new_of("project", "p-1")),
        Ok(NewResource { parent: Some(id("p-1")), ..farm.new_of("model", "m-2") }),
        Ok(farm.new_of("model", "m-3")),
        Err(ResourceError::Missing("name")),
        Ok(NewResource { version: 2, size_bytes: 1, ..known }),
    ];

    let result = farm.site.write(|tx| resources::put_batch(tx, &service, batch, None)).unwrap();

    assert_eq!((result.created, result.updated, result.unchanged), (2, 1, 1));
    let places: Vec<_> = result.rejected.iter().map(|rejected| rejected.index).collect();
    assert_eq!(places, [3, 4]);
    assert!(matches!(result.rejected[0].error, ResourceError::LimitReached { max: 2, current: 2, .. }));
    assert!(farm.is_counted_right());
}

#[test]
fn sizes_never_come_to_more_than_numbers_can_hold() {
    let mut farm = Farm::new(&[]);
    let huge = |farm: &Farm, id: &str, size_bytes| NewResource { size_bytes, ..farm.new_of("dataset", id) };
    // Without a limit of the plan, too.
    farm.put(&huge(&farm, "d-1", NUMBER_MAX - 10)).unwrap();
    farm.put(&huge(&farm, "d-2", 10)).unwrap();
    let before = farm.rows();
    let is_full = |refused: ResourceError| {
        let expected = "limit_reached";
        let ResourceError::LimitReached { limit, max, current, plan } = refused else { panic!("{refused:?}") };
        assert_eq!(Problem::from(ResourceError::LimitReached { limit, max, current, plan }).code, expected);
        (limit, max, current) == (LimitKey::StorageBytes, NUMBER_MAX, NUMBER_MAX)
    };
    assert!(is_full(farm.put(&huge(&farm, "d-3", 1)).unwrap_err()));
    assert!(is_full(farm.put(&NewResource { version: 2, ..huge(&farm, "d-2", 11) }).unwrap_err()));
    assert!(is_full(farm.lease("dataset", 1, 1).unwrap_err()));
    let (service, workspace) = (farm.farm.clone(), farm.ada.workspace);
    let checked = |farm: &mut Farm, bytes| {
        farm.site.read(|tx| resources::check_limits(tx, &service, workspace, "dataset", 1, bytes).unwrap()).refusal
    };
    assert!(is_full(checked(&mut farm, NUMBER_MAX).unwrap()));
    assert!(checked(&mut farm, 0).is_none());
    let batch = (0..1_000).map(|number| Ok(huge(&farm, &format!("b-{number}"), NUMBER_MAX))).collect();
    let result = farm.site.write(|tx| resources::put_batch(tx, &farm.farm, batch, None)).unwrap();
    assert_eq!((result.created, result.rejected.len()), (0, 1_000));
    assert_eq!(farm.rows(), before);

    // What makes it smaller, or needs no bytes, is taken; what is reserved counts.
    farm.put(&huge(&farm, "d-4", 0)).unwrap();
    farm.put(&NewResource { version: 2, ..huge(&farm, "d-2", 4) }).unwrap();
    farm.lease("dataset", 1, 6).unwrap();
    assert!(is_full(farm.put(&NewResource { version: 3, ..huge(&farm, "d-2", 5) }).unwrap_err()));
    assert!(farm.is_counted_right());
}

#[test]
fn an_update_may_take_storage_over_the_limit_of_the_plan() {
    let mut farm = Farm::new(&[(LimitKey::StorageBytes, 150)]);
    let model = farm.new_of("model", "m-1");
    farm.put(&model).unwrap();
    // It says what is there. Only what is created is limited.
    farm.put(&NewResource { size_bytes: 500, version: 2, ..model }).unwrap();
    assert_eq!(farm.uses(LimitKey::Models).0, 500);
    assert!(matches!(farm.put(&farm.new_of("model", "m-2")), Err(ResourceError::LimitReached { current: 500, .. })));
}

#[test]
fn a_full_sync_marks_what_it_does_not_name_and_deletes_nothing() {
    let mut farm = Farm::new(&[]);
    let models: Vec<_> = (0..3).map(|number| farm.new_of("model", &format!("m-{number}"))).collect();
    let ids: Vec<_> = models.iter().map(|model| farm.put(model).unwrap().0.id).collect();
    farm.trash(ids[1]).unwrap();
    let service = farm.farm.clone();
    let sync = |farm: &mut Farm, generation: i64, named: &[usize]| {
        let batch = named.iter().map(|number| Ok(models[*number].clone())).collect();
        farm.site.write(|tx| resources::put_batch(tx, &service, batch, Some(generation)))?;
        let mut missing = 0;
        loop {
            match farm.site.write(|tx| resources::end_sync(tx, &service, generation))? {
                0 => break,
                more => missing += more,
            }
        }
        farm.site.write(|tx| resources::finish_sync(tx, &service, generation, None))?;
        Ok::<_, ResourceError>(missing)
    };

    assert_eq!(sync(&mut farm, 7, &[0]).unwrap(), 2);
    let missing = |farm: &mut Farm| ids.iter().map(|id| farm.find(*id).missing_at.is_some()).collect::<Vec<_>>();
    assert_eq!(missing(&mut farm), [false, true, true]);
    assert_eq!(farm.states(&ids), [State::Active, State::Trashed, State::Active]);
    assert_eq!(farm.uses(LimitKey::Models), (300, 0, 3, 0), "what is missing still counts");

    for stale in [7, 6] {
        assert!(matches!(sync(&mut farm, stale, &[0]), Err(ResourceError::StaleGeneration { finished: 7 })));
    }
    assert_eq!(sync(&mut farm, 8, &[0, 1, 2]).unwrap(), 0);
    assert_eq!(missing(&mut farm), [false, false, false], "it was named again");
    // Another service is not touched, and has generations of its own.
    let other = farm.other.clone();
    assert_eq!(farm.site.write(|tx| resources::end_sync(tx, &other, 1)).unwrap(), 0);
    assert_eq!(missing(&mut farm), [false, false, false]);
}

#[test]
fn services_report_activity_that_people_see() {
    let mut farm = Farm::new(&[]);
    farm.registered("model", "m-1", None);
    let service = farm.farm.clone();
    let item = |resource: &str, name: Option<&str>| resources::NewActivity {
        workspace: farm.ada.workspace,
        kind: "training".into(),
        action: resources::ActivityAction::Completed,
        resource: Some(id(resource)),
        name: name.map(|name| ResourceName::parse(name).unwrap()),
    };
    let (known, unknown) = (item("m-1", None), item("m-9", Some("Run 7")));

    farm.site.write(|tx| resources::report_activity(tx, &service, &known)).unwrap();
    let refused = farm.site.write(|tx| resources::report_activity(tx, &service, &unknown));
    assert!(matches!(refused, Err(ResourceError::NotFound)));

    assert_eq!(farm.events(), ["resource.registered", "activity.completed"]);
    let ada = farm.ada.clone();
    let newest = farm.site.activity_of(&ada).remove(0);
    assert_eq!(newest.private_text(domicile::audit::Part::Text, "name"), Some("The m-1"));
}
