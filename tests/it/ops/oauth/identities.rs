//! A person is identified by issuer and subject, and never by an address: sign-up, connecting, disconnecting, deleting.

use domicile::accounts::AccountState;
use domicile::base::{Actor, IdentityId, Secret, minutes, seconds};
use domicile::config::{Provider, SignupMode};
use domicile::privacy::{self, PrivacyError};
use domicile::sessions;
use domicile::signin::oauth::{CallbackOutcome, OauthError, Purpose, Refusal};
use domicile::signin::{SignInOutcome, SigninError, flows};
use serde_json::{Value, json};

use super::{ANONYMOUS, BROWSER, OTHER_BROWSER, ProviderTest, TestBrowser, describe, github, provider, rows};
use crate::support::{PASSWORD, SessionBuilder, visitor};

/// A provider that is authoritative for example.org.
fn trusted(issuer: &str) -> Provider {
    Provider { trusted_domains: vec!["example.org".into()], ..provider("corp", issuer) }
}

#[test]
fn a_new_person_chooses_a_username_and_is_signed_in_with_a_wallet() {
    let mut world = ProviderTest::with(|issuer| vec![trusted(issuer)]);
    world.answers(json!({"claims": {
        "sub": "1", "email": "Ada.L@example.org", "email_verified": true, "name": "Ada Lovelace",
    }}));
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::UsernameRequired)));
    // The typed address is ignored, because the address of the provider is authoritative.
    let SignInOutcome::Session { token, .. } = world.choose_username("ada-l", "thief@example.net").unwrap() else {
        panic!("no code is needed")
    };

    let account = world.account("ada-l").unwrap();
    assert_eq!(world.session_of(&token).0, account.id);
    assert_eq!((account.state, account.display_name.as_str()), (AccountState::Active, "Ada Lovelace"));
    assert_eq!(world.identities(account.id)[0].label, "Ada.L@example.org");
    assert_eq!(world.test.message("Ada.L@example.org", "Welcome").to, "Ada.L@example.org");
    assert_eq!(world.test.columns_with("thief@example.net"), Vec::<String>::new());
    assert!(world.choose_username("ada-m", "").is_err(), "the identity no longer waits in this browser");
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::SignedIn(SignInOutcome::Session { .. }))));
}

#[test]
fn an_invalid_sign_up_is_refused_and_changes_nothing() {
    let mut world = ProviderTest::new();
    world.test.person("grace-h");
    world.answers_as("1", "ada@example.net");
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::UsernameRequired)));
    let before = rows(&world.test);
    for (username, email) in
        [("grace-h", "ada@example.net"), ("admin", "ada@example.net"), ("a", "ada@example.net"), ("ada-l", "no")]
    {
        assert!(world.choose_username(username, email).is_err(), "{username} {email}");
        assert_eq!(rows(&world.test), before, "{username} {email}");
    }
    world.test.clock.advance(minutes(30));
    assert!(matches!(world.choose_username("ada-l", "ada@example.net"), Err(OauthError::NoPendingIdentity)));
    assert_eq!(rows(&world.test), before);
}

#[test]
fn the_sign_up_mode_also_applies_to_sign_up_with_a_provider() {
    for (mode, email, may) in [
        (SignupMode::Open, "ada@example.net", true),
        (SignupMode::Domains, "ada@example.org", true),
        (SignupMode::Domains, "ada@example.net", false),
        (SignupMode::Closed, "ada@example.org", false),
    ] {
        let (mut process, ready) = crate::support::HelperProcess::provider("scripted.mjs", &json!({}));
        process.request(&json!({}));
        let issuer = ready["issuer"].as_str().unwrap().to_owned();
        let test = crate::support::TestApp::with(|config| {
            config.oauth = vec![provider("corp", &issuer)];
            config.signup.mode = mode;
            config.signup.domains = vec!["example.org".into()];
        });
        let mut world = ProviderTest { test, process, issuer };
        world.answers_as("1", email);
        let before = rows(&world.test);
        let outcome = world.sign_in();
        assert!(outcome.is_ok(), "a person with an account may still connect it: {}", describe(&outcome));
        let made = world.choose_username("ada-l", email).is_ok();
        assert_eq!(made, may, "{mode:?} {email}");
        assert_eq!(rows(&world.test) == before, !may, "{mode:?} {email}");
    }
}

#[test]
fn o4_no_claim_about_an_address_gives_access_to_the_account_of_another_person() {
    // A text or a number is not a boolean, so it does not say that the address is verified.
    let verified =
        [None, Some(json!(true)), Some(json!(false)), Some(json!("true")), Some(json!("TRUE")), Some(json!(1))];
    for authoritative in [false, true] {
        let mut world =
            ProviderTest::with(|issuer| vec![if authoritative { trusted(issuer) } else { provider("corp", issuer) }]);
        let ada = world.test.person("ada-l");
        for (number, verified) in verified.iter().enumerate() {
            let email = if number % 2 == 0 { "ada-l@example.org" } else { "ADA-L@EXAMPLE.ORG" };
            let mut claims = json!({"sub": format!("thief-{number}"), "email": email});
            if let Some(verified) = verified {
                claims["email_verified"] = verified.clone();
            }
            let case = claims.to_string();
            world.answers(json!({"claims": claims}));

            let outcome = world.sign_in();
            // That an account has the address is told only where it is verified.
            let is_told = matches!(outcome, Ok(CallbackOutcome::SignInRequired));
            assert_eq!(is_told, number == 1, "{case}: {}", describe(&outcome));
            assert!(
                is_told || matches!(outcome, Ok(CallbackOutcome::UsernameRequired)),
                "{case}: {}",
                describe(&outcome)
            );
            match world.choose_username(&format!("thief-{number}"), email) {
                Ok(SignInOutcome::VerificationPending(thief)) => {
                    assert_ne!(thief, ada.account.id);
                    assert_eq!(world.state(thief), AccountState::Pending, "{case}: not usable before it is verified");
                }
                Ok(SignInOutcome::Session { .. } | SignInOutcome::MfaPending(_)) => panic!("{case}: a takeover"),
                Err(OauthError::EmailHasAccount) => assert!(authoritative && number == 1, "{case}"),
                Err(other) => panic!("{case}: {other}"),
            }
            let again = world.sign_in();
            assert!(
                !matches!(again, Ok(CallbackOutcome::SignedIn(SignInOutcome::Session { .. }))),
                "{case}: a takeover"
            );
            assert!(world.identities(ada.account.id).is_empty(), "{case}: connected by an address");
            world.test.clock.advance(minutes(2));
        }
        assert_eq!(world.test.number("select count(*) from session"), 0, "no session was started");
        // No code was sent to her address; she got another mail instead.
        let messages = world.test.read(crate::support::messages);
        assert!(
            messages
                .iter()
                .all(|message| message.to.to_lowercase() != "ada-l@example.org" || !message.subject.contains("code"))
        );
        assert!(matches!(world.test.sign_in("ada-l", PASSWORD), Ok(SignInOutcome::Session { .. })));
    }
}

#[test]
fn o4_a_person_is_recognized_by_subject_even_when_the_address_changes() {
    let mut world = ProviderTest::new();
    let ada = world.signed_up("1", "ada@example.net", "ada-l");
    world.answers_as("1", "lovelace@example.net");
    assert_eq!(world.signed_in().session.unwrap().0, ada);
    assert_eq!(world.identities(ada)[0].label, "lovelace@example.net");

    // The address now belongs to another person.
    world.answers_as("2", "ada@example.net");
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::SignInRequired)));
    assert_eq!(world.identities(ada).len(), 1);
}

#[test]
fn o4_connecting_needs_a_sign_in_on_both_sides_in_one_browser() {
    let mut world = ProviderTest::new();
    let (ada, grace) = (world.test.person("ada-l"), world.test.person("grace-h"));
    let (ada, grace) = (world.signed_in_by_password(&ada), world.signed_in_by_password(&grace));
    world.answers_as("1", "ada-l@example.org");
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::SignInRequired)));

    let before = rows(&world.test);
    let elsewhere = TestBrowser { browser: Some(OTHER_BROWSER), ..ada };
    assert!(matches!(world.connect(elsewhere), Err(OauthError::NoPendingIdentity)));
    assert_eq!(rows(&world.test), before);

    world.connect(ada).unwrap();
    let (account, session) = ada.session.unwrap();
    assert_eq!(world.identities(account).len(), 1);
    assert_eq!(world.last_event().0, "auth.identity_linked");
    assert_eq!(world.signed_in().session.unwrap().0, account);
    assert!(world.test.message("ada-l@example.org", "Example Corp is connected").text.contains("ada-l@example.org"));

    // Another person cannot connect the same account.
    let before = rows(&world.test);
    let taken = world.round_trip("corp", Purpose::Connect, grace);
    assert!(matches!(taken, Err(OauthError::Taken)), "{}", describe(&taken));
    assert_eq!(rows(&world.test), before);
    assert_eq!(world.last_event().0, "auth.identity_link_refused");

    // A request that one person started is not valid for another.
    world.answers_as("2", "grace-h@example.org");
    let url = world.start("corp", Purpose::Connect, grace).unwrap();
    let crossed = world.finish("corp", world.follow(&url), ada);
    assert!(matches!(crossed, Err(OauthError::Refused(Refusal::Browser))), "{}", describe(&crossed));
    assert!(matches!(world.round_trip("corp", Purpose::Connect, grace), Ok(CallbackOutcome::ConfirmationRequired)));
    assert_eq!(world.identities(grace.session.unwrap().0).len(), 0, "a form asks first");
    let live = world.test.read(|view| sessions::list(view, account).unwrap());
    assert!(live.iter().any(|one| one.id == session), "the session that connected stays");
}

/// Asserts that nothing which a thief prepared with the address gives access after its owner signed up.
fn assert_void(world: &mut ProviderTest, thief_subject: &str, thief: &str) {
    assert!(matches!(world.test.sign_in(thief, PASSWORD), Err(SigninError::BadCredentials)), "the password");
    world.answers_as(thief_subject, "thief@example.net");
    let outcome = world.sign_in();
    assert!(
        !matches!(outcome, Ok(CallbackOutcome::SignedIn(_))),
        "the account of the thief at the provider: {}",
        describe(&outcome)
    );
}

#[test]
fn o5_classic_merge_a_password_set_before_the_owner_signed_up_is_void() {
    for authoritative in [true, false] {
        let mut world =
            ProviderTest::with(|issuer| vec![if authoritative { trusted(issuer) } else { provider("corp", issuer) }]);
        let thief = world.test.sign_up("ada@example.org", "a-thief").unwrap().account;

        let ada = world.signed_up("1", "ada@example.org", "ada-l");
        assert_ne!(ada, thief);
        assert_void(&mut world, "thief", "a-thief");
        assert!(matches!(world.test.sign_in("ada@example.org", PASSWORD), Err(SigninError::BadCredentials)));
        assert_eq!(world.state(thief), AccountState::Pending);
    }
}

#[test]
fn o5_unexpired_session_a_session_from_before_the_verification_ends_with_it() {
    let mut world = ProviderTest::with(|issuer| vec![trusted(issuer)]);
    let thief = world.test.sign_up("ada@example.org", "a-thief").unwrap().account;
    let begin = move |tx: &mut domicile::db::Tx<'_>| {
        let new = SessionBuilder::new(thief, visitor()).remember(true).build();
        sessions::start(tx, &Actor::Anonymous(visitor()), &new)
    };
    let (_, token) = world.test.write(begin).unwrap();
    let is_in =
        |world: &ProviderTest| world.test.read(|view| sessions::current(view, token.expose()).unwrap()).is_some();

    // The owner makes the account usable while the session of the thief has not expired.
    world.reset_by_mail("ada@example.org");
    assert_eq!(world.state(thief), AccountState::Active);
    assert!(!is_in(&world), "the thief's cookie");
    assert_void(&mut world, "thief", "a-thief");
}

#[test]
fn o5_trojan_identifier_an_account_that_a_thief_connected_gives_no_access() {
    for by_link in [false, true] {
        let mut world = ProviderTest::new();
        // The thief uses an own account at the provider, and her address.
        world.answers_as("thief", "thief@example.net");
        assert!(matches!(world.sign_in(), Ok(CallbackOutcome::UsernameRequired)));
        let SignInOutcome::VerificationPending(thief) = world.choose_username("a-thief", "ada@example.org").unwrap()
        else {
            panic!("an unverified address needs a code")
        };
        assert_eq!(world.identities(thief).len(), 1);

        if by_link {
            world.reset_by_mail("ada@example.org");
            assert_eq!(world.state(thief), AccountState::Active, "it is hers now");
        } else {
            world.signed_up("1", "ada@example.org", "ada-l");
        }
        assert!(world.identities(thief).is_empty());
        assert_void(&mut world, "thief", "a-thief");
    }
}

#[test]
fn o5_unexpired_change_an_unverified_added_address_is_removed_from_the_other_account() {
    let mut world = ProviderTest::with(|issuer| vec![trusted(issuer)]);
    let thief = world.test.person("a-thief").account.id;
    world
        .test
        .write(move |tx| {
            let add = "insert into account_email (id, account_id, address, folded, is_primary, added_at)
                values ('eml_00000000000000000000000000', :thief, 'ada@example.org', 'ada@example.org', 0, 0)";
            tx.execute(add, rusqlite::named_params! {":thief": thief}).map(|_| ())
        })
        .unwrap();

    let ada = world.signed_up("1", "ada@example.org", "ada-l");
    let sql = "select count(*) from account_email where folded = 'ada@example.org'";
    assert_eq!(world.test.number(sql), 1);
    assert_eq!(world.account("ada@example.org").unwrap().id, ada);
    assert_eq!(world.state(thief), AccountState::Active, "the account of the thief stays");
}

#[test]
fn o5_non_verifying_provider_an_unverified_address_makes_no_usable_account() {
    for verified in [json!(false), json!(null)] {
        let mut world = ProviderTest::with(|issuer| vec![trusted(issuer)]);
        world.answers(json!({"claims": {"sub": "thief", "email": "ada@example.org", "email_verified": verified}}));
        assert!(matches!(world.sign_in(), Ok(CallbackOutcome::UsernameRequired)));
        let SignInOutcome::VerificationPending(thief) = world.choose_username("a-thief", "ada@example.org").unwrap()
        else {
            panic!("{verified}: an unverified address needs a code")
        };
        assert_eq!(world.test.number("select count(*) from session"), 0);
        assert_eq!(world.state(thief), AccountState::Pending);

        world.signed_up("1", "ada@example.org", "ada-l");
        assert_void(&mut world, "thief", "a-thief");
        // Not even the code that was mailed to her activates it.
        let code = world.test.message("ada@example.org", "code").code();
        let tried = world
            .test
            .write_deciding(move |tx| domicile::signin::verify(tx, &Actor::Anonymous(visitor()), thief, &code));
        assert!(tried.is_err());
    }
}

#[test]
fn the_last_sign_in_method_cannot_be_removed() {
    let mut world = ProviderTest::with(|issuer| vec![provider("corp", issuer), github(issuer)]);
    let ada = world.signed_up("1", "ada@example.net", "ada-l");
    let at_home = world.signed_in();
    let [only] = <[_; 1]>::try_from(world.identities(ada)).unwrap();

    let (before, events) = (rows(&world.test), world.events());
    assert!(matches!(world.disconnect(&at_home, &only), Err(OauthError::LastSignInMethod)));
    assert_eq!((rows(&world.test), world.events()), (before, events + 1));
    assert_eq!(world.last_event().0, "auth.identity_unlinked");

    // With a second one the first can be removed; then the second is the last.
    world.answers(json!({"github": {
        "user": {"id": 77, "login": "ada", "name": "Ada"},
        "emails": [{"email": "ada@example.net", "primary": true, "verified": true}],
    }}));
    assert!(matches!(world.round_trip("github", Purpose::Connect, at_home), Ok(CallbackOutcome::ConfirmationRequired)));
    world.connect(at_home).unwrap();
    let other = world.signed_in_by_github();
    world.disconnect(&at_home, &only).unwrap();
    assert!(
        world.test.message("ada@example.net", "Example Corp is no longer connected").text.contains("ada@example.net")
    );
    let live = world.test.read(|view| sessions::list(view, ada).unwrap());
    assert_eq!(
        live.iter().map(|one| one.id).collect::<Vec<_>>(),
        [at_home.session.unwrap().1],
        "the other sessions end"
    );
    assert!(!live.iter().any(|one| one.id == other.session.unwrap().1));
    world.answers_as("1", "ada@example.net");
    assert!(!matches!(world.sign_in(), Ok(CallbackOutcome::SignedIn(_))), "it no longer signs in");

    let [last] = <[_; 1]>::try_from(world.identities(ada)).unwrap();
    assert!(matches!(world.disconnect(&at_home, &last), Err(OauthError::LastSignInMethod)));
    let phc = domicile::signin::flows::new_password(
        &world.test.app,
        Secret::new(PASSWORD.to_owned()),
        "ada-l",
        &domicile::base::EmailAddress::parse("ada@example.net").unwrap(),
    )
    .unwrap();
    let phc = world.test.app.passwords().hash_and_wait(&phc).unwrap();
    world.test.write(move |tx| domicile::accounts::set_password(tx, &Actor::System, ada, &phc)).unwrap();
    world.disconnect(&at_home, &last).unwrap();
    assert!(world.identities(ada).is_empty());
}

impl ProviderTest {
    /// The owner of an address sets the password of its account with a link by mail.
    fn reset_by_mail(&self, email: &str) {
        self.test.block_on(flows::request_reset(&self.test.app, visitor(), email)).unwrap();
        let link = self.test.message(email, "Set your password").link("/reset?token=");
        let token = link.split_once("token=").unwrap().1.to_owned();
        let new = Secret::new("words that she alone knows".to_owned());
        self.test.block_on(flows::reset(&self.test.app, visitor(), token, new)).unwrap();
    }

    fn signed_in_by_github(&self) -> TestBrowser<'static> {
        match self.round_trip("github", Purpose::SignIn, ANONYMOUS) {
            Ok(CallbackOutcome::SignedIn(SignInOutcome::Session { token, .. })) => {
                TestBrowser { browser: Some(BROWSER), session: Some(self.session_of(&token)) }
            }
            other => panic!("the sign-in failed: {}", describe(&other)),
        }
    }
}

#[test]
fn a_provider_that_is_no_longer_in_the_settings_is_no_sign_in_method() {
    let mut world = ProviderTest::with(|issuer| vec![provider("corp", issuer)]);
    let ada = world.signed_up("1", "ada@example.net", "ada-l");
    let at_home = world.signed_in();
    world
        .test
        .write(move |tx| {
            let add = "insert into identity (id, account_id, provider, issuer, subject, label, linked_at, last_used_at)
                values ('idn_00000000000000000000000000', :ada, 'old', 'https://gone.example', '1', 'ada', 0, 0)";
            tx.execute(add, rusqlite::named_params! {":ada": ada}).map(|_| ())
        })
        .unwrap();
    let identities = world.identities(ada);
    let corp = identities.iter().find(|one| one.provider == "corp").unwrap();
    let gone = identities.iter().find(|one| one.provider == "old").unwrap();
    assert!(matches!(world.disconnect(&at_home, corp), Err(OauthError::LastSignInMethod)), "the other cannot sign in");
    world.disconnect(&at_home, gone).unwrap();
}

#[test]
fn the_identity_of_another_person_cannot_be_disconnected() {
    let mut world = ProviderTest::new();
    let ada = world.signed_up("1", "ada@example.net", "ada-l");
    let grace = world.test.person("grace-h");
    let grace = world.signed_in_by_password(&grace);
    let identity = world.identities(ada).remove(0);
    let before = rows(&world.test);
    assert!(matches!(world.disconnect(&grace, &identity), Err(OauthError::NotFound)));
    let mut nothing = identity;
    nothing.id = IdentityId::parse("idn_00000000000000000000000000").unwrap();
    assert!(matches!(world.disconnect(&grace, &nothing), Err(OauthError::NotFound)));
    assert_eq!(rows(&world.test), before);
}

#[test]
fn a_suspended_person_cannot_sign_in_with_a_provider() {
    let mut world = ProviderTest::new();
    let ada = world.signed_up("1", "ada@example.net", "ada-l");
    world.test.write(move |tx| domicile::signin::suspend(tx, &Actor::Operator, ada, "")).unwrap();
    let (before, events) = (rows(&world.test), world.events());
    assert!(matches!(world.sign_in(), Err(OauthError::Suspended)));
    assert_eq!((rows(&world.test), world.events()), (before, events + 1));
}

#[test]
fn a_person_without_a_password_steps_up_at_the_provider() {
    let mut world = ProviderTest::new();
    world.signed_up("1", "ada@example.net", "ada-l");
    let at_home = world.signed_in();
    let (account, session) = at_home.session.unwrap();
    world.later(11);
    let now = world.now();
    let proved_at = |world: &ProviderTest| {
        let session = session.to_string();
        let sql = "select proved_at from session where id = :id";
        world
            .test
            .read(|view| view.one(sql, rusqlite::named_params! {":id": session}, |row| row.get::<_, i64>(0)).unwrap())
    };
    let old = proved_at(&world);

    let url = world.start("corp", Purpose::StepUp, at_home).unwrap();
    assert!(url.contains("prompt=login") && url.contains("max_age=0"), "{url}");
    for (claims, why) in [
        (json!({"sub": "1"}), Refusal::OldProof),
        (json!({"sub": "1", "auth_time": now - 61}), Refusal::OldProof),
        (json!({"sub": "1", "auth_time": now + 61}), Refusal::OldProof),
        (json!({"sub": "2", "auth_time": now}), Refusal::OtherIdentity),
    ] {
        world.answers(json!({"claims": claims}));
        let refused = world.round_trip("corp", Purpose::StepUp, at_home);
        assert!(matches!(refused, Err(OauthError::Refused(found)) if found == why), "{why:?}: {}", describe(&refused));
        assert_eq!(proved_at(&world), old, "{why:?}");
        assert_eq!(world.last_event().0, "auth.stepup_failed");
    }
    world.answers(json!({"claims": {"sub": "1", "auth_time": now}}));
    // Not without a session, and not in the session of another person.
    let url = world.start("corp", Purpose::StepUp, at_home).unwrap();
    let grace = world.test.person("grace-h");
    let grace = world.signed_in_by_password(&grace);
    for who in [ANONYMOUS, grace] {
        let refused = world.finish("corp", world.follow(&url), who);
        assert!(refused.is_err(), "{}", describe(&refused));
    }
    assert!(matches!(world.start("corp", Purpose::StepUp, grace), Err(OauthError::StrongerProofRequired)));

    assert!(matches!(world.round_trip("corp", Purpose::StepUp, at_home), Ok(CallbackOutcome::SteppedUp(_))));
    assert_eq!(proved_at(&world), now * 1000);
    assert_eq!(world.identities(account).len(), 1);
}

#[test]
fn a_person_without_a_password_deletes_the_account_with_a_fresh_proof_and_no_data_stays() {
    let mut world = ProviderTest::new();
    let ada = world.signed_up("subject-of-ada", "ada@example.net", "ada-l");
    let (_, session) = world.signed_in().session.unwrap();
    world
        .start("corp", Purpose::Connect, TestBrowser { browser: Some(BROWSER), session: Some((ada, session)) })
        .unwrap();
    let actor = world.by(ada, session);
    let proved_at = world.test.clock.now();
    world.test.clock.advance(minutes(10) - seconds(1));
    let delete = |world: &ProviderTest, proved_at| {
        let none = Secret::new(String::new());
        world.test.block_on(privacy::flows::delete_account(
            &world.test.app,
            actor.clone(),
            ada,
            "DELETE",
            none,
            proved_at,
        ))
    };

    let before = rows(&world.test);
    assert!(matches!(delete(&world, proved_at.minus(seconds(1))), Err(PrivacyError::NotFresh)));
    assert_eq!(rows(&world.test), before);
    delete(&world, proved_at).unwrap();
    assert_eq!(world.test.columns_with("subject-of-ada"), Vec::<String>::new());
    let places = world.test.columns_with("ada@example.net");
    assert!(places.iter().all(|place| place == "mail_outbox.recipient"), "besides the last mail: {places:?}");
    assert_eq!(world.test.number("select count(*) from identity"), 0);
    let sql = "select count(*) from oauth_flow where account_id is not null";
    assert_eq!(world.test.number(sql), 0);
}

#[test]
fn github_people_are_their_number_and_the_primary_verified_address() {
    let mut world = ProviderTest::with(|issuer| vec![github(issuer)]);
    let known = world.test.person("grace-h").account.id;
    let email = |address: &str, primary: bool, verified: bool| json!({"email": address, "primary": primary, "verified": verified});
    let round_trip = |world: &mut ProviderTest, id: Value, login: &str, emails: Value| {
        world.answers(json!({"github": {"user": {"id": id, "login": login, "name": null}, "emails": emails}}));
        world.round_trip("github", Purpose::SignIn, ANONYMOUS)
    };

    // An address counts only if it is both primary and verified.
    let hers = "grace-h@example.org";
    for (emails, is_known) in [
        (json!([email(hers, true, true)]), true),
        (json!([email("x@example.net", false, true), email(hers, true, true)]), true),
        (json!([email(hers, true, false)]), false),
        (json!([email(hers, false, true)]), false),
        (json!([email(hers, false, true), email("x@example.net", true, true)]), false),
        (json!([{"email": hers, "primary": true}]), false),
        (json!([]), false),
    ] {
        let case = emails.to_string();
        let outcome = round_trip(&mut world, json!(1), "hopper", emails);
        assert_eq!(matches!(outcome, Ok(CallbackOutcome::SignInRequired)), is_known, "{case}: {}", describe(&outcome));
        assert!(world.identities(known).is_empty());
    }

    // A no-reply address is ignored.
    let hidden = json!([email("1+ada@users.noreply.github.com", true, true)]);
    assert!(matches!(round_trip(&mut world, json!(1), "ada", hidden), Ok(CallbackOutcome::UsernameRequired)));
    assert!(world.choose_username("ada-l", "").is_err());
    let SignInOutcome::VerificationPending(ada) = world.choose_username("ada-l", "ada@example.net").unwrap() else {
        panic!("GitHub is authoritative for no address")
    };
    assert_eq!(world.identities(ada)[0].label, "ada");

    // Another person can get the login later, but not the number.
    let emails = json!([email("ada@example.net", true, true)]);
    assert!(matches!(round_trip(&mut world, json!(2), "ada", emails.clone()), Ok(CallbackOutcome::UsernameRequired)));
    let same = round_trip(&mut world, json!(1), "countess", emails);
    assert!(
        matches!(same, Ok(CallbackOutcome::SignedIn(SignInOutcome::VerificationPending(who))) if who == ada),
        "{}",
        describe(&same)
    );

    for id in [json!("1"), json!(null), json!(-1), json!(1.5)] {
        let refused = round_trip(&mut world, id.clone(), "ada", json!([]));
        assert!(matches!(refused, Err(OauthError::Refused(Refusal::Answer))), "{id}: {}", describe(&refused));
    }
    world.answers(json!({"github": {"token": {"error": "bad_verification_code"}}}));
    assert!(matches!(world.round_trip("github", Purpose::SignIn, ANONYMOUS), Err(OauthError::Refused(Refusal::Code))));
}

#[test]
fn only_people_of_the_allowed_domains_can_sign_in() {
    let mut world = ProviderTest::with(|issuer| {
        vec![Provider { allowed_domains: vec!["example.org".into()], ..provider("corp", issuer) }]
    });
    for (email, verified, may) in [
        ("ada@example.org", true, true),
        ("ada@EXAMPLE.ORG", true, true),
        ("ada@example.org", false, false),
        ("ada@example.net", true, false),
        ("ada@sub.example.org", true, false),
        ("ada@example.org.evil.example", true, false),
    ] {
        world.answers(json!({"claims": {"sub": "1", "email": email, "email_verified": verified}}));
        let outcome = world.sign_in();
        assert_eq!(
            !matches!(outcome, Err(OauthError::Refused(Refusal::Domain | Refusal::Unverified))),
            may,
            "{email} {verified}: {}",
            describe(&outcome)
        );
    }
}
