//! Who somebody is: an issuer and a subject, and never an address. Becoming somebody here, connecting, taking off, leaving.

use domicile::accounts::AccountState;
use domicile::base::{Actor, IdentityId, Secret, minutes, seconds};
use domicile::config::{Provider, SignupMode};
use domicile::privacy::{self, PrivacyError};
use domicile::sessions::{self, NewSession};
use domicile::signin::oauth::{Arrived, OauthError, Purpose, Refusal};
use domicile::signin::{SigninError, Started, flows};
use serde_json::{Value, json};

use super::{BROWSER, OTHER_BROWSER, STRANGER, Somebody, World, github, provider, rows, told};
use crate::support::{PASSWORD, visitor};

/// A provider that answers for everybody at example.org.
fn trusted(issuer: &str) -> Provider {
    Provider { trusted_domains: vec!["example.org".into()], ..provider("corp", issuer) }
}

#[test]
fn somebody_new_chooses_a_username_and_is_in_with_their_wallet() {
    let mut world = World::with(|issuer| vec![trusted(issuer)]);
    world.says(json!({"claims": {
        "sub": "1", "email": "Ada.L@example.org", "email_verified": true, "name": "Ada Lovelace",
    }}));
    assert!(matches!(world.sign_in(), Ok(Arrived::MustChoose)));
    // What is typed as an address is not looked at: the provider's word is enough.
    let Started::Session { token, .. } = world.choose("ada-l", "thief@example.net").unwrap() else {
        panic!("no code is needed")
    };

    let account = world.account("ada-l").unwrap();
    assert_eq!(world.whose(&token).0, account.id);
    assert_eq!((account.state, account.display_name.as_str()), (AccountState::Active, "Ada Lovelace"));
    assert_eq!(world.identities(account.id)[0].label, "Ada.L@example.org");
    assert_eq!(world.test.message("Ada.L@example.org", "Welcome").to, "Ada.L@example.org");
    assert_eq!(world.test.places_of("thief@example.net"), Vec::<String>::new());
    assert!(world.choose("ada-m", "").is_err(), "who waited in this browser is somebody now");
    assert!(matches!(world.sign_in(), Ok(Arrived::Entered(Started::Session { .. }))));
}

#[test]
fn what_is_chosen_wrong_is_refused_and_nothing_happens() {
    let mut world = World::new();
    world.test.person("grace-h");
    world.says_who("1", "ada@example.net");
    assert!(matches!(world.sign_in(), Ok(Arrived::MustChoose)));
    let before = rows(&world.test);
    for (username, email) in
        [("grace-h", "ada@example.net"), ("admin", "ada@example.net"), ("a", "ada@example.net"), ("ada-l", "no")]
    {
        assert!(world.choose(username, email).is_err(), "{username} {email}");
        assert_eq!(rows(&world.test), before, "{username} {email}");
    }
    world.test.clock.advance(minutes(30));
    assert!(matches!(world.choose("ada-l", "ada@example.net"), Err(OauthError::NothingWaits)));
    assert_eq!(rows(&world.test), before);
}

#[test]
fn the_sign_up_mode_holds_for_those_who_come_from_elsewhere() {
    for (mode, email, may) in [
        (SignupMode::Open, "ada@example.net", true),
        (SignupMode::Domains, "ada@example.org", true),
        (SignupMode::Domains, "ada@example.net", false),
        (SignupMode::Closed, "ada@example.org", false),
    ] {
        let (mut liar, ready) = crate::support::HelperProcess::provider("liar.mjs", &json!({}));
        liar.tell(&json!({}));
        let issuer = ready["issuer"].as_str().unwrap().to_owned();
        let test = crate::support::TestApp::with(|config| {
            config.oauth = vec![provider("corp", &issuer)];
            config.signup.mode = mode;
            config.signup.domains = vec!["example.org".into()];
        });
        let mut world = World { test, liar, issuer };
        world.says_who("1", email);
        let before = rows(&world.test);
        let came = world.sign_in();
        assert!(came.is_ok(), "whoever has an account here may still connect it: {}", told(&came));
        let made = world.choose("ada-l", email).is_ok();
        assert_eq!(made, may, "{mode:?} {email}");
        assert_eq!(rows(&world.test) == before, !may, "{mode:?} {email}");
    }
}

#[test]
fn o4_whatever_a_provider_says_of_an_address_nobody_elses_account_is_opened() {
    // In words and numbers it is no truth, and the whole answer is refused; see `forged`.
    let verified =
        [None, Some(json!(true)), Some(json!(false)), Some(json!("true")), Some(json!("TRUE")), Some(json!(1))];
    for authoritative in [false, true] {
        let mut world =
            World::with(|issuer| vec![if authoritative { trusted(issuer) } else { provider("corp", issuer) }]);
        let ada = world.test.person("ada-l");
        for (number, verified) in verified.iter().enumerate() {
            let email = if number % 2 == 0 { "ada-l@example.org" } else { "ADA-L@EXAMPLE.ORG" };
            let mut claims = json!({"sub": format!("thief-{number}"), "email": email});
            if let Some(verified) = verified {
                claims["email_verified"] = verified.clone();
            }
            let case = claims.to_string();
            world.says(json!({"claims": claims}));

            let came = world.sign_in();
            let is_refused = matches!(came, Err(OauthError::Refused(Refusal::Token)));
            assert_eq!(is_refused, number > 2, "{case}: {}", told(&came));
            assert!(
                is_refused || matches!(came, Ok(Arrived::MustChoose | Arrived::MustSignIn)),
                "{case}: {}",
                told(&came)
            );
            match world.choose(&format!("thief-{number}"), email) {
                Ok(Started::MustVerify(thief)) => {
                    assert_ne!(thief, ada.account.id);
                    assert_eq!(world.state(thief), AccountState::Pending, "{case}: of no use before a proof");
                }
                Ok(Started::Session { .. } | Started::MustProve(_)) => panic!("{case}: a takeover"),
                Err(OauthError::HasAccount) => assert!(authoritative && number == 1, "{case}"),
                Err(OauthError::NothingWaits) => assert!(is_refused, "{case}"),
                Err(other) => panic!("{case}: {other}"),
            }
            let again = world.sign_in();
            assert!(!matches!(again, Ok(Arrived::Entered(Started::Session { .. }))), "{case}: a takeover");
            assert!(world.identities(ada.account.id).is_empty(), "{case}: connected by an address");
            world.test.clock.advance(minutes(2));
        }
        assert_eq!(world.test.number("select count(*) from session"), 0, "nobody came in");
        // No code for her address went to anybody: she is told instead.
        let messages = world.test.read(crate::support::messages);
        assert!(
            messages
                .iter()
                .all(|message| message.to.to_lowercase() != "ada-l@example.org" || !message.subject.contains("code"))
        );
        assert!(matches!(world.test.sign_in("ada-l", PASSWORD), Ok(Started::Session { .. })));
    }
}

#[test]
fn o4_who_is_known_by_their_subject_stays_so_whatever_becomes_of_the_address() {
    let mut world = World::new();
    let ada = world.newcomer("1", "ada@example.net", "ada-l");
    world.says_who("1", "lovelace@example.net");
    assert_eq!(world.came_in().session.unwrap().0, ada);
    assert_eq!(world.identities(ada)[0].label, "lovelace@example.net");

    // The address is somebody else's now.
    world.says_who("2", "ada@example.net");
    assert!(matches!(world.sign_in(), Ok(Arrived::MustSignIn)));
    assert_eq!(world.identities(ada).len(), 1);
}

#[test]
fn o4_connecting_needs_a_sign_in_on_both_sides_in_one_browser() {
    let mut world = World::new();
    let (ada, grace) = (world.test.person("ada-l"), world.test.person("grace-h"));
    let (ada, grace) = (world.at_home(&ada), world.at_home(&grace));
    world.says_who("1", "ada-l@example.org");
    assert!(matches!(world.sign_in(), Ok(Arrived::MustSignIn)));

    let before = rows(&world.test);
    let elsewhere = Somebody { browser: Some(OTHER_BROWSER), ..ada };
    assert!(matches!(world.connect(elsewhere), Err(OauthError::NothingWaits)));
    assert_eq!(rows(&world.test), before);

    world.connect(ada).unwrap();
    let (account, session) = ada.session.unwrap();
    assert_eq!(world.identities(account).len(), 1);
    assert_eq!(world.last_event().0, "auth.identity_linked");
    assert_eq!(world.came_in().session.unwrap().0, account);
    assert!(world.test.message("ada-l@example.org", "Example Corp is connected").text.contains("ada-l@example.org"));

    // Somebody else cannot have the same account there.
    let before = rows(&world.test);
    let taken = world.come("corp", Purpose::Connect, grace);
    assert!(matches!(taken, Err(OauthError::Taken)), "{}", told(&taken));
    assert_eq!(rows(&world.test), before);
    assert_eq!(world.last_event().0, "auth.identity_link_refused");

    // A way that one person left on is not another's.
    world.says_who("2", "grace-h@example.org");
    let url = world.leave("corp", Purpose::Connect, grace).unwrap();
    let crossed = world.finish("corp", world.answer(&url), ada);
    assert!(matches!(crossed, Err(OauthError::Refused(Refusal::Browser))), "{}", told(&crossed));
    assert!(matches!(world.come("corp", Purpose::Connect, grace), Ok(Arrived::MustConfirm)));
    assert_eq!(world.identities(grace.session.unwrap().0).len(), 0, "a form asks first");
    let live = world.test.read(|view| sessions::list(view, account).unwrap());
    assert!(live.iter().any(|one| one.id == session), "the session that connected goes on");
}

/// What somebody prepared who does not have the address: all of it is worthless once its owner came.
fn assert_void(world: &mut World, thief_subject: &str, thief: &str) {
    assert!(matches!(world.test.sign_in(thief, PASSWORD), Err(SigninError::BadCredentials)), "the password");
    world.says_who(thief_subject, "thief@example.net");
    let came = world.sign_in();
    assert!(!matches!(came, Ok(Arrived::Entered(_))), "the thief's account elsewhere: {}", told(&came));
}

#[test]
fn o5_classic_merge_a_password_set_before_the_owner_came_is_void() {
    for authoritative in [true, false] {
        let mut world =
            World::with(|issuer| vec![if authoritative { trusted(issuer) } else { provider("corp", issuer) }]);
        let thief = world.test.sign_up("ada@example.org", "a-thief").unwrap().account;

        let ada = world.newcomer("1", "ada@example.org", "ada-l");
        assert_ne!(ada, thief);
        assert_void(&mut world, "thief", "a-thief");
        assert!(matches!(world.test.sign_in("ada@example.org", PASSWORD), Err(SigninError::BadCredentials)));
        assert_eq!(world.state(thief), AccountState::Pending);
    }
}

#[test]
fn o5_unexpired_session_one_that_was_begun_before_the_proof_ends_with_it() {
    let mut world = World::with(|issuer| vec![trusted(issuer)]);
    let thief = world.test.sign_up("ada@example.org", "a-thief").unwrap().account;
    let begin = move |tx: &mut domicile::db::Tx<'_>| {
        let new = NewSession { account: thief, visitor: visitor(), remember: true, method: "password".into() };
        sessions::start(tx, &Actor::Anonymous(visitor()), &new)
    };
    let (_, token) = world.test.write(begin).unwrap();
    let is_in = |world: &World| world.test.read(|view| sessions::current(view, token.expose()).unwrap()).is_some();

    // The account becomes a usable one, by its owner's hand, while the thief's session has not run out.
    world.take_over_by_mail("ada@example.org");
    assert_eq!(world.state(thief), AccountState::Active);
    assert!(!is_in(&world), "the thief's cookie");
    assert_void(&mut world, "thief", "a-thief");
}

#[test]
fn o5_trojan_identifier_an_account_elsewhere_that_a_thief_connected_opens_nothing() {
    for by_link in [false, true] {
        let mut world = World::new();
        // The thief's own account there, and her address.
        world.says_who("thief", "thief@example.net");
        assert!(matches!(world.sign_in(), Ok(Arrived::MustChoose)));
        let Started::MustVerify(thief) = world.choose("a-thief", "ada@example.org").unwrap() else {
            panic!("an address that nobody vouched for needs a code")
        };
        assert_eq!(world.identities(thief).len(), 1);

        if by_link {
            world.take_over_by_mail("ada@example.org");
            assert_eq!(world.state(thief), AccountState::Active, "it is hers now");
        } else {
            world.newcomer("1", "ada@example.org", "ada-l");
        }
        assert!(world.identities(thief).is_empty());
        assert_void(&mut world, "thief", "a-thief");
    }
}

#[test]
fn o5_unexpired_change_an_address_that_somebody_was_about_to_add_is_taken_from_them() {
    let mut world = World::with(|issuer| vec![trusted(issuer)]);
    let thief = world.test.person("a-thief").account.id;
    world
        .test
        .write(move |tx| {
            let add = "insert into account_email (id, account_id, address, folded, is_primary, added_at)
                values ('eml_00000000000000000000000000', :thief, 'ada@example.org', 'ada@example.org', 0, 0)";
            tx.execute(add, rusqlite::named_params! {":thief": thief}).map(|_| ())
        })
        .unwrap();

    let ada = world.newcomer("1", "ada@example.org", "ada-l");
    let sql = "select count(*) from account_email where folded = 'ada@example.org'";
    assert_eq!(world.test.number(sql), 1);
    assert_eq!(world.account("ada@example.org").unwrap().id, ada);
    assert_eq!(world.state(thief), AccountState::Active, "what is the thief's own stays");
}

#[test]
fn o5_non_verifying_provider_an_address_that_nobody_proved_makes_no_usable_account() {
    for verified in [json!(false), json!(null)] {
        let mut world = World::with(|issuer| vec![trusted(issuer)]);
        world.says(json!({"claims": {"sub": "thief", "email": "ada@example.org", "email_verified": verified}}));
        assert!(matches!(world.sign_in(), Ok(Arrived::MustChoose)));
        let Started::MustVerify(thief) = world.choose("a-thief", "ada@example.org").unwrap() else {
            panic!("{verified}: an address that nobody vouched for needs a code")
        };
        assert_eq!(world.test.number("select count(*) from session"), 0);
        assert_eq!(world.state(thief), AccountState::Pending);

        world.newcomer("1", "ada@example.org", "ada-l");
        assert_void(&mut world, "thief", "a-thief");
        // Not even the code that was mailed to her opens it.
        let code = world.test.message("ada@example.org", "code").code();
        let tried = world
            .test
            .write(move |tx| domicile::signin::verify(tx, &Actor::Anonymous(visitor()), thief, &code))
            .unwrap();
        assert!(tried.is_err());
    }
}

#[test]
fn the_last_way_in_stays() {
    let mut world = World::with(|issuer| vec![provider("corp", issuer), github(issuer)]);
    let ada = world.newcomer("1", "ada@example.net", "ada-l");
    let at_home = world.came_in();
    let [only] = <[_; 1]>::try_from(world.identities(ada)).unwrap();

    let (before, events) = (rows(&world.test), world.events());
    assert!(matches!(world.disconnect(&at_home, &only), Err(OauthError::LastWayIn)));
    assert_eq!((rows(&world.test), world.events()), (before, events + 1));
    assert_eq!(world.last_event().0, "auth.identity_unlinked");

    // A second one makes the first one free to go; then the second is the last.
    world.says(json!({"github": {
        "user": {"id": 77, "login": "ada", "name": "Ada"},
        "emails": [{"email": "ada@example.net", "primary": true, "verified": true}],
    }}));
    assert!(matches!(world.come("github", Purpose::Connect, at_home), Ok(Arrived::MustConfirm)));
    world.connect(at_home).unwrap();
    let other = world.came_from_github();
    world.disconnect(&at_home, &only).unwrap();
    assert!(
        world.test.message("ada@example.net", "Example Corp is no longer connected").text.contains("ada@example.net")
    );
    let live = world.test.read(|view| sessions::list(view, ada).unwrap());
    assert_eq!(live.iter().map(|one| one.id).collect::<Vec<_>>(), [at_home.session.unwrap().1], "the others end");
    assert!(!live.iter().any(|one| one.id == other.session.unwrap().1));
    world.says_who("1", "ada@example.net");
    assert!(!matches!(world.sign_in(), Ok(Arrived::Entered(_))), "it opens nothing any more");

    let [last] = <[_; 1]>::try_from(world.identities(ada)).unwrap();
    assert!(matches!(world.disconnect(&at_home, &last), Err(OauthError::LastWayIn)));
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

impl World {
    /// The owner of an address finds an account with it, and sets a password with a link by mail.
    fn take_over_by_mail(&self, email: &str) {
        self.test.block_on(flows::request_reset(&self.test.app, visitor(), email)).unwrap();
        let link = self.test.message(email, "Set your password").link("/reset?token=");
        let token = link.split_once("token=").unwrap().1.to_owned();
        let new = Secret::new("words that she alone knows".to_owned());
        self.test.block_on(flows::reset(&self.test.app, visitor(), token, new)).unwrap();
    }

    fn came_from_github(&self) -> Somebody<'static> {
        match self.come("github", Purpose::SignIn, STRANGER) {
            Ok(Arrived::Entered(Started::Session { token, .. })) => {
                Somebody { browser: Some(BROWSER), session: Some(self.whose(&token)) }
            }
            other => panic!("they cannot come in: {}", told(&other)),
        }
    }
}

#[test]
fn a_provider_that_left_the_settings_is_no_way_in() {
    let mut world = World::with(|issuer| vec![provider("corp", issuer)]);
    let ada = world.newcomer("1", "ada@example.net", "ada-l");
    let at_home = world.came_in();
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
    assert!(matches!(world.disconnect(&at_home, corp), Err(OauthError::LastWayIn)), "the other opens nothing");
    world.disconnect(&at_home, gone).unwrap();
}

#[test]
fn nobody_takes_off_what_is_not_theirs() {
    let mut world = World::new();
    let ada = world.newcomer("1", "ada@example.net", "ada-l");
    let grace = world.test.person("grace-h");
    let grace = world.at_home(&grace);
    let identity = world.identities(ada).remove(0);
    let before = rows(&world.test);
    assert!(matches!(world.disconnect(&grace, &identity), Err(OauthError::NotFound)));
    let mut nothing = identity;
    nothing.id = IdentityId::parse("idn_00000000000000000000000000").unwrap();
    assert!(matches!(world.disconnect(&grace, &nothing), Err(OauthError::NotFound)));
    assert_eq!(rows(&world.test), before);
}

#[test]
fn a_suspended_person_does_not_come_in_from_elsewhere() {
    let mut world = World::new();
    let ada = world.newcomer("1", "ada@example.net", "ada-l");
    world.test.write(move |tx| domicile::signin::suspend(tx, &Actor::Operator, ada, "")).unwrap();
    let (before, events) = (rows(&world.test), world.events());
    assert!(matches!(world.sign_in(), Err(OauthError::Suspended)));
    assert_eq!((rows(&world.test), world.events()), (before, events + 1));
}

#[test]
fn who_has_no_password_proves_themselves_at_their_provider() {
    let mut world = World::new();
    world.newcomer("1", "ada@example.net", "ada-l");
    let at_home = world.came_in();
    let (account, session) = at_home.session.unwrap();
    world.later(11);
    let now = world.now();
    let proved_at = |world: &World| {
        let session = session.to_string();
        let sql = "select proved_at from session where id = :id";
        world
            .test
            .read(|view| view.one(sql, rusqlite::named_params! {":id": session}, |row| row.get::<_, i64>(0)).unwrap())
    };
    let old = proved_at(&world);

    let url = world.leave("corp", Purpose::StepUp, at_home).unwrap();
    assert!(url.contains("prompt=login") && url.contains("max_age=0"), "{url}");
    for (claims, why) in [
        (json!({"sub": "1"}), Refusal::OldProof),
        (json!({"sub": "1", "auth_time": now - 61}), Refusal::OldProof),
        (json!({"sub": "2", "auth_time": now}), Refusal::OtherIdentity),
    ] {
        world.says(json!({"claims": claims}));
        let refused = world.come("corp", Purpose::StepUp, at_home);
        assert!(matches!(refused, Err(OauthError::Refused(found)) if found == why), "{why:?}: {}", told(&refused));
        assert_eq!(proved_at(&world), old, "{why:?}");
        assert_eq!(world.last_event().0, "auth.stepup_failed");
    }
    world.says(json!({"claims": {"sub": "1", "auth_time": now}}));
    // Not in a session that is gone, nor in somebody else's.
    let url = world.leave("corp", Purpose::StepUp, at_home).unwrap();
    let grace = world.test.person("grace-h");
    let grace = world.at_home(&grace);
    for who in [STRANGER, grace] {
        let refused = world.finish("corp", world.answer(&url), who);
        assert!(refused.is_err(), "{}", told(&refused));
    }
    assert!(matches!(world.leave("corp", Purpose::StepUp, grace), Err(OauthError::HasBetterProof)));

    assert!(matches!(world.come("corp", Purpose::StepUp, at_home), Ok(Arrived::Proved(_))));
    assert_eq!(proved_at(&world), now * 1000);
    assert_eq!(world.identities(account).len(), 1);
}

#[test]
fn who_has_no_password_deletes_their_account_with_a_fresh_proof_and_nothing_of_it_stays() {
    let mut world = World::new();
    let ada = world.newcomer("subject-of-ada", "ada@example.net", "ada-l");
    let (_, session) = world.came_in().session.unwrap();
    world.leave("corp", Purpose::Connect, Somebody { browser: Some(BROWSER), session: Some((ada, session)) }).unwrap();
    let actor = world.by(ada, session);
    let proved_at = world.test.clock.now();
    world.test.clock.advance(minutes(10) - seconds(1));
    let delete = |world: &World, proved_at| {
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
    assert_eq!(world.test.places_of("subject-of-ada"), Vec::<String>::new());
    let places = world.test.places_of("ada@example.net");
    assert!(places.iter().all(|place| place == "mail_outbox.recipient"), "beside the last mail: {places:?}");
    assert_eq!(world.test.number("select count(*) from identity"), 0);
    let sql = "select count(*) from oauth_flow where account_id is not null";
    assert_eq!(world.test.number(sql), 0);
}

#[test]
fn github_is_its_number_and_the_address_that_is_primary_and_verified() {
    let mut world = World::with(|issuer| vec![github(issuer)]);
    let known = world.test.person("grace-h").account.id;
    let email = |address: &str, primary: bool, verified: bool| json!({"email": address, "primary": primary, "verified": verified});
    let come = |world: &mut World, id: Value, login: &str, emails: Value| {
        world.says(json!({"github": {"user": {"id": id, "login": login, "name": null}, "emails": emails}}));
        world.come("github", Purpose::SignIn, STRANGER)
    };

    // Somebody's address counts where it is both primary and verified, and nowhere else.
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
        let shown = emails.to_string();
        let came = come(&mut world, json!(1), "hopper", emails);
        assert_eq!(matches!(came, Ok(Arrived::MustSignIn)), is_known, "{shown}: {}", told(&came));
        assert!(world.identities(known).is_empty());
    }

    // An address that takes no mail is none.
    let hidden = json!([email("1+ada@users.noreply.github.com", true, true)]);
    assert!(matches!(come(&mut world, json!(1), "ada", hidden), Ok(Arrived::MustChoose)));
    assert!(world.choose("ada-l", "").is_err());
    let Started::MustVerify(ada) = world.choose("ada-l", "ada@example.net").unwrap() else {
        panic!("GitHub answers for no address")
    };
    assert_eq!(world.identities(ada)[0].label, "ada");

    // The login is another's later; the number is not.
    let emails = json!([email("ada@example.net", true, true)]);
    assert!(matches!(come(&mut world, json!(2), "ada", emails.clone()), Ok(Arrived::MustChoose)));
    let same = come(&mut world, json!(1), "countess", emails);
    assert!(matches!(same, Ok(Arrived::Entered(Started::MustVerify(who))) if who == ada), "{}", told(&same));

    for id in [json!("1"), json!(null), json!(-1), json!(1.5)] {
        let refused = come(&mut world, id.clone(), "ada", json!([]));
        assert!(matches!(refused, Err(OauthError::Refused(Refusal::Answer))), "{id}: {}", told(&refused));
    }
    world.says(json!({"github": {"token": {"error": "bad_verification_code"}}}));
    assert!(matches!(world.come("github", Purpose::SignIn, STRANGER), Err(OauthError::Refused(Refusal::Code))));
}

#[test]
fn only_people_of_the_domains_in_the_settings_come_in() {
    let mut world = World::with(|issuer| {
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
        world.says(json!({"claims": {"sub": "1", "email": email, "email_verified": verified}}));
        let came = world.sign_in();
        assert_eq!(!matches!(came, Err(OauthError::Domain)), may, "{email} {verified}: {}", told(&came));
    }
}
