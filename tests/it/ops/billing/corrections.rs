//! Usage that is taken back by a later event.

use super::*;

fn take_back(workspace: WorkspaceId, id: &str, quantity: &str, of: &str) -> Result<NewEvent, Fault> {
    let event = UsageBuilder::new(workspace, id, Timestamp::parse(START).unwrap()).quantity(quantity);
    Ok(event.corrects(of).build())
}

#[test]
fn usage_is_taken_back_once_in_parts_and_never_more_than_there_was() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    site.report(&[Ok(event(ws, "1", "4000")), Ok(event(ws, "2", "500"))]);
    assert_eq!(site.balance(ws), micro(500_000));

    let batch = [take_back(ws, "3", "1000", "1"), take_back(ws, "3", "1000", "1"), take_back(ws, "4", "3001", "1")];
    let answer = site.report(&batch);
    let rejected = vec![Rejection { index: 2, fault: Fault::BadCorrection }];
    assert_eq!(answer, BatchResult { accepted: 1, duplicates: 1, rejected });
    assert_eq!(site.balance(ws), micro(1_500_000));
    let other = [take_back(ws, "3", "999", "1"), take_back(ws, "5", "1", "9"), take_back(ws, "6", "1", "3")];
    let faults: Vec<_> = site.report(&other).rejected.into_iter().map(|rejected| rejected.fault).collect();
    assert_eq!(faults, [Fault::Conflict, Fault::UnknownEvent, Fault::UnknownEvent]);
    site.report(&[take_back(ws, "7", "3000", "1"), take_back(ws, "8", "500", "2")]);

    assert_eq!(site.balance(ws), Credits::whole(5));
    let stored = "select sum(quantity_micro), sum(charge_micro) from usage_event";
    let sums: (i64, i64) = site.connection.query_row(stored, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(sums, (0, 0));
    site.check().unwrap();
}

#[test]
fn usage_is_taken_back_in_the_batch_that_reports_it() {
    let mut site = site();
    let ws = site.person("orchard").workspace;

    let answer = site.report(&[Ok(event(ws, "1", "4000")), take_back(ws, "2", "4000", "1"), Ok(event(ws, "3", "100"))]);

    assert_eq!((answer.accepted, site.balance(ws)), (3, micro(4_900_000)));
    site.check().unwrap();
}

#[test]
fn two_corrections_whose_source_and_id_together_are_the_same_text_are_two() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    let of = |source: &str, event: NewEvent| NewEvent { source: usage::EventName::parse(source).unwrap(), ..event };
    let sources = ["farm", "farm:a"];
    for source in sources {
        site.report(&[Ok(of(source, event(ws, "1", "1000")))]);
    }

    for (source, id) in sources.into_iter().zip(["a:2", "2"]) {
        let answer = site.report(&[Ok(of(source, take_back(ws, id, "1000", "1").unwrap()))]);
        assert_eq!(answer.accepted, 1, "{source}: {answer:?}");
    }

    assert_eq!(site.balance(ws), Credits::whole(5));
    site.check().unwrap();
}

#[test]
fn what_is_taken_back_is_of_the_same_workspace_and_sku() {
    let mut site = site();
    let (ada, bob) = (site.person("ada-ada").workspace, site.person("bob-bob").workspace);
    site.report(&[Ok(event(ada, "1", "1000"))]);
    let mut stored = take_back(ada, "3", "1", "1").unwrap();
    stored.sku = "storage.gb".into();

    let faults = site.report(&[take_back(bob, "2", "1", "1"), Ok(stored)]).rejected;
    assert!(faults.len() == 2 && faults.iter().all(|rejected| rejected.fault == Fault::BadCorrection), "{faults:?}");
    assert_eq!((site.balance(ada), site.balance(bob)), (Credits::whole(4), Credits::whole(5)));
}

#[test]
fn what_is_left_of_the_usage_costs_its_price_rounded_once() {
    let moves = prop::collection::vec((1i64..3_000_000, any::<bool>(), any::<prop::sample::Index>()), 1..40);
    for_all(24, moves, |moves| {
        let mut site = site();
        let mut odd = default_settings();
        odd.config.prices[0].price = micro(337);
        site.settings = Arc::new(odd);
        let ws = site.workspace("orchard").id;
        let (mut left, mut total): (Vec<(String, i64)>, i64) = (Vec::new(), 0);
        for (n, (quantity, is_new, which)) in moves.iter().enumerate() {
            let decimal = |micro: i64| Quantity::from_micro(micro).unwrap().to_string();
            let open: Vec<usize> = (0..left.len()).filter(|index| left[*index].1 > 0).collect();
            if *is_new || open.is_empty() {
                site.report(&[Ok(event(ws, &n.to_string(), &decimal(*quantity)))]);
                left.push((n.to_string(), *quantity));
                total += quantity;
            } else {
                let of = &mut left[open[which.index(open.len())]];
                let part = of.1.min(*quantity);
                let answer = site.report(&[take_back(ws, &n.to_string(), &decimal(part), &of.0)]);
                assert_eq!(answer.accepted, 1, "{answer:?}");
                of.1 -= part;
                total -= part;
            }
            let exact = i128::from(total) * 337;
            let (whole, part) = (exact / 1_000_000, exact % 1_000_000);
            let is_up = part > 500_000 || (part == 500_000 && whole % 2 == 1);
            assert_eq!(i128::from(site.balance(ws).micro()), -(whole + i128::from(is_up)));
        }
        site.check().unwrap();
    });
}
