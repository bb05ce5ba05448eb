//! What a service may do, and in which workspaces.

use domicile::base::{Credits, ServiceId, Timestamp, WorkspaceId};
use domicile::billing::usage::{self, Fault};
use domicile::inbox::{self, CommandOutcome};
use domicile::services::{Grant, ServiceName, ServiceScope, ServiceScopes, WorkspaceGrant};

use super::*;
use crate::support::{Person, START, UsageBuilder};

fn only(workspaces: &[WorkspaceId]) -> WorkspaceGrant {
    WorkspaceGrant::only(workspaces.to_vec()).unwrap()
}

fn create_limited(site: &TestApp, name: &'static str, grant: Grant) -> (Service, Secret<String>) {
    let name = ServiceName::parse(name).unwrap();
    site.write(move |tx| services::create(tx, &Actor::Operator, &name, grant)).unwrap()
}

fn change(
    site: &TestApp,
    actor: &Actor,
    scopes: Option<&str>,
    workspaces: Option<WorkspaceGrant>,
) -> Result<(Service, bool), ServiceError> {
    let (actor, scopes) = (actor.clone(), scopes.map(|names| ServiceScopes::parse(names).unwrap()));
    site.write(move |tx| services::change(tx, &actor, "training", scopes, workspaces))
}

#[test]
fn a_change_is_in_force_at_the_next_request() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let (service, credential) = create_limited(&site, "training", Grant::default());
    let callers = Callers::new(site.app.clone());
    let caller = || callers.find(credential.expose()).unwrap().unwrap();
    assert!(caller().require(ServiceScope::UsageWrite).is_ok() && caller().workspaces().is_none());

    let (changed, is_changed) =
        change(&site, &Actor::Operator, Some("keys:verify"), Some(only(&[ada.workspace]))).unwrap();

    assert!(is_changed && changed.id == service.id);
    assert_eq!(caller().service.grant, changed.grant);
    assert_eq!(caller().require(ServiceScope::UsageWrite).unwrap_err().code, "insufficient_scope");
    assert_eq!(caller().workspaces(), Some(&[ada.workspace][..]));
    assert_eq!(site.read(|view| services::find(view, "training").unwrap().grant), changed.grant);
    // The same again records nothing.
    let events = site.growth(|| drop(change(&site, &Actor::Operator, Some("keys:verify"), None).unwrap()));
    assert!(events.iter().all(|(_, more)| *more == 0), "{events:?}");
    change(&site, &Actor::Operator, None, Some(WorkspaceGrant::All)).unwrap();
    assert_eq!(caller().workspaces(), None);
}

fn may_touch(site: &TestApp, service: ServiceId, workspace: WorkspaceId) -> bool {
    site.read(|view| services::may_touch(view, service, workspace).unwrap())
}

#[test]
fn another_workspace_does_not_exist_for_a_limited_service() {
    let site = TestApp::new();
    let [ada, bob] = ["ada-ada", "bob-bob"].map(|name| site.person(name));
    let grant = Grant { workspaces: only(&[ada.workspace]), ..Grant::default() };
    let (limited, _) = create_limited(&site, "training", grant);
    let (other, _) = create_limited(&site, "farm", Grant::default());
    let missing = WorkspaceId::from_u128(7);

    let seen = |service: ServiceId| [ada.workspace, bob.workspace, missing].map(|id| may_touch(&site, service, id));
    assert_eq!((seen(limited.id), seen(other.id)), ([true, false, false], [true, true, false]));

    let event = |id: &str, workspace| Ok(UsageBuilder::new(workspace, id, Timestamp::parse(START).unwrap()).build());
    let actor = Actor::Service { service: limited.id, name: limited.name, request: String::new() };
    let batch = [event("1", ada.workspace), event("2", bob.workspace), event("3", missing)];
    let answer = site.write(move |tx| usage::record_batch(tx, &actor, &batch)).unwrap();
    let faults: Vec<_> = answer.rejected.iter().map(|rejected| (rejected.index, rejected.fault.clone())).collect();
    assert_eq!((answer.accepted, faults), (1, vec![(1, Fault::UnknownWorkspace), (2, Fault::UnknownWorkspace)]));
    let balance = site.read(|view| domicile::billing::ledger::balance(view, bob.workspace).unwrap());
    assert_eq!(balance, Credits::whole(5), "the credit of the sign-up");
}

#[test]
fn only_operators_manage_services() {
    let site = TestApp::new();
    let [ada, operator] = ["ada-ada", "op-op-op"].map(|name| site.person(name));
    let id = operator.account.id;
    site.write(move |tx| tx.execute("update account set is_operator = 1 where id = ?1", [id]).map(drop)).unwrap();
    let (service, _) = create_limited(&site, "training", Grant::default());
    let attempts = |actor: &Actor| {
        let [a, b, c, d] = [0; 4].map(|_| actor.clone());
        let name = ServiceName::parse("other").unwrap();
        [
            site.write(move |tx| services::create(tx, &a, &name, Grant::default()).map(drop)),
            site.write(move |tx| services::rotate(tx, &b, "training", hours(1)).map(drop)),
            site.write(move |tx| services::revoke(tx, &c, "training", None).map(drop)),
            change(&site, actor, Some("usage:write"), None).map(drop),
            site.write(move |tx| services::disconnect(tx, &d, "training").map(drop)),
        ]
    };
    let before = site.footprint();
    let own = Actor::Service { service: service.id, name: service.name, request: String::new() };
    for actor in [ada.by_browser(), own, Actor::Anonymous(site.visitor())] {
        for refused in attempts(&actor) {
            assert!(matches!(refused, Err(ServiceError::NotAllowed)), "{refused:?}");
        }
    }
    assert_eq!(site.footprint(), before);
    for allowed in attempts(&operator.by_browser()) {
        assert!(allowed.is_ok(), "{allowed:?}");
    }
    let suspended: &Person = &operator;
    site.suspend(suspended);
    assert!(matches!(change(&site, &suspended.by_browser(), Some(""), None), Err(ServiceError::NotAllowed)));
}

#[test]
fn a_disconnected_service_is_refused_and_its_name_is_free() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let (old, credential) = create_limited(&site, "training", Grant::default());
    let callers = Callers::new(site.app.clone());
    assert!(service_of(&site, &callers, &credential).is_some() && may_touch(&site, old.id, ada.workspace));
    let service = old.id;
    let ping = site.write(move |tx| inbox::ping(tx, service)).unwrap();

    let ended = site.write(|tx| services::disconnect(tx, &Actor::Operator, "training")).unwrap();

    assert_eq!(ended.disconnected_at, Some(site.clock.now()));
    let ping = site.read(|view| inbox::find_command(view, ping).unwrap()).unwrap();
    assert_eq!(ping.end.map(|end| end.outcome), Some(CommandOutcome::Cancelled), "it can acknowledge nothing any more");
    assert!(service_of(&site, &callers, &credential).is_none() && !may_touch(&site, old.id, ada.workspace));
    let id = old.id.to_string();
    let again = [
        site.write(|tx| services::disconnect(tx, &Actor::Operator, "training").map(drop)),
        site.write(move |tx| services::rotate(tx, &Actor::Operator, &id, hours(1)).map(drop)),
        change(&site, &Actor::Operator, Some("keys:verify"), None).map(drop),
    ];
    for refused in again {
        assert!(matches!(refused, Err(ServiceError::Disconnected)), "{refused:?}");
    }
    let (new, other) = create_limited(&site, "training", Grant::default());
    assert!(service_of(&site, &callers, &other).is_some() && service_of(&site, &callers, &credential).is_none());
    let found = |name: &str| site.read(|view| services::find(view, name).unwrap().id);
    assert_eq!((found("training"), found(&old.id.to_string())), (new.id, old.id));
    let taken = ServiceName::parse("training").unwrap();
    let taken = site.write(move |tx| services::create(tx, &Actor::Operator, &taken, Grant::default()).map(drop));
    assert!(matches!(taken, Err(ServiceError::NameTaken)), "{taken:?}");
}

#[test]
fn a_workspace_that_does_not_exist_is_refused_and_an_erased_one_leaves_the_list() {
    let site = TestApp::new();
    let [ada, bob] = ["ada-ada", "bob-bob"].map(|name| site.person(name));
    create(&site, "training");
    let refused = change(&site, &Actor::Operator, None, Some(only(&[ada.workspace, WorkspaceId::from_u128(7)])));
    assert!(matches!(refused, Err(ServiceError::Workspace)), "{refused:?}");
    change(&site, &Actor::Operator, None, Some(only(&[ada.workspace, bob.workspace]))).unwrap();

    let erased = bob.account.id;
    site.write(move |tx| domicile::privacy::erase(tx, &Actor::Operator, erased).map(drop)).unwrap();

    let left = site.read(|view| services::find(view, "training").unwrap().grant.workspaces);
    assert_eq!(left, only(&[ada.workspace]));
}

#[test]
fn every_service_has_the_built_in_types() {
    let site = TestApp::new();
    let (service, _) = create_limited(&site, "training", Grant::default());
    let find = |name| site.read(|view| services::resource_type(view, service.id, name).unwrap());
    let model = find("model").unwrap();
    assert_eq!((model.parent.as_deref(), model.limit.unwrap().as_str()), (Some("project"), "models"));
    assert_eq!(find("dataset").unwrap().category.unwrap().as_str(), "datasets");
    assert!(find("Model").is_none() && find("").is_none());
    assert_eq!(site.read(|view| services::resource_types(view, service.id).unwrap().len()), 5);
}
