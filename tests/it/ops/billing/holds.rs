//! Reserved credit: it is there once, for the usage that it is reserved for.

use domicile::base::HoldId;
use domicile::billing::ledger::holds::{self, Hold, HoldState, NewHold};

use super::*;

impl Site {
    fn reserve(&mut self, workspace: WorkspaceId, amount: Credits, for_days: u64) -> Result<Hold, LedgerError> {
        let id = HoldId::new(self.clock.now(), &mut self.rng);
        let expires_at = self.clock.now().plus(days(for_days));
        self.write(|tx| holds::reserve(tx, NewHold { id, workspace, key: None, amount, expires_at }))
    }

    fn close(&mut self, hold: &Hold) {
        self.write(|tx| {
            let hold = holds::find(tx, hold.id)?.unwrap();
            holds::close(tx, &hold, HoldState::Settled)
        })
        .unwrap();
    }

    /// What can be spent and what is reserved, in whole credits.
    fn free_and_reserved(&mut self, workspace: WorkspaceId) -> (i64, i64) {
        let whole = |credits: Credits| credits.micro() / 1_000_000;
        self.read(|tx| {
            (whole(holds::available(tx, workspace).unwrap()), whole(holds::reserved(tx, workspace).unwrap()))
        })
    }

    fn gift_of(&mut self, workspace: WorkspaceId, credits: u32, in_days: Option<u64>, key: &str) {
        let expires_at = in_days.map(|n| self.clock.now().plus(days(n)));
        self.grant(Grant { expires_at, ..gift(workspace, Credits::whole(credits), key) }).unwrap();
    }
}

fn left(lots: &[(&str, i64)]) -> Vec<(String, i64)> {
    lots.iter().map(|(key, credits)| ((*key).to_owned(), credits * 1_000_000)).collect()
}

#[test]
fn reserved_credit_cannot_be_reserved_or_spent_again() {
    let (mut site, ws) = (site(), some_workspace());
    site.gift_of(ws, 3, Some(9), "soon");
    site.gift_of(ws, 2, None, "never");

    let hold = site.reserve(ws, Credits::whole(4), 1).unwrap();
    assert_eq!((site.free_and_reserved(ws), site.balance(ws)), ((1, 4), Credits::whole(5)));
    let refused = site.reserve(ws, micro(1_000_001), 1).unwrap_err();
    assert!(matches!(refused, LedgerError::InsufficientCredit { available, .. } if available == Credits::whole(1)));
    let refused = site.spend(charge_of(ws, micro(1_000_001), "spend")).unwrap_err();
    assert!(matches!(refused, LedgerError::InsufficientCredit { available, .. } if available == Credits::whole(1)));
    assert!(matches!(site.reserve(ws, Credits::ZERO, 1), Err(LedgerError::NotPositive)));
    // The database itself refuses both.
    for sql in [
        "update credit_hold_lot set reserved_micro = reserved_micro + 1",
        "update ledger_balance set balance_micro = balance_micro + 1 where high_micro = -3000000",
        "update credit_hold set state = 'settled', closed_at = 1",
        "update credit_hold set captured_micro = 4000001",
        "update credit_hold set amount_micro = 1",
        "delete from credit_hold_lot",
        "delete from credit_hold",
        "insert or replace into credit_hold select * from credit_hold",
        "insert or replace into credit_hold_lot select hold_id, n, lot_id, 0 from credit_hold_lot",
        "insert into credit_hold_lot select hold_id, 9, lot_id, 1 from credit_hold_lot where n = 1",
    ] {
        let refused = site.connection.execute_batch(sql).expect_err(sql);
        assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::ConstraintViolation), "{sql}: {refused}");
    }

    site.spend(charge_of(ws, Credits::whole(1), "rest")).unwrap();
    assert_eq!(site.wallet(ws), left(&[("never", 1), ("soon", 3)]));
    site.close(&hold);
    assert_eq!(site.free_and_reserved(ws), (4, 0));
    let again = site.connection.execute_batch("update credit_hold set state = 'active', closed_at = null");
    assert!(again.is_err());
    site.check().unwrap();
}

#[test]
fn debt_that_was_made_beside_a_hold_is_repaid_when_it_is_closed() {
    let (mut site, ws) = (site(), some_workspace());
    site.gift_of(ws, 5, None, "gift");
    let hold = site.reserve(ws, Credits::whole(4), 1).unwrap();

    site.charge(charge_of(ws, Credits::whole(3), "use")).unwrap();
    assert_eq!((site.wallet(ws), site.free_and_reserved(ws)), (left(&[("debt", 2), ("gift", 4)]), (-2, 4)));
    site.check().unwrap();
    site.close(&hold);

    assert_eq!((site.wallet(ws), site.free_and_reserved(ws)), (left(&[("gift", 2)]), (2, 0)));
    let filter = Filter { limit: 1, ..Filter::default() };
    let line = site.read(|tx| ledger::statement(tx, ws, &filter).unwrap()).rows.remove(0);
    assert_eq!((line.kind, line.amount, line.balance_after), (Kind::Repayment, Credits::ZERO, Credits::whole(2)));
    site.check().unwrap();
}

#[test]
fn reserved_credit_expires_when_its_hold_is_closed() {
    let (mut site, ws) = (site(), some_workspace());
    site.gift_of(ws, 5, Some(1), "day");
    let hold = site.reserve(ws, Credits::whole(2), 9).unwrap();
    site.clock.advance(days(2));

    assert_eq!(site.write(ledger::expire_due).unwrap(), 1);
    assert_eq!(site.write(ledger::expire_due).unwrap(), 0);
    assert_eq!(site.wallet(ws), left(&[("day", 2)]));
    site.close(&hold);

    assert_eq!((site.wallet(ws), site.balance(ws)), (left(&[]), Credits::ZERO));
    site.check().unwrap();
}

#[test]
fn a_hold_whose_time_is_over_holds_nothing_back() {
    let (mut site, ws) = (site(), some_workspace());
    site.gift_of(ws, 5, None, "gift");
    site.reserve(ws, Credits::whole(4), 1).unwrap();
    site.reserve(ws, Credits::whole(1), 2).unwrap();
    site.clock.advance(days(1));

    let second = site.reserve(ws, Credits::whole(3), 1).unwrap();
    assert_eq!(site.free_and_reserved(ws), (1, 4));
    site.clock.advance(days(1));
    site.spend(charge_of(ws, Credits::whole(5), "all")).unwrap();
    let found = site.read(|tx| holds::find(tx, second.id).unwrap()).unwrap();
    assert_eq!((found.state, site.free_and_reserved(ws)), (HoldState::Expired, (0, 0)));

    site.gift_of(ws, 2, None, "more");
    site.reserve(ws, Credits::whole(2), 1).unwrap();
    site.clock.advance(days(1));
    assert_eq!(site.write(holds::expire_holds).unwrap(), 1);
    assert_eq!(site.write(holds::expire_holds).unwrap(), 0);
    assert_eq!(site.free_and_reserved(ws), (2, 0));
    site.check().unwrap();
}

#[test]
fn what_can_be_spent_is_known_before_the_jobs_have_run() {
    let (mut site, ws) = (site(), some_workspace());
    site.gift_of(ws, 5, Some(2), "soon");
    site.gift_of(ws, 4, None, "never");
    site.reserve(ws, Credits::whole(1), 1).unwrap();
    site.reserve(ws, Credits::whole(2), 9).unwrap();
    site.reserve(ws, Credits::whole(3), 1).unwrap();
    assert_eq!(site.free_and_reserved(ws), (3, 6));

    // The first and the third hold are over, and a day later what expires soon has.
    site.clock.advance(days(1));
    assert_eq!(site.free_and_reserved(ws), (7, 2), "what is over is not reserved");
    site.clock.advance(days(1));
    assert_eq!(site.free_and_reserved(ws).0, 4);
    assert!(matches!(site.reserve(ws, micro(4_000_001), 1), Err(LedgerError::InsufficientCredit { .. })));
    site.reserve(ws, Credits::whole(4), 1).unwrap();
    site.check().unwrap();
}

#[test]
fn holds_whose_time_is_over_are_closed_in_batches() {
    let (mut site, ws) = (site(), some_workspace());
    site.gift_of(ws, 5, None, "gift");
    for _ in 0..450 {
        site.reserve(ws, micro(10_000), 1).unwrap();
    }
    site.clock.advance(days(1));
    let active = "select count(*) from credit_hold where state = 'active'";

    site.spend(charge_of(ws, Credits::whole(2), "spend")).unwrap();
    assert_eq!(site.number(active), 250);
    site.reserve(ws, Credits::whole(1), 1).unwrap();
    assert_eq!(site.number(active), 51);
    assert_eq!([(); 2].map(|()| site.write(holds::expire_holds).unwrap()), [50, 0]);
    site.check().unwrap();
}

#[test]
fn the_check_finds_open_holds_without_reading_all() {
    let site = site();
    let sql = ledger::CHECK_STATEMENTS.iter().find(|sql| sql.contains("union") && sql.contains("credit_hold")).unwrap();
    let mut plan = site.connection.prepare(&format!("explain query plan {sql}")).unwrap();
    let steps: Vec<String> = plan.raw_query().mapped(|row| row.get(3)).map(Result::unwrap).collect();
    let reads_all = |step: &&String| step.starts_with("SCAN h") || step.as_str() == "SCAN credit_hold";
    assert_eq!(steps.iter().find(reads_all), None, "{steps:#?}");
    assert!(steps.iter().any(|step| step.contains("SEARCH h")), "{steps:#?}");
}

#[test]
fn the_check_finds_what_holds_do_not_reserve() {
    let damages = [
        ("update ledger_balance set high_micro = 0 where high_micro < 0", "ledger_balance lac_"),
        (
            "drop trigger credit_hold_lot_gives_back; update credit_hold_lot set reserved_micro = 1",
            "ledger_balance lac_",
        ),
        ("update credit_hold set captured_micro = 1", "credit_hold hold_"),
        ("update credit_hold_lot set reserved_micro = 1", "credit_hold hold_"),
        (
            "drop trigger credit_hold_reserves_nothing_when_closed;
             update credit_hold set state = 'expired', closed_at = 1",
            "credit_hold hold_",
        ),
    ];
    for (damage, row) in damages {
        let (mut site, ws) = (site(), some_workspace());
        site.gift_of(ws, 5, None, "gift");
        site.reserve(ws, Credits::whole(4), 1).unwrap();
        site.check().unwrap();
        let mut base = site.copied();
        site.charge(charge_of(ws, Credits::whole(1), "use")).unwrap();
        site.connection.execute_batch(damage).unwrap();

        let since = site.read(|tx| base.read(|base| ledger::check_since(tx, base, 1)));
        for found in [site.check(), since] {
            match found {
                Err(LedgerError::Damaged { row: named, .. }) if named.starts_with(row) => {}
                other => panic!("{damage}: {row} should be named, not {other:?}"),
            }
        }
    }
}

#[test]
fn a_ledger_of_an_earlier_schema_is_checked_and_compared_with() {
    let (mut site, ws) = (site(), some_workspace());
    site.gift_of(ws, 5, None, "gift");
    let mut earlier = site.copied();
    earlier.connection.execute_batch("drop table credit_hold_lot; drop table credit_hold").unwrap();
    earlier.check().unwrap();
    site.reserve(ws, Credits::whole(4), 1).unwrap();
    site.charge(charge_of(ws, Credits::whole(1), "use")).unwrap();

    site.read(|tx| earlier.read(|earlier| ledger::check_since(tx, earlier, 1))).unwrap();
    let damage = "update ledger_balance set high_micro = high_micro + 1";
    earlier.connection.execute_batch(damage).unwrap();
    let found = earlier.check().unwrap_err().to_string();
    assert!(found.contains("its bounds are not its account's"), "{found}");
}

#[test]
fn the_check_finds_free_credit_beside_debt_in_a_wallet_with_holds() {
    let (mut site, ws) = (site(), some_workspace());
    site.gift_of(ws, 5, None, "gift");
    site.reserve(ws, Credits::whole(4), 1).unwrap();
    site.charge(charge_of(ws, Credits::whole(3), "use")).unwrap();
    site.check().unwrap();

    site.connection
        .execute_batch(
            "update credit_hold_lot set reserved_micro = 0; update credit_hold set state = 'expired', closed_at = 1",
        )
        .unwrap();
    let found = site.check().unwrap_err().to_string();
    assert!(found.contains("the wallet of ws_") && found.contains("free credit and debt"), "{found}");
}

#[test]
fn of_a_thousand_holds_of_the_last_credit_as_many_succeed_as_there_is_credit() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    std::fs::create_dir_all(layout.live_dir()).unwrap();
    let hooks = domicile::db::StoreHooks::default();
    let store = Store::open(layout, Arc::new(default_settings()), Clock::system(), Rng::system(), hooks).unwrap();
    let ws = some_workspace();
    store.write_blocking(move |tx| ledger::grant(tx, &Actor::Operator, gift(ws, Credits::whole(7), "gift"))).unwrap();

    let reserved: usize = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..20u64)
            .map(|caller| {
                let store = &store;
                scope.spawn(move || {
                    let reserve = |n: u64| {
                        store.write_blocking(move |tx| {
                            let id = HoldId::new(tx.now(), &mut Rng::seeded(caller * 50 + n));
                            let expires_at = tx.now().plus(days(1));
                            holds::reserve(
                                tx,
                                NewHold { id, workspace: ws, key: None, amount: Credits::whole(1), expires_at },
                            )
                        })
                    };
                    (0..50).filter(|n| reserve(*n).is_ok()).count()
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });

    assert_eq!(reserved, 7, "overspend and under-use are both zero");
    store.read_blocking(ledger::check).unwrap();
}
