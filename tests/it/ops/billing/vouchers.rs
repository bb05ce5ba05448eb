//! Codes that give credit: each use once, and nothing for guesses.

use std::sync::{Arc, Barrier};

use domicile::base::{Secret, hours, minutes};
use domicile::billing::vouchers::{
    self, BatchState, CODES_MAX, CodeFault, CreatedBatch, NewBatch, NewCodes, USES_MAX, VoucherCode, VoucherError,
};

use super::*;
use crate::support::{Person, TestApp};

fn new_batch(codes: NewCodes) -> NewBatch {
    NewBatch { amount: Credits::whole(25), reason: "Workshop".into(), codes, lasts: None, credit_lasts: None }
}

fn promo(uses: u32, uses_per_account: u32) -> NewBatch {
    let code = VoucherCode::parse_promo("WELCOME-24").unwrap();
    new_batch(NewCodes::Promo { code, uses, uses_per_account })
}

impl Site {
    fn vouchers(&mut self, new: &NewBatch) -> CreatedBatch {
        self.write(|tx| vouchers::create(tx, &Actor::Operator, new)).unwrap()
    }

    fn redeem(&mut self, person: &Person, typed: &str) -> Result<PostedTransaction, VoucherError> {
        self.write_deciding(|tx| vouchers::redeem(tx, &person.by_browser(), &Secret::new(typed.to_owned())))
    }

    fn refusal(&mut self, person: &Person, typed: &str) -> VoucherError {
        self.redeem(person, typed).unwrap_err()
    }
}

fn text(created: &CreatedBatch, index: usize) -> String {
    created.codes[index].shown().expose().clone()
}

#[test]
fn a_voucher_gives_paid_credit_once() {
    let mut site = site_where_paid_credit_expires();
    let (ada, grace) = (site.person("ada-l"), site.person("grace-h"));
    let new = NewBatch { credit_lasts: Some(days(90)), ..new_batch(NewCodes::Vouchers(2)) };
    let made = site.vouchers(&new);

    let posted = site.redeem(&ada, &text(&made, 0).to_lowercase().replace('-', " ")).unwrap();

    assert_eq!(posted.balance_after, Credits::whole(30));
    assert!(matches!(site.refusal(&ada, &text(&made, 0)), VoucherError::AlreadyRedeemed));
    assert!(matches!(site.refusal(&grace, &text(&made, 0)), VoucherError::Refused));
    assert_eq!(site.balance(grace.workspace), Credits::whole(5));
    site.redeem(&grace, &text(&made, 1)).unwrap();
    let filter = Filter { limit: 1, ..Filter::default() };
    let line = site.read(|tx| ledger::statement(tx, ada.workspace, &filter).unwrap()).rows.remove(0);
    assert_eq!((line.kind, line.details.as_str()), (Kind::Voucher, "Workshop"));
    let lot = "select count(*) from credit_lot where kind = 'voucher' and category = 'paid'
               and expires_at = effective_at + 90 * 86400000";
    assert_eq!(site.number(lot), 2);
    let listed = site.read(|tx| vouchers::list(tx).unwrap()).remove(0);
    assert_eq!((listed.uses, listed.uses_in_all()), (2, 2));
    assert_eq!(listed.state(site.clock.now()), BatchState::UsedUp);
    assert!(site.events_of(&ada).contains(&"billing.voucher_redeemed".to_owned()));
    site.check().unwrap();
}

#[test]
fn a_promo_code_works_for_many_people_up_to_its_limits() {
    let mut site = site();
    let people = ["ada-l", "grace-h", "joan-c"].map(|name| site.person(name));
    site.vouchers(&promo(4, 2));

    let mut redeem = |person: usize| site.redeem(&people[person], " welcome 24 ").map(drop);

    assert!([redeem(0), redeem(0), redeem(1)].iter().all(Result::is_ok));
    assert!(matches!(redeem(0), Err(VoucherError::AlreadyRedeemed)));
    redeem(1).unwrap();
    assert!(matches!(redeem(2), Err(VoucherError::Refused)), "all four uses are gone");
    assert!(matches!(redeem(1), Err(VoucherError::AlreadyRedeemed)), "their own uses are no secret");
    assert_eq!(site.balance(people[0].workspace), Credits::whole(55));
    let given = site.number("select count(*) from credit_lot where kind = 'promo' and category = 'promotional'");
    assert_eq!(given, 4);
    let listed = site.read(|tx| vouchers::list(tx).unwrap()).remove(0);
    assert_eq!((listed.uses, listed.state(site.clock.now())), (4, BatchState::UsedUp));
    site.check().unwrap();
}

#[test]
fn unknown_expired_revoked_and_used_up_codes_have_one_answer_and_each_counts() {
    let mut site = site();
    let people = ["ada-l", "grace-h", "joan-c", "mary-s"].map(|name| site.person(name));
    let short = NewBatch { lasts: Some(hours(1)), ..new_batch(NewCodes::Vouchers(1)) };
    let (expired, used, revoked) = (site.vouchers(&short), site.vouchers(&promo(1, 1)), {
        let made = site.vouchers(&new_batch(NewCodes::Vouchers(1)));
        let id = made.batch.id;
        assert!(site.write(|tx| vouchers::revoke(tx, &Actor::Operator, id)).unwrap());
        assert!(!site.write(|tx| vouchers::revoke(tx, &Actor::Operator, id)).unwrap(), "it was revoked before");
        made
    });
    site.redeem(&people[3], &text(&used, 0)).unwrap();
    site.clock.advance(hours(1));

    let sentence = |error: VoucherError| {
        let problem = domicile::base::Problem::from(error);
        (problem.status, problem.code, problem.sentence)
    };
    let typed = [text(&expired, 0), text(&revoked, 0), text(&used, 0), "not-a-code".to_owned()];
    let answers = typed.map(|typed| sentence(site.refusal(&people[0], &typed)));

    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.1 == "code_refused"), "{answers:?}");
    let listed = site.read(|tx| vouchers::list(tx).unwrap());
    let states: Vec<_> = listed.iter().map(|batch| batch.state(site.clock.now())).collect();
    for state in [BatchState::Expired, BatchState::Revoked, BatchState::UsedUp] {
        assert!(states.contains(&state), "{states:?}");
    }
    let failed = "select count(*) from audit_event where event = 'billing.voucher_redeemed' and outcome = 'failure'";
    assert_eq!(site.number(failed), 4);
    assert_eq!(site.balance(people[0].workspace), Credits::whole(5));
}

#[test]
fn guesses_are_throttled_for_the_account_and_typing_errors_are_not_counted() {
    let mut site = site();
    let (ada, grace) = (site.person("ada-l"), site.person("grace-h"));
    let made = site.vouchers(&new_batch(NewCodes::Vouchers(2)));
    let mut mistyped = text(&made, 0);
    mistyped.replace_range(0..1, if mistyped.starts_with('A') { "B" } else { "A" });

    for _ in 0..50 {
        assert!(matches!(site.refusal(&ada, &mistyped), VoucherError::Malformed(CodeFault::Mistyped)));
        assert!(matches!(site.refusal(&ada, "abc"), VoucherError::Malformed(CodeFault::Length)));
    }
    for _ in 0..4 {
        assert!(matches!(site.refusal(&ada, "a-guess"), VoucherError::Refused));
    }
    let before = site.footprint();
    assert!(matches!(site.refusal(&ada, &text(&made, 0)), VoucherError::Throttled(_)), "a right code tells nothing");
    assert_eq!(before, site.footprint(), "a refused attempt changes nothing");
    site.redeem(&grace, &text(&made, 1)).unwrap();
    site.clock.advance(minutes(1));
    site.redeem(&ada, &text(&made, 0)).unwrap();
}

#[test]
fn many_accounts_of_one_network_are_throttled_together() {
    let mut site = site();
    let made = site.vouchers(&new_batch(NewCodes::Vouchers(1)));
    let people: Vec<Person> = (0..21).map(|n| site.person(&format!("guest-{n}"))).collect();

    for person in &people[..20] {
        for _ in 0..3 {
            assert!(matches!(site.refusal(person, "a-guess"), VoucherError::Refused));
        }
    }

    assert!(matches!(site.refusal(&people[20], &text(&made, 0)), VoucherError::Throttled(_)));
    site.clock.advance(minutes(2));
    site.redeem(&people[20], &text(&made, 0)).unwrap();
}

#[test]
fn of_many_people_at_the_same_moment_one_gets_the_last_use() {
    let site = TestApp::new();
    let names = ["ada-l", "grace-h", "joan-c", "mary-s", "edith-c", "katherine-j", "hedy-l", "radia-p"];
    let people = names.map(|name| site.person(name));
    let uses = 3;
    let new = promo(uses, 1);
    site.write(move |tx| vouchers::create(tx, &Actor::Operator, &new).map(drop)).unwrap();

    let start = Arc::new(Barrier::new(people.len()));
    let given: usize = std::thread::scope(|scope| {
        let redeem = |person: &Person| {
            let (start, actor, app) = (start.clone(), person.by_browser(), site.app.clone());
            scope.spawn(move || {
                start.wait();
                let code = Secret::new("WELCOME-24".to_owned());
                app.store().write_deciding_blocking(move |tx| vouchers::redeem(tx, &actor, &code)).is_ok()
            })
        };
        let asked: Vec<_> = people.iter().map(redeem).collect();
        asked.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    });

    assert_eq!(given, uses as usize);
    assert_eq!(site.number("select sum(uses) from voucher_code"), i64::from(uses));
    assert_eq!(site.number("select count(*) from voucher_redemption"), i64::from(uses));
    assert_eq!(site.number("select count(*) from credit_lot where kind = 'promo'"), i64::from(uses));
}

#[test]
fn only_a_person_who_manages_the_credit_redeems_and_only_an_operator_makes_and_ends_codes() {
    let mut site = site();
    let (ada, grace) = (site.person("ada-l"), site.person("grace-h"));
    let made = site.vouchers(&new_batch(NewCodes::Vouchers(1)));
    let code = Secret::new(text(&made, 0));
    let key_holder = site.key_holder(&ada);
    let mut elsewhere = grace.by_browser();
    if let Actor::SignedIn { workspace, .. } = &mut elsewhere {
        *workspace = ada.workspace;
    }
    let before = site.footprint();

    for actor in [key_holder.clone(), elsewhere, farm(), Actor::Operator, Actor::System, site.anonymous()] {
        let refused = site.write_deciding(|tx| vouchers::redeem(tx, &actor, &code));
        assert!(matches!(refused, Err(VoucherError::NotAllowed)), "{actor:?}");
    }
    for actor in [key_holder, ada.by_browser(), farm(), Actor::System] {
        let refused = site.write(|tx| vouchers::create(tx, &actor, &promo(1, 1)));
        assert!(matches!(refused, Err(VoucherError::NotAllowed)), "{actor:?}");
        let refused = site.write(|tx| vouchers::revoke(tx, &actor, made.batch.id));
        assert!(matches!(refused, Err(VoucherError::NotFound)), "{actor:?}");
    }
    assert_eq!(before, site.footprint());
    let role = "update membership set role = 'viewer' where account_id = :account";
    site.write(|tx| tx.execute(role, rusqlite::named_params! {":account": ada.account.id})).unwrap();
    assert!(matches!(site.refusal(&ada, code.expose()), VoucherError::NotAllowed));
}

#[test]
fn a_batch_that_makes_no_sense_is_refused_and_changes_nothing() {
    let mut site = site();
    site.vouchers(&promo(1, 1));
    let before = site.footprint();
    let mut refusal = |new: NewBatch| site.write(|tx| vouchers::create(tx, &Actor::Operator, &new)).unwrap_err();
    let vouchers = || new_batch(NewCodes::Vouchers(1));

    assert!(matches!(refusal(NewBatch { reason: "  ".into(), ..vouchers() }), VoucherError::Reason));
    assert!(matches!(refusal(NewBatch { reason: "x".repeat(201), ..vouchers() }), VoucherError::Reason));
    let free = NewBatch { amount: Credits::ZERO, ..vouchers() };
    assert!(matches!(refusal(free), VoucherError::Ledger(LedgerError::NotPositive)));
    for count in [0, CODES_MAX + 1] {
        assert!(matches!(refusal(new_batch(NewCodes::Vouchers(count))), VoucherError::Codes));
    }
    for (uses, own) in [(0, 0), (0, 1), (1, 0), (1, 2), (USES_MAX + 1, 1)] {
        assert!(matches!(refusal(promo(uses, own)), VoucherError::Uses), "{uses} {own}");
    }
    assert!(matches!(refusal(promo(1, 1)), VoucherError::PromoTaken));
    assert_eq!(before, site.footprint());
}

#[test]
fn codes_are_stored_as_digests_only_and_are_known_under_an_older_pepper() {
    let mut site = site();
    let ada = site.person("ada-l");
    let made = site.vouchers(&new_batch(NewCodes::Vouchers(1)));
    site.vouchers(&promo(1, 1));
    for stored in [text(&made, 0), text(&made, 0).replace('-', ""), "WELCOME-24".into(), "we1c0me24".into()] {
        assert_eq!(site.columns_with(&stored), Vec::<String>::new());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyring");
    site.settings.keyring.write_new(&path).unwrap();
    let keyring = domicile::crypto::Keyring::rotate(&path, &mut Rng::seeded(4)).unwrap();
    site.settings = Arc::new(domicile::db::Site { config: site.settings.config.clone(), keyring });
    site.redeem(&ada, &text(&made, 0)).unwrap();
    let again = site.write(|tx| vouchers::create(tx, &Actor::Operator, &promo(1, 1)));
    assert!(matches!(again, Err(VoucherError::PromoTaken)));
}

#[test]
fn the_database_itself_refuses_a_use_too_many() {
    let mut site = site();
    let ada = site.person("ada-l");
    let made = site.vouchers(&new_batch(NewCodes::Vouchers(1)));
    site.redeem(&ada, &text(&made, 0)).unwrap();

    for sql in [
        "update voucher_code set uses = uses + 1",
        "update voucher_code set uses = 0",
        "update voucher_code set uses_max = 9",
        "delete from voucher_code",
        "delete from voucher_redemption",
        "update voucher_redemption set n = 2",
        "delete from voucher_batch",
        "update voucher_batch set amount_micro = 1",
    ] {
        assert!(site.connection.execute_batch(sql).is_err(), "{sql}");
    }
    site.connection.execute_batch("update voucher_batch set revoked_at = 1").unwrap();
    assert!(site.connection.execute_batch("update voucher_batch set revoked_at = null").is_err());
}
