//! What usage cost by day, and where it went.

use domicile::api_keys;
use domicile::billing::spending::{self, GroupBy, Period, Spending, Step};

use super::*;
use crate::support::KeyBuilder;

/// What the days have and the events do not, or the reverse.
const DIFFERENCES: &str = "
    select count(*) from (
      select workspace_id, day, service_id, sku, key_id, events, charge_micro from usage_day where events > 0 or charge_micro <> 0
      except
      select workspace_id, occurred_at / 86400000, service_id, sku, coalesce(key_id, ''), sum(corrects is null), sum(charge_micro)
      from usage_event group by 1, 2, 3, 4, 5)";

impl Site {
    fn spending(&mut self, workspace: WorkspaceId, by: GroupBy) -> Spending {
        let now = self.clock.now();
        let period = Period::new(None, None, now);
        self.read(|tx| spending::read(tx, workspace, period, Step::Day, by).unwrap())
    }
}

fn shares(spending: &Spending) -> Vec<(&str, i64, String, i64)> {
    let shares = spending.shares.iter();
    shares.map(|one| (one.name.as_str(), one.events, one.charge.to_string(), one.percent)).collect()
}

#[test]
fn spending_is_the_sum_of_the_events_by_day_price_service_and_key() {
    let mut site = site();
    let (ada, grace) = (site.person("ada-l"), site.person("grace-h"));
    let key = site.api_key(&ada, "nightly", &["read"]).key.id;
    let now = Timestamp::parse(START).unwrap();
    let event = |id: &str, days_ago: u64, quantity: &str, key| {
        Ok(UsageBuilder::new(ada.workspace, id, now.minus(days(days_ago))).quantity(quantity).key(key).build())
    };
    let other = Ok(UsageBuilder::new(grace.workspace, "other", now).quantity("9000").build());
    site.report(&[
        event("a", 0, "1000", Some(key)),
        event("b", 0, "500", None),
        event("c", 3, "2000", Some(key)),
        event("d", 40, "4000", None),
        event("e", 200, "8000", None),
        other,
    ]);
    site.report(&[event("a", 0, "1000", Some(key))]);
    site.report(&[Ok(UsageBuilder::new(ada.workspace, "f", now).quantity("500").corrects("b").build())]);

    let by_key = site.spending(ada.workspace, GroupBy::Key);
    assert_eq!(shares(&by_key), [("nightly", 2, "3.00".into(), 100), ("Without an API key", 1, "0.00".into(), 0)]);
    assert_eq!((by_key.total, by_key.events, by_key.before), (Credits::whole(3), 3, Credits::whole(4)));
    assert_eq!(by_key.average(), Some(Credits::whole(1)));
    let costs: Vec<_> = by_key.bars.iter().rev().take(4).map(|bar| bar.charge.to_string()).collect();
    assert_eq!((by_key.bars.len(), costs), (30, ["1.00", "0.00", "0.00", "2.00"].map(str::to_owned).to_vec()));
    assert!(by_key.bars.last().unwrap().is_running);
    assert_eq!(shares(&site.spending(ada.workspace, GroupBy::Sku)), [("gpu.h100", 3, "3.00".into(), 100)]);
    assert_eq!(site.number(DIFFERENCES), 0);
    assert_eq!(site.count("usage_day"), 6);
}

#[test]
fn the_days_of_a_long_random_history_are_the_sums_of_its_events() {
    let mut site = site();
    let ada = site.person("ada-l");
    let keys = ["one", "two"].map(|name| site.api_key(&ada, name, &["read"]).key.id);
    let mut rng = Rng::seeded(21);
    let now = Timestamp::parse(START).unwrap();
    for round in 0..20 {
        let events: Vec<_> = (0..10)
            .map(|n| {
                let at = now.minus(hours(u64::from(rng.below(200))));
                let quantity = format!("{}.{}", rng.below(50), 1 + rng.below(9));
                let key = keys.get(rng.below(3) as usize).copied();
                let event = UsageBuilder::new(ada.workspace, &format!("{round}-{n}"), at).quantity(&quantity).key(key);
                let corrects = format!("{round}-{}", rng.below(10));
                Ok(if n > 7 { event.corrects(&corrects).build() } else { event.build() })
            })
            .collect();
        site.report(&events);
    }
    assert!(site.number("select count(*) from usage_event where corrects is not null") > 5);
    assert_eq!(site.number(DIFFERENCES), 0);
    site.check().unwrap();
}

#[test]
fn usage_of_before_the_sums_is_in_them_after_the_upgrade() {
    let mut site = site();
    let ada = site.person("ada-l");
    let key = site.api_key(&ada, "nightly", &["read"]).key.id;
    let at = Timestamp::parse(START).unwrap();
    let event = |id: &str, key| UsageBuilder::new(ada.workspace, id, at).quantity("1000").key(key);
    site.report(&[Ok(event("a", Some(key)).build()), Ok(event("b", None).build())]);
    site.report(&[Ok(event("c", None).quantity("400").corrects("b").build())]);
    let migration = domicile::db::SCHEMA.iter().find(|sql| sql.contains("create table usage_day")).unwrap();
    let filling = migration.split_once("insert into usage_day").unwrap().1;
    let before = site.footprint();

    site.connection.execute_batch(&format!("delete from usage_day; insert into usage_day{filling}")).unwrap();

    assert_eq!(before, site.footprint());
}

#[test]
fn monthly_budgets_are_listed_once_for_keys_that_share_one() {
    let mut site = site();
    let ada = site.person("ada-l");
    let admin = ada.credential_admin();
    let limits = |budget: &str, period: &str| api_keys::Limits::parse("", "", budget, period).unwrap();
    let mut ids = Vec::new();
    for (name, budget, period) in [("monthly", "10", "month"), ("forever", "10", "total"), ("free", "", "month")] {
        let new = KeyBuilder::named(name).scopes(&["read"]).limits(limits(budget, period)).build();
        ids.push(site.write(|tx| api_keys::create(tx, &admin, ada.account.id, ada.workspace, &new)).unwrap().key.id);
    }
    let event = UsageBuilder::new(ada.workspace, "a", Timestamp::parse(START).unwrap()).quantity("2500");
    site.report(&[Ok(event.key(Some(ids[0])).build())]);
    site.write(|tx| api_keys::rotate(tx, &admin, ids[0], days(7))).unwrap();

    let budgets = site.read(|tx| api_keys::monthly_budgets(tx, ada.workspace).unwrap());
    let budgets: Vec<_> = budgets.iter().map(|one| (one.amount, one.used.to_string(), one.percent())).collect();
    assert_eq!(budgets, [(Credits::whole(10), "2.50".to_owned(), 25)]);
}
