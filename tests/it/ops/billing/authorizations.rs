//! Usage that is authorized before it happens: what a service may charge, at which price, and for how long.

use domicile::api_keys::{self, Budget, Period};
use domicile::base::{ApiKeyId, HoldId};
use domicile::billing::ledger::holds;
use domicile::billing::usage::UsageError;
use domicile::billing::usage::authorizations::{
    self, Authorization, AuthorizationState, Closed, Mode, Policy, PolicyChange, UsageRequest,
};

use super::*;
use crate::support::{KeyBuilder, Person};

/// A change to this policy, whatever it was before.
fn all_of(policy: Policy) -> PolicyChange {
    let Policy { mode, margin_percent, hold_for } = policy;
    PolicyChange { mode: Some(mode), margin_percent: Some(margin_percent), hold_for: Some(hold_for) }
}

impl Site {
    fn authorize(
        &mut self,
        workspace: WorkspaceId,
        quantity: &str,
        key: Option<ApiKeyId>,
    ) -> Result<Authorization, UsageError> {
        let request = request(workspace, quantity, key);
        self.write(|tx| authorizations::authorize(tx, &farm(), &request))
    }

    fn settle(&mut self, id: HoldId) -> Result<Closed, UsageError> {
        self.write(|tx| authorizations::settle(tx, &farm(), id))
    }

    fn policy(&mut self, policy: Policy) {
        let Actor::Service { service, .. } = farm() else { unreachable!() };
        self.write(|tx| authorizations::change_policy(tx, &Actor::Operator, service, all_of(policy))).unwrap();
    }

    fn free(&mut self, workspace: WorkspaceId) -> Credits {
        self.read(|tx| holds::available(tx, workspace).unwrap())
    }

    /// A key of the person with a budget of so many credits a month.
    fn key_with_budget(&mut self, person: &Person, credits: u32) -> ApiKeyId {
        let budget = Budget { amount: Credits::whole(credits), period: Period::Month };
        let mut new = KeyBuilder::named("ci").scopes(&["training"]).build();
        new.limits.budget = Some(budget);
        let admin = person.credential_admin();
        let created = self.write(|tx| api_keys::create(tx, &admin, person.account.id, person.workspace, &new));
        created.unwrap().key.id
    }

    fn is_blocked(&self, key: ApiKeyId) -> bool {
        let sql = "select spent_until is not null from api_key where id = ?1";
        self.connection.query_row(sql, [key.to_string()], |row| row.get(0)).unwrap()
    }
}

fn request(workspace: WorkspaceId, quantity: &str, key: Option<ApiKeyId>) -> UsageRequest {
    UsageRequest { workspace, sku: "gpu.h100".into(), quantity: Quantity::parse(quantity).unwrap(), key }
}

fn used(workspace: WorkspaceId, id: &str, quantity: &str, authorization: HoldId) -> Result<NewEvent, Fault> {
    let event = UsageBuilder::new(workspace, id, Timestamp::parse(START).unwrap()).quantity(quantity);
    Ok(event.authorization(authorization).build())
}

#[test]
fn what_is_authorized_is_charged_in_steps_and_the_rest_is_free_again() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    assert_eq!(site.free(ws), Credits::whole(5));

    let authorization = site.authorize(ws, "4000", None).unwrap();
    assert_eq!((authorization.amount, site.free(ws)), (Credits::whole(4), Credits::whole(1)));
    assert_eq!(site.report(&[used(ws, "1", "1000", authorization.id)]).accepted, 1);
    assert_eq!((site.balance(ws), site.free(ws)), (Credits::whole(4), Credits::whole(1)));
    assert_eq!(
        site.report(&[used(ws, "2", "500", authorization.id), used(ws, "1", "1000", authorization.id)]).duplicates,
        1
    );
    let closed = site.settle(authorization.id).unwrap();

    assert_eq!(closed, Closed { workspace: ws, state: AuthorizationState::Settled, charged: micro(1_500_000) });
    assert_eq!((site.balance(ws), site.free(ws)), (micro(3_500_000), micro(3_500_000)));
    assert_eq!(site.settle(authorization.id).unwrap(), closed);
    let released = site.write(|tx| authorizations::release(tx, &farm(), authorization.id)).unwrap();
    assert_eq!(released, closed, "it has ended already");
    // Usage that is reported late is charged all the same.
    assert_eq!(site.report(&[used(ws, "3", "100", authorization.id)]).accepted, 1);
    assert_eq!(site.balance(ws), micro(3_400_000));
    site.check().unwrap();
}

#[test]
fn more_than_was_authorized_is_taken_from_free_credit_and_then_becomes_debt() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    let authorization = site.authorize(ws, "2000", None).unwrap();
    let other = site.authorize(ws, "1000", None).unwrap();

    site.report(&[used(ws, "1", "5000", authorization.id)]);
    assert_eq!((site.balance(ws), site.free(ws)), (Credits::ZERO, Credits::whole(1).negated()));
    // What is reserved for the other one is still there.
    site.report(&[used(ws, "2", "1000", other.id)]);
    assert_eq!(site.wallet(ws), [("debt".to_owned(), 1_000_000)]);
    site.check().unwrap();
}

#[test]
fn an_expired_authorization_is_charged_as_without_a_hold_at_its_price() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    site.policy(Policy { hold_for: hours(1), ..Policy::default() });
    let authorization = site.authorize(ws, "4000", None).unwrap();
    let mut dearer = default_settings();
    dearer.config.prices[0].price = Credits::whole(1);
    site.settings = Arc::new(dearer);
    site.clock.advance(hours(1));

    site.report(&[used(ws, "1", "1000", authorization.id)]);
    assert_eq!((site.balance(ws), site.free(ws)), (Credits::whole(4), Credits::whole(4)));
    assert_eq!(site.settle(authorization.id).unwrap().charged, Credits::whole(1));
    site.check().unwrap();
}

#[test]
fn the_charges_of_an_authorization_are_the_price_of_its_total_however_it_is_split() {
    let mut site = site();
    let mut odd = default_settings();
    odd.config.prices[0].price = micro(333_333);
    site.settings = Arc::new(odd);
    let ws = site.person("orchard").workspace;
    let authorization = site.authorize(ws, "3", None).unwrap();
    for n in 0..30 {
        let plain = Ok(event(ws, &format!("plain {n}"), "0.01"));
        site.report(&[used(ws, &n.to_string(), "0.1", authorization.id), plain]);
    }

    assert_eq!(site.settle(authorization.id).unwrap().charged, micro(999_999));
    assert_eq!(site.balance(ws), micro(5_000_000 - 999_999 - 100_000));
    site.check().unwrap();
}

#[test]
fn an_authorization_is_of_one_service_workspace_and_sku() {
    let mut site = site();
    let (ada, bob) = (site.person("ada-ada").workspace, site.person("bob-bob").workspace);
    let authorization = site.authorize(ada, "1", None).unwrap();
    let service = ServiceId::new(Timestamp::from_millis(2), &mut Rng::seeded(4));
    let other = Actor::Service { service, name: "b".into(), request: String::new() };
    let unknown = HoldId::new(Timestamp::from_millis(2), &mut Rng::seeded(5));
    let mut stored = used(ada, "3", "1", authorization.id).unwrap();
    stored.sku = "storage.gb".into();

    let faults =
        site.report(&[used(bob, "1", "1", authorization.id), used(ada, "2", "1", unknown), Ok(stored)]).rejected;
    assert!(
        faults.iter().all(|rejected| rejected.fault == Fault::UnknownAuthorization) && faults.len() == 3,
        "{faults:?}"
    );
    let by_other = site.write(|tx| usage::record_batch(tx, &other, &[used(ada, "4", "1", authorization.id)])).unwrap();
    assert_eq!(by_other.rejected, [Rejection { index: 0, fault: Fault::UnknownAuthorization }]);
    assert!(matches!(
        site.write(|tx| authorizations::settle(tx, &other, authorization.id)),
        Err(UsageError::UnknownAuthorization)
    ));
    assert!(matches!(site.settle(unknown), Err(UsageError::UnknownAuthorization)));
    assert!(matches!(site.authorize(some_workspace(), "1", None), Err(UsageError::UnknownWorkspace)));
    let unheard = UsageRequest { sku: "gpu.unheard".into(), ..request(ada, "1", None) };
    assert!(matches!(site.write(|tx| authorizations::authorize(tx, &farm(), &unheard)), Err(UsageError::UnknownSku)));
    for actor in [Actor::Operator, Actor::System] {
        let refused = site.write(|tx| authorizations::authorize(tx, &actor, &request(ada, "1", None)));
        assert!(matches!(refused, Err(UsageError::NotAService)));
        assert!(matches!(site.write(|tx| authorizations::settle(tx, &actor, unknown)), Err(UsageError::NotAService)));
    }
}

#[test]
fn a_service_can_only_check_and_a_margin_is_reserved_too() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    site.policy(Policy { mode: Mode::Check, ..Policy::default() });
    for _ in 0..3 {
        site.authorize(ws, "4000", None).unwrap();
    }
    assert_eq!(site.free(ws), Credits::whole(5));
    let refused = site.authorize(ws, "5001", None);
    assert!(matches!(refused, Err(UsageError::Ledger(LedgerError::InsufficientCredit { .. }))), "{refused:?}");

    site.policy(Policy { margin_percent: 20, ..Policy::default() });
    let quote = site.read(|tx| authorizations::quote(tx, &farm(), &request(ws, "1000", None)).unwrap());
    assert_eq!((quote.amount, quote.available), (micro(1_200_000), Credits::whole(5)));
    assert_eq!(site.authorize(ws, "1000", None).unwrap().amount, micro(1_200_000));
    assert_eq!(site.free(ws), micro(3_800_000));
    let Actor::Service { service, .. } = farm() else { unreachable!() };
    for bad in [
        Policy { margin_percent: 101, ..Policy::default() },
        Policy { hold_for: std::time::Duration::from_secs(59), ..Policy::default() },
        Policy { hold_for: days(366), ..Policy::default() },
    ] {
        let refused = site.write(|tx| authorizations::change_policy(tx, &Actor::Operator, service, all_of(bad)));
        assert!(matches!(refused, Err(UsageError::BadPolicy)), "{bad:?}");
    }
    let refused = site.write(|tx| authorizations::change_policy(tx, &farm(), service, PolicyChange::default()));
    assert!(matches!(refused, Err(UsageError::NotAllowed)));

    // What is not given stays, and only a change is an event.
    let events = |site: &mut Site| {
        let sql = "select count(*) from audit_event where event = 'usage.authorizations_changed'";
        site.read(|tx| tx.one(sql, [], |row| row.get::<_, i64>(0)).unwrap())
    };
    let before = events(&mut site);
    let check = PolicyChange { mode: Some(Mode::Check), ..PolicyChange::default() };
    for is_first in [true, false] {
        let changed = site.write(|tx| authorizations::change_policy(tx, &Actor::Operator, service, check)).unwrap();
        let expected = Policy { mode: Mode::Check, margin_percent: 20, ..Policy::default() };
        assert_eq!(changed, (expected, is_first));
        assert_eq!(events(&mut site), before + 1);
    }
}

#[test]
fn the_budget_of_a_key_is_reserved_with_the_credit() {
    let mut site = site();
    let person = site.person("orchard");
    let (ws, key) = (person.workspace, site.key_with_budget(&person, 3));

    let first = site.authorize(ws, "2000", Some(key)).unwrap();
    let refused = site.authorize(ws, "1001", Some(key));
    let left_of = |refused: &Result<Authorization, UsageError>| match refused {
        Err(UsageError::Ledger(LedgerError::InsufficientBudget { left, .. })) => *left,
        other => panic!("{other:?}"),
    };
    assert_eq!((left_of(&refused), site.free(ws)), (Credits::whole(1), Credits::whole(3)));
    site.authorize(ws, "1001", None).unwrap();
    let second = site.authorize(ws, "1000", Some(key)).unwrap();

    site.report(&[used(ws, "1", "500", first.id)]);
    assert_eq!(left_of(&site.authorize(ws, "1", Some(key))), Credits::ZERO);
    site.settle(first.id).unwrap();
    assert_eq!(left_of(&site.authorize(ws, "1501", Some(key))), micro(1_500_000));
    // A new month has a new budget, less what is still reserved.
    site.clock.advance(days(31));
    site.settle(second.id).unwrap();
    site.grant(gift(ws, Credits::whole(5), "gift")).unwrap();
    site.authorize(ws, "3000", Some(key)).unwrap();
    let unknown = ApiKeyId::new(Timestamp::from_millis(1), &mut Rng::seeded(9));
    for mode in [Mode::Hold, Mode::Check] {
        site.policy(Policy { mode, ..Policy::default() });
        let refused = site.authorize(ws, "0.5", Some(unknown));
        assert!(matches!(refused, Err(UsageError::Ledger(LedgerError::UnknownKey))), "{refused:?}");
        assert_eq!(left_of(&site.authorize(ws, "1", Some(key))), Credits::ZERO);
    }
    site.check().unwrap();
}

#[test]
fn a_key_works_again_when_the_usage_that_spent_its_budget_is_taken_back() {
    let mut site = site();
    let person = site.person("orchard");
    let (ws, key) = (person.workspace, site.key_with_budget(&person, 3));
    let by_key = |id: &str, quantity: &str| {
        UsageBuilder::new(ws, id, Timestamp::parse(START).unwrap()).quantity(quantity).key(Some(key))
    };
    site.report(&[Ok(by_key("1", "3000").build())]);
    assert!(site.is_blocked(key));

    site.report(&[Ok(by_key("2", "1").corrects("1").build())]);

    assert!(!site.is_blocked(key));
    site.authorize(ws, "1", Some(key)).unwrap();
}
