//! The constraints of the ledger tables, and the check of the whole ledger.

use domicile::base::LotId;
use domicile::billing::ledger::NewLot;

use super::*;

#[test]
fn the_database_refuses_every_invalid_change_of_the_ledger() {
    let (mut site, ws) = (site(), some_workspace());
    site.grant(gift(ws, Credits::whole(5), "gift")).unwrap();
    site.charge(charge_of(ws, Credits::whole(6), "use")).unwrap();
    let open = "
        insert into ledger_tx (id, seq, kind, workspace_id, posted_at, idem_key, digest, actor_kind)
        values ('ltx_3', 3, 'usage', 'ws_other', 0, 'third', zeroblob(32), 'system');
        insert into ledger_account values ('lac_other', 'ws_other', 'overdraft', null, 0, 1000000000000000);";
    let two = "
        insert into ledger_posting select 'ltx_3', 1, id, -7 from ledger_account where code = 'income.usage';
        insert into ledger_posting values ('ltx_3', 2, 'lac_other', 7);
        update ledger_tx set sealed = 1 where id = 'ltx_3';";
    let cases = [
        (
            "a gap",
            "insert into ledger_tx (id, seq, kind, workspace_id, posted_at, idem_key, digest, actor_kind)
            values ('ltx_9', 9, 'usage', 'ws_1', 0, 'ninth', zeroblob(32), 'system')",
        ),
        (
            "born sealed",
            "insert into ledger_tx (id, seq, kind, workspace_id, posted_at, idem_key, digest, actor_kind, sealed)
            values ('ltx_3', 3, 'usage', 'ws_1', 0, 'third', zeroblob(32), 'system', 1)",
        ),
        (
            "a replaced transaction",
            "
            insert or replace into ledger_tx (id, seq, kind, workspace_id, posted_at, idem_key, digest, actor_kind)
            select id, 3, kind, workspace_id, 0, 'third', digest, actor_kind from ledger_tx where seq = 1",
        ),
        ("an edited transaction", "update ledger_tx set posted_at = 0"),
        ("another key", "update ledger_tx set key_id = 'key_1'"),
        ("a broken seal", "update ledger_tx set sealed = 0"),
        ("a deleted transaction", "delete from ledger_tx where seq = 2"),
        ("an edited posting", "update ledger_posting set amount_micro = amount_micro + 1"),
        (
            "a replaced posting",
            "insert or replace into ledger_posting select tx_id, n, account_id, 1 from ledger_posting",
        ),
        ("a deleted posting", "delete from ledger_posting"),
        ("a late posting", "insert into ledger_posting select tx_id, 9, account_id, 1 from ledger_posting limit 1"),
        ("no postings", "OPEN; update ledger_tx set sealed = 1 where seq = 3"),
        (
            "one posting",
            "OPEN; insert into ledger_posting values ('ltx_3', 1, 'lac_other', 7);
            update ledger_tx set sealed = 1 where seq = 3",
        ),
        (
            "not zero",
            "OPEN; insert into ledger_posting values ('ltx_3', 1, 'lac_other', 7), ('ltx_3', 2, 'lac_other', 7);
            update ledger_tx set sealed = 1 where seq = 3",
        ),
        ("not in order", "OPEN; insert into ledger_posting values ('ltx_3', 2, 'lac_other', 7)"),
        ("an empty posting", "OPEN; insert into ledger_posting values ('ltx_3', 1, 'lac_other', 0)"),
        ("a float", "OPEN; insert into ledger_posting values ('ltx_3', 1, 'lac_other', 0.5)"),
        ("beyond an amount", "OPEN; insert into ledger_posting values ('ltx_3', 1, 'lac_other', 1000000000000001)"),
        ("a debt below zero", "OPEN; insert into ledger_posting values ('ltx_3', 1, 'lac_other', -7)"),
        (
            "another's wallet",
            "OPEN; insert into ledger_posting
            select 'ltx_3', 1, id, 7 from ledger_account where code = 'overdraft' and workspace_id <> 'ws_other'",
        ),
        (
            "an overdrawn lot",
            "
            insert into ledger_tx (id, seq, kind, workspace_id, posted_at, idem_key, digest, actor_kind)
            select 'ltx_3', 3, 'usage', workspace_id, 0, 'third', digest, 'system' from ledger_tx where seq = 1;
            insert into ledger_posting select 'ltx_3', 1, id, 7 from ledger_account where code = 'lot'",
        ),
        (
            "a second one while one is open",
            "OPEN;
            insert into ledger_tx (id, seq, kind, workspace_id, posted_at, idem_key, digest, actor_kind)
            values ('ltx_4', 4, 'usage', 'ws_1', 0, 'fourth', zeroblob(32), 'system')",
        ),
        (
            "a line before the seal",
            "OPEN; insert into statement_line (seq, tx_id, workspace_id, at, kind, details, amount_micro, balance_after_micro)
            values (3, 'ltx_3', 'ws_other', 0, 'usage', '', -7, -7)",
        ),
        (
            "a line of another amount",
            "OPEN; TWO; insert into statement_line (seq, tx_id, workspace_id, at, kind, details, amount_micro, balance_after_micro)
            values (3, 'ltx_3', 'ws_other', 0, 'usage', '', -8, -8)",
        ),
        (
            "a line of another balance",
            "OPEN; TWO; insert into statement_line (seq, tx_id, workspace_id, at, kind, details, amount_micro, balance_after_micro)
            values (3, 'ltx_3', 'ws_other', 0, 'usage', '', -7, 0)",
        ),
        ("another time", "update statement_line set occurred_at = 1"),
        ("another category", "update statement_line set category = 'annotation'"),
        ("an edited line", "update statement_line set amount_micro = 1"),
        ("other words", "update statement_line set details = 'Another story'"),
        ("a deleted line", "delete from statement_line"),
        ("an edited account", "update ledger_account set high_micro = 5"),
        ("a deleted account", "delete from ledger_account"),
        (
            "a replaced account",
            "insert or replace into ledger_account
            select id, workspace_id, code, lot_id, low_micro, high_micro + 1 from ledger_account",
        ),
        ("a deleted balance", "delete from ledger_balance"),
        ("a balance out of bounds", "update ledger_balance set balance_micro = 1 where high_micro = 0"),
        ("an edited lot", "update credit_lot set expires_at = 1"),
        ("a deleted lot", "delete from credit_lot"),
    ];
    for (name, sql) in cases {
        let sql = sql.replace("OPEN;", open).replace("TWO;", two);
        let refused = site.connection.execute_batch(&format!("begin; {sql}; commit")).expect_err(name);
        assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::ConstraintViolation), "{name}: {refused}");
        site.connection.execute_batch("rollback").unwrap();
    }
    let right =
        format!("{open} {two} insert into statement_line (seq, tx_id, workspace_id, at, kind, details, amount_micro, balance_after_micro)
            values (3, 'ltx_3', 'ws_other', 0, 'usage', '', -7, -7)");
    site.connection.execute_batch(&format!("begin; {right}; rollback")).unwrap();
    site.check().unwrap();
}

#[test]
fn the_check_names_the_first_row_that_does_not_match() {
    let cases = [
        (
            "ledger_posting_is_never_changed",
            "update ledger_posting set amount_micro = 7 where n = 1 and amount_micro > 0",
            "ledger_tx 1",
        ),
        ("ledger_tx_is_never_changed", "update ledger_tx set seq = 9 where seq = 2", "ledger_tx 9"),
        ("ledger_tx_seals_at_zero", "update ledger_tx set sealed = 0 where seq = 2", "ledger_tx 2"),
        (
            "statement_line_is_never_changed",
            "update statement_line set amount_micro = 1 where seq = 2",
            "statement_line 2",
        ),
        (
            "statement_line_is_never_changed",
            "update statement_line set balance_after_micro = 1 where seq = 1",
            "statement_line 1",
        ),
        ("statement_line_is_never_changed", "update statement_line set seq = 9 where seq = 2", "statement_line 9"),
        (
            "statement_line_is_never_changed",
            "update statement_line set kind = 'refund' where seq = 2",
            "statement_line 2",
        ),
        (
            "statement_line_is_never_changed",
            "update statement_line set workspace_id = 'OTHER' where seq = 2",
            "statement_line 2",
        ),
        ("statement_line_is_never_deleted", "delete from statement_line where seq = 2", "ledger_tx 2"),
        (
            "ledger_balance_is_never_deleted",
            "update ledger_balance set balance_micro = balance_micro - 1 where high_micro > 0",
            "ledger_balance lac_",
        ),
        ("ledger_balance_is_never_deleted", "delete from ledger_balance", "ledger_balance"),
        (
            "ledger_balance_is_never_deleted",
            "update ledger_balance set high_micro = high_micro + 1",
            "ledger_balance lac_",
        ),
        ("credit_lot_is_never_changed", "update credit_lot set exhausted = 1", "credit_lot lot_"),
        ("credit_lot_is_never_changed", "update credit_lot set original_micro = 1", "credit_lot lot_"),
    ];
    for (trigger, damage, row) in cases {
        let (mut site, ws) = (site(), some_workspace());
        site.grant(gift(ws, Credits::whole(5), "gift")).unwrap();
        site.charge(charge_of(ws, Credits::whole(2), "use")).unwrap();
        site.check().unwrap();
        let other = WorkspaceId::new(Timestamp::from_millis(2), &mut Rng::seeded(6)).to_string();
        let damage = damage.replace("OTHER", &other);
        site.connection.execute_batch(&format!("drop trigger {trigger}; {damage}")).unwrap();

        for found in [site.check(), site.read(|tx| ledger::check_in_parts(tx, 1))] {
            match found {
                Err(LedgerError::Damaged { row: named, .. }) if named.starts_with(row) => {}
                other => panic!("{damage}: {row} should be named, not {other:?}"),
            }
        }
    }
}

#[test]
fn a_check_in_parts_checks_every_account_once() {
    let mut site = site();
    for n in 0..40 {
        let ws = WorkspaceId::new(Timestamp::from_millis(n), &mut Rng::seeded(n.unsigned_abs() + 1));
        site.grant(gift(ws, Credits::whole(5), &format!("gift {n}"))).unwrap();
        site.charge(charge_of(ws, Credits::whole(6), &format!("use {n}"))).unwrap();
    }
    // A lot and a debt of each wallet, and two accounts of the site.
    let whole = site.check().unwrap();
    assert_eq!(whole, LedgerSummary { transactions: 80, accounts: 82 });
    for accounts_at_once in [1, 7, 81, 82, 1_000] {
        assert_eq!(site.read(|tx| ledger::check_in_parts(tx, accounts_at_once).unwrap()), whole);
    }
}

#[test]
fn the_check_finds_a_wallet_with_credit_and_debt() {
    let (mut site, ws) = (site(), some_workspace());
    site.charge(charge_of(ws, Credits::whole(2), "use")).unwrap();
    let grant = gift(ws, Credits::whole(5), "gift");
    let id = LotId::new(site.clock.now(), &mut site.rng);
    let (origin, category, priority) = (grant.origin, grant.category, grant.priority);
    // A grant that does not repay the debt first.
    let postings =
        vec![Posting::debit(Account::Adjustments, grant.amount), Posting::credit(Account::Lot(id), grant.amount)];
    let opens = vec![NewLot { id, origin, category, priority, original: grant.amount, expires_at: None }];
    let draft = Draft { opens, ..Draft::new(ws, Kind::Adjustment, "", "gift", postings) };
    site.write(|tx| ledger::post(tx, &Actor::System, draft)).unwrap();

    let found = site.check().unwrap_err().to_string();
    assert!(found.contains("ledger_tx 2") && found.contains("credit and debt"), "{found}");
}

#[test]
fn the_check_of_what_is_new_needs_the_state_before_it() {
    let (mut site, rich) = (site(), some_workspace());
    let poor = WorkspaceId::new(Timestamp::from_millis(2), &mut Rng::seeded(6));
    site.grant(gift(rich, Credits::whole(5), "gift")).unwrap();
    site.charge(charge_of(rich, Credits::whole(1), "use")).unwrap();
    site.charge(charge_of(poor, Credits::whole(3), "debt")).unwrap();
    let mut base = site.copied();
    let empty = Site::new();

    site.charge(charge_of(rich, Credits::whole(2), "more use")).unwrap();
    site.charge(charge_of(poor, Credits::whole(1), "more debt")).unwrap();
    site.grant(gift(poor, Credits::whole(5), "second")).unwrap();

    let since = |site: &mut Site, base: &mut Site, seq: i64| {
        site.read(|tx| base.read(|base| ledger::check_since(tx, base, seq)))
    };
    // Two lots, the overdraft, and the accounts of usage and adjustments.
    assert_eq!(since(&mut site, &mut base, 3).unwrap(), LedgerSummary { transactions: 6, accounts: 5 });
    assert_eq!(site.check().unwrap(), LedgerSummary { transactions: 6, accounts: 5 });
    assert!(since(&mut site, &mut { empty }, 3).is_err(), "another state");
    assert!(since(&mut site, &mut base, 2).is_err(), "not the number of that state");

    let cases = [
        ("statement_line_is_never_deleted", "delete from statement_line where seq = 5", "ledger_tx 5"),
        (
            "statement_line_is_never_changed",
            "update statement_line set amount_micro = 1 where seq = 5",
            "statement_line 5",
        ),
        (
            "statement_line_is_never_changed",
            "update statement_line set balance_after_micro = 1 where seq = 4",
            "statement_line 4",
        ),
        (
            "ledger_balance_is_never_deleted",
            "update ledger_balance set balance_micro = balance_micro + 1 where last_seq = 6 and high_micro > 0",
            "ledger_balance lac_",
        ),
        ("ledger_balance_is_never_deleted", "delete from ledger_balance where last_seq = 6", "ledger_balance"),
        ("credit_lot_is_never_changed", "update credit_lot set exhausted = 1 where tx_seq = 6", "credit_lot lot_"),
    ];
    for (trigger, damage, row) in cases {
        let mut damaged = site.copied();
        damaged.connection.execute_batch(&format!("drop trigger {trigger}; {damage}")).unwrap();
        match since(&mut damaged, &mut base, 3) {
            Err(LedgerError::Damaged { row: named, .. }) if named.starts_with(row) => {}
            other => panic!("{damage}: {row} should be named, not {other:?}"),
        }
    }
}

#[test]
fn an_account_has_the_bounds_of_its_kind() {
    let (mut site, ws) = (site(), some_workspace());
    site.grant(gift(ws, Credits::whole(1), "gift")).unwrap();
    site.charge(charge_of(ws, Credits::whole(2), "use")).unwrap();

    let sql = "select code, low_micro, high_micro from ledger_account order by code";
    let bounds: Vec<(String, i64, i64)> =
        site.read(|tx| tx.list(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap());
    let (most, of_site) = (Credits::MAX.micro(), 9_000_000_000_000_000_000);
    let expected = [
        ("equity.adjustment", -of_site, of_site),
        ("income.usage", -of_site, of_site),
        ("lot", -most, 0),
        ("overdraft", 0, most),
    ];
    assert_eq!(bounds, expected.map(|(code, low, high)| (code.to_owned(), low, high)));
}

#[test]
fn every_statement_prepares_and_the_hot_ones_need_no_sorting() {
    let site = site();
    for sql in ledger::STATEMENTS
        .iter()
        .chain(ledger::holds::STATEMENTS)
        .chain(usage::STATEMENTS)
        .chain(usage::authorizations::STATEMENTS)
    {
        let mut plan = site.connection.prepare(&format!("explain query plan {sql}")).unwrap();
        let steps: Vec<String> = plan.raw_query().mapped(|row| row.get(3)).map(Result::unwrap).collect();
        let is_of_one_wallet = sql.contains(":workspace_id") && sql.trim_start().starts_with("select");
        let is_direct = !steps.iter().any(|step| step.starts_with("SCAN") || step.contains("TEMP B-TREE"));
        assert!(is_direct || !is_of_one_wallet, "{sql}\n{steps:#?}");
    }
}
