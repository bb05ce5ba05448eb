//! What a restore ends besides sessions, and what it goes on with: numbers, codes, links, and the mail to operators.

use domicile::accounts::{self, LinkPurpose};
use domicile::base::{Actor, Credits, Rng, Secret, Timestamp, days, minutes};
use domicile::billing::usage::Watermark;
use domicile::billing::vouchers::{self, CreatedBatch, NewBatch, NewCodes, VoucherError};
use domicile::billing::{allowances, ledger};
use domicile::db::{Decision, Tx};
use domicile::factors::{self, FactorProof};
use domicile::{api_keys, audit, billing, restore, signin, snapshots, tokens};

use crate::support::{Person, PersonBuilder, TestApp, oath_code};

/// Publishes, lets `meanwhile` happen after the backup, and restores it.
fn restored_after(site: TestApp, meanwhile: impl FnOnce(&TestApp)) -> TestApp {
    snapshots::publish(&site.app).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (file, journal) = (folder.path().join("domicile.sqlite"), folder.path().join("tombstones.jsonl"));
    std::fs::copy(site.layout().snapshot(), &file).unwrap();
    meanwhile(&site);
    std::fs::write(&journal, std::fs::read(site.layout().tombstones()).unwrap_or_default()).unwrap();
    site.restore(&file, &journal, Rng::seeded(77)).0
}

fn revoke_a_key(site: &TestApp, person: &Person) -> i64 {
    let (key, admin) = (site.api_key(person, "ci").key.id, person.credential_admin());
    site.write(move |tx| api_keys::revoke(tx, &admin, key)).unwrap();
    site.read(|view| tokens::feed_page(view, 0, 1000).unwrap().unwrap().next)
}

#[test]
fn the_feed_of_revocations_goes_on_after_the_numbers_that_are_lost() {
    let site = TestApp::new();
    let ada = site.person("ada-l");
    let mut seen = 0;
    let site = restored_after(site, |site| seen = revoke_a_key(site, &ada));

    // A service that has read the lost numbers gets the next revocation, and none is taken for an old one.
    let next = revoke_a_key(&site, &ada);

    assert!(next > seen && seen > 0, "{next} after {seen}");
    let page = site.read(|view| tokens::feed_page(view, seen, 1000).unwrap().unwrap());
    assert_eq!(page.revocations.last().map(|row| row.seq), Some(next));
}

#[test]
fn codes_and_links_that_may_have_been_used_since_the_backup_are_refused() {
    let site = TestApp::new();
    let ada = site.person("ada-l");
    let (actor, account) = (ada.by_browser(), ada.account.id);
    let own = actor.clone();
    site.write(move |tx| factors::start_totp_setup(tx, &own, account)).unwrap();
    let secret = site.read(|view| factors::totp_setup(view, account).unwrap().unwrap()).seed.base32();
    let code = |site: &TestApp| oath_code(secret.expose(), site.clock.now().unix_seconds());
    let (own, typed) = (actor.clone(), code(&site));
    site.write(move |tx| factors::confirm_totp(tx, &own, account, &typed)).unwrap();
    site.clock.advance(days(1));
    let issue = move |tx: &mut Tx<'_>| accounts::issue_link(tx, LinkPurpose::PasswordReset, Some(account));
    let link = site.write(issue).unwrap();
    let accepts = |site: &TestApp| {
        let (own, typed) = (Actor::Anonymous(site.visitor()), Secret::new(code(site)));
        let proved = site.write(move |tx| factors::prove(tx, &own, account, &FactorProof::Typed(typed)));
        matches!(proved, Ok(Decision::Done(_)))
    };

    let site = restored_after(site, |site| assert!(accepts(site), "the code is right before the restore"));

    assert!(!accepts(&site), "a code is accepted twice");
    let token = link.expose().clone();
    let found = site.read(|view| accounts::find_by_link(view, LinkPurpose::PasswordReset, &token).unwrap());
    assert!(found.is_none(), "a mailed link may have been used before");
    site.clock.advance(minutes(2));
    assert!(accepts(&site), "later codes are accepted");
}

#[test]
fn operators_see_a_restore_for_thirty_days_unless_they_have_read_of_it() {
    let notice = |site: &TestApp, is_operator, read: Option<&str>| {
        site.read(|view| restore::notice(view, is_operator, read).unwrap())
    };
    let site = TestApp::new();
    site.person("ada-l");
    assert_eq!(notice(&site, true, None), None, "nothing was restored");
    let site = restored_after(site, |site| {
        site.person("grace-h");
        site.clock.advance(days(1));
    });

    let shown = notice(&site, true, None).unwrap();
    let text = shown.sentences.join(" ");
    let epoch = site.read(|view| audit::epochs(view).unwrap().remove(0));
    let (first, last) = epoch.lost_events().unwrap();
    for part in [
        epoch.opened_at.day_and_time(),
        epoch.snapshot_made_at.day_and_time(),
        format!("events {first} to {last} are lost"),
        "domicile audit verify".into(),
    ] {
        assert!(text.contains(&part), "{part:?} is not in {text}");
    }
    assert_eq!(notice(&site, false, None), None, "people who are no operators");
    assert_eq!(notice(&site, true, Some(&shown.id)), None);
    assert_eq!(notice(&site, true, Some("1")).as_ref(), Some(&shown), "another one was read");
    site.clock.advance(days(30).checked_sub(minutes(1)).unwrap());
    assert!(notice(&site, true, None).is_some());
    site.clock.advance(minutes(1));
    assert_eq!(notice(&site, true, None), None);
}

#[test]
fn of_two_restores_the_older_snapshot_counts_for_a_service_that_knows_neither() {
    let second = |at: Timestamp| Some(Timestamp::from_millis(at.unix_seconds() * 1000));
    let watermark = |site: &TestApp, after| site.read(|view| billing::usage::watermark(view, after).unwrap());
    let site = TestApp::new();
    assert_eq!(watermark(&site, None), Watermark { epoch: 1, restored_at: None, resend_since: None });
    let first = site.app.now();
    let site = restored_after(site, |site| site.clock.advance(days(1)));
    let known = watermark(&site, None);
    assert_eq!((known.epoch, known.resend_since), (2, second(first)));
    site.clock.advance(days(1));
    let newer = site.app.now();

    let site = restored_after(site, |site| site.clock.advance(days(1)));

    assert_eq!(watermark(&site, None).resend_since, second(first));
    let news = watermark(&site, known.restored_at);
    assert_eq!((news.epoch, news.resend_since), (3, second(newer)));
    assert_eq!(watermark(&site, news.restored_at).resend_since, None);
}

#[test]
fn operators_are_told_and_the_audit_has_the_restore() {
    let site = TestApp::new();
    let new = PersonBuilder::named("grace-h").operator().build();
    site.write(move |tx| signin::create_account(tx, &Actor::Operator, new)).unwrap();
    let ada = site.person("ada-l");
    let site = restored_after(site, |site| site.suspend(&ada));

    let message = site.message("grace-h@example.org", "A backup was restored");

    assert!(message.text.contains("are lost"), "{message:?}");
    let epochs = site.read(|view| audit::epochs(view).unwrap());
    assert_eq!(epochs.len(), 1);
    let recorded = "select count(*) from audit_event where event = 'site.backup_restored'";
    assert_eq!(site.number(recorded), 1);
    let state = site.read(|view| accounts::find(view, ada.account.id).unwrap().unwrap().state);
    assert_eq!(state, accounts::AccountState::Suspended, "the suspension is in the journal");
}

#[test]
fn codes_that_were_redeemed_or_revoked_since_the_backup_do_not_work_again() {
    let site = TestApp::new();
    let (ada, grace) = (site.person("ada-l"), site.person("grace-h"));
    let new = |codes| NewBatch {
        amount: Credits::whole(25),
        reason: "Workshop".into(),
        codes,
        lasts: None,
        credit_lasts: None,
    };
    let make = move |tx: &mut Tx<'_>| vouchers::create(tx, &Actor::Operator, &new(NewCodes::Vouchers(2)));
    let (sold, lost) = (site.write(make).unwrap(), site.write(make).unwrap());
    let code = |made: &CreatedBatch, index: usize| made.codes[index].shown().clone();
    let redeem = |site: &TestApp, person: &Person, code: Secret<String>| {
        let actor = person.by_browser();
        site.write_deciding(move |tx| vouchers::redeem(tx, &actor, &code))
    };
    let balance = |site: &TestApp, person: &Person| site.read(|view| ledger::balance(view, person.workspace).unwrap());

    let site = restored_after(site, |site| {
        redeem(site, &ada, code(&sold, 0)).unwrap();
        let batch = lost.batch.id;
        site.write(move |tx| vouchers::revoke(tx, &Actor::Operator, batch)).unwrap();
    });

    assert_eq!(balance(&site, &ada), Credits::whole(30), "the credit is there, once");
    assert!(matches!(redeem(&site, &ada, code(&sold, 0)), Err(VoucherError::AlreadyRedeemed)));
    assert!(matches!(redeem(&site, &grace, code(&sold, 0)), Err(VoucherError::Refused)));
    assert!(matches!(redeem(&site, &grace, code(&lost, 0)), Err(VoucherError::Refused)));
    redeem(&site, &grace, code(&sold, 1)).unwrap();
    site.read(|view| ledger::check(view).unwrap());
}

#[test]
fn allowances_that_were_set_or_ended_since_the_backup_are_so_again_and_each_month_is_granted_once() {
    let site = TestApp::new();
    let (ada, grace) = (site.person("ada-l"), site.person("grace-h"));
    let set = |site: &TestApp, person: &Person, amount: Option<Credits>| {
        let workspace = person.workspace;
        site.write(move |tx| allowances::set(tx, &Actor::Operator, workspace, amount)).unwrap();
    };
    set(&site, &ada, Some(Credits::whole(30)));
    let balance = |site: &TestApp, person: &Person| site.read(|view| ledger::balance(view, person.workspace).unwrap());

    let site = restored_after(site, |site| {
        set(site, &ada, None);
        set(site, &grace, Some(Credits::whole(7)));
        assert_eq!(balance(site, &grace), Credits::whole(12));
    });

    assert_eq!(site.write(allowances::grant_due).unwrap(), 1, "grace");
    assert_eq!((balance(&site, &ada), balance(&site, &grace)), (Credits::whole(35), Credits::whole(12)));
    site.clock.advance(days(31));
    assert_eq!(site.write(allowances::grant_due).unwrap(), 1, "the one of ada has ended");
    site.read(|view| ledger::check(view).unwrap());
}
