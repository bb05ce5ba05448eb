//! Trees that are larger than what one transaction moves.

use domicile::base::{Actor, ResourceId, days};
use domicile::config::LimitKey;
use domicile::inbox::AckOutcome;
use domicile::resources::{self, CASCADE_STEP, ExternalId, NewResource, State, TrashFilter, flows};
use domicile::services;
use rusqlite::named_params;

use super::{Farm, id, new};
use crate::support::{Person, TestApp, create_service};

fn all() -> TrashFilter {
    TrashFilter { limit: 50, ..TrashFilter::default() }
}

#[test]
fn a_large_tree_is_moved_a_part_at_a_time() {
    let mut farm = Farm::new(&[]);
    let project = farm.registered("project", "p-1", None);
    let (service, step) = (farm.farm.clone(), CASCADE_STEP as usize);
    // 450 models in a project, and a deployment below the last one.
    let models: Vec<_> = (0..450).map(|number| format!("m-{number}")).collect();
    for part in models.chunks(1_000) {
        let new = |name: &String| Ok(NewResource { parent: Some(id("p-1")), ..farm.new_of("model", name) });
        let batch = part.iter().map(new).collect();
        assert_eq!(farm.site.write(|tx| resources::put_batch(tx, &service, batch, None)).unwrap().created, part.len());
    }
    farm.registered("deployment", "x-1", Some("m-449"));
    let counts = |farm: &mut Farm| {
        let sql = "select coalesce(sum(state = 'active'), 0), coalesce(sum(state = 'trashed'), 0), \
                   coalesce(sum(state = 'purging'), 0) from resource";
        farm.site.read(|tx| tx.one(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap())
    };
    let follow = |farm: &mut Farm| {
        let mut parts = Vec::new();
        loop {
            let followers = farm.site.read(|tx| resources::list_followers(tx, CASCADE_STEP).unwrap());
            match farm.site.write(|tx| resources::move_followers(tx, &followers)).unwrap() {
                0 => return parts,
                moved => parts.push(moved),
            }
        }
    };

    assert_eq!(farm.trash(project).unwrap() + 1, step);
    assert_eq!(counts(&mut farm), (202, 250, 0));
    // Restored before the rest has followed, and moved again.
    farm.restore(project).unwrap();
    assert_eq!((follow(&mut farm), counts(&mut farm)), (vec![], (452, 0, 0)));
    farm.trash(project).unwrap();
    assert_eq!(follow(&mut farm), [201, 1], "the deployment follows its model");
    assert_eq!((follow(&mut farm), counts(&mut farm)), (vec![], (0, 452, 0)));
    let listed = farm.listed(&all());
    assert_eq!((listed.total, listed.items[0].cascaded), (1, 451));
    assert!(farm.is_counted_right());

    assert_eq!(farm.restore(project).unwrap() + 1, step);
    assert_eq!((follow(&mut farm), counts(&mut farm)), (vec![201, 1], (452, 0, 0)));

    farm.trash(project).unwrap();
    assert_eq!(farm.delete(project).unwrap(), step);
    assert_eq!(counts(&mut farm).2, 250);
    // The project is deleted last, so that nothing is left without it.
    let asked = |farm: &mut Farm| {
        let sql =
            "select count(*) from service_command where kind = 'resource.purge' and payload_json like '%\"p-1\"%'";
        farm.site.read(|tx| tx.one(sql, [], |row| row.get::<_, i64>(0)).unwrap())
    };
    farm.site.write(resources::send_purges).unwrap();
    assert_eq!(asked(&mut farm), 0);
    follow(&mut farm);
    assert_eq!(counts(&mut farm), (0, 0, 452));
    while farm.site.write(resources::send_purges).unwrap() > 0 {}
    assert_eq!(asked(&mut farm), 1);
    assert_eq!(farm.acknowledge(AckOutcome::Done), 452);
    assert_eq!(farm.uses(LimitKey::Models), (0, 0, 0, 0));
    assert!(farm.is_counted_right());
}

/// A project with 260 models, each with a deployment below it, which is smaller than all of them.
fn deep_project(farm: &mut Farm) -> ResourceId {
    let project = farm.registered("project", "p-1", None);
    let service = farm.farm.clone();
    let mut put = |kind: &str, prefix: &str, above: &dyn Fn(usize) -> String, size_bytes| {
        let new = |number| {
            let name = format!("{prefix}-{number}");
            Ok(NewResource { parent: Some(id(&above(number))), size_bytes, ..farm.new_of(kind, &name) })
        };
        let batch = (0..260).map(new).collect();
        assert_eq!(farm.site.write(|tx| resources::put_batch(tx, &service, batch, None)).unwrap().created, 260);
    };
    put("model", "m", &|_| "p-1".to_owned(), 1_000);
    put("deployment", "x", &|number| format!("m-{number}"), 10);
    project
}

/// The id of a resource of the farm.
fn named(farm: &mut Farm, external: &str) -> ResourceId {
    let service = farm.farm.clone();
    let external = ExternalId::parse(external).unwrap();
    farm.site.read(|tx| resources::find_of_service(tx, &service, &external)).unwrap().id
}

fn follow(farm: &mut Farm) -> usize {
    let mut moved = 0;
    loop {
        let followers = farm.site.read(|tx| resources::list_followers(tx, CASCADE_STEP).unwrap());
        if followers.is_empty() {
            return moved;
        }
        let more = farm.site.write(|tx| resources::move_followers(tx, &followers)).unwrap();
        assert!(more > 0, "what is listed can be moved: {followers:?}");
        moved += more;
    }
}

fn in_state(farm: &mut Farm, state: &str) -> i64 {
    let sql = "select count(*) from resource where state = :state";
    farm.site.read(|tx| tx.one(sql, named_params! {":state": state}, |row| row.get(0)).unwrap())
}

#[test]
fn a_deep_tree_comes_back_as_a_whole_and_nothing_of_it_stays_hidden_in_the_trash() {
    let mut farm = Farm::new(&[]);
    let project = deep_project(&mut farm);
    farm.trash(project).unwrap();
    follow(&mut farm);
    assert_eq!(in_state(&mut farm, "trashed"), 521);

    farm.restore(project).unwrap();
    let below = "select count(*) from resource c join resource p on p.id = c.parent_id \
                 where c.state = 'active' and p.state = 'trashed'";
    let read = |farm: &mut Farm| farm.site.read(|tx| tx.one(below, [], |row| row.get::<_, i64>(0)).unwrap());
    assert_eq!(read(&mut farm), 0, "what is above comes back first");
    follow(&mut farm);
    assert_eq!((in_state(&mut farm, "active"), farm.listed(&all()).total), (521, 0));
    assert!(farm.is_counted_right());
}

#[test]
fn a_tree_that_is_restored_while_it_is_moved_to_the_trash_comes_back() {
    let mut farm = Farm::new(&[]);
    let project = deep_project(&mut farm);
    farm.trash(project).unwrap();
    farm.restore(project).unwrap();
    follow(&mut farm);
    assert_eq!(in_state(&mut farm, "active"), 521);
    // One model went before, with what is below it, and stays.
    let model = named(&mut farm, "m-7");
    farm.trash(model).unwrap();
    farm.trash(project).unwrap();
    follow(&mut farm);
    farm.restore(project).unwrap();
    follow(&mut farm);
    assert_eq!((in_state(&mut farm, "active"), in_state(&mut farm, "trashed")), (519, 2));
    assert_eq!((farm.listed(&all()).total, farm.restore(model).unwrap()), (1, 1));
}

#[test]
fn all_of_a_large_tree_is_deleted_for_good_also_what_was_in_the_trash_before() {
    let mut farm = Farm::new(&[]);
    let project = deep_project(&mut farm);
    for number in 250..260 {
        let model = named(&mut farm, &format!("m-{number}"));
        farm.trash(model).unwrap();
    }
    farm.trash(project).unwrap();
    follow(&mut farm);
    assert_eq!(farm.listed(&all()).total, 11);
    farm.delete(project).unwrap();
    follow(&mut farm);
    assert_eq!((in_state(&mut farm, "purging"), farm.listed(&all()).total), (521, 0));
    while farm.site.write(resources::send_purges).unwrap() > 0 {}
    // What its service cannot delete waits in the trash, and is asked for again the next day.
    farm.acknowledge(AckOutcome::Failed);
    assert_eq!((in_state(&mut farm, "trashed"), follow(&mut farm)), (521, 0));
    farm.site.clock.advance(days(1));
    while farm.site.write(resources::purge_due).unwrap() > 0 {}
    assert_eq!(in_state(&mut farm, "purging"), 521);
    while farm.site.write(resources::send_purges).unwrap() > 0 {}
    farm.acknowledge(AckOutcome::Done);
    assert_eq!(in_state(&mut farm, "purged"), 521);
    assert!(farm.is_counted_right());
}

#[test]
fn a_large_tree_that_expires_is_one_event() {
    let mut farm = Farm::new(&[]);
    let project = deep_project(&mut farm);
    farm.trash(project).unwrap();
    follow(&mut farm);
    farm.site.clock.advance(days(31));
    while farm.site.write(resources::purge_due).unwrap() > 0 {}
    follow(&mut farm);
    assert_eq!(in_state(&mut farm, "purging"), 521);
    let sql = "select count(*) from audit_event where event = 'resource.expired'";
    assert_eq!(farm.site.read(|tx| tx.one(sql, [], |row| row.get::<_, i64>(0)).unwrap()), 1);
}

#[test]
fn a_large_tree_that_its_service_deletes_follows_a_part_at_a_time() {
    let mut farm = Farm::new(&[]);
    let project = deep_project(&mut farm);
    let service = farm.farm.clone();
    farm.site.write(|tx| resources::delete_by_service(tx, &service, &id("p-1"))).unwrap();
    assert_eq!(in_state(&mut farm, "active"), 271, "others can write in between");
    assert_eq!(farm.states(&[project]), [State::Purging]);
    follow(&mut farm);
    while farm.site.write(resources::send_purges).unwrap() > 0 {}
    assert_eq!(farm.acknowledge(AckOutcome::Done), 521);
    assert_eq!(in_state(&mut farm, "purged"), 521);
}

#[test]
fn what_a_disconnected_service_keeps_goes_to_the_trash_with_what_is_above_it() {
    let mut farm = Farm::new(&[]);
    let project = deep_project(&mut farm);
    let (ada, workspace, service) = (farm.ada.by_browser(), farm.ada.workspace, farm.service());
    farm.site.write(|tx| services::disconnect(tx, &Actor::Operator, "farm")).unwrap();
    let moved =
        |farm: &mut Farm| farm.site.write(|tx| resources::trash_leftovers(tx, &ada, workspace, service)).unwrap();
    let first = moved(&mut farm);
    assert_eq!((first.moved, first.unfinished), (250, vec![project]));
    assert_eq!(moved(&mut farm).moved, 0, "the rest follows and is no item of its own");
    follow(&mut farm);
    let listed = farm.listed(&all());
    assert_eq!((listed.total, listed.items[0].cascaded), (1, 520));
}

/// A project of this person with 260 models, each with a deployment.
fn project_of(site: &TestApp, service: &Actor, person: &Person, prefix: &str) -> ResourceId {
    let put = |kind: &'static str, names: Vec<(String, Option<String>)>| {
        let (by, workspace) = (service.clone(), person.workspace);
        let batch = names
            .into_iter()
            .map(|(name, above)| Ok(NewResource { parent: above.as_deref().map(id), ..new(workspace, kind, &name) }));
        let batch: Vec<_> = batch.collect();
        site.write(move |tx| resources::put_batch(tx, &by, batch, None)).unwrap();
    };
    put("project", vec![(format!("{prefix}-p"), None)]);
    put("model", (0..260).map(|n| (format!("{prefix}-m-{n}"), Some(format!("{prefix}-p")))).collect());
    put("deployment", (0..260).map(|n| (format!("{prefix}-x-{n}"), Some(format!("{prefix}-m-{n}")))).collect());
    let (by, name) = (service.clone(), id(&format!("{prefix}-p")));
    site.read(|view| resources::find_of_service(view, &by, &name).unwrap()).id
}

#[test]
fn a_request_moves_all_of_its_own_tree_and_nothing_of_another() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let farm = site.write(|tx| create_service(tx, "farm")).unwrap().0;
    let service = Actor::Service { service: farm.id, name: farm.name, request: String::new() };
    let own = project_of(&site, &service, &ada, "a");
    let other = project_of(&site, &service, &bob, "b");
    let (by_bob, of_bob) = (bob.by_browser(), bob.workspace);
    // A part of it, as if its request was interrupted.
    site.write(move |tx| resources::trash(tx, &by_bob, of_bob, other)).unwrap();
    let (actor, workspace) = (ada.by_browser(), ada.workspace);
    let states = |person: &Person| {
        let sql =
            "select state || ' ' || count(*) from resource where workspace_id = :id group by state order by state";
        let id = person.workspace;
        site.read(|view| view.list(sql, named_params! {":id": id}, |row| row.get::<_, String>(0)).unwrap())
    };
    let untouched = ["active 271", "trashed 250"];

    assert_eq!(site.block_on(flows::trash(&site.app, actor.clone(), workspace, own)).unwrap(), 520);
    assert_eq!((states(&ada), states(&bob)), (vec!["trashed 521".to_owned()], untouched.map(str::to_owned).to_vec()));
    assert_eq!(site.block_on(flows::restore(&site.app, actor.clone(), workspace, own)).unwrap(), 520);
    assert_eq!(states(&ada), ["active 521"]);
    site.block_on(flows::trash(&site.app, actor.clone(), workspace, own)).unwrap();
    assert_eq!(site.block_on(flows::empty_trash(&site.app, actor, workspace)).unwrap(), 521);
    assert_eq!((states(&ada), states(&bob)), (vec!["purging 521".to_owned()], untouched.map(str::to_owned).to_vec()));

    assert_eq!(site.block_on(flows::move_followers(&site.app)).unwrap(), 271, "the job moves what was interrupted");
    assert_eq!(states(&bob), ["trashed 521"]);
}
