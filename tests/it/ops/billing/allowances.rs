//! Monthly allowances: each month once, and what is left expires.

use domicile::billing::allowances;
use domicile::db::Tx;

use super::*;
use crate::support::Person;

impl Site {
    fn set_allowance(&mut self, person: &Person, amount: Option<Credits>) -> Result<bool, BillingError> {
        self.write(|tx| allowances::set(tx, &Actor::Operator, person.workspace, amount))
    }

    fn grant_allowances(&mut self) -> usize {
        self.write(allowances::grant_due).unwrap()
    }

    /// Kind and amount of the lines of the statement, the oldest first.
    fn lines(&mut self, person: &Person) -> Vec<(Kind, String)> {
        let filter = Filter { limit: 99, ..Filter::default() };
        let page = self.read(|tx| ledger::statement(tx, person.workspace, &filter).unwrap());
        page.rows.iter().rev().map(|line| (line.kind, line.amount.to_string())).collect()
    }

    fn at(&mut self, time: &str) {
        let time = Timestamp::parse(time).unwrap();
        self.clock.advance(time.since(self.clock.now()));
    }
}

fn lines(rows: &[(Kind, &str)]) -> Vec<(Kind, String)> {
    rows.iter().map(|(kind, amount)| (*kind, (*amount).to_owned())).collect()
}

#[test]
fn each_month_is_granted_once_and_what_is_left_of_the_one_before_expires_first() {
    let mut site = site();
    let ada = site.person("ada-l");
    assert!(site.set_allowance(&ada, Some(Credits::whole(30))).unwrap());
    site.charge(charge_of(ada.workspace, Credits::whole(12), "use")).unwrap();

    site.at("2026-05-31T23:59:59.999Z");
    assert_eq!(site.grant_allowances(), 0);
    site.at("2026-06-01T00:00:00Z");
    assert_eq!([site.grant_allowances(), site.grant_allowances()], [1, 0]);

    let granted = [
        (Kind::Signup, "5.00"),
        (Kind::Monthly, "30.00"),
        (Kind::Usage, "-12.00"),
        (Kind::Expired, "-18.00"),
        (Kind::Monthly, "30.00"),
    ];
    assert_eq!(site.lines(&ada), lines(&granted));
    assert_eq!(site.balance(ada.workspace), Credits::whole(35));
    let filter = Filter { limit: 1, ..Filter::default() };
    let last = site.read(|tx| ledger::statement(tx, ada.workspace, &filter).unwrap()).rows.remove(0);
    assert_eq!(last.details, "Allowance for June 2026");
    site.check().unwrap();
}

#[test]
fn months_in_which_the_appliance_was_stopped_are_not_made_up_for() {
    let mut site = site();
    let ada = site.person("ada-l");
    site.set_allowance(&ada, Some(Credits::whole(30))).unwrap();

    site.at("2027-02-17T12:00:00Z");
    assert_eq!([site.grant_allowances(), site.grant_allowances()], [1, 0]);

    assert_eq!(site.balance(ada.workspace), Credits::whole(35));
    let until = site.read(|tx| allowances::find(tx, ada.workspace).unwrap().unwrap().granted_until);
    assert_eq!(until, Timestamp::parse("2027-03-01").unwrap());
}

#[test]
fn another_amount_counts_from_the_next_month_and_no_order_of_changes_gives_a_month_twice() {
    let mut site = site();
    let ada = site.person("ada-l");
    let mut set = |amount: Option<u32>| site.set_allowance(&ada, amount.map(Credits::whole)).unwrap();

    assert_eq!(
        [set(Some(30)), set(Some(30)), set(Some(50)), set(None), set(None), set(Some(90))],
        [true, false, true, true, false, true]
    );
    assert_eq!(site.balance(ada.workspace), Credits::whole(35), "this month was granted once");
    site.at("2026-06-01T00:00:00Z");
    site.grant_allowances();
    assert_eq!(site.balance(ada.workspace), Credits::whole(95));
    site.set_allowance(&ada, None).unwrap();
    assert_eq!(site.balance(ada.workspace), Credits::whole(95), "what is left stays until the end of the month");
    site.at("2026-07-01T00:00:00Z");
    assert_eq!(site.grant_allowances(), 0);
    site.write(ledger::expire_due).unwrap();
    assert_eq!(site.balance(ada.workspace), Credits::whole(5));
    let events = site.events_of(&ada);
    assert_eq!(events.iter().filter(|name| *name == "billing.allowance_changed").count(), 5, "{events:?}");
}

#[test]
fn a_grant_repays_debt_first_and_what_is_reserved_expires_with_its_hold() {
    let mut site = site();
    let ada = site.person("ada-l");
    site.charge(charge_of(ada.workspace, Credits::whole(15), "use")).unwrap();
    site.set_allowance(&ada, Some(Credits::whole(30))).unwrap();

    assert_eq!(site.balance(ada.workspace), Credits::whole(20), "ten repaid the debt");
    site.at("2026-06-01T00:00:00Z");
    site.grant_allowances();
    assert_eq!(site.balance(ada.workspace), Credits::whole(30));
    site.check().unwrap();
}

#[test]
fn only_an_operator_sets_an_allowance_and_an_erasure_ends_it() {
    let mut site = site();
    let ada = site.person("ada-l");
    let before = site.footprint();
    let some = Some(Credits::whole(1));
    for actor in [ada.by_browser(), farm(), Actor::System] {
        let refused = site.write(|tx| allowances::set(tx, &actor, ada.workspace, some));
        assert!(matches!(refused, Err(BillingError::NotAllowed)), "{actor:?}");
    }
    let refused = site.set_allowance(&ada, Some(Credits::ZERO));
    assert!(matches!(refused, Err(BillingError::Ledger(LedgerError::NotPositive))));
    let nowhere = |tx: &mut Tx<'_>| allowances::set(tx, &Actor::Operator, some_workspace(), some);
    assert!(matches!(site.write(nowhere), Err(BillingError::NoWorkspace)));
    assert_eq!(before, site.footprint());

    site.set_allowance(&ada, some).unwrap();
    site.write(|tx| billing::forget(tx, ada.workspace)).unwrap();
    assert_eq!(site.count("credit_allowance"), 0);
}

#[test]
fn many_workspaces_are_granted_in_steps() {
    let mut site = site();
    let people: Vec<Person> = (0..103).map(|n| site.person(&format!("guest-{n}"))).collect();
    for person in &people {
        site.set_allowance(person, Some(Credits::whole(1))).unwrap();
    }
    site.at("2026-06-02T00:00:00Z");
    assert_eq!([site.grant_allowances(), site.grant_allowances(), site.grant_allowances()], [100, 3, 0]);
}
