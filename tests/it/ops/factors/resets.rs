//! Resets, for a person who lost every factor.

use domicile::factors::ResetRequester;
use domicile::signin::{self};

use super::*;

impl TestApp {
    fn operator_with_app(&self) -> (accounts::Account, Enrolment) {
        let email = domicile::base::EmailAddress::parse("olga-o@example.org").unwrap();
        let password = flows::new_password(&self.app, Secret::new(PASSWORD.to_owned()), "olga-o", &email).unwrap();
        let phc = self.app.passwords().hash_and_wait(&password).unwrap();
        let person = PersonBuilder::named("olga-o").password(phc).operator().build();
        let account = self.write(move |tx| signin::create_account(tx, &Actor::Operator, person)).unwrap();
        let workspace = self.read(|view| domicile::workspaces::personal(view, account.id).unwrap().unwrap().id);
        let enrolment = self.enrol(&Person { account: account.clone(), workspace });
        (account, enrolment)
    }

    fn start_factor_reset(&self, person: &Person) -> Result<factors::Reset, FactorError> {
        let account = person.account.id;
        self.write(move |tx| factors::start_reset(tx, &Actor::Operator, account, ResetRequester::Operator))
    }

    fn carry_out_resets(&self) -> usize {
        self.write(factors::reset_due).unwrap()
    }
}

/// A person with two verified addresses and one that is not verified.
fn person_with_addresses(site: &TestApp) -> Person {
    let ada = site.person("ada-ada");
    let id = ada.account.id;
    site.write(move |tx| {
        for (number, address, verified) in [(1, "second@example.org", Some(1)), (2, "claimed@example.org", None::<i64>)]
        {
            let new = "insert into account_email (id, account_id, address, folded, verified_at, is_primary, added_at)
                    values (:id, :account, :address, :address, :verified, 0, :number)";
            let email =
                domicile::base::EmailId::new(Timestamp::from_millis(number), &mut domicile::base::Rng::seeded(5));
            tx.execute(
                new,
                rusqlite::named_params! {
                    ":id": email, ":account": id, ":address": address, ":verified": verified, ":number": number,
                },
            )?;
        }
        Ok::<_, domicile::db::Error>(())
    })
    .unwrap();
    ada
}

#[test]
fn a_reset_waits_three_days_and_tells_every_verified_address_at_once() {
    let site = TestApp::new();
    let ada = person_with_addresses(&site);
    site.enrol(&ada);
    let session = site.bare_session_of(&ada);
    let started = site.start_factor_reset(&ada).unwrap();
    assert_eq!(started.due_at.since(started.asked_at), hours(72));
    for address in ["ada-ada@example.org", "second@example.org"] {
        site.message(address, "Your second factors will be removed").link("/signin/factor/keep?token=");
    }
    let notices = "select count(*) from mail_outbox where subject like '%will be removed%'";
    assert_eq!(site.number(notices), 2, "not to an unverified address");
    assert_eq!(site.start_factor_reset(&ada).unwrap(), started, "a second call changes nothing");
    assert_eq!(site.number(notices), 2);

    site.clock.advance(hours(72) - seconds(1));
    assert_eq!(site.carry_out_resets(), 0);
    assert!(site.enrolled(&ada).is_any());
    site.clock.advance(seconds(1));
    assert_eq!((site.carry_out_resets(), site.carry_out_resets()), (1, 0));

    assert_eq!(site.enrolled(&ada), EnrolledFactors::default());
    assert!(site.read(|view| sessions::list(view, ada.account.id).unwrap().iter().all(|one| one.id != session)));
    site.message("second@example.org", "Your second factors were removed");
    site.session("ada-ada");
}

#[test]
fn the_link_of_the_notice_stops_a_reset_without_signing_in() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.enrol(&ada);
    site.start_factor_reset(&ada).unwrap();
    let link = site.message("ada-ada@example.org", "will be removed").link("keep?token=");
    let token = link.rsplit('=').next().unwrap().to_owned();
    // A thief with the mailbox sets a new password; the owner's link still works.
    site.block_on(flows::request_reset(&site.app, visitor(), "ada-ada@example.org")).unwrap();
    let reset = site.message("ada-ada@example.org", "Set your password").link("/reset?token=");
    let reset = reset.rsplit('=').next().unwrap().to_owned();
    site.block_on(flows::reset(&site.app, visitor(), reset, Secret::new(PASSWORD.to_owned()))).unwrap();

    let stop = |token: String| {
        let anonymous = Actor::Anonymous(visitor());
        site.write(move |tx| factors::cancel_reset_by_link(tx, &anonymous, &token))
    };
    assert!(matches!(stop("nonsense".into()), Err(FactorError::LinkRefused)));
    stop(token.clone()).unwrap();
    assert!(matches!(stop(token), Err(FactorError::LinkRefused)));
    site.message("ada-ada@example.org", "Your second factors were not changed");
    site.clock.advance(hours(73));
    assert_eq!(site.carry_out_resets(), 0);
    assert!(site.enrolled(&ada).is_any());
}

#[test]
fn a_sign_in_with_a_factor_stops_the_reset() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let enrolment = site.enrol(&ada);
    site.start_factor_reset(&ada).unwrap();
    site.second_step(&site.pending_sign_in("ada-ada"), &enrolment.code(&site)).unwrap();
    assert_eq!(site.read(|view| factors::reset_of(view, ada.account.id).unwrap()), None);
    assert_eq!(site.events_named("auth.recovery_cancelled"), 1);
}

#[test]
fn there_is_no_reset_for_a_person_without_factors() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let before = site.row_counts();
    assert!(matches!(site.start_factor_reset(&ada), Err(FactorError::NotFound)));
    assert_eq!(site.row_counts(), before);
}

#[test]
fn two_operators_reset_at_once_and_one_cannot() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.enrol(&ada);
    let bob = site.person("bob-bob");
    let bobs = site.enrol(&bob);
    let (olga, enrolment) = site.operator_with_app();
    let phc = |id| site.read(|view| accounts::password_hash(view, id).unwrap());
    let agree = |second: domicile::base::AccountId, checked: Option<String>, code: &str| {
        let (account, code) = (ada.account.id, Secret::new(code.to_owned()));
        site.write_deciding(move |tx| factors::reset_by_operators(tx, account, second, checked.as_deref(), code))
    };
    let before = site.row_counts();
    for (who, refused) in [
        ("not an operator", agree(bob.account.id, phc(bob.account.id), &bobs.code(&site))),
        ("a wrong password", agree(olga.id, None, &enrolment.code(&site))),
        ("another password", agree(olga.id, phc(bob.account.id), &enrolment.code(&site))),
        ("a wrong code", agree(olga.id, phc(olga.id), "000000")),
        ("the person alone", agree(ada.account.id, phc(ada.account.id), &enrolment.code(&site))),
    ] {
        assert!(matches!(refused, Err(FactorError::NotTwoOperators)), "{who}");
    }
    assert_eq!(site.row_counts(), before);
    assert_eq!(site.events_named("auth.recovery_refused"), 5);

    agree(olga.id, phc(olga.id), &enrolment.code(&site)).unwrap();
    assert_eq!(site.enrolled(&ada), EnrolledFactors::default());
    site.message("ada-ada@example.org", "Your second factors were removed");
}

#[test]
fn wrong_passwords_of_the_second_operator_count_like_every_wrong_proof() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.enrol(&ada);
    let (olga, enrolment) = site.operator_with_app();
    let phc = site.read(|view| accounts::password_hash(view, olga.id).unwrap());
    let agree = |checked: Option<String>, code: &str| {
        let (account, second, code) = (ada.account.id, olga.id, Secret::new(code.to_owned()));
        site.write_deciding(move |tx| factors::reset_by_operators(tx, account, second, checked.as_deref(), code))
    };
    for _ in 0..4 {
        assert_eq!(site.read(|view| factors::second_operator_hash(view, olga.id).unwrap()), phc);
        assert!(matches!(agree(None, &enrolment.code(&site)), Err(FactorError::NotTwoOperators)));
    }

    let is_throttled = |result| matches!(result, Err(FactorError::Throttled(wait)) if wait.wait_seconds > 20);
    assert!(is_throttled(site.read(|view| factors::second_operator_hash(view, olga.id)).map(drop)));
    assert!(is_throttled(agree(phc.clone(), &enrolment.code(&site))), "both proofs are right, and not checked");
    assert!(site.enrolled(&ada).is_any());
    assert_eq!(site.events_named("auth.recovery_refused"), 5);

    site.clock.advance(seconds(31));
    agree(phc, &enrolment.code(&site)).unwrap();
    assert_eq!(site.enrolled(&ada), EnrolledFactors::default());
}
