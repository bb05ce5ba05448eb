//! What services had and what was deleted at them, in a database that is restored from a backup of before.

use domicile::base::{Actor, ResourceId, ServiceId, hours};
use domicile::config::Egress;
use domicile::inbox::{self, AckOutcome, Acknowledgement, CommandFilter, CommandKind};
use domicile::privacy::erasures::{self, ServiceAnswer};
use domicile::resources::{self, ExternalId, NewResource, ResourceError, ResourceName};
use domicile::schedule::ACK_HANDLERS;
use domicile::services::{Manifest, ManifestDraft};
use domicile::{privacy, services};
use rusqlite::named_params;

use super::replay::Backup;
use crate::support::{Person, TestApp, create_service};

#[test]
fn addresses_and_secrets_of_webhooks_that_were_replaced_do_not_come_back() {
    let site = TestApp::with(|config| {
        let region = config.region.clone();
        config.egress.push(Egress { host: "127.0.0.1".into(), region, purpose: "webhooks".into() });
    });
    let names = ["moved", "removed", "rotated", "new", "kept"];
    let [moved, removed, rotated, new, kept] =
        names.map(|name| site.write(move |tx| create_service(tx, name)).unwrap().0.id);
    let set = |service: ServiceId, path: Option<&str>| {
        let url = path.map(|path| format!("http://127.0.0.1:9/{path}"));
        site.write(move |tx| inbox::set_webhook(tx, &Actor::Operator, service, url.as_deref()).map(drop)).unwrap();
    };
    [moved, removed, rotated, kept].into_iter().for_each(|service| set(service, Some("old")));
    for service in [moved, rotated] {
        site.write(move |tx| inbox::ping(tx, service)).unwrap();
    }
    let backup = Backup::of(&site);

    set(moved, Some("new"));
    set(removed, None);
    set(new, Some("first"));
    site.write(move |tx| inbox::rotate_webhook_secret(tx, &Actor::Operator, rotated, hours(0)).map(drop)).unwrap();
    let (restored, replayed) = backup.restored_with_journal_of(&site);

    assert_eq!((replayed.lines, replayed.changed), (3, 3), "a first address ends nothing");
    let url = |service| restored.read(|view| inbox::webhook(view, service).unwrap()).map(|endpoint| endpoint.url);
    let old = || Some("http://127.0.0.1:9/old".to_owned());
    assert_eq!([moved, removed, rotated, new, kept].map(url), [Some(None), Some(None), None, None, Some(old())]);
    assert_eq!(restored.number("select count(*) from service_command where next_at is not null"), 0);
    // The replaced secret signs nothing any more, and the next one is new.
    let secret = |service| restored.write(move |tx| inbox::create_webhook_secret(tx, service)).unwrap();
    assert!(secret(rotated).is_some() && secret(kept).is_none());
}

fn new(person: &Person, id: &str, kind: &str, parent: Option<&str>) -> NewResource {
    NewResource {
        external_id: ExternalId::parse(id).unwrap(),
        workspace: person.workspace,
        kind: kind.into(),
        name: ResourceName::parse(&format!("The {id}")).unwrap(),
        slug: None,
        parent: parent.and_then(ExternalId::parse),
        size_bytes: 100,
        version: 1,
    }
}

#[test]
fn what_was_deleted_for_good_does_not_come_back() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let farm = site.write(|tx| create_service(tx, "farm")).unwrap().0;
    let gone = site.write(|tx| create_service(tx, "gone")).unwrap().0;
    let actor = |service: &services::Service| Actor::Service {
        service: service.id,
        name: service.name.clone(),
        request: String::new(),
    };
    let (by_farm, by_gone, service) = (actor(&farm), actor(&gone), farm.id);
    let put = |site: &TestApp, by: &Actor, new: NewResource| {
        let by = by.clone();
        site.write(move |tx| resources::put(tx, &by, &new)).map(|(resource, _)| resource.id)
    };
    let project = put(&site, &by_farm, new(&ada, "p-1", "project", None)).unwrap();
    let model = put(&site, &by_farm, new(&ada, "m-1", "model", Some("p-1"))).unwrap();
    let moved = put(&site, &by_farm, new(&ada, "m-2", "model", Some("p-1"))).unwrap();
    let own = put(&site, &by_farm, new(&ada, "d-1", "dataset", None)).unwrap();
    let freed = put(&site, &by_gone, new(&ada, "d-1", "dataset", None)).unwrap();
    let kept = put(&site, &by_farm, new(&ada, "d-2", "dataset", None)).unwrap();
    let backup = Backup::of(&site);

    // One of its models is moved to another project. A person deletes the project with the other one, and the service has deleted the
    // project so far.
    put(&site, &by_farm, new(&ada, "p-2", "project", None)).unwrap();
    put(&site, &by_farm, NewResource { version: 2, ..new(&ada, "m-2", "model", Some("p-2")) }).unwrap();
    put(&site, &by_farm, new(&ada, "late", "dataset", None)).unwrap();
    let (person, workspace) = (ada.by_browser(), ada.workspace);
    site.write(move |tx| {
        resources::trash(tx, &person, workspace, project)?;
        resources::delete_for_good(tx, &person, workspace, project)?;
        resources::trash(tx, &person, workspace, freed)?;
        services::disconnect(tx, &Actor::Operator, "gone").unwrap();
        resources::delete_for_good(tx, &person, workspace, freed)
    })
    .unwrap();
    let open = site.read(|view| inbox::list_commands(view, service, CommandFilter::Open, None, 100).unwrap()).rows;
    let is_of_project = |command: &&inbox::Command| command.data["resource"] == "p-1";
    let purge =
        open.iter().filter(is_of_project).find(|command| command.kind == CommandKind::ResourcePurge).unwrap().id;
    let said = Acknowledgement::new(AckOutcome::Done, "").unwrap();
    site.write(move |tx| inbox::acknowledge(tx, ACK_HANDLERS, service, purge, &said)).unwrap();
    // The service deletes two by itself.
    for id in ["d-1", "late"] {
        let (by, id) = (by_farm.clone(), ExternalId::parse(id).unwrap());
        site.write(move |tx| resources::delete_by_service(tx, &by, &id)).unwrap();
    }
    let (restored, replayed) = backup.restored_with_journal_of(&site);

    // The disconnection is a line, too.
    assert_eq!((replayed.lines, replayed.changed), (5, 5));
    let state = |id: ResourceId| {
        let sql = "select state from resource where id = :id";
        restored.read(|view| view.one(sql, named_params! {":id": id}, |row| row.get::<_, String>(0)).unwrap())
    };
    let states = [project, moved, own, freed, kept].map(state);
    assert_eq!(states, ["purged", "active", "purged", "purged", "active"], "the model in the other project stays");
    // What was not confirmed is as in the backup, and alone.
    assert_eq!(state(model), "active");
    let sql = "select count(*) from resource where parent_id is not null";
    assert_eq!(restored.number(sql), 0);
    for id in ["p-1", "d-1", "late"] {
        let again = put(&restored, &by_farm, new(&ada, id, "dataset", None));
        assert!(matches!(again, Err(ResourceError::Deleted)), "{id}: {again:?}");
    }
    assert!(put(&restored, &by_farm, new(&ada, "fresh", "dataset", None)).is_ok());
    assert!(restored.read(|view| resources::is_counted_right(view, &Actor::System, workspace).unwrap()));
    assert_eq!(restored.columns_with("The p-1"), Vec::<String>::new());
}

#[test]
fn services_are_asked_again_to_erase_people_whose_erasure_the_backup_does_not_know() {
    let site = TestApp::new();
    let (ada, farm) = (site.person("ada-ada"), site.write(|tx| create_service(tx, "farm")).unwrap().0);
    let actor = Actor::Service { service: farm.id, name: farm.name.clone(), request: String::new() };
    let manifest = Manifest::new(ManifestDraft { version: 1, can_erase: true, ..Default::default() }).unwrap();
    site.write(move |tx| services::put_manifest(tx, &actor, &manifest)).unwrap();
    let backup = Backup::of(&site);
    // The backup does not have this person at all.
    let bob = site.person("bob-bob");
    let receipts = [&ada, &bob].map(|person| {
        let id = person.account.id;
        site.write(move |tx| privacy::erase(tx, &Actor::Operator, id)).unwrap().id
    });
    let to_erase = |site: &TestApp| {
        site.read(|view| inbox::list_commands(view, farm.id, CommandFilter::Open, None, 100).unwrap()).rows
    };
    for command in to_erase(&site) {
        let said = Acknowledgement::new(AckOutcome::Done, "").unwrap();
        site.write(move |tx| inbox::acknowledge(tx, ACK_HANDLERS, farm.id, command.id, &said)).unwrap();
    }
    assert!(to_erase(&site).is_empty());

    let (restored, replayed) = backup.restored_with_journal_of(&site);

    assert_eq!((replayed.lines, replayed.erased), (2, 1));
    let mut asked: Vec<_> =
        to_erase(&restored).iter().map(|command| (command.kind, command.subject.unwrap())).collect();
    asked.sort_by_key(|(_, subject)| *subject);
    let mut expected = [ada.account.id, bob.account.id].map(|id| (CommandKind::DsrErase, id)).to_vec();
    expected.sort_by_key(|(_, subject)| *subject);
    assert_eq!(asked, expected);
    for receipt in receipts {
        let report = restored.read(|view| erasures::find(view, receipt).unwrap()).unwrap();
        assert!(!report.is_final() && report.is_log_emptied && report.is_snapshot_replaced, "{report:?}");
        assert_eq!(report.services[0].answer, ServiceAnswer::Requested);
    }
}
