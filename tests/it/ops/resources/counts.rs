//! Whatever happens, the counts are what the rows come to.

use domicile::base::{LeaseId, ResourceId, Rng, hours};
use domicile::config::LimitKey;
use domicile::db;
use domicile::inbox::AckOutcome;
use domicile::resources::{self, NewResource, ResourceError};

use super::{Farm, id};
use crate::support::rounds;

/// Steps of a history: in a quick run, in a deep one, and with the environment variable STEPS.
const STEPS: (usize, usize) = (600, 10_000);
const LIMITS: [(LimitKey, i64); 3] =
    [(LimitKey::Models, 12), (LimitKey::Projects, 5), (LimitKey::StorageBytes, 40_000)];

/// One random step. A refusal is a step too.
fn step(farm: &mut Farm, rng: &mut Rng, known: &mut Vec<ResourceId>, leases: &mut Vec<LeaseId>, number: usize) {
    let service = farm.farm.clone();
    let kinds = ["project", "model", "model", "dataset", "deployment", "export"];
    let mut pick = |from: usize| rng.below(u32::try_from(from).unwrap()) as usize;
    let size_bytes = i64::try_from(pick(3000)).unwrap();
    let parent = (pick(2) == 0).then(|| id(&format!("r-{}", pick(number + 1))));
    // Not among those that are gone, which are most of them.
    let alive: Vec<ResourceId> = farm.site.read(|tx| {
        tx.list("select id from resource where state <> 'purged' order by id", [], |row| row.get(0)).unwrap()
    });
    let (choice, target, place) = (pick(16), pick(alive.len().max(1)), pick(leases.len().max(1)));
    let fresh = NewResource { size_bytes, parent, ..farm.new_of(kinds[pick(kinds.len())], &format!("r-{number}")) };
    let (quantity, hours_passed) = (1 + pick(3) as i64, pick(30) as u64);
    let target = alive.get(target).copied();
    let outcome = match (choice, target) {
        (0..=3, _) => farm.put(&fresh).map(|(resource, _)| known.push(resource.id)),
        (4, Some(target)) => {
            let sql = "select external_id, kind, version from resource where id = :id";
            let (external, kind, version) = farm.site.read(|tx| {
                let read = |row: &rusqlite::Row<'_>| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
                };
                tx.one(sql, rusqlite::named_params! {":id": target}, read).unwrap()
            });
            let newer = NewResource {
                external_id: id(&external),
                kind,
                version: version + 1,
                parent: fresh.parent.filter(|parent| parent.as_str() != external),
                ..fresh
            };
            farm.put(&newer).map(drop)
        }
        (5 | 6, Some(target)) => farm.trash(target).map(drop),
        (7, Some(target)) => farm.restore(target).map(drop),
        (8, Some(target)) => farm.delete(target).map(drop),
        (9, _) => farm.lease("model", quantity, size_bytes).map(|lease| leases.push(lease.id)),
        (10, _) if !leases.is_empty() => {
            let model = NewResource { kind: "model".into(), parent: None, ..fresh };
            let created = farm.site.write(|tx| resources::commit(tx, &service, leases[place], &[model]));
            created.map(|created| known.extend(created.iter().map(|resource| resource.id)))
        }
        (11, _) if !leases.is_empty() => farm.site.write(|tx| resources::release(tx, &service, leases[place])),
        (12, _) => {
            farm.site.clock.advance(hours(hours_passed));
            farm.after(0);
            farm.acknowledge(if quantity == 1 { AckOutcome::Failed } else { AckOutcome::Done });
            farm.site.write(|tx| resources::expire_leases(tx).map_err(ResourceError::from)).map(drop)
        }
        (13, _) => farm.lease("training", 1, 0).map(|lease| leases.push(lease.id)),
        (14, _) if number.is_multiple_of(7) => {
            let (ada, workspace) = (farm.ada.by_browser(), farm.ada.workspace);
            farm.site.write(|tx| resources::empty_trash(tx, &ada, workspace)).map(drop)
        }
        (15, _) if number.is_multiple_of(5) => {
            let external = format!("r-{}", number / 2);
            farm.site.write(|tx| resources::delete_by_service(tx, &service, &id(&external)))
        }
        _ => Ok(()),
    };
    if let Err(ResourceError::Db(error)) = outcome {
        panic!("step {number}: {error}");
    }
}

/// Whether no limit is exceeded: models and projects are only created within it.
fn limits_hold(farm: &mut Farm) -> bool {
    let workspace = farm.ada.workspace;
    let storage = farm.site.read(|tx| resources::storage(tx, workspace).unwrap());
    storage.counts.iter().all(|standing| standing.max.is_none_or(|max| standing.used + standing.reserved <= max))
}

#[test]
fn after_random_operations_the_counts_are_those_of_the_rows() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(Rng::system().below(u32::MAX)));
    eprintln!("SEED={seed}");
    let steps = std::env::var("STEPS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(rounds(STEPS.0, STEPS.1));
    let (mut farm, mut rng) = (Farm::new(&LIMITS), Rng::seeded(seed));
    let (mut known, mut leases) = (Vec::new(), Vec::new());

    for number in 0..steps {
        step(&mut farm, &mut rng, &mut known, &mut leases, number);
        assert!(limits_hold(&mut farm), "SEED={seed}: a limit is exceeded after step {number}");
        if number % 20 == 0 || number + 1 == steps {
            assert!(farm.is_counted_right(), "SEED={seed}: the counts are wrong after step {number}");
        }
    }
    assert!(known.len() > steps / 20, "SEED={seed}: nearly everything was refused");
    // The sums once more, without the program's own statement.
    let sql = "select (select coalesce(sum(size_bytes), 0) from workspace_storage), \
               (select coalesce(sum(size_bytes), 0) from resource where state <> 'purged'), \
               (select coalesce(sum(used), 0) from workspace_count), \
               (select count(*) from resource where state <> 'purged')";
    let sums = farm
        .site
        .read(|tx| tx.one(sql, [], |row| Ok([row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?])).unwrap());
    assert_eq!((sums[0], sums[2]), (sums[1], sums[3]), "SEED={seed}");
}

#[test]
fn wrong_counts_are_found_and_corrected() {
    let mut farm = Farm::new(&[]);
    farm.registered("model", "m-1", None);
    farm.lease("model", 2, 50).unwrap();
    let (ada, workspace) = (farm.ada.by_browser(), farm.ada.workspace);
    assert!(!farm.site.write(|tx| resources::recalculate(tx, &ada, workspace)).unwrap());
    for damage in [
        "update workspace_storage set size_bytes = 7, reserved_bytes = 0",
        "update workspace_count set used = 9, reserved = 1",
        "delete from workspace_count",
        "delete from workspace_storage",
    ] {
        farm.site.write(|tx| tx.execute(damage, []).map(drop)).unwrap();
        assert!(farm.site.write(|tx| resources::recalculate(tx, &ada, workspace)).unwrap(), "{damage}");
        assert_eq!(farm.uses(LimitKey::Models), (100, 50, 1, 2), "{damage}");
    }
}

#[test]
fn a_row_of_a_resource_cannot_be_deleted() {
    let mut farm = Farm::new(&[]);
    farm.registered("model", "m-1", None);

    let deleted = farm.site.write(|tx| tx.execute("delete from resource", []));

    assert!(matches!(deleted, Err(db::Error::Sqlite(_))), "{deleted:?}");
    assert_eq!(farm.uses(LimitKey::Models), (100, 0, 1, 0));
}
