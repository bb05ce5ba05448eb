//! Grants, charges and expiry of a wallet, and the burn order of its lots.

use super::*;

#[test]
fn a_grant_can_be_charged_and_the_statement_lists_both() {
    let (mut site, ws) = (site(), some_workspace());

    site.grant(gift(ws, Credits::whole(5), "gift")).unwrap();
    let after = site.charge(charge_of(ws, micro(1_250_000), "use")).unwrap();

    assert_eq!((after.seq, after.balance_after), (2, micro(3_750_000)));
    let page = site.read(|tx| ledger::statement(tx, ws, &Filter { limit: PAGE_SIZE, ..Filter::default() }).unwrap());
    let lines: Vec<_> = page.rows.iter().map(|line| (line.kind, line.amount.to_string(), line.balance_after)).collect();
    assert_eq!(
        lines,
        [(Kind::Usage, "-1.25".to_owned(), micro(3_750_000)), (Kind::Adjustment, "5.00".to_owned(), Credits::whole(5)),]
    );
    assert_eq!(site.check().unwrap(), LedgerSummary { transactions: 2, accounts: 3 });
}

#[test]
fn every_line_of_a_statement_is_reached_once_by_asking_for_times() {
    let (mut site, ws) = (site(), some_workspace());
    let start = site.clock.now();
    site.grant(gift(ws, Credits::whole(5), "gift")).unwrap();
    // 1,500 lines in one millisecond, 900 in different ones, and some after the clock was set back.
    site.clock.advance(hours(3));
    for n in 0..1_500 {
        site.charge(charge_of(ws, micro(1), &format!("at once {n}"))).unwrap();
    }
    for n in 0..900 {
        site.clock.advance(std::time::Duration::from_millis(1));
        site.charge(charge_of(ws, micro(1), &format!("later {n}"))).unwrap();
    }
    site.clock = Clock::manual_at(start.plus(hours(2)));
    for n in 0..300 {
        site.charge(charge_of(ws, micro(1), &format!("set back {n}"))).unwrap();
    }
    let read = |site: &mut Site, from, to| site.read(|tx| ledger::window(tx, ws, from, to).unwrap());

    let (mut seqs, mut to, mut sizes) = (Vec::new(), None, Vec::new());
    loop {
        let window = read(&mut site, None, to);
        assert!(window.rows.is_sorted_by_key(|line| std::cmp::Reverse((line.at, line.seq))));
        sizes.push(window.rows.len());
        seqs.extend(window.rows.iter().map(|line| line.seq));
        let Some(next) = window.next_to else { break };
        // The end is excluded here, and included in the API.
        to = Some(next.plus(std::time::Duration::from_millis(1)));
    }
    assert_eq!(sizes, [2_400, 301]);
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=2_701).collect::<Vec<i64>>());
    let at_once = read(
        &mut site,
        Some(start.plus(hours(3))),
        Some(start.plus(hours(3)).plus(std::time::Duration::from_millis(1))),
    );
    assert_eq!((at_once.rows.len(), at_once.next_to), (1_500, None), "nothing is older in this range");
}

#[test]
fn missing_credit_becomes_debt_and_the_next_credit_repays_it_first() {
    let (mut site, ws) = (site(), some_workspace());
    site.grant(gift(ws, Credits::whole(5), "first")).unwrap();

    site.charge(charge_of(ws, Credits::whole(7), "use")).unwrap();
    assert_eq!(site.wallet(ws), [("debt".to_owned(), 2_000_000)]);
    site.grant(gift(ws, Credits::whole(1), "second")).unwrap();
    assert_eq!(site.wallet(ws), [("debt".to_owned(), 1_000_000)]);
    let after = site.grant(gift(ws, Credits::whole(10), "third")).unwrap();

    assert_eq!(after.balance_after, Credits::whole(9));
    assert_eq!(site.wallet(ws), [("third".to_owned(), 9_000_000)]);
    site.check().unwrap();
}

#[test]
fn the_same_idempotency_key_returns_the_same_transaction_and_other_content_is_refused() {
    let (mut site, ws) = (site(), some_workspace());
    let first = site.grant(gift(ws, Credits::whole(5), "gift")).unwrap();
    let used = site.charge(charge_of(ws, Credits::whole(6), "use")).unwrap();

    for _ in 0..100 {
        assert_eq!(site.grant(gift(ws, Credits::whole(5), "gift")).unwrap(), first);
        assert_eq!(site.charge(charge_of(ws, Credits::whole(6), "use")).unwrap(), used);
    }
    let other_words = Grant { details: "Other words".into(), ..gift(ws, Credits::whole(5), "gift") };
    assert_eq!(site.grant(other_words).unwrap(), first);

    let paid = Grant { category: Category::Paid, ..gift(ws, Credits::whole(5), "gift") };
    assert!(matches!(site.grant(gift(ws, Credits::whole(6), "gift")), Err(LedgerError::Conflict)));
    assert!(matches!(site.grant(paid), Err(LedgerError::Conflict)));
    assert!(matches!(site.charge(charge_of(ws, Credits::whole(5), "gift")), Err(LedgerError::Conflict)));
    assert!(matches!(site.spend(charge_of(ws, Credits::whole(5), "use")), Err(LedgerError::Conflict)));
    assert_eq!((site.count("ledger_tx"), site.balance(ws)), (2, Credits::whole(1).negated()));
}

/// Grants of one credit each, in this order: (key, priority, expires in days, category). Then the keys in burn order.
type BurnCase = (&'static [(&'static str, u8, Option<u64>, Category)], &'static [&'static str]);

#[test]
fn lots_burn_in_the_promised_order() {
    use Category::{Paid, Promotional};
    let cases: [BurnCase; 6] = [
        (&[("late", 60, None, Promotional), ("early", 40, None, Paid)], &["early", "late"]),
        (&[("never", 50, None, Promotional), ("soon", 50, Some(9), Paid)], &["soon", "never"]),
        (&[("june", 50, Some(30), Promotional), ("may", 50, Some(10), Paid)], &["may", "june"]),
        (&[("paid", 50, None, Paid), ("given", 50, None, Promotional)], &["given", "paid"]),
        (&[("older", 50, None, Paid), ("newer", 50, None, Paid)], &["older", "newer"]),
        (
            &[
                ("e", 50, None, Paid),
                ("d", 50, None, Promotional),
                ("c", 50, Some(20), Paid),
                ("b", 50, Some(20), Promotional),
                ("f", 51, Some(1), Promotional),
                ("a", 0, None, Paid),
            ],
            &["a", "b", "c", "d", "e", "f"],
        ),
    ];
    for (lots, order) in cases {
        let (mut site, ws) = (site_where_paid_credit_expires(), some_workspace());
        let expires = |site: &Site, in_days: &Option<u64>| in_days.map(|n| site.clock.now().plus(days(n)));
        for (key, priority, in_days, category) in lots {
            let expires_at = expires(&site, in_days);
            let lot =
                Grant { priority: *priority, expires_at, category: *category, ..gift(ws, Credits::whole(1), key) };
            site.grant(lot).unwrap();
        }
        for (index, key) in order.iter().enumerate() {
            site.charge(charge_of(ws, Credits::whole(1), &format!("use {index}"))).unwrap();
            let left = site.wallet(ws);
            assert!(
                !left.iter().any(|(lot, _)| lot == key),
                "{key} burns as number {index} of {order:?}, not {left:?}"
            );
        }
        site.check().unwrap();
    }
}

#[test]
fn a_charge_takes_as_many_lots_as_it_needs() {
    let (mut site, ws) = (site(), some_workspace());
    for n in 0..100 {
        site.grant(gift(ws, Credits::whole(1), &format!("gift {n:02}"))).unwrap();
    }

    site.charge(charge_of(ws, micro(98_500_000), "use")).unwrap();

    assert_eq!(site.wallet(ws), [("gift 98".to_owned(), 500_000), ("gift 99".to_owned(), 1_000_000)]);
    site.check().unwrap();
}

#[test]
fn a_spend_above_the_balance_is_refused() {
    let (mut site, ws) = (site(), some_workspace());
    site.grant(gift(ws, Credits::whole(1), "gift")).unwrap();

    let refused = site.spend(charge_of(ws, micro(1_000_001), "too much")).unwrap_err();
    assert!(matches!(refused, LedgerError::InsufficientCredit { available, needed }
            if available == Credits::whole(1) && needed == micro(1_000_001)));
    assert_eq!(site.count("ledger_tx"), 1);

    site.spend(charge_of(ws, Credits::whole(1), "all")).unwrap();
    assert!(matches!(
        site.spend(charge_of(ws, micro(1), "one more")),
        Err(LedgerError::InsufficientCredit { available: Credits::ZERO, .. })
    ));
}

#[test]
fn of_many_parallel_spends_of_the_last_credit_exactly_one_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    std::fs::create_dir_all(layout.live_dir()).unwrap();
    let store = Store::open(
        layout,
        Arc::new(default_settings()),
        Clock::system(),
        Rng::system(),
        domicile::db::StoreHooks::default(),
    )
    .unwrap();
    let ws = some_workspace();

    for round in 0..20 {
        let grant = gift(ws, Credits::whole(1), &format!("gift {round}"));
        store.write_blocking(move |tx| ledger::grant(tx, &Actor::Operator, grant)).unwrap();
        let spent = std::thread::scope(|scope| {
            let spends: Vec<_> = (0..64)
                .map(|n| {
                    let charge = charge_of(ws, Credits::whole(1), &format!("spend {round} {n}"));
                    let store = &store;
                    scope.spawn(move || store.write_blocking(move |tx| ledger::spend(tx, &Actor::System, charge)))
                })
                .collect();
            spends.into_iter().map(|spend| spend.join().unwrap()).filter(Result::is_ok).count()
        });

        assert_eq!(spent, 1, "round {round}");
    }
    let checked = store.read_blocking(ledger::check).unwrap();
    assert_eq!(checked.transactions, 40);
}

#[test]
fn expired_credit_is_removed_with_a_statement_line() {
    let (mut site, ws) = (site(), some_workspace());
    let expires_at = Some(site.clock.now().plus(days(30)));
    site.grant(Grant { expires_at, ..gift(ws, Credits::whole(5), "month") }).unwrap();
    site.charge(charge_of(ws, Credits::whole(2), "use")).unwrap();
    site.clock.advance(days(30));

    assert_eq!(site.balance(ws), Credits::whole(3));
    let expired = site.write(ledger::expire_due).unwrap();
    let again = site.write(ledger::expire_due).unwrap();

    assert_eq!((expired, again, site.balance(ws)), (1, 0, Credits::ZERO));
    let page = site.read(|tx| ledger::statement(tx, ws, &Filter { limit: 1, ..Filter::default() }).unwrap());
    assert_eq!((page.rows[0].kind, page.rows[0].amount), (Kind::Expired, Credits::whole(3).negated()));
    site.check().unwrap();
}

#[test]
fn expired_credit_is_not_used_even_before_the_nightly_job() {
    let (mut site, ws) = (site(), some_workspace());
    let expires_at = Some(site.clock.now().plus(days(1)));
    site.grant(Grant { expires_at, ..gift(ws, Credits::whole(5), "day") }).unwrap();
    site.clock.advance(days(2));

    let refused = site.spend(charge_of(ws, Credits::whole(1), "spend"));
    assert!(matches!(refused, Err(LedgerError::InsufficientCredit { available: Credits::ZERO, .. })));
    site.charge(charge_of(ws, Credits::whole(1), "use")).unwrap();

    assert_eq!(site.wallet(ws), [("debt".to_owned(), 1_000_000)]);
    site.check().unwrap();
}

#[test]
fn wallets_stop_at_their_limit_without_stopping_others() {
    let (mut site, rich) = (site(), some_workspace());
    for n in 0..4 {
        site.grant(gift(rich, micro(250_000_000_000_000), &format!("gift {n}"))).unwrap();
    }
    assert_eq!(site.balance(rich), Credits::MAX);

    assert!(matches!(site.grant(gift(rich, micro(1), "one more")), Err(LedgerError::TooLarge)));
    let other = WorkspaceId::new(Timestamp::from_millis(2), &mut Rng::seeded(6));
    site.grant(gift(other, Credits::MAX, "other")).unwrap();
    for key in ["all", "as much again"] {
        site.charge(charge_of(rich, Credits::MAX, key)).unwrap();
    }

    assert_eq!(site.balance(rich), Credits::MAX.negated());
    assert!(matches!(site.charge(charge_of(rich, micro(1), "too much")), Err(LedgerError::TooLarge)));
    let types = "select count(*) from ledger_balance where typeof(balance_micro) <> 'integer'";
    assert_eq!(site.connection.query_row(types, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    site.check().unwrap();
}

#[test]
fn amounts_must_be_above_zero() {
    let (mut site, ws) = (site(), some_workspace());

    for amount in [Credits::ZERO, micro(-1)] {
        assert!(matches!(site.grant(gift(ws, amount, "gift")), Err(LedgerError::NotPositive)));
        assert!(matches!(site.charge(charge_of(ws, amount, "use")), Err(LedgerError::NotPositive)));
        assert!(matches!(site.spend(charge_of(ws, amount, "spend")), Err(LedgerError::NotPositive)));
    }
    assert_eq!(site.count("ledger_tx"), 0);
}

#[test]
fn postings_that_do_not_add_up_are_refused() {
    let (mut site, ws) = (site(), some_workspace());
    let five = Credits::whole(5);
    for postings in [
        vec![],
        vec![Posting::debit(Account::Clearing, five)],
        vec![Posting::debit(Account::Clearing, five), Posting::credit(Account::Usage, micro(4_999_999))],
        vec![Posting::debit(Account::Clearing, Credits::ZERO), Posting::credit(Account::Usage, Credits::ZERO)],
    ] {
        let draft = Draft::new(ws, Kind::Adjustment, "", "odd", postings);
        let refused = site.write(|tx| ledger::post(tx, &Actor::Operator, draft));
        assert!(matches!(refused, Err(LedgerError::Unbalanced)));
    }
    assert_eq!(site.count("ledger_tx"), 0);
}

#[test]
fn a_statement_is_read_in_pages_and_between_days() {
    let (mut site, ws) = (site(), some_workspace());
    let start = site.clock.now();
    for n in 0..5 {
        site.grant(gift(ws, Credits::whole(1), &format!("gift {n}"))).unwrap();
        site.clock.advance(days(1));
    }
    let mut lines = |filter: Filter| {
        let page = site.read(|tx| ledger::statement(tx, ws, &filter).unwrap());
        (page.rows.iter().map(|line| line.seq).collect::<Vec<_>>(), page.next)
    };

    let (first, next) = lines(Filter { limit: 2, ..Filter::default() });
    let (second, next_again) = lines(Filter { limit: 2, before: next, ..Filter::default() });
    let (last, end) = lines(Filter { limit: 2, before: next_again, ..Filter::default() });
    assert_eq!((first, second, last, end), (vec![5, 4], vec![3, 2], vec![1], None));

    let (from, to) = (Some(start.plus(days(1))), Some(start.plus(days(3))));
    assert_eq!(lines(Filter { from, to, limit: 9, before: None }).0, [3, 2]);
}

#[test]
fn a_statement_has_at_least_one_line_and_at_most_a_thousand() {
    let (mut site, ws) = (site(), some_workspace());
    site.write(|tx| {
        (0..1_001)
            .try_for_each(|n| ledger::grant(tx, &Actor::Operator, gift(ws, micro(1), &format!("gift {n}"))).map(drop))
    })
    .unwrap();
    let mut lines = |limit: u32| {
        let filter = Filter { limit, ..Filter::default() };
        site.read(|tx| ledger::statement(tx, ws, &filter).unwrap()).rows.len()
    };

    assert_eq!([0, 1, 2, 1_000, 1_001, u32::MAX].map(&mut lines), [1, 1, 2, 1_000, 1_000, 1_000]);
}

#[test]
fn long_details_are_truncated_after_whole_characters() {
    let (mut site, ws) = (site(), some_workspace());
    for (key, length) in [("fits", 300), ("long", 301)] {
        site.grant(Grant { details: "é".repeat(length), ..gift(ws, Credits::whole(1), key) }).unwrap();
    }

    let page = site.read(|tx| ledger::statement(tx, ws, &Filter { limit: 9, ..Filter::default() }).unwrap());
    assert!(page.rows.iter().all(|line| line.details == "é".repeat(300)));
}

#[test]
fn a_posting_with_the_same_key_and_other_content_is_refused() {
    let (mut site, ws) = (site(), some_workspace());
    let other = WorkspaceId::new(Timestamp::from_millis(2), &mut Rng::seeded(6));
    let draft = |workspace: WorkspaceId, from: Account, amount: Credits| {
        let postings = vec![Posting::debit(from, amount), Posting::credit(Account::Usage, amount)];
        Draft::new(workspace, Kind::Refund, "", "moved", postings)
    };
    let mut post = |draft: Draft| site.write(|tx| ledger::post(tx, &Actor::System, draft));
    let first = post(draft(ws, Account::Clearing, Credits::whole(5))).unwrap();

    assert_eq!(post(draft(ws, Account::Clearing, Credits::whole(5))).unwrap(), first);
    for changed in [
        draft(ws, Account::Clearing, Credits::whole(6)),
        draft(ws, Account::Breakage, Credits::whole(5)),
        draft(other, Account::Clearing, Credits::whole(5)),
        Draft { kind: Kind::Adjustment, ..draft(ws, Account::Clearing, Credits::whole(5)) },
    ] {
        assert!(matches!(post(changed), Err(LedgerError::Conflict)));
    }
    assert_eq!(site.count("ledger_tx"), 1);
}

#[test]
fn each_origin_has_its_account_and_expired_credit_that_was_paid_becomes_income() {
    use Category::{Paid, Promotional};
    let cases = [
        (Origin::Signup, Promotional, "expense.signup", "expense.signup"),
        (Origin::Adjustment, Promotional, "equity.adjustment", "equity.adjustment"),
        (Origin::Purchase, Promotional, "asset.clearing", "asset.clearing"),
        (Origin::Refund, Promotional, "income.usage", "income.usage"),
        (Origin::Company, Promotional, "expense.signup", "expense.signup"),
        (Origin::Monthly, Promotional, "expense.monthly", "expense.monthly"),
        (Origin::Promo, Promotional, "expense.promo", "expense.promo"),
        (Origin::Referral, Promotional, "expense.referral", "expense.referral"),
        (Origin::Purchase, Paid, "asset.clearing", "income.breakage"),
        (Origin::AutoTopUp, Paid, "asset.clearing", "income.breakage"),
        (Origin::Voucher, Paid, "asset.voucher_sold", "income.breakage"),
    ];
    for (origin, category, source, sink) in cases {
        let (mut site, ws) = (site_where_paid_credit_expires(), some_workspace());
        let expires_at = Some(site.clock.now().plus(days(1)));
        site.grant(Grant { origin, category, expires_at, ..gift(ws, Credits::whole(5), "gift") }).unwrap();
        assert_eq!(site.site_accounts(), [(source.to_owned(), 5_000_000)]);

        site.clock.advance(days(1));
        site.write(ledger::expire_due).unwrap();

        let expected = match source == sink {
            true => vec![],
            false => vec![(source.to_owned(), 5_000_000), (sink.to_owned(), -5_000_000)],
        };
        assert_eq!(site.site_accounts(), expected, "{origin:?} {category:?}");
    }
}

#[test]
fn transactions_that_are_committed_together_move_their_own_accounts() {
    let (mut site, ws) = (site(), some_workspace());

    site.write(|tx| {
        ledger::grant(tx, &Actor::Operator, gift(ws, Credits::whole(5), "gift"))?;
        ledger::charge(tx, &Actor::System, charge_of(ws, Credits::whole(2), "first"))?;
        ledger::charge(tx, &Actor::System, charge_of(ws, Credits::whole(1), "second"))
    })
    .unwrap();

    let accounts = [("equity.adjustment".to_owned(), 5_000_000), ("income.usage".to_owned(), -3_000_000)];
    assert_eq!(site.site_accounts(), accounts);
    site.check().unwrap();
}

#[test]
fn the_ledger_tells_its_last_transaction_and_each_id() {
    let (mut site, ws) = (site(), some_workspace());
    assert_eq!(site.read(|tx| (ledger::last_transaction(tx).unwrap(), ledger::head(tx).unwrap())), (0, None));
    let first = site.grant(gift(ws, Credits::whole(5), "gift")).unwrap();
    let second = site.charge(charge_of(ws, Credits::whole(2), "use")).unwrap();

    let head = Some((2, second.id.to_string()));
    assert_eq!(site.read(|tx| (ledger::last_transaction(tx).unwrap(), ledger::head(tx).unwrap())), (2, head));
    let ids = site.read(|tx| [1, 2, 3].map(|seq| ledger::transaction_id(tx, seq).unwrap()));
    assert_eq!(ids, [Some(first.id.to_string()), Some(second.id.to_string()), None]);
}
