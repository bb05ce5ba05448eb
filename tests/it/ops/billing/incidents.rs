//! Money errors that comparable products published. Each has its source, and cannot happen here.

use domicile::base::{HoldId, TransactionId};
use domicile::billing::ledger::holds::{self, Hold, HoldState, NewHold};
use domicile::billing::ledger::{Reason, Refund, Withdrawal};

use super::*;

impl Site {
    fn hold(&mut self, workspace: WorkspaceId, amount: Credits) -> Result<Hold, LedgerError> {
        let id = HoldId::new(self.clock.now(), &mut self.rng);
        let expires_at = self.clock.now().plus(days(1));
        self.write(|tx| holds::reserve(tx, NewHold { id, workspace, key: None, amount, expires_at }))
    }

    fn give_back(
        &mut self,
        workspace: WorkspaceId,
        of: TransactionId,
        amount: Credits,
        key: &str,
    ) -> Result<PostedTransaction, LedgerError> {
        let refund = Refund { workspace, of, amount, details: "Returned".into(), idem_key: key.into() };
        self.write(|tx| ledger::refund(tx, &Actor::System, refund))
    }

    fn bought(&mut self, workspace: WorkspaceId, credits: u32, key: &str) -> PostedTransaction {
        self.grant(Grant::new(workspace, Credits::whole(credits), Origin::Purchase, "Credit", key)).unwrap()
    }

    fn monthly(&mut self, workspace: WorkspaceId, credits: u32, in_days: u64, key: &str) {
        let expires_at = Some(self.clock.now().plus(days(in_days)));
        let grant = Grant::new(workspace, Credits::whole(credits), Origin::Monthly, "A month", key);
        self.grant(Grant { expires_at, ..grant }).unwrap();
    }
}

/// A payment webhook was delivered twice, and the credit was added twice.
/// <https://github.com/anomalyco/opencode/issues/28402>, <https://github.com/pollinations/pollinations/issues/10621>,
/// <https://github.com/wasp-lang/open-saas/issues/688>
#[test]
fn a_payment_that_is_told_many_times_is_credited_once() {
    let (mut site, ws) = (site(), some_workspace());
    let first = site.bought(ws, 10, "stripe:pi_1");
    for _ in 0..3 {
        assert_eq!(site.bought(ws, 10, "stripe:pi_1"), first);
    }
    assert_eq!(site.balance(ws), Credits::whole(10));
}

/// The same payment was told with two amounts, and the second one replaced the first.
/// <https://github.com/theopenco/llmgateway/issues/1713>
#[test]
fn a_payment_that_is_told_with_another_amount_is_refused() {
    let (mut site, ws) = (site(), some_workspace());
    site.bought(ws, 10, "stripe:pi_1");
    let other = Grant::new(ws, Credits::whole(11), Origin::Purchase, "Credit", "stripe:pi_1");
    assert!(matches!(site.grant(other), Err(LedgerError::Conflict)));
    assert_eq!(site.balance(ws), Credits::whole(10));
}

/// A reconciliation committed, its answer was lost, and the retry refunded a second time.
/// <https://github.com/elizaOS/eliza/pull/10930>
#[test]
fn a_refund_whose_answer_was_lost_is_not_made_twice() {
    let (mut site, ws) = (site(), some_workspace());
    site.bought(ws, 10, "bought");
    let used = site.charge(charge_of(ws, Credits::whole(4), "use")).unwrap().id;
    for _ in 0..3 {
        site.give_back(ws, used, Credits::whole(1), "recon:1").unwrap();
    }
    assert_eq!(site.balance(ws), Credits::whole(7));
}

/// Two requests passed a check of the balance and both were served for one credit.
/// <https://github.com/wasp-lang/open-saas/issues/727>, <https://github.com/QuantumNous/new-api/issues/6609>,
/// <https://github.com/elizaOS/eliza/issues/10857>
#[test]
fn two_requests_are_not_admitted_with_the_same_credit() {
    let (mut site, ws) = (site(), some_workspace());
    site.bought(ws, 1, "bought");
    site.hold(ws, Credits::whole(1)).unwrap();
    assert!(matches!(site.hold(ws, Credits::whole(1)), Err(LedgerError::InsufficientCredit { .. })));
}

/// A settlement beyond the balance failed, was rolled back with its usage, and the reservation was released.
/// <https://github.com/DEEIX-AI/DEEIX-Chat/pull/477>
#[test]
fn usage_beyond_the_balance_is_charged_and_becomes_debt() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    assert_eq!(site.report(&[Ok(event(ws, "1", "9000"))]).accepted, 1);
    assert_eq!(site.balance(ws), Credits::whole(4).negated());
    assert!(matches!(site.hold(ws, micro(1)), Err(LedgerError::InsufficientCredit { .. })));
}

/// The charge was made, the update after it failed, and the retried event was charged again.
/// <https://github.com/one-covenant/basilica/pull/194>
#[test]
fn a_charge_that_fails_half_way_is_made_once_by_the_retry() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    let crash =
        "create temp trigger crash before insert on main.statement_line begin select raise(abort, 'crash'); end";
    site.connection.execute_batch(crash).unwrap();
    let farm = farm();
    assert!(site.write(|tx| usage::record_batch(tx, &farm, &[Ok(event(ws, "1", "1000"))])).is_err());
    assert_eq!((site.balance(ws), site.count("usage_event")), (Credits::whole(5), 0));
    site.connection.execute_batch("drop trigger crash").unwrap();
    for _ in 0..2 {
        site.report(&[Ok(event(ws, "1", "1000"))]);
    }
    assert_eq!(site.balance(ws), Credits::whole(4));
}

/// A retry was told to use a new id, and the usage was billed twice.
/// <https://github.com/getlago/lago-agent-toolkit/issues/65>, <https://github.com/flexprice/flexprice/issues/2763>
#[test]
fn the_same_usage_is_a_duplicate_also_in_one_batch_and_after_a_year() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    assert_eq!(site.report(&[Ok(event(ws, "1", "1000")), Ok(event(ws, "1", "1000"))]).duplicates, 1);
    site.clock.advance(days(366));
    assert_eq!(site.report(&[Ok(event(ws, "1", "1000"))]).duplicates, 1);
    assert_eq!(site.balance(ws), Credits::whole(4));
}

/// Each of 81 lines was rounded by itself, and the sum was two cents short.
/// <https://github.com/useautumn/autumn/pull/3407>
#[test]
fn eighty_one_small_charges_add_up_to_the_price_of_their_sum() {
    let mut site = site();
    let mut odd = default_settings();
    odd.config.prices[0].price = micro(333);
    site.settings = Arc::new(odd);
    let ws = site.person("orchard").workspace;
    for n in 0..81 {
        site.report(&[Ok(event(ws, &n.to_string(), "0.0015"))]);
    }
    // 81 x 0.0015 x 333 = 40.4595 millionths; each by itself would be rounded to 0.
    assert_eq!(site.balance(ws), micro(5_000_000 - 40));
}

/// An amount with a factor that a float cannot represent was one too low.
/// <https://github.com/Comfy-Org/ComfyUI_frontend/pull/18285>
#[test]
fn amounts_that_no_float_can_represent_are_exact() {
    let (mut site, ws) = (site(), some_workspace());
    for n in 0..10 {
        site.grant(gift(ws, Credits::parse("0.1").unwrap(), &format!("tenth {n}"))).unwrap();
    }
    site.charge(charge_of(ws, Credits::parse("0.700001").unwrap(), "use")).unwrap();
    assert_eq!(site.balance(ws).to_string(), "0.299999");
}

/// A purchase failed after it had been credited, and voiding it credited the wallet a second time.
/// <https://github.com/getlago/lago-api/pull/3703>
#[test]
fn a_returned_payment_takes_its_credit_back_once() {
    let (mut site, ws) = (site(), some_workspace());
    let bought = site.bought(ws, 1, "bought").id;
    let reason = Reason::PaymentRefund(bought);
    let withdrawal = Withdrawal {
        workspace: ws,
        amount: Credits::whole(1),
        reason,
        details: "Failed".into(),
        idem_key: "failed".into(),
    };
    site.write(|tx| ledger::withdraw(tx, &Actor::System, withdrawal.clone())).unwrap();
    let again = Withdrawal { idem_key: "voided".into(), ..withdrawal };
    let refused = site.write(|tx| ledger::withdraw(tx, &Actor::System, again));
    assert!(matches!(refused, Err(LedgerError::AboveLimit { limit: Credits::ZERO })));
    assert!(matches!(site.give_back(ws, bought, Credits::whole(1), "back"), Err(LedgerError::UnknownTransaction)));
    assert_eq!(site.balance(ws), Credits::ZERO);
}

/// More was refunded for prepaid credit than was left of its payment.
/// <https://github.com/getlago/lago-api/pull/4978>
#[test]
fn a_refund_is_never_greater_than_what_is_left_of_the_payment() {
    let (mut site, ws) = (site(), some_workspace());
    let reason = Reason::PaymentRefund(site.bought(ws, 5, "bought").id);
    let refund = |key: &str| Withdrawal {
        workspace: ws,
        amount: Credits::whole(3),
        reason,
        details: "Refund".into(),
        idem_key: key.into(),
    };
    site.write(|tx| ledger::withdraw(tx, &Actor::System, refund("first"))).unwrap();
    let second = site.write(|tx| ledger::withdraw(tx, &Actor::System, refund("second")));
    assert!(matches!(second, Err(LedgerError::AboveLimit { limit }) if limit == Credits::whole(2)));
}

/// Corrected usage restored credit that should have expired, and it stayed for ever.
/// <https://github.com/openmeterio/openmeter/pull/4371>
#[test]
fn returned_credit_expires_when_it_would_have_expired() {
    let (mut site, ws) = (site(), some_workspace());
    site.monthly(ws, 5, 30, "may");
    let used = site.charge(charge_of(ws, Credits::whole(2), "use")).unwrap().id;
    site.clock.advance(days(29));
    site.give_back(ws, used, Credits::whole(2), "back").unwrap();
    site.clock.advance(days(1));
    site.write(ledger::expire_due).unwrap();
    assert_eq!(site.balance(ws), Credits::ZERO);
    site.check().unwrap();
}

/// The job at the end of a month did not run, and credit that had expired could still be spent.
/// <https://github.com/twentyhq/twenty/pull/25603>
#[test]
fn expired_credit_is_not_spent_when_no_job_has_run() {
    let (mut site, ws) = (site(), some_workspace());
    site.monthly(ws, 5, 30, "may");
    site.clock.advance(days(31));
    assert!(matches!(site.spend(charge_of(ws, micro(1), "spend")), Err(LedgerError::InsufficientCredit { .. })));
    assert!(matches!(site.hold(ws, micro(1)), Err(LedgerError::InsufficientCredit { .. })));
}

/// A renewal replaced the whole balance, and credit that was bought was lost with the unused credit of the month.
/// <https://github.com/polarsource/polar/issues/10513>, <https://github.com/chatwoot/chatwoot/pull/12999>
#[test]
fn a_new_month_takes_nothing_from_bought_credit() {
    let (mut site, ws) = (site(), some_workspace());
    site.bought(ws, 7, "bought");
    site.monthly(ws, 5, 30, "may");
    site.charge(charge_of(ws, Credits::whole(1), "use")).unwrap();
    site.clock.advance(days(30));
    site.write(ledger::expire_due).unwrap();
    site.monthly(ws, 5, 30, "june");
    assert_eq!(site.balance(ws), Credits::whole(12));
}

/// A change of the plan set the credit to the new allowance, and unused credit was lost.
/// <https://github.com/shogo-labs/shogo-ai/issues/430>
#[test]
fn a_second_grant_of_a_month_is_added_to_the_first() {
    let (mut site, ws) = (site(), some_workspace());
    site.monthly(ws, 4, 20, "may:pro");
    site.monthly(ws, 8, 20, "may:business");
    assert_eq!(site.balance(ws), Credits::whole(12));
}

/// A renewal was told twice, and the month was granted twice.
/// <https://github.com/pierreb-devkit/Node/issues/3571>, <https://github.com/cobuildwithus/murph/pull/1291>
#[test]
fn a_month_is_granted_once_however_often_it_is_told() {
    let (mut site, ws) = (site(), some_workspace());
    for _ in 0..3 {
        site.monthly(ws, 5, 30, "grant:2026-05");
    }
    assert_eq!(site.balance(ws), Credits::whole(5));
}

/// A grant by hand had an optional key, and a retry credited it twice.
/// <https://github.com/Panafor-Ai-Team/Aico/issues/364>
#[test]
fn every_grant_has_a_key_that_is_unique_for_ever() {
    let (mut site, ws) = (site(), some_workspace());
    site.grant(gift(ws, Credits::whole(5), "manual:1")).unwrap();
    site.clock.advance(days(3_650));
    site.grant(gift(ws, Credits::whole(5), "manual:1")).unwrap();
    assert_eq!((site.balance(ws), site.count("ledger_tx")), (Credits::whole(5), 1));
    let unnamed = "select count(*) from pragma_table_info('ledger_tx') where name = 'idem_key' and \"notnull\" = 0";
    assert_eq!(site.connection.query_row(unnamed, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

/// The balance was 1,883 below zero, and nobody could say which usage had made it so.
/// <https://github.com/openai/codex/issues/46608>
#[test]
fn each_step_below_zero_is_a_line_that_names_its_usage() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    for n in 0..5 {
        site.report(&[Ok(event(ws, &n.to_string(), "2000"))]);
    }
    let page = site.read(|tx| ledger::statement(tx, ws, &Filter { limit: 9, ..Filter::default() }).unwrap());
    let below: Vec<_> = page.rows.iter().filter(|line| line.balance_after < Credits::ZERO).collect();
    assert_eq!((below.len(), site.balance(ws)), (3, Credits::whole(5).negated()));
    assert!(below.iter().all(|line| line.details == "gpu.h100: 2000 × second"));
}

/// A top-up of somebody who was below zero did not end the block, because the block was stored.
/// <https://github.com/twentyhq/twenty/pull/23973>
#[test]
fn credit_that_repays_the_debt_ends_the_stop_by_itself() {
    let (mut site, ws) = (site(), some_workspace());
    site.charge(charge_of(ws, Credits::whole(3), "use")).unwrap();
    assert!(matches!(site.hold(ws, micro(1)), Err(LedgerError::InsufficientCredit { .. })));
    site.bought(ws, 3, "bought");
    assert!(matches!(site.hold(ws, micro(1)), Err(LedgerError::InsufficientCredit { .. })));
    site.bought(ws, 1, "more");
    site.hold(ws, Credits::whole(1)).unwrap();
}

/// A reservation whose request died was never released, and its credit was lost.
/// <https://github.com/octopusreview/octopus/issues/506>
#[test]
fn the_credit_of_a_request_that_died_is_free_again() {
    let (mut site, ws) = (site(), some_workspace());
    site.bought(ws, 5, "bought");
    let hold = site.hold(ws, Credits::whole(5)).unwrap();
    site.clock.advance(days(1));
    assert_eq!(site.write(holds::expire_holds).unwrap(), 1);
    assert_eq!(site.read(|tx| holds::find(tx, hold.id).unwrap().unwrap().state), HoldState::Expired);
    site.hold(ws, Credits::whole(5)).unwrap();
}

/// Usage that was priced wrongly blocked a person until rows were deleted by hand.
/// <https://github.com/BerriAI/litellm/issues/20615>
#[test]
fn wrong_usage_is_taken_back_by_an_event() {
    let mut site = site();
    let ws = site.person("orchard").workspace;
    site.report(&[Ok(event(ws, "1", "76160"))]);
    assert!(site.balance(ws) < Credits::ZERO);
    let back = UsageBuilder::new(ws, "2", Timestamp::parse(START).unwrap()).quantity("76160").corrects("1").build();
    assert_eq!(site.report(&[Ok(back)]).accepted, 1);
    assert_eq!((site.balance(ws), site.wallet(ws).len()), (Credits::whole(5), 1));
    site.check().unwrap();
}
