//! Usage that is authorized before it happens: what a service may charge, at which price, and for how long.

use domicile::api_keys::{self, Budget, Period};
use domicile::audit;
use domicile::base::{ApiKeyId, HoldId};
use domicile::billing::ledger::holds;
use domicile::billing::usage::UsageError;
use domicile::billing::usage::authorizations::{
    self, Authorization, AuthorizationState, Closed, Mode, Policy, PolicyChange, UsageRequest,
};
use domicile::services::{self, WorkspaceGrant};

use super::*;
use crate::support::{KeyBuilder, Person, create_service};

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

/// A connected service, and its workspaces as the operator grants them.
fn connected(site: &mut Site) -> Actor {
    let service = site.write(|tx| create_service(tx, "render")).unwrap().0;
    Actor::Service { service: service.id, name: "render".into(), request: String::new() }
}

fn faults(answer: BatchResult) -> Vec<Fault> {
    answer.rejected.into_iter().map(|rejected| rejected.fault).collect()
}

#[test]
fn an_event_cannot_move_the_cost_to_another_key_than_the_authorized_one() {
    let mut site = site();
    let person = site.person("orchard");
    let (ws, admin) = (person.workspace, person.credential_admin());
    let (key, other) = (site.key_with_budget(&person, 3), site.key_with_budget(&person, 3));
    let authorization = site.authorize(ws, "2000", Some(key)).unwrap();
    let with = |id: &str, key: ApiKeyId| {
        let event = UsageBuilder::new(ws, id, Timestamp::parse(START).unwrap()).quantity("500").key(Some(key));
        Ok(event.authorization(authorization.id).build())
    };
    let nobodys = ApiKeyId::new(Timestamp::from_millis(1), &mut Rng::seeded(9));

    let answer = site.report(&[with("1", other), with("2", nobodys), with("3", key)]);
    assert_eq!((answer.accepted, faults(answer)), (1, vec![Fault::BadKey; 2]));
    let successor = site.write(|tx| api_keys::rotate(tx, &admin, key, days(1))).unwrap().key.id;
    assert_eq!(site.report(&[with("4", successor), used(ws, "5", "1", authorization.id)]).accepted, 2);
    assert_eq!(site.report(&[with("3", key)]).duplicates, 1);

    let spent = "select family_id, spent_micro from api_key_spend where period = 'total'";
    let spent: (String, i64) = site.connection.query_row(spent, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(spent, (key.to_string(), 1_001_000), "only its own family");
    assert_eq!(site.number("select sum(reserved_micro) from api_key_reservation"), 999_000);
}

#[test]
fn only_a_key_that_can_be_used_and_an_active_person_authorize_new_usage() {
    let mut site = site();
    let person = site.person("orchard");
    let (ws, admin) = (person.workspace, person.credential_admin());
    let key = site.key_with_budget(&person, 3);
    let before = site.authorize(ws, "1000", Some(key)).unwrap();
    let refused = |site: &mut Site| {
        let request = request(ws, "1", Some(key));
        let quote = site.read(|tx| authorizations::quote(tx, &farm(), &request)).map(drop).unwrap_err();
        let made = site.authorize(ws, "1", Some(key)).map(drop).unwrap_err();
        assert_eq!(quote.to_string(), made.to_string());
        made
    };
    for state in ["disabled", "quarantined"] {
        let set = |site: &Site, state: &str| {
            site.connection.execute("update api_key set state = ?1, state_before = iif(?1 = 'quarantined', 'active', null) where id = ?2", [state, &key.to_string()]).unwrap()
        };
        set(&site, state);
        let found = refused(&mut site);
        assert!(matches!(found, UsageError::Ledger(LedgerError::UnknownKey)), "{state}: {found:?}");
        assert_eq!(site.report(&[used(ws, state, "1", before.id)]).accepted, 1, "{state}: it was used");
        set(&site, "active");
    }
    site.write(|tx| domicile::accounts::lock_keys(tx, &Actor::System, person.account.id)).unwrap();
    assert!(matches!(refused(&mut site), UsageError::Ledger(LedgerError::UnknownKey)));
    site.authorize(ws, "1", None).unwrap();
    site.connection.execute("update account set keys_locked_at = null", []).unwrap();
    site.write(|tx| api_keys::disable(tx, &admin, key)).unwrap();
    site.write(|tx| api_keys::enable(tx, &admin, key)).unwrap();
    site.authorize(ws, "1", Some(key)).unwrap();

    site.suspend(&person);
    assert!(matches!(refused(&mut site), UsageError::NotActive));
    assert!(matches!(site.authorize(ws, "1", None), Err(UsageError::NotActive)));
    assert_eq!(site.report(&[used(ws, "late", "1", before.id), Ok(event(ws, "plain", "1"))]).accepted, 2);
    site.settle(before.id).unwrap();
}

#[test]
fn what_a_disconnected_service_reserved_is_released_in_batches() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    let (render, other) = (connected(&mut site), site.authorize(ws, "1000", None).unwrap());
    let made: Vec<_> = (0..201)
        .map(|_| site.write(|tx| authorizations::authorize(tx, &render, &request(ws, "10", None))).unwrap())
        .collect();
    let close = |site: &mut Site| site.write(authorizations::close_disconnected).unwrap();
    assert_eq!(close(&mut site), 0, "it is connected");
    let service = site.write(|tx| services::disconnect(tx, &Actor::Operator, "render")).unwrap().id;
    assert_eq!(site.read(|tx| authorizations::count_reserving(tx, service).unwrap()), 201);

    assert_eq!([close(&mut site), close(&mut site), close(&mut site)], [200, 1, 0]);
    assert_eq!(site.free(ws), Credits::whole(4));
    let id = made[7].id;
    let again = site.write(|tx| authorizations::release_by_operator(tx, &Actor::Operator, id)).unwrap();
    assert_eq!(again.state, AuthorizationState::Released);

    let by_service = site.write(|tx| authorizations::release_by_operator(tx, &farm(), other.id));
    assert!(matches!(by_service, Err(UsageError::NotAllowed)));
    let released = "select count(*) from audit_event where event = 'usage.authorization_released'";
    for _ in 0..2 {
        site.write(|tx| authorizations::release_by_operator(tx, &Actor::Operator, other.id)).unwrap();
        assert_eq!((site.free(ws), site.number(released)), (Credits::whole(5), 1));
    }
    let unknown = HoldId::new(Timestamp::from_millis(2), &mut Rng::seeded(5));
    let refused = site.write(|tx| authorizations::release_by_operator(tx, &Actor::Operator, unknown));
    assert!(matches!(refused, Err(UsageError::UnknownAuthorization)));
    site.check().unwrap();
}

#[test]
fn what_was_authorized_is_charged_although_the_workspace_was_taken_from_the_service() {
    let mut site = site();
    let (ada, bob) = (site.person("ada-ada").workspace, site.person("bob-bob").workspace);
    let render = connected(&mut site);
    let report = |site: &mut Site, events: &[Result<NewEvent, Fault>]| {
        site.write(|tx| usage::record_batch(tx, &render, events)).unwrap()
    };
    let authorization = site.write(|tx| authorizations::authorize(tx, &render, &request(ada, "2000", None))).unwrap();
    let only = WorkspaceGrant::only(vec![bob]);
    site.write(|tx| services::change(tx, &Actor::Operator, "render", None, only)).unwrap();
    let take_back =
        |id: &str, of: &str| UsageBuilder::new(ada, id, Timestamp::parse(START).unwrap()).quantity("500").corrects(of);

    let unknown = HoldId::new(Timestamp::from_millis(2), &mut Rng::seeded(5));
    let answer = report(
        &mut site,
        &[
            used(ada, "1", "1500", authorization.id),
            Ok(take_back("2", "1").authorization(authorization.id).build()),
            Ok(event(ada, "3", "1")),
            used(ada, "4", "1", unknown),
            Ok(take_back("5", "none").authorization(authorization.id).build()),
        ],
    );
    assert_eq!((answer.accepted, faults(answer)), (2, vec![Fault::UnknownWorkspace; 3]));
    assert_eq!(site.balance(ada), Credits::whole(4));
    let refused = site.write(|tx| authorizations::authorize(tx, &render, &request(ada, "1", None)));
    assert!(matches!(refused, Err(UsageError::UnknownWorkspace)), "nothing new");
}

#[test]
fn usage_of_an_authorization_that_a_restore_lost_is_charged_as_without_one() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    let kept = site.authorize(ws, "1000", None).unwrap();
    let snapshot_made_at = site.clock.now();
    site.clock.advance(hours(1));
    let lost = HoldId::new(site.clock.now(), &mut Rng::seeded(6));
    let unknown = |site: &mut Site, id: &str, of: HoldId| faults(site.report(&[used(ws, id, "1", of)]));
    assert_eq!(unknown(&mut site, "1", lost), [Fault::UnknownAuthorization]);
    site.clock.advance(hours(1));
    site.write(|tx| {
        let (audit_seq, audit_head) = (0, [0; 32]);
        let epoch = audit::Epoch {
            number: 2,
            opened_at: tx.now(),
            snapshot_made_at,
            audit_seq,
            audit_head,
            journal_seq: 0,
            known: None,
            has_accepted_missing_journal: false,
        };
        audit::open_epoch(tx, &epoch)
    })
    .unwrap();
    site.clock.advance(hours(1));

    // Together with usage without an authorization, which is one total with it.
    let batch = [used(ws, "1", "1000", lost), Ok(event(ws, "2", "500")), used(ws, "3", "500", kept.id)];
    let answer = site.report(&batch);
    assert_eq!((answer.accepted, site.balance(ws)), (3, Credits::whole(3)), "{answer:?}");
    assert_eq!(site.report(&batch).duplicates, 3);
    assert_eq!(site.number("select charged_micro from usage_meter"), 1_500_000);
    let back = UsageBuilder::new(ws, "4", Timestamp::parse(START).unwrap()).quantity("1000").corrects("1");
    assert_eq!(site.report(&[Ok(back.authorization(lost).build())]).accepted, 1);
    assert_eq!((site.balance(ws), site.number("select charged_micro from usage_meter")), (Credits::whole(4), 500_000));
    let later = HoldId::new(site.clock.now(), &mut Rng::seeded(6));
    let earlier = HoldId::new(snapshot_made_at.minus(hours(1)), &mut Rng::seeded(6));
    for other in [later, earlier] {
        assert_eq!(unknown(&mut site, "5", other), [Fault::UnknownAuthorization]);
    }
    let mut elsewhere = used(ws, "6", "1", kept.id).unwrap();
    elsewhere.sku = "storage.gb".into();
    assert_eq!(faults(site.report(&[Ok(elsewhere)])), [Fault::UnknownAuthorization], "it is known");
    site.check().unwrap();
}

#[test]
fn debt_beside_a_hold_leaves_less_room_and_only_the_event_beyond_it_is_rejected() {
    let mut site = site();
    let mut whole = default_settings();
    whole.config.prices[0].price = Credits::whole(1);
    site.settings = Arc::new(whole);
    let ws = site.person("orchard").workspace;
    let hold = site.authorize(ws, "4", None).unwrap();
    site.report(&[Ok(event(ws, "1", "3"))]);
    assert_eq!((site.balance(ws), site.free(ws)), (Credits::whole(2), Credits::whole(2).negated()));

    let answer = site.report(&[Ok(event(ws, "2", "1000000000")), Ok(event(ws, "3", "1")), used(ws, "4", "1", hold.id)]);

    assert_eq!((answer.accepted, faults(answer)), (2, vec![Fault::TooLarge]));
    assert_eq!(site.balance(ws), Credits::ZERO);
    let rest = Ok(event(ws, "5", "999999997"));
    assert_eq!(site.report(&[rest]).accepted, 1, "and up to the limit it has room");
    site.check().unwrap();
}

#[test]
fn a_correction_beyond_the_limit_of_a_wallet_is_rejected_alone() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    site.report(&[Ok(event(ws, "1", "4000"))]);
    site.grant(gift(ws, Credits::MAX.minus(Credits::whole(2)).unwrap(), "gift")).unwrap();
    let take_back = |id: &str, quantity: &str| {
        Ok(UsageBuilder::new(ws, id, Timestamp::parse(START).unwrap()).quantity(quantity).corrects("1").build())
    };

    let answer = site.report(&[take_back("2", "1001"), take_back("3", "1000"), take_back("4", "0.001")]);

    assert_eq!((answer.accepted, faults(answer)), (1, vec![Fault::TooLarge; 2]));
    assert_eq!(site.balance(ws), Credits::MAX);
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
