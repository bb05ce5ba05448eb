//! Lists use indexes, however much a workspace has.

use std::time::Instant;

use domicile::base::{Actor, ResourceId};
use domicile::config::LimitKey;
use domicile::db;
use domicile::resources::{
    self, BATCH_MAX, COUNT_STATEMENTS, LEASE_STATEMENTS, LIST_STATEMENTS, PURGING_STATEMENTS, SYNC_STATEMENTS,
    TRASH_STATEMENTS, TrashFilter,
};

use super::new;
use crate::support::{TestApp, create_service, rounds};

/// Statements that read all rows of a workspace, at night or when a person asks for it.
const COUNTS_ALL: [&str; 2] = ["sum(state <> 'purged') as used", "sum((state <> 'purged') * size_bytes) as size_bytes"];

#[test]
fn no_list_reads_a_whole_table_or_sorts_it() {
    let connection = db::in_memory().unwrap();
    let lists =
        [LIST_STATEMENTS, TRASH_STATEMENTS, PURGING_STATEMENTS, SYNC_STATEMENTS, COUNT_STATEMENTS, LEASE_STATEMENTS];
    for statement in lists.concat() {
        let mut explained = connection.prepare(&format!("explain query plan {statement}")).unwrap();
        let rows = explained.raw_query();
        let steps: Vec<String> = rows.mapped(|row| row.get::<_, String>("detail")).map(Result::unwrap).collect();
        let is_bad = |step: &&String| {
            let scans = step.starts_with("SCAN")
                && !step.contains("USING")
                && !step.contains("listed")
                && !step.contains("matched");
            // A page of at most 200 rows is sorted after it was found.
            let sorts = step.contains("USE TEMP B-TREE FOR ORDER BY") && !statement.contains("listed (id)");
            scans && step.contains("resource") || sorts
        };
        let counts = COUNTS_ALL.iter().any(|part| statement.contains(part));
        let bad: Vec<_> = steps.iter().filter(is_bad).collect();
        assert!(bad.is_empty() || counts, "{bad:?} in {statement}");
    }
}

#[test]
fn the_trash_is_searched_in_its_index_alone() {
    let connection = db::in_memory().unwrap();
    let searches: Vec<_> =
        TRASH_STATEMENTS.iter().filter(|statement| statement.contains("name like :pattern")).collect();
    assert_eq!(searches.len(), 2);
    for statement in searches {
        let mut explained = connection.prepare(&format!("explain query plan {statement}")).unwrap();
        let rows = explained.raw_query();
        let steps: Vec<String> = rows.mapped(|row| row.get::<_, String>("detail")).map(Result::unwrap).collect();
        let reads_all: Vec<_> = steps.iter().filter(|step| step.contains("resource_trash ")).collect();
        assert!(reads_all.len() == 1 && reads_all[0].contains("USING COVERING INDEX"), "{steps:?}");
    }
}

/// Resources of the large workspace: in a quick run, in a deep one.
const MANY: (usize, usize) = (3_000, 100_000);

#[test]
fn many_resources_are_registered_listed_and_counted() {
    let many = std::env::var("MANY").ok().and_then(|many| many.parse().ok()).unwrap_or(rounds(MANY.0, MANY.1));
    let site = TestApp::new();
    let person = site.person("ada-l");
    let service = site.write(|tx| create_service(tx, "farm")).unwrap().0;
    let farm = Actor::Service { service: service.id, name: service.name, request: String::new() };
    let (workspace, ada) = (person.workspace, person.by_browser());
    let begin = Instant::now();
    for first in (0..many).step_by(BATCH_MAX) {
        let kinds = ["model", "dataset", "project"];
        let batch = (first..many.min(first + BATCH_MAX))
            .map(|number| Ok(new(workspace, kinds[number % 3], &format!("r-{number}"))))
            .collect();
        let farm = farm.clone();
        let result = site.write(move |tx| resources::put_batch(tx, &farm, batch, None)).unwrap();
        assert_eq!((result.rejected.len(), result.updated), (0, 0));
    }
    eprintln!("{many} registered in {:?}", begin.elapsed());
    let all: Vec<ResourceId> =
        site.read(|view| view.list("select id from resource order by id", [], |row| row.get(0)).unwrap());
    let begin = Instant::now();
    for part in all.chunks(500).take(many / 1000) {
        let (ada, part) = (ada.clone(), part.to_vec());
        site.write(move |tx| part.iter().try_for_each(|id| resources::trash(tx, &ada, workspace, *id).map(drop)))
            .unwrap();
    }
    eprintln!("{} trashed in {:?}", many / 1000 * 500, begin.elapsed());
    let timed = |what: &str, read: &dyn Fn()| {
        read();
        let mut times: Vec<_> = (0..50)
            .map(|_| {
                let begin = Instant::now();
                read();
                begin.elapsed()
            })
            .collect();
        times.sort_unstable();
        eprintln!("{what}: median {:?}, worst {:?}", times[25], times[49]);
    };
    let trash = |filter: TrashFilter| {
        site.read(|view| assert_eq!(resources::list_trash(view, workspace, &filter).unwrap().items.len(), 50));
    };
    let filter = || TrashFilter { limit: 50, ..TrashFilter::default() };
    timed("first page of the trash", &|| trash(filter()));
    timed("of one type", &|| trash(TrashFilter { kinds: vec!["model".into()], ..filter() }));
    timed("last page", &|| {
        let total = u32::try_from(many / 1000 * 500).unwrap();
        trash(TrashFilter { offset: total - 50, ..filter() });
    });
    timed("search", &|| trash(TrashFilter { search: "r-1".into(), ..filter() }));
    timed("page of the service", &|| {
        let listed = site.read(|view| {
            resources::list_of_service(view, &farm, Some(workspace), Some("model"), None, 100).unwrap().rows.len()
        });
        assert_eq!(listed, 100);
    });
    timed("storage", &|| {
        let storage = site.read(|view| resources::storage(view, workspace).unwrap());
        assert_eq!(storage.used_bytes, i64::try_from(many * 100).unwrap());
    });
    assert!(site.read(|view| resources::is_counted_right(view, &Actor::System, workspace).unwrap()));
    let used = site.read(|view| resources::count(view, workspace, LimitKey::Models).unwrap());
    assert_eq!(used, many.div_ceil(3) as u64);
}
