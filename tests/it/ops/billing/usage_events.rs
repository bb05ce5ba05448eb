//! Usage events: each is counted once, exactly, and for the right workspace.

use domicile::base::ApiKeyId;
use serde_json::{Value, json};

use super::*;

impl Site {
    /// What the audit says about each report, the oldest first.
    fn recorded_reports(&self) -> Vec<Value> {
        let data = "select data_json from audit_event where event = 'usage.batch_recorded' order by seq";
        let mut statement = self.connection.prepare(data).unwrap();
        let texts = statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
        texts.map(|text| serde_json::from_str(&text).unwrap()).collect()
    }

    /// What a key spent in each period, by the name of the period.
    fn spent(&self, key: ApiKeyId) -> Vec<(String, i64)> {
        let sql = "select period, spent_micro from api_key_spend where family_id = :key order by period";
        let mut statement = self.connection.prepare(sql).unwrap();
        let rows = statement.query_map(rusqlite::named_params! {":key": key}, |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }
}

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
        with("5", &|event| event.occurred_at = now.plus(days(1))),
        Err(Fault::BadQuantity),
        with("7", &|event| event.occurred_at = Timestamp::parse("1999-12-31T23:59:59.999Z").unwrap()),
        with("8", &|event| event.occurred_at = Timestamp::parse("2000-01-01").unwrap()),
        with("6", &|_| ()),
    ];

    let answer = site.report(&batch);

    let faults = [
        (0, Fault::Conflict),
        (1, Fault::UnknownSku),
        (2, Fault::UnknownWorkspace),
        (3, Fault::BadTime),
        (5, Fault::BadQuantity),
        (6, Fault::BadTime),
    ];
    let rejected = faults.map(|(index, fault)| Rejection { index, fault }).to_vec();
    assert_eq!(answer, BatchResult { accepted: 3, duplicates: 0, rejected });
    assert_eq!(site.balance(workspace), micro(-103_000));
    site.check().unwrap();
}

#[test]
fn a_service_cannot_use_up_the_event_ids_of_another_one() {
    let mut site = site();
    let workspace = site.workspace("orchard").id;
    let other = Actor::Service {
        service: ServiceId::new(Timestamp::from_millis(2), &mut Rng::seeded(4)),
        name: "b".into(),
        request: String::new(),
    };
    let by_other = |site: &mut Site, events: &[Result<NewEvent, Fault>]| {
        site.write(|tx| usage::record_batch(tx, &other, events)).unwrap()
    };
    let counted = |accepted, duplicates| BatchResult { accepted, duplicates, rejected: vec![] };

    assert_eq!(by_other(&mut site, &[Ok(event(workspace, "1", "7"))]), counted(1, 0));
    assert_eq!(site.report(&[Ok(event(workspace, "1", "100"))]), counted(1, 0));
    assert_eq!(site.report(&[Ok(event(workspace, "1", "100"))]), counted(0, 1));
    assert_eq!(by_other(&mut site, &[Ok(event(workspace, "1", "7"))]), counted(0, 1));

    assert_eq!((site.balance(workspace), site.count("usage_event")), (micro(-107_000), 2));
    let changed = by_other(&mut site, &[Ok(event(workspace, "1", "8"))]);
    assert_eq!(changed.rejected, [Rejection { index: 0, fault: Fault::Conflict }]);
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

#[test]
fn an_event_that_costs_nothing_is_counted_without_a_transaction() {
    let mut site = site();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci", &["models:read"]).key.id;
    let mut free = default_settings();
    free.config.prices[0].price = Credits::ZERO;
    let priced = std::mem::replace(&mut site.settings, Arc::new(free));
    let balance = site.balance(ada.workspace);
    let with_key = |id: &str, quantity: &str| {
        let event = UsageBuilder::new(ada.workspace, id, Timestamp::parse(START).unwrap());
        Ok(event.quantity(quantity).key(Some(key)).build())
    };
    let before = site.count("ledger_tx");

    assert_eq!(site.report(&[with_key("free", "1000")]).accepted, 1);
    site.settings = priced;
    // 0.4 micro-credits are not charged yet, but are not forgotten.
    assert_eq!(site.report(&[with_key("small", "0.0004")]).accepted, 1);

    assert_eq!((site.count("ledger_tx"), site.count("usage_event")), (before, 2));
    assert_eq!(site.number("select count(*) from usage_event where tx_id is not null or charge_micro <> 0"), 0);
    assert_eq!((site.balance(ada.workspace), site.spent(key)), (balance, vec![]));
    let nothing = json!({"reports": 1, "accepted": 1, "duplicates": 0, "rejected": 0, "transactions": 0});
    assert_eq!(site.recorded_reports(), [nothing.clone(), nothing]);
    assert_eq!(site.report(&[with_key("rest", "0.0006")]).accepted, 1);
    assert_eq!(site.balance(ada.workspace), balance.minus(micro(1)).unwrap());
}

#[test]
fn the_audit_counts_the_events_of_each_report_that_changed_something() {
    let mut site = site();
    let workspace = site.workspace("orchard").id;
    let (one, two) = (Ok(event(workspace, "1", "100")), Ok(event(workspace, "2", "100")));
    let bad = || Err(Fault::BadQuantity);

    site.report(&[one.clone(), two.clone(), one.clone(), bad(), bad(), bad()]);
    site.report(&[one.clone(), two]);
    site.report(&[one, bad()]);

    let recorded = |accepted, duplicates, rejected, transactions| {
        json!({
            "reports": 1,
            "accepted": accepted,
            "duplicates": duplicates,
            "rejected": rejected,
            "transactions": transactions,
        })
    };
    assert_eq!(site.recorded_reports(), [recorded(2, 1, 3, 1), recorded(0, 1, 1, 0)]);
}

#[test]
fn what_a_key_used_counts_for_its_budget_once() {
    let mut site = site();
    let ada = site.person("ada-ada");
    let keys = ["one", "two"].map(|name| site.api_key(&ada, name, &["models:read"]).key.id);
    let used = |id: &str, quantity: &str, key: Option<ApiKeyId>| {
        let event = UsageBuilder::new(ada.workspace, id, Timestamp::parse(START).unwrap());
        Ok(event.quantity(quantity).key(key).build())
    };
    let batch = [
        used("1", "100", Some(keys[0])),
        used("2", "20", Some(keys[0])),
        used("3", "7", Some(keys[1])),
        used("4", "1", None),
        used("1", "100", Some(keys[0])),
    ];

    site.report(&batch);
    site.report(&batch);

    let spent = keys.map(|key| site.spent(key).into_iter().map(|(_, micro)| micro).collect::<Vec<_>>());
    assert_eq!(spent, [vec![120_000; 2], vec![7_000; 2]]);
}
