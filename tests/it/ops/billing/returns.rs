//! Credit that is returned or taken back: refunds of usage and payments, disputes, adjustments and write-offs.

use domicile::base::TransactionId;
use domicile::billing::ledger::{Reason, Refund, Withdrawal, WriteOff};

use super::*;

impl Site {
    fn refund(&mut self, of: TransactionId, workspace: WorkspaceId, amount: Credits, key: &str) -> Outcome {
        let refund = Refund { workspace, of, amount, details: "Returned".into(), idem_key: key.into() };
        self.write(|tx| ledger::refund(tx, &Actor::System, refund))
    }

    fn withdraw(&mut self, workspace: WorkspaceId, reason: Reason, amount: Credits, key: &str) -> Outcome {
        let withdrawal = Withdrawal { workspace, amount, reason, details: "Taken".into(), idem_key: key.into() };
        self.write(|tx| ledger::withdraw(tx, &Actor::System, withdrawal))
    }

    fn write_off(&mut self, workspace: WorkspaceId, amount: Credits, key: &str) -> Outcome {
        let write_off = WriteOff { workspace, amount, details: "Lost".into(), idem_key: key.into() };
        self.write(|tx| ledger::write_off(tx, &Actor::System, write_off))
    }

    /// A lot of `amount` credits that ends in so many days, or never.
    fn lot(
        &mut self,
        workspace: WorkspaceId,
        origin: Origin,
        amount: u32,
        in_days: Option<u64>,
        key: &str,
    ) -> TransactionId {
        let expires_at = in_days.map(|n| self.clock.now().plus(days(n)));
        let grant = Grant::new(workspace, Credits::whole(amount), origin, "Credit", key);
        self.grant(Grant { expires_at, ..grant }).unwrap().id
    }

    /// The kinds of all lines, the newest first.
    fn kinds(&mut self, workspace: WorkspaceId) -> Vec<Kind> {
        let filter = Filter { limit: 99, ..Filter::default() };
        let page = self.read(|tx| ledger::statement(tx, workspace, &filter).unwrap());
        page.rows.iter().map(|line| line.kind).collect()
    }
}

type Outcome = Result<PostedTransaction, LedgerError>;

fn left(lots: &[(&str, i64)]) -> Vec<(String, i64)> {
    lots.iter().map(|(key, credits)| ((*key).to_owned(), credits * 1_000_000)).collect()
}

fn is_above(outcome: &Outcome, credits: u32) -> bool {
    matches!(outcome, Err(LedgerError::AboveLimit { limit }) if *limit == Credits::whole(credits))
}

#[test]
fn usage_is_returned_into_the_same_lots_in_reverse_order_and_never_more_than_was_charged() {
    let (mut site, ws) = (site(), some_workspace());
    site.lot(ws, Origin::Monthly, 2, Some(9), "a month");
    site.lot(ws, Origin::Purchase, 5, None, "bought");
    let used = site.charge(charge_of(ws, Credits::whole(4), "use")).unwrap().id;
    assert_eq!(site.wallet(ws), left(&[("bought", 3)]));

    let first = site.refund(used, ws, Credits::whole(1), "first").unwrap();
    assert_eq!(site.refund(used, ws, Credits::whole(1), "first").unwrap(), first);
    assert!(matches!(site.refund(used, ws, Credits::whole(2), "first"), Err(LedgerError::Conflict)));
    assert_eq!(site.wallet(ws), left(&[("bought", 4)]));
    site.refund(used, ws, Credits::whole(2), "second").unwrap();
    assert_eq!(site.wallet(ws), left(&[("a month", 1), ("bought", 5)]));

    assert!(is_above(&site.refund(used, ws, Credits::whole(2), "too much"), 1));
    assert!(matches!(site.refund(used, ws, Credits::ZERO, "nothing"), Err(LedgerError::NotPositive)));
    site.refund(used, ws, Credits::whole(1), "third").unwrap();
    assert_eq!((site.wallet(ws), site.balance(ws)), (left(&[("a month", 2), ("bought", 5)]), Credits::whole(7)));
    assert!(is_above(&site.refund(used, ws, micro(1), "more"), 0));
    site.check().unwrap();
}

#[test]
fn only_a_charge_of_this_wallet_is_returned() {
    let (mut site, ws) = (site(), some_workspace());
    let other = WorkspaceId::new(Timestamp::from_millis(2), &mut Rng::seeded(6));
    let bought = site.lot(ws, Origin::Purchase, 5, None, "bought");
    let used = site.charge(charge_of(ws, Credits::whole(4), "use")).unwrap().id;
    let unknown = TransactionId::new(Timestamp::from_millis(3), &mut Rng::seeded(7));

    for (of, workspace) in [(bought, ws), (used, other), (unknown, ws)] {
        let refused = site.refund(of, workspace, Credits::whole(1), "back");
        assert!(matches!(refused, Err(LedgerError::UnknownTransaction)), "{refused:?}");
    }
    for of in [used, unknown] {
        let refused = site.withdraw(ws, Reason::PaymentRefund(of), Credits::whole(1), "back");
        assert!(matches!(refused, Err(LedgerError::UnknownTransaction)), "{refused:?}");
    }
    assert_eq!(site.count("ledger_tx"), 2);
}

#[test]
fn credit_whose_lot_expired_is_returned_for_thirty_days_more() {
    let (mut site, ws) = (site_where_paid_credit_expires(), some_workspace());
    site.lot(ws, Origin::Monthly, 2, Some(9), "a month");
    site.lot(ws, Origin::Voucher, 2, Some(9), "a voucher");
    let used = site.charge(charge_of(ws, Credits::whole(4), "use")).unwrap().id;
    site.clock.advance(days(9));

    site.refund(used, ws, Credits::whole(4), "back").unwrap();
    assert_eq!((site.wallet(ws), site.balance(ws)), (left(&[("back", 2), ("back", 2)]), Credits::whole(4)));
    site.clock.advance(days(29));
    assert_eq!(site.write(ledger::expire_due).unwrap(), 0);
    site.clock.advance(days(1));
    assert_eq!(site.write(ledger::expire_due).unwrap(), 2);

    assert_eq!(site.balance(ws), Credits::ZERO);
    let accounts: Vec<_> = site.site_accounts().into_iter().map(|(code, micro)| (code, micro / 1_000_000)).collect();
    let expected = [("asset.voucher_sold", 2), ("expense.monthly", 2), ("income.breakage", -2), ("income.usage", -2)];
    assert_eq!(accounts, expected.map(|(code, credits)| (code.to_owned(), credits)));
    site.check().unwrap();
}

#[test]
fn a_refund_counts_no_credit_that_has_expired_but_that_no_job_has_taken() {
    let (mut site, ws) = (site(), some_workspace());
    site.lot(ws, Origin::Monthly, 5, Some(9), "a month");
    let used = site.charge(charge_of(ws, Credits::whole(2), "use")).unwrap().id;
    site.clock.advance(days(9));

    let posted = site.refund(used, ws, Credits::whole(1), "back").unwrap();

    assert_eq!((posted.balance_after, site.wallet(ws)), (Credits::whole(1), left(&[("back", 1)])));
    assert_eq!(site.kinds(ws)[..2], [Kind::Refund, Kind::Expired]);
    site.check().unwrap();
}

#[test]
fn a_refund_repays_debt_first_and_a_debt_that_was_paid_comes_back_as_credit() {
    let (mut site, ws) = (site(), some_workspace());
    site.lot(ws, Origin::Adjustment, 1, None, "gift");
    let used = site.charge(charge_of(ws, Credits::whole(4), "use")).unwrap().id;
    assert_eq!(site.wallet(ws), left(&[("debt", 3)]));

    site.refund(used, ws, Credits::whole(1), "first").unwrap();
    assert_eq!(site.wallet(ws), left(&[("debt", 2)]));
    site.lot(ws, Origin::Purchase, 2, None, "bought");
    assert_eq!(site.wallet(ws), left(&[]));
    site.refund(used, ws, Credits::whole(3), "second").unwrap();
    assert_eq!(site.wallet(ws), left(&[("gift", 1), ("second", 2)]));
    site.check().unwrap();
}

#[test]
fn a_lot_that_a_refund_filled_after_the_clock_was_set_back_expires_again() {
    let (mut site, ws) = (site(), some_workspace());
    let start = site.clock.now();
    site.lot(ws, Origin::Promo, 3, Some(5), "promo");
    let used = site.charge(charge_of(ws, Credits::whole(1), "use")).unwrap().id;
    site.clock.advance(days(5));
    assert_eq!(site.write(ledger::expire_due).unwrap(), 1);

    site.clock = Clock::manual_at(start.plus(days(4)));
    site.refund(used, ws, Credits::whole(1), "back").unwrap();
    assert_eq!(site.wallet(ws), left(&[("promo", 1)]));
    site.clock.advance(days(1));

    assert_eq!(site.write(ledger::expire_due).unwrap(), 1);
    assert_eq!(site.balance(ws), Credits::ZERO);
    site.check().unwrap();
}

#[test]
fn a_returned_payment_takes_its_own_lot_then_paid_credit_then_the_rest() {
    let (mut site, ws) = (site(), some_workspace());
    site.lot(ws, Origin::Adjustment, 3, None, "gift");
    site.lot(ws, Origin::Purchase, 5, None, "older");
    let bought = site.lot(ws, Origin::AutoTopUp, 10, None, "bought");
    let reason = Reason::PaymentRefund(bought);

    site.withdraw(ws, reason, Credits::whole(4), "first").unwrap();
    assert_eq!(site.wallet(ws), left(&[("bought", 6), ("gift", 3), ("older", 5)]));
    site.charge(charge_of(ws, Credits::whole(6), "use")).unwrap();
    assert_eq!(site.wallet(ws), left(&[("bought", 6), ("older", 2)]));
    site.charge(charge_of(ws, Credits::whole(7), "more use")).unwrap();
    assert_eq!(site.wallet(ws), left(&[("bought", 1)]));
    site.lot(ws, Origin::Promo, 2, None, "promo");
    site.lot(ws, Origin::Purchase, 1, None, "newer");

    assert!(is_above(&site.withdraw(ws, reason, Credits::whole(7), "too much"), 6));
    site.withdraw(ws, reason, Credits::whole(2), "second").unwrap();
    assert_eq!(site.wallet(ws), left(&[("promo", 2)]));
    site.withdraw(ws, reason, Credits::whole(4), "third").unwrap();
    assert_eq!(site.wallet(ws), left(&[("debt", 2)]));
    assert!(is_above(&site.withdraw(ws, reason, micro(1), "more"), 0));
    site.check().unwrap();
}

#[test]
fn a_dispute_that_is_won_restores_every_account() {
    let (mut site, ws) = (site(), some_workspace());
    site.lot(ws, Origin::Signup, 5, None, "welcome");
    let bought = site.lot(ws, Origin::Purchase, 10, None, "bought");
    site.charge(charge_of(ws, Credits::whole(12), "use")).unwrap();
    let before = (site.wallet(ws), site.site_accounts());

    let reason = Reason::Dispute { of: bought, fee: Credits::whole(15) };
    let dispute = site.withdraw(ws, reason, Credits::whole(10), "dispute").unwrap();
    assert_eq!((site.wallet(ws), dispute.balance_after), (left(&[("debt", 7)]), Credits::whole(7).negated()));
    let fee = ("expense.dispute".to_owned(), 15_000_000);
    assert!(site.site_accounts().contains(&fee));
    assert!(matches!(
        site.withdraw(ws, Reason::Dispute { of: bought, fee: Credits::ZERO }, Credits::whole(10), "dispute"),
        Err(LedgerError::Conflict)
    ));
    site.refund(dispute.id, ws, Credits::whole(10), "won").unwrap();

    assert_eq!((site.wallet(ws), site.site_accounts()), before);
    assert_eq!(site.kinds(ws)[..2], [Kind::DisputeWon, Kind::Dispute]);
    site.check().unwrap();
}

#[test]
fn an_operator_takes_credit_back_in_burn_order_and_debt_is_written_off() {
    let (mut site, ws) = (site(), some_workspace());
    site.lot(ws, Origin::Purchase, 5, None, "bought");
    site.lot(ws, Origin::Promo, 2, None, "promo");

    site.withdraw(ws, Reason::Adjustment, Credits::whole(3), "mistake").unwrap();
    assert_eq!(site.wallet(ws), left(&[("bought", 4)]));
    assert!(is_above(&site.write_off(ws, micro(1), "early"), 0));
    site.withdraw(ws, Reason::Adjustment, Credits::whole(7), "more").unwrap();
    assert_eq!(site.wallet(ws), left(&[("debt", 3)]));

    assert!(is_above(&site.write_off(ws, Credits::whole(4), "too much"), 3));
    let lost = site.write_off(ws, Credits::whole(2), "lost").unwrap();
    assert_eq!(site.write_off(ws, Credits::whole(2), "lost").unwrap(), lost);
    assert_eq!((site.wallet(ws), lost.balance_after), (left(&[("debt", 1)]), Credits::whole(1).negated()));
    let accounts = site.site_accounts();
    assert!(accounts.contains(&("expense.bad_debt".to_owned(), 2_000_000)), "{accounts:?}");
    for amount in [Credits::ZERO, micro(-1)] {
        assert!(matches!(site.write_off(ws, amount, "odd"), Err(LedgerError::NotPositive)));
        assert!(matches!(site.withdraw(ws, Reason::Adjustment, amount, "odd"), Err(LedgerError::NotPositive)));
    }
    site.check().unwrap();
}

#[test]
fn paid_credit_expires_only_where_the_site_lets_it() {
    let (mut site, ws) = (site(), some_workspace());
    site.lot(ws, Origin::Purchase, 5, Some(1), "bought");
    site.lot(ws, Origin::Promo, 2, Some(1), "promo");
    site.clock.advance(days(400));

    assert_eq!(site.write(ledger::expire_due).unwrap(), 1);
    assert_eq!(site.wallet(ws), left(&[("bought", 5)]));
    site.check().unwrap();
}
