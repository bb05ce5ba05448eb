//! What services keep for people: registered by version, limited, counted, trashed and deleted for good.

use std::sync::Arc;

use domicile::base::{Actor, ResourceId, Role, ServiceId, WorkspaceId, days};
use domicile::config::{LimitKey, Limits, Plan};
use domicile::db;
use domicile::inbox::{self, AckOutcome, Acknowledgement, CommandFilter, CommandKind};
use domicile::resources::{
    self, Change, ExternalId, Lease, NewLease, NewResource, Resource, ResourceError, ResourceName, Slug, State,
    TrashFilter, TrashPage,
};
use domicile::schedule::ACK_HANDLERS;
use rusqlite::named_params;

use crate::support::{Person, TestSite, create_service, default_settings};

mod counts;
mod large_trees;
mod leases;
mod notices;
mod plans;
mod register;
mod trash;

/// A site with a person, two services, and these limits.
struct Farm {
    site: TestSite,
    ada: Person,
    farm: Actor,
    other: Actor,
}

fn plan(limits: &[(LimitKey, i64)]) -> Plan {
    let with = |all: Limits, (key, limit): &(LimitKey, i64)| all.with(*key, Some(*limit));
    Plan { code: "free".into(), name: "Free".into(), limits: limits.iter().fold(Limits::default(), with) }
}

fn id(text: &str) -> ExternalId {
    ExternalId::parse(text).unwrap()
}

fn new(workspace: WorkspaceId, kind: &str, external: &str) -> NewResource {
    NewResource {
        external_id: id(external),
        workspace,
        kind: kind.into(),
        name: ResourceName::parse(&format!("The {external}")).unwrap(),
        slug: Slug::parse(external),
        parent: None,
        size_bytes: 100,
        version: 1,
    }
}

impl Farm {
    fn new(limits: &[(LimitKey, i64)]) -> Self {
        let mut site = TestSite::new();
        let ada = site.person("ada-l");
        let mut service = |name: &str| {
            let service = site.write(|tx| create_service(tx, name)).unwrap().0;
            Actor::Service { service: service.id, name: service.name, request: String::new() }
        };
        let (farm, other) = (service("farm"), service("other"));
        let mut own = Self { site, ada, farm, other };
        own.set_limits(limits);
        own
    }

    fn set_limits(&mut self, limits: &[(LimitKey, i64)]) {
        let mut settings = default_settings();
        settings.config.plans = vec![plan(limits)];
        self.site.settings = Arc::new(settings);
    }

    fn service(&self) -> ServiceId {
        self.farm.service().unwrap()
    }

    fn new_of(&self, kind: &str, external: &str) -> NewResource {
        new(self.ada.workspace, kind, external)
    }

    fn put(&mut self, new: &NewResource) -> Result<(Resource, Change), ResourceError> {
        let farm = self.farm.clone();
        self.site.write(|tx| resources::put(tx, &farm, new))
    }

    /// A new resource that nothing refuses.
    fn registered(&mut self, kind: &str, external: &str, parent: Option<&str>) -> ResourceId {
        let new = NewResource { parent: parent.map(id), ..self.new_of(kind, external) };
        self.put(&new).unwrap().0.id
    }

    fn find(&mut self, id: ResourceId) -> Resource {
        let (farm, service) = (self.farm.clone(), self.service());
        let external: String = self.site.read(|tx| {
            let sql = "select external_id from resource where id = :id and service_id = :service";
            tx.one(sql, named_params! {":id": id, ":service": service}, |row| row.get(0)).unwrap()
        });
        let found = self.site.read(|tx| resources::find_of_service(tx, &farm, &ExternalId::parse(&external).unwrap()));
        found.unwrap()
    }

    fn states(&mut self, ids: &[ResourceId]) -> Vec<State> {
        let state = |farm: &mut Self, id: &ResourceId| {
            let sql = "select state from resource where id = :id";
            let state: String = farm.site.read(|tx| tx.one(sql, named_params! {":id": id}, |row| row.get(0)).unwrap());
            State::parse(&state).unwrap()
        };
        ids.iter().map(|id| state(self, id)).collect()
    }

    fn trash(&mut self, id: ResourceId) -> Result<usize, ResourceError> {
        let (actor, workspace) = (self.ada.by_browser(), self.ada.workspace);
        self.site.write(|tx| resources::trash(tx, &actor, workspace, id))
    }

    fn restore(&mut self, id: ResourceId) -> Result<usize, ResourceError> {
        let (actor, workspace) = (self.ada.by_browser(), self.ada.workspace);
        self.site.write(|tx| resources::restore(tx, &actor, workspace, id))
    }

    fn delete(&mut self, id: ResourceId) -> Result<usize, ResourceError> {
        let (actor, workspace) = (self.ada.by_browser(), self.ada.workspace);
        self.site.write(|tx| resources::delete_for_good(tx, &actor, workspace, id))
    }

    fn listed(&mut self, filter: &TrashFilter) -> TrashPage {
        let workspace = self.ada.workspace;
        self.site.read(|tx| resources::list_trash(tx, workspace, filter).unwrap())
    }

    fn lease(&mut self, kind: &str, quantity: i64, size_bytes: i64) -> Result<Lease, ResourceError> {
        let (farm, workspace) = (self.farm.clone(), self.ada.workspace);
        let new = NewLease { workspace, kind: kind.into(), quantity, size_bytes, lasts: resources::LEASE_DEFAULT };
        self.site.write(|tx| resources::grant_lease(tx, &farm, &new))
    }

    /// Bytes that are used and reserved, and what is used and reserved of a limit.
    fn uses(&mut self, limit: LimitKey) -> (i64, i64, i64, i64) {
        let workspace = self.ada.workspace;
        let storage = self.site.read(|tx| resources::storage(tx, workspace).unwrap());
        let standing = storage.counts.iter().find(|standing| standing.limit == limit).unwrap();
        (storage.used_bytes, storage.reserved_bytes, standing.used, standing.reserved)
    }

    fn is_counted_right(&mut self) -> bool {
        let workspace = self.ada.workspace;
        self.site.read(|tx| resources::is_counted_right(tx, &Actor::System, workspace).unwrap())
    }

    /// The number of rows that only a change adds.
    fn rows(&mut self) -> i64 {
        let sql = "select (select count(*) from resource) + (select sum(version) from resource) + \
                   (select count(*) from audit_event) + (select count(*) from resource_lease) + \
                   (select count(*) from service_command)";
        self.site.read(|tx| tx.one(sql, [], |row| row.get::<_, Option<i64>>(0)).unwrap()).unwrap_or_default()
    }

    /// A member of the workspace with this role.
    fn member(&mut self, name: &str, role: Role) -> Actor {
        let person = self.site.person(name);
        let workspace = self.ada.workspace;
        let sql = "insert into membership (account_id, role, joined_at, workspace_id) values (:account, :role, 1, :workspace)";
        self.site
            .write(|tx| {
                tx.execute(sql, named_params! {":account": person.account.id, ":role": role, ":workspace": workspace})?;
                Ok::<_, db::Error>(())
            })
            .unwrap();
        let Actor::SignedIn { account, session, visitor, .. } = person.by_browser() else { panic!("not signed in") };
        Actor::SignedIn { account, workspace, session, visitor }
    }

    fn events(&mut self) -> Vec<String> {
        let ada = self.ada.clone();
        let all = self.site.events_of(&ada).into_iter();
        all.filter(|name| name.starts_with("resource.") || name.starts_with("activity.")).collect()
    }

    /// The service answers what it was asked to delete and has not answered. Returns how many.
    fn acknowledge(&mut self, outcome: AckOutcome) -> usize {
        let service = self.service();
        let mut purges = 0;
        loop {
            let filter = CommandFilter::Open;
            let open = self.site.read(|tx| inbox::list_commands(tx, service, filter, None, 100).unwrap()).rows;
            if open.is_empty() {
                return purges;
            }
            for command in &open {
                purges += usize::from(command.kind == CommandKind::ResourcePurge);
                let answer = Acknowledgement::new(outcome, "").unwrap();
                for _ in 0..2 {
                    self.site
                        .write(|tx| inbox::acknowledge(tx, ACK_HANDLERS, service, command.id, &answer))
                        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
                }
            }
        }
    }

    /// Moves the clock and runs the work of the night.
    fn after(&mut self, passed: u64) -> usize {
        self.site.clock.advance(days(passed));
        let deleted = self.site.write(resources::purge_due).unwrap();
        self.site.write(resources::send_purges).unwrap();
        deleted
    }
}
