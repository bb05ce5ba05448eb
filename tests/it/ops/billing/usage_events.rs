//! Usage events: each is counted once, exactly, and for the right workspace.

use super::*;

#[test]
fn an_event_counts_once_however_often_it_is_reported() {
    let mut site = site();
    let workspace = site.workspace("orchard");
    let batch = [
        Ok(event(workspace.id, "1", "100")),
        Ok(event(workspace.id, "2", "50")),
        Ok(event(workspace.id, "1", "100.0")),
    ];

    assert_eq!(site.report(&batch), BatchResult { accepted: 2, duplicates: 1, rejected: vec![] });
    let (balance, audited) = (site.balance(workspace.id), site.count("audit_event"));
    for _ in 0..100 {
        assert_eq!(site.report(&batch), BatchResult { accepted: 0, duplicates: 3, rejected: vec![] });
    }

    assert_eq!(balance, micro(-150_000));
    assert_eq!((site.balance(workspace.id), site.count("audit_event")), (balance, audited));
    assert_eq!((site.count("ledger_tx"), site.count("usage_event")), (1, 2));
    let page = site.read(|tx| ledger::statement(tx, workspace.id, &Filter { limit: 9, ..Filter::default() }).unwrap());
    assert_eq!(page.rows[0].details, "gpu.h100: 150 × second");
    let linked = "select count(*) from usage_event join ledger_tx on ledger_tx.id = usage_event.tx_id";
    assert_eq!(site.connection.query_row(linked, [], |row| row.get::<_, i64>(0)).unwrap(), 2);
}

#[test]
fn one_bad_event_does_not_stop_the_others() {
    let mut site = site();
    let workspace = site.workspace("orchard").id;
    site.report(&[Ok(event(workspace, "1", "100"))]);
    let with = |id: &str, change: &dyn Fn(&mut NewEvent)| {
        let mut event = event(workspace, id, "1");
        change(&mut event);
        Ok(event)
    };
    let now = site.clock.now();
    let batch = [
        with("1", &|_| ()),
        with("2", &|event| event.sku = "gpu.unheard".into()),
        with("3", &|event| event.workspace = some_workspace()),
        with("4", &|event| event.occurred_at = now.plus(days(1)).plus(hours(1))),
        with("5", &|event| event.occurred_at = now.plus(hours(23))),
        Err(Fault::BadQuantity),
        with("6", &|_| ()),
    ];

    let answer = site.report(&batch);

    let faults = [
        (0, Fault::Conflict),
        (1, Fault::UnknownSku),
        (2, Fault::UnknownWorkspace),
        (3, Fault::BadTime),
        (5, Fault::BadQuantity),
    ];
    let rejected = faults.map(|(index, fault)| Rejection { index, fault }).to_vec();
    assert_eq!(answer, BatchResult { accepted: 2, duplicates: 0, rejected });
    assert_eq!(site.balance(workspace), micro(-102_000));
    site.check().unwrap();
}

#[test]
fn a_batch_posts_one_transaction_per_workspace_and_sku() {
    let mut site = site();
    let (ada, bo) = (site.workspace("ada-ada").id, site.workspace("bo-bo").id);
    let mut batch = Vec::new();
    for n in 0..30 {
        let mut stored = event(ada, &format!("s{n}"), "10");
        stored.sku = "storage.gb".into();
        batch.extend([Ok(event(ada, &format!("a{n}"), "2")), Ok(event(bo, &format!("b{n}"), "3")), Ok(stored)]);
    }

    assert_eq!(site.report(&batch).accepted, 90);

    assert_eq!(site.count("ledger_tx"), 3);
    assert_eq!((site.balance(ada), site.balance(bo)), (micro(-300_000), micro(-90_000)));
    site.check().unwrap();
}

#[test]
fn late_usage_is_never_charged_to_another_workspace() {
    let mut site = site();
    let workspace = site.workspace("orchard").id;
    site.report(&[Ok(event(workspace, "1", "100"))]);
    site.write(|tx| workspaces::erase(tx, workspace)).unwrap();

    let answer = site.report(&[Ok(event(workspace, "1", "100")), Ok(event(workspace, "2", "100"))]);

    let rejected = vec![Rejection { index: 1, fault: Fault::UnknownWorkspace }];
    assert_eq!(answer, BatchResult { accepted: 0, duplicates: 1, rejected });
    assert_eq!(site.balance(workspace), micro(-100_000));
}

#[test]
fn a_debt_at_its_limit_rejects_events_and_not_the_batch() {
    let mut site = site();
    let (deep, other) = (site.workspace("deep-deep").id, site.workspace("other-one").id);
    site.charge(charge_of(deep, micro(999_999_999_999_000), "nearly all")).unwrap();

    let answer = site.report(&[
        Ok(event(deep, "1", "1")),
        Ok(event(deep, "2", "0.001")),
        Ok(event(other, "3", "1")),
        Ok(event(deep, "1", "1")),
    ]);

    let rejected = vec![Rejection { index: 1, fault: Fault::TooLarge }];
    assert_eq!(answer, BatchResult { accepted: 2, duplicates: 1, rejected });
    assert_eq!(site.balance(deep), Credits::MAX.negated());
    site.check().unwrap();
}

#[test]
fn an_event_is_not_rejected_for_the_size_of_its_neighbours() {
    let mut site = site();
    let mut cheap = default_settings();
    cheap.config.prices[0].price = micro(1);
    site.settings = Arc::new(cheap);
    let workspace = site.workspace("orchard").id;
    let most = "1000000000";

    let batch = [Ok(event(workspace, "1", most)), Ok(event(workspace, "2", most)), Ok(event(workspace, "3", "0.5"))];
    assert_eq!(site.report(&batch), BatchResult { accepted: 3, duplicates: 0, rejected: vec![] });

    assert_eq!(site.balance(workspace), micro(-2_000_000_000));
    let page = site.read(|tx| ledger::statement(tx, workspace, &Filter { limit: 9, ..Filter::default() }).unwrap());
    assert_eq!(page.rows[0].details, "gpu.h100: 2000000000.5 × second");
    site.check().unwrap();
}

#[test]
fn only_a_service_reports_usage() {
    let mut site = site();
    let workspace = site.workspace("orchard").id;

    let refused = site.write(|tx| usage::record_batch(tx, &Actor::Operator, &[Ok(event(workspace, "1", "1"))]));

    assert!(matches!(refused, Err(usage::UsageError::NotAService)));
    assert_eq!(site.count("usage_event"), 0);
}

#[test]
fn the_total_charge_is_the_price_of_the_total_quantity_however_usage_is_split() {
    // Quantities in millionths, and whether the batch ends after each. The price changes in the middle.
    let splits = prop::collection::vec((1i64..5_000_000, any::<bool>()), 2..40);
    for_all(32, splits, |splits| {
        let mut site = site();
        let workspace = site.workspace("orchard").id;
        let middle = splits.len() / 2;
        let mut exact: i128 = 0;
        let mut batch = Vec::new();
        for (index, (quantity, ends)) in splits.iter().enumerate() {
            if index == middle {
                site.report(&batch);
                batch.clear();
                let mut dearer = default_settings();
                dearer.config.prices[0].price = micro(1_337);
                site.settings = Arc::new(dearer);
            }
            exact += i128::from(*quantity) * if index < middle { 1_000 } else { 1_337 };
            let quantity = Quantity::from_micro(*quantity).unwrap().to_string();
            batch.push(Ok(event(workspace, &format!("{index}"), &quantity)));
            if *ends {
                site.report(&batch);
                batch.clear();
            }
        }
        site.report(&batch);

        let owed = i128::from(-site.balance(workspace).micro());
        assert!((owed * 1_000_000 - exact).abs() <= 500_000, "{owed} for {exact}");
        let of_events = "select sum(charge_micro) from usage_event";
        let sum: i64 = site.connection.query_row(of_events, [], |row| row.get(0)).unwrap();
        assert_eq!(i128::from(sum), owed);
        site.check().unwrap();
    });
}
