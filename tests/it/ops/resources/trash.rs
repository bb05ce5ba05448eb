//! The trash: cascades, the parent rule, 30 days, roles.

use domicile::base::{Actor, ApiKeyId, Problem, ResourceId, Role, Scopes, WorkspaceId, hours};
use domicile::config::LimitKey;
use domicile::db::Tx;
use domicile::inbox::{self, AckOutcome, CommandFilter, InboxError};
use domicile::resources::{self, ItemFilter, ItemPage, NewResource, ResourceError, State, TrashFilter};
use domicile::services::{self, WorkspaceGrant};

use super::{Farm, id};
use crate::support::{default_settings, visitor};

fn all() -> TrashFilter {
    TrashFilter { limit: 50, ..TrashFilter::default() }
}

#[test]
fn a_project_takes_its_models_along_and_brings_them_back() {
    let mut farm = Farm::new(&[]);
    let project = farm.registered("project", "p-1", None);
    let [first, second] = ["m-1", "m-2"].map(|name| farm.registered("model", name, Some("p-1")));
    let alone = farm.registered("dataset", "d-1", None);
    // This one went on its own, before.
    assert_eq!(farm.trash(second).unwrap(), 0);
    farm.site.clock.advance(hours(1));

    assert_eq!(farm.trash(project).unwrap(), 1);
    let before = farm.rows();
    assert_eq!(farm.trash(project).unwrap(), 0, "twice is the same as once");
    assert_eq!(farm.rows(), before, "nothing is recorded, and no service is told");
    let ids = [project, first, second, alone];
    assert_eq!(farm.states(&ids), [State::Trashed, State::Trashed, State::Trashed, State::Active]);
    assert_eq!(farm.uses(LimitKey::Models), (400, 0, 2, 0), "the trash counts");

    let page = farm.listed(&all());
    let listed: Vec<_> = page.items.iter().map(|item| (item.resource.external_id.as_str(), item.cascaded)).collect();
    assert_eq!((page.total, listed), (2, vec![("p-1", 1), ("m-2", 0)]), "the newest first");
    assert_eq!((page.items[0].size_bytes, page.items[0].resource.days_left(farm.site.clock.now())), (200, 30));
    let above = page.items[1].parent.as_ref().unwrap();
    assert_eq!((above.name.as_str(), above.state), ("The p-1", State::Trashed));

    for below in [first, second] {
        let refused = farm.restore(below).unwrap_err();
        let problem = Problem::from(refused);
        assert_eq!((problem.status, problem.code), (409, "parent_in_trash"));
        assert_eq!(
            problem.sentence,
            "Cannot restore model while its parent project is in trash. Restore the project first."
        );
    }
    assert_eq!(farm.restore(project).unwrap(), 1);
    assert_eq!(farm.states(&ids), [State::Active, State::Active, State::Trashed, State::Active]);
    assert_eq!(farm.restore(second).unwrap(), 0);
    assert!(matches!(farm.restore(second), Err(ResourceError::NotInTrash)));
    assert!(farm.is_counted_right());
    assert_eq!(farm.listed(&all()).total, 0);
}

#[test]
fn a_key_changes_only_what_it_has_the_rights_for_also_below() {
    let mut farm = Farm::new(&[]);
    let project = farm.registered("project", "p-1", None);
    let model = farm.registered("model", "m-1", Some("p-1"));
    let (deployment, export) = (farm.registered("deployment", "x-1", None), farm.registered("export", "e-1", None));
    let dataset = farm.registered("dataset", "d-1", None);
    let (workspace, account) = (farm.ada.workspace, farm.ada.account.id);
    let elsewhere = farm.site.person("grace-h").workspace;
    let holder_in = |workspace: WorkspaceId, scopes: &str| {
        let table = &default_settings().config.scopes;
        let scopes = scopes.split(' ').map(|scope| table.parse(scope).unwrap()).reduce(Scopes::union).unwrap();
        let key = ApiKeyId::parse("key_01k0r3v9qz8h2f7n5m4c6x1b0a").unwrap();
        Actor::KeyHolder { key, account, workspace, scopes, visitor: visitor() }
    };
    let holder = |scopes: &str| holder_in(workspace, scopes);
    let (projects, both) = (holder("projects:write"), holder("projects:write models:write"));
    type Move = fn(&mut Tx<'_>, &Actor, WorkspaceId, ResourceId) -> Result<usize, ResourceError>;
    let moved = |farm: &mut Farm, actor: &Actor, operation: Move, id| {
        let before = farm.rows();
        let moved = farm.site.write(|tx| operation(tx, actor, workspace, id));
        if moved.is_err() {
            assert_eq!(farm.rows(), before, "nothing half done");
        }
        moved
    };
    let is_refused = |moved| matches!(moved, Err(ResourceError::NotAllowed));

    let foreign = moved(&mut farm, &holder_in(elsewhere, "write"), resources::trash, project);
    assert!(
        matches!(foreign, Err(ResourceError::NotFound)),
        "a key of another workspace of the same person: {foreign:?}"
    );
    assert!(is_refused(moved(&mut farm, &projects, resources::trash, project)));
    assert_eq!(moved(&mut farm, &both, resources::trash, project).unwrap(), 1);
    assert!(is_refused(moved(&mut farm, &projects, resources::restore, project)));
    assert!(is_refused(moved(&mut farm, &projects, resources::delete_for_good, project)));
    assert_eq!(farm.states(&[project, model]), [State::Trashed, State::Trashed]);
    let empty = |farm: &mut Farm, scopes: &str| {
        let actor = holder(scopes);
        let before = farm.rows();
        let emptied = farm.site.write(|tx| resources::empty_trash(tx, &actor, workspace)).map(|part| part.moved);
        assert!(emptied.is_ok() || farm.rows() == before);
        emptied
    };
    assert!(is_refused(empty(&mut farm, "projects:write datasets:write")));
    assert_eq!(moved(&mut farm, &both, resources::restore, project).unwrap(), 1);
    // Without models in it, the right for projects is enough.
    farm.trash(model).unwrap();
    assert_eq!(moved(&mut farm, &projects, resources::trash, project).unwrap(), 0);
    assert_eq!(moved(&mut farm, &projects, resources::restore, project).unwrap(), 0);
    // What is below it is deleted with it, however it came to the trash.
    moved(&mut farm, &projects, resources::trash, project).unwrap();
    assert!(is_refused(moved(&mut farm, &projects, resources::delete_for_good, project)));
    assert_eq!(moved(&mut farm, &both, resources::delete_for_good, project).unwrap(), 2);

    // Types with a right of their own, and one without: it needs the right to write all.
    assert!(is_refused(moved(&mut farm, &both, resources::trash, deployment)));
    assert!(moved(&mut farm, &holder("deployments:write"), resources::trash, deployment).is_ok());
    assert!(is_refused(moved(
        &mut farm,
        &holder("projects:write datasets:write models:write"),
        resources::trash,
        export
    )));
    assert!(moved(&mut farm, &holder("write"), resources::trash, export).is_ok());
    farm.trash(dataset).unwrap();
    assert!(is_refused(empty(&mut farm, "projects:write datasets:write models:write")));
    assert_eq!(empty(&mut farm, "write").unwrap(), 3);
}

#[test]
fn the_trash_is_filtered_searched_and_paged() {
    let mut farm = Farm::new(&[]);
    for number in 0..5 {
        let model = farm.registered("model", &format!("m-{number}"), None);
        let dataset = farm.registered("dataset", &format!("d-{number}"), None);
        farm.trash(model).unwrap();
        farm.site.clock.advance(hours(1));
        farm.trash(dataset).unwrap();
        farm.site.clock.advance(hours(1));
    }
    let mut found = |filter: TrashFilter| {
        let page = farm.listed(&filter);
        let names: Vec<_> = page.items.into_iter().map(|item| item.resource.external_id).collect();
        (page.total, names.join(" "))
    };
    let kinds = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect();

    assert_eq!(found(TrashFilter { limit: 3, ..all() }), (10, "d-4 m-4 d-3".into()));
    assert_eq!(found(TrashFilter { limit: 3, offset: 9, ..all() }), (10, "m-0".into()));
    assert_eq!(found(TrashFilter { kinds: kinds(&["model"]), limit: 2, ..all() }), (5, "m-4 m-3".into()));
    assert_eq!(found(TrashFilter { kinds: kinds(&["model", "project"]), limit: 2, ..all() }), (5, "m-4 m-3".into()));
    assert_eq!(found(TrashFilter { search: "the M-3".into(), ..all() }), (1, "m-3".into()));
    assert_eq!(found(TrashFilter { search: "-3".into(), ..all() }), (2, "d-3 m-3".into()));
    assert_eq!(found(TrashFilter { search: "-3".into(), kinds: kinds(&["dataset"]), ..all() }), (1, "d-3".into()));
    for nothing in ["%", "_", "\\", "m%3", "m_3"] {
        assert_eq!(found(TrashFilter { search: nothing.into(), ..all() }), (0, String::new()), "{nothing}");
    }
    let beyond = TrashFilter { search: "the".into(), offset: 20, ..all() };
    assert_eq!(found(beyond), (10, String::new()), "a page after the last one");
}

#[test]
fn members_see_what_services_keep_the_largest_first() {
    let mut farm = Farm::new(&[]);
    let (workspace, ada) = (farm.ada.workspace, farm.ada.by_browser());
    let project = farm.registered("project", "p-1", None);
    let mut model = |name: &str, size_bytes: i64| {
        let new = NewResource { size_bytes, parent: Some(id("p-1")), ..farm.new_of("model", name) };
        farm.put(&new).unwrap().0.id
    };
    let (small, large, discarded) = (model("m-small", 10), model("m-large", 9_000), model("m-old", 500));
    farm.trash(discarded).unwrap();
    let all = ItemFilter { kinds: Vec::new(), search: String::new(), offset: 0, limit: 50 };
    let listed = |farm: &mut Farm, actor: &Actor, filter: &ItemFilter| {
        let (actor, filter) = (actor.clone(), filter.clone());
        farm.site.read(|view| resources::list_items(view, &actor, workspace, &filter))
    };
    let ids = |page: ItemPage| page.items.into_iter().map(|item| item.resource.id).collect::<Vec<_>>();

    let page = listed(&mut farm, &ada, &all).unwrap();
    assert_eq!(page.items[0].service, "farm");
    assert_eq!(page.items[0].parent.as_ref().map(|parent| parent.id), Some(project));
    assert!(!page.has_more);
    assert_eq!(ids(page), [large, project, small], "the project has 100 bytes, and the trash is left out");
    let models = ItemFilter { kinds: vec!["model".into()], ..all.clone() };
    assert_eq!(ids(listed(&mut farm, &ada, &models).unwrap()), [large, small]);
    let found = ItemFilter { search: "M-LARGE".into(), ..all.clone() };
    assert_eq!(ids(listed(&mut farm, &ada, &found).unwrap()), [large]);
    let first = listed(&mut farm, &ada, &ItemFilter { limit: 2, ..all.clone() }).unwrap();
    assert!(first.has_more);
    assert_eq!(ids(first), [large, project]);
    let second = listed(&mut farm, &ada, &ItemFilter { limit: 2, offset: 2, ..all.clone() }).unwrap();
    assert!(!second.has_more);
    assert_eq!(ids(second), [small]);

    let viewer = farm.member("viewer-v", Role::Viewer);
    assert_eq!(ids(listed(&mut farm, &viewer, &all).unwrap()).len(), 3);
    let grace = farm.site.person("grace-h").by_browser();
    for outsider in [grace, Actor::Anonymous(Default::default())] {
        assert!(matches!(listed(&mut farm, &outsider, &all), Err(ResourceError::NotFound)), "{outsider:?}");
    }
}

#[test]
fn after_thirty_days_it_is_deleted_for_good() {
    let mut farm = Farm::new(&[]);
    let project = farm.registered("project", "p-1", None);
    let model = farm.registered("model", "m-1", Some("p-1"));
    let later = farm.registered("dataset", "d-1", None);
    farm.trash(project).unwrap();
    assert_eq!(farm.after(29), 0);
    farm.trash(later).unwrap();

    assert_eq!(farm.after(1), 2);

    assert_eq!(farm.states(&[project, model, later]), [State::Purging, State::Purging, State::Trashed]);
    assert_eq!(farm.uses(LimitKey::Models), (300, 0, 1, 0), "until the service confirms");
    assert_eq!(farm.acknowledge(AckOutcome::Done), 2);
    assert_eq!(farm.states(&[project, model, later]), [State::Purged, State::Purged, State::Trashed]);
    assert_eq!(farm.uses(LimitKey::Models), (100, 0, 0, 0));
    assert_eq!(farm.after(29), 1);

    // It cannot: it is in the trash for another day, and is asked again.
    assert_eq!(farm.acknowledge(AckOutcome::Failed), 1);
    assert_eq!(farm.states(&[later]), [State::Trashed]);
    assert_eq!((farm.after(0), farm.after(1)), (0, 1));
    assert_eq!(farm.uses(LimitKey::Datasets), (100, 0, 1, 0));
    assert_eq!(farm.acknowledge(AckOutcome::Done), 1);
    assert_eq!(farm.uses(LimitKey::Datasets), (0, 0, 0, 0));
    assert!(farm.is_counted_right());
}

#[test]
fn deleting_a_project_for_good_takes_its_models() {
    let mut farm = Farm::new(&[]);
    let project = farm.registered("project", "p-1", None);
    let [first, second] = ["m-1", "m-2"].map(|name| farm.registered("model", name, Some("p-1")));
    assert!(matches!(farm.delete(project), Err(ResourceError::NotInTrash)));
    farm.trash(second).unwrap();
    farm.trash(project).unwrap();

    assert_eq!(farm.delete(project).unwrap(), 3);

    assert_eq!(farm.states(&[project, first, second]), [State::Purging; 3]);
    assert_eq!(farm.uses(LimitKey::Models), (300, 0, 2, 0));
    assert_eq!((farm.acknowledge(AckOutcome::Done), farm.acknowledge(AckOutcome::Done)), (3, 0));
    assert_eq!(farm.states(&[project, first, second]), [State::Purged; 3]);
    assert!(matches!(farm.restore(first), Err(ResourceError::Deleted)));
    assert_eq!(farm.uses(LimitKey::Models), (0, 0, 0, 0));
    let [third, fourth] = ["m-3", "m-4"].map(|name| farm.registered("model", name, None));
    farm.trash(third).unwrap();
    let (ada, workspace) = (farm.ada.by_browser(), farm.ada.workspace);
    assert_eq!(farm.site.write(|tx| resources::empty_trash(tx, &ada, workspace)).unwrap().moved, 1);
    assert_eq!(farm.site.write(|tx| resources::empty_trash(tx, &ada, workspace)).unwrap().moved, 0);
    assert_eq!(farm.states(&[third, fourth]), [State::Purging, State::Active]);

    // A service that is disconnected cannot answer.
    farm.site.write(|tx| services::disconnect(tx, &Actor::Operator, "farm")).unwrap();
    assert_eq!(farm.site.write(resources::free_unanswerable).unwrap(), 1);
    assert_eq!(farm.site.write(resources::free_unanswerable).unwrap(), 0);
    farm.trash(fourth).unwrap();
    farm.delete(fourth).unwrap();
    assert_eq!(farm.states(&[third, fourth]), [State::Purged; 2]);
    let sql = "select count(*) from audit_event where event = 'resource.freed_without_service'";
    assert_eq!(farm.site.read(|tx| tx.one(sql, [], |row| row.get::<_, i64>(0)).unwrap()), 2);
}

#[test]
fn from_editor_on_people_use_the_trash_and_viewers_only_see_it() {
    let mut farm = Farm::new(&[]);
    let workspace = farm.ada.workspace;
    let grace = farm.site.person("grace-h").by_browser();
    let roles = [("viewer-v", Role::Viewer), ("editor-e", Role::Editor), ("admin-a", Role::Admin)];
    let members = roles.map(|(name, role)| (farm.member(name, role), role >= Role::Editor));
    for (number, (actor, may)) in members.into_iter().chain([(Actor::Operator, true)]).enumerate() {
        let model = farm.registered("model", &format!("m-{number}"), None);
        let other = farm.registered("model", &format!("o-{number}"), None);
        farm.trash(other).unwrap();
        let outcomes = [
            farm.site.write(|tx| resources::trash(tx, &actor, workspace, model)),
            farm.site.write(|tx| resources::restore(tx, &actor, workspace, other)),
            farm.trash(other),
            farm.site.write(|tx| resources::delete_for_good(tx, &actor, workspace, other)),
            farm.site.write(|tx| resources::empty_trash(tx, &actor, workspace)).map(|part| part.moved),
        ];
        for (place, outcome) in outcomes.into_iter().enumerate() {
            let is_right =
                if may || place == 2 { outcome.is_ok() } else { matches!(outcome, Err(ResourceError::NotAllowed)) };
            assert!(is_right, "{actor:?}, {place}");
        }
    }
    let model = farm.registered("model", "m-9", None);
    for outsider in [grace, Actor::Anonymous(Default::default()), farm.other.clone()] {
        let trashed = farm.site.write(|tx| resources::trash(tx, &outsider, workspace, model));
        assert!(matches!(trashed, Err(ResourceError::NotFound)), "{outsider:?}");
        let emptied = farm.site.write(|tx| resources::empty_trash(tx, &outsider, workspace));
        assert!(matches!(emptied, Err(ResourceError::NotFound)), "{outsider:?}");
        let counted = farm.site.write(|tx| resources::recalculate(tx, &outsider, workspace));
        assert!(matches!(counted, Err(ResourceError::NotFound)), "{outsider:?}");
    }
    // The workspace in which somebody acts is that of the resource.
    let own = farm.site.person("hopper-g");
    let (actor, elsewhere) = (own.by_browser(), own.workspace);
    let trashed = farm.site.write(|tx| resources::trash(tx, &actor, elsewhere, model));
    assert!(matches!(trashed, Err(ResourceError::NotFound)));
    assert_eq!(farm.states(&[model]), [State::Active]);
}

#[test]
fn a_service_moves_its_own_resources() {
    let mut farm = Farm::new(&[]);
    let model = farm.registered("model", "m-1", None);
    let (service, workspace) = (farm.farm.clone(), farm.ada.workspace);

    farm.site.write(|tx| resources::trash(tx, &service, workspace, model)).unwrap();
    let newer = NewResource { version: 2, size_bytes: 40, ..farm.new_of("model", "m-1") };
    farm.put(&newer).unwrap();
    assert_eq!(farm.listed(&all()).items[0].size_bytes, 40, "a resource in the trash can get another size");
    farm.site.write(|tx| resources::restore(tx, &service, workspace, model)).unwrap();
    assert_eq!(farm.find(model).state, State::Active);
    let everything = farm.site.write(|tx| resources::empty_trash(tx, &service, workspace));
    assert!(matches!(everything, Err(ResourceError::NotFound)), "the trash has what other services keep, too");
    farm.site.write(|tx| resources::delete_by_service(tx, &service, &id("m-1"))).unwrap();
    assert!(farm.is_counted_right());
    let name = farm.service();
    let open = |farm: &mut Farm| {
        farm.site.read(|tx| inbox::list_commands(tx, name, CommandFilter::Open, None, 9).unwrap()).rows.len()
    };
    assert_eq!(open(&mut farm), 0, "it is not told what it did itself");

    // What is below it goes with it, and the service is asked to delete that.
    let project = farm.registered("project", "p-1", None);
    let below = farm.registered("model", "m-2", Some("p-1"));
    farm.site.write(|tx| resources::delete_by_service(tx, &service, &id("p-1"))).unwrap();
    assert_eq!((farm.states(&[project, below]), open(&mut farm)), (vec![State::Purged, State::Purging], 1));
}

#[test]
fn a_resource_in_the_trash_keeps_its_parent() {
    let mut farm = Farm::new(&[]);
    let project = farm.registered("project", "p-1", None);
    farm.registered("project", "p-2", None);
    let model = farm.registered("model", "m-1", Some("p-1"));
    farm.trash(project).unwrap();

    let moved = NewResource { version: 2, parent: Some(id("p-2")), ..farm.new_of("model", "m-1") };
    assert!(matches!(farm.put(&moved), Err(ResourceError::MovedInTrash)));
    let renamed = NewResource { version: 2, parent: Some(id("p-1")), ..farm.new_of("model", "m-1") };
    farm.put(&renamed).unwrap();

    farm.restore(project).unwrap();
    farm.put(&NewResource { version: 3, ..moved }).unwrap();
    assert_eq!(farm.states(&[project, model]), [State::Active; 2]);
}

#[test]
fn a_deletion_that_failed_is_not_sent_again_and_an_open_one_is_not_cancelled() {
    let mut farm = Farm::new(&[]);
    let model = farm.registered("model", "m-1", None);
    farm.trash(model).unwrap();
    farm.acknowledge(AckOutcome::Done);
    farm.delete(model).unwrap();
    let service = farm.service();
    let open = farm.site.read(|tx| inbox::list_commands(tx, service, CommandFilter::Open, None, 9).unwrap()).rows;
    let purge = open[0].id;

    let cancelled = farm.site.write(|tx| inbox::cancel(tx, &Actor::Operator, purge));
    assert!(matches!(cancelled, Err(InboxError::Awaited)), "{cancelled:?}");
    farm.acknowledge(AckOutcome::Failed);
    farm.restore(model).unwrap();
    let sent = farm.site.write(|tx| inbox::retry_now(tx, &Actor::Operator, purge));
    assert!(matches!(sent, Err(InboxError::Repeats)), "{sent:?}");
    farm.site.write(|tx| inbox::cancel(tx, &Actor::Operator, purge)).unwrap();
    assert_eq!(farm.states(&[model]), [State::Active]);
}

#[test]
fn a_service_sees_nothing_of_a_workspace_that_was_taken_away() {
    let mut farm = Farm::new(&[]);
    farm.registered("model", "m-1", None);
    let lease = farm.lease("model", 1, 0).unwrap();
    let (service, name) = (farm.farm.clone(), farm.service().to_string());
    let elsewhere = farm.site.person("hopper-g").workspace;
    let list = |farm: &mut Farm| {
        let all =
            |tx: &mut domicile::db::Tx<'_>| resources::list_of_service(tx, &service, None, None, None, 9).unwrap().rows;
        farm.site.read(all).len()
    };
    assert_eq!(list(&mut farm), 1);

    let only = WorkspaceGrant::only(vec![elsewhere]);
    farm.site.write(|tx| services::change(tx, &Actor::Operator, &name, None, only)).unwrap();

    assert_eq!(list(&mut farm), 0);
    let renewed = farm.site.write(|tx| resources::renew(tx, &service, lease.id, resources::LEASE_DEFAULT));
    assert!(matches!(renewed, Err(ResourceError::NoWorkspace)), "{renewed:?}");
    let deleted = farm.site.write(|tx| resources::delete_by_service(tx, &service, &id("m-1")));
    assert!(matches!(deleted, Err(ResourceError::NotFound)), "{deleted:?}");
}

#[test]
fn what_a_disconnected_service_keeps_is_moved_to_the_trash_and_free_at_once_when_it_is_deleted() {
    let mut farm = Farm::new(&[]);
    let project = farm.registered("project", "p-1", None);
    let model = farm.registered("model", "m-1", Some("p-1"));
    let trashed = farm.registered("dataset", "d-1", None);
    farm.trash(trashed).unwrap();
    let (other, workspace, service) = (farm.other.clone(), farm.ada.workspace, farm.service());
    let kept = NewResource { external_id: id("d-9"), ..farm.new_of("dataset", "d-9") };
    let kept = farm.site.write(|tx| resources::put(tx, &other, &kept)).unwrap().0.id;
    let left = |farm: &mut Farm| farm.site.read(|tx| resources::leftovers(tx, workspace).unwrap());
    let moved = |farm: &mut Farm, actor: &Actor, service| {
        farm.site.write(|tx| resources::trash_leftovers(tx, actor, workspace, service)).map(|part| part.moved)
    };
    let ada = farm.ada.by_browser();
    let before = farm.rows();
    assert_eq!(left(&mut farm), []);
    assert!(matches!(moved(&mut farm, &ada, service), Err(ResourceError::NotFound)), "it is connected");
    farm.site.write(|tx| services::disconnect(tx, &Actor::Operator, "farm")).unwrap();
    assert_eq!(farm.site.read(|tx| resources::count_active_of(tx, service).unwrap()), 2);
    let only = left(&mut farm);
    assert_eq!((only.len(), only[0].name.as_str(), only[0].items, only[0].size_bytes), (1, "farm", 2, 200));

    let (viewer, other_person) = (farm.member("viewer-v", Role::Viewer), farm.site.person("bob-bob").by_browser());
    let with_events = farm.rows();
    assert!(matches!(moved(&mut farm, &viewer, service), Err(ResourceError::NotAllowed)));
    assert!(matches!(moved(&mut farm, &other_person, service), Err(ResourceError::NotFound)));
    assert!(matches!(moved(&mut farm, &other, service), Err(ResourceError::NotFound)));
    assert_eq!(farm.rows(), with_events);
    assert!(with_events > before);

    assert_eq!(moved(&mut farm, &ada, service).unwrap(), 2);
    assert_eq!(moved(&mut farm, &ada, service).unwrap(), 0);
    assert_eq!(left(&mut farm), []);
    let ids = [project, model, trashed, kept];
    assert_eq!(farm.states(&ids), [State::Trashed, State::Trashed, State::Trashed, State::Active]);
    assert_eq!(farm.listed(&all()).total, 2, "the model is listed with its project");
    assert_eq!(farm.uses(LimitKey::Models), (400, 0, 1, 0));
    assert_eq!(farm.site.write(|tx| resources::empty_trash(tx, &ada, workspace)).unwrap().moved, 3);
    assert_eq!(farm.states(&ids), [State::Purged, State::Purged, State::Purged, State::Active]);
    assert_eq!(farm.uses(LimitKey::Models), (100, 0, 0, 0));
    assert!(farm.is_counted_right());
}
