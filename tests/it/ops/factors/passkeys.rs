//! Passkeys. A test authenticator forges one field at a time (W1) and signs the forgery like a right response.

use domicile::base::PasskeyId;
use domicile::factors::{Assertion, ChallengePurpose, PasskeyName};
use domicile::signin;
use serde_json::{Value, json};

use super::*;
use crate::support::Authenticator;

const ORIGIN: &str = "http://localhost:8600";

impl TestApp {
    fn passkey_challenge(&self, purpose: ChallengePurpose) -> (String, Value) {
        let given = self.write(move |tx| factors::challenge(tx, purpose)).unwrap();
        (given.ticket.expose().clone(), given.options)
    }

    fn add_passkey(&self, person: &Person, ticket: String, credential: &Value) -> Result<PasskeyId, FactorError> {
        let (actor, account) = (person.by_browser(), person.account.id);
        let made = Assertion { ticket, credential: credential.to_string() };
        let made = self.block_on(factors::flows::check_registration(&self.app, account, made))?;
        let name = PasskeyName::parse("Work laptop").unwrap();
        Ok(self.write(move |tx| factors::add_passkey(tx, &actor, account, &name, &made))?.0)
    }

    /// Registers a passkey of the person with a new device. Returns the number of the device.
    fn new_passkey(&self, person: &Person, authenticator: &mut Authenticator) -> (usize, PasskeyId) {
        let (ticket, options) = self.passkey_challenge(ChallengePurpose::Registration(person.account.id));
        let (device, made) = authenticator.create(&options, &json!({}));
        (device, self.add_passkey(person, ticket, &made).unwrap())
    }

    fn enter_by_passkey(&self, ticket: String, credential: &Value) -> Result<Secret<String>, SigninError> {
        self.enter_by_passkey_with(ticket, credential.to_string())
    }

    fn enter_by_passkey_with(&self, ticket: String, credential: String) -> Result<Secret<String>, SigninError> {
        let signed = Assertion { ticket, credential };
        match self.block_on(flows::sign_in_by_passkey(&self.app, visitor(), signed, false))? {
            SignInOutcome::Session { token, .. } => Ok(token),
            _ => panic!("a passkey needs no second step"),
        }
    }

    fn remove_passkey_of(&self, person: &Person, passkey: PasskeyId) -> Result<(), FactorError> {
        let (actor, account) = (person.by_browser(), person.account.id);
        self.write(move |tx| signin::remove_passkey(tx, &actor, account, passkey))
    }
}

fn passkey_refused<T>(answer: &Result<T, SigninError>) -> bool {
    matches!(answer, Err(SigninError::Factor(FactorError::PasskeyRefused(_))))
}

#[test]
fn a_passkey_signs_in_alone_as_a_second_step_and_in_a_step_up() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let mut authenticator = Authenticator::at(ORIGIN);
    let (device, _) = site.new_passkey(&ada, &mut authenticator);
    assert_eq!(site.enrolled(&ada), EnrolledFactors { has_totp: false, passkeys: 1, codes_left: 10 });
    site.message("ada-ada@example.org", "A passkey was added");

    let (ticket, options) = site.passkey_challenge(ChallengePurpose::SignIn);
    let token = site.enter_by_passkey(ticket, &authenticator.get(device, &options, &json!({}))).unwrap();
    assert_eq!(site.method_of(&token), "passkey");

    let pending = site.pending_sign_in("ada-ada");
    let (ticket, options) = site.passkey_challenge(ChallengePurpose::Factor(ada.account.id));
    let credential = authenticator.get(device, &options, &json!({})).to_string();
    let token = site.second_step_with(&pending, FactorInput::Passkey(Assertion { ticket, credential })).unwrap();
    assert_eq!(site.method_of(&token), "password+passkey");

    let (ticket, options) = site.passkey_challenge(ChallengePurpose::StepUp(ada.account.id));
    let credential = authenticator.get(device, &options, &json!({})).to_string();
    site.prove_again(&ada, StepUp::Factor(FactorInput::Passkey(Assertion { ticket, credential }))).unwrap();
    let listed = site.read(|view| factors::passkeys(view, ada.account.id).unwrap());
    assert_eq!((listed[0].sign_count, listed[0].last_used_at), (3, Some(site.clock.now())));
}

#[test]
fn w1_an_assertion_that_is_wrong_in_one_field_is_refused() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let bob = site.person("bob-bob");
    let mut authenticator = Authenticator::at(ORIGIN);
    let (bobs, _) = site.new_passkey(&bob, &mut authenticator);
    let (device, _) = site.new_passkey(&ada, &mut authenticator);
    let (_, options) = site.passkey_challenge(ChallengePurpose::SignIn);
    let bobs_answer = authenticator.get(bobs, &options, &json!({}));
    let (bobs_id, bobs_handle) = (&bobs_answer["rawId"], &bobs_answer["response"]["userHandle"]);

    let changes = [
        ("type", json!({"type": "webauthn.create"})),
        ("type left out", json!({"without": "type"})),
        ("challenge", json!({"challenge": "flipped"})),
        ("challenge truncated", json!({"challenge_bytes": 16})),
        ("challenge left out", json!({"without": "challenge"})),
        ("origin: another host", json!({"origin": "http://evil.example:8600"})),
        ("origin: another port", json!({"origin": "http://localhost:8601"})),
        ("origin: another scheme", json!({"origin": "https://localhost:8600"})),
        ("origin: a name below", json!({"origin": "http://a.localhost:8600"})),
        ("origin left out", json!({"without": "origin"})),
        ("in a frame of another site", json!({"cross_origin": true})),
        ("rpIdHash", json!({"rp_id": "evil.example"})),
        ("rpIdHash: the origin", json!({"rp_id": "http://localhost:8600"})),
        ("user presence missing", json!({"clear": 0x01})),
        ("user verification missing", json!({"clear": 0x04})),
        ("backed up and not eligible", json!({"set": 0x10})),
        ("eligible all at once", json!({"set": 0x08})),
        ("another key", json!({"key": "another"})),
        ("another hash", json!({"alg": "sha384"})),
        ("signature", json!({"signature": "flipped"})),
        ("no signature", json!({"signature": "empty"})),
        ("client data changed afterwards", json!({"after": "client_data"})),
        ("counter changed afterwards", json!({"after": "authenticator_data"})),
        ("authenticator data truncated", json!({"cut": 36})),
        ("authenticator data too long", json!({"padded": 7})),
        ("another person's credential id", json!({"raw_id": bobs_id})),
        ("an unknown credential id", json!({"raw_id": "AAAA"})),
        ("another person's user handle", json!({"user_handle": bobs_handle})),
        ("no user handle", json!({"user_handle": null})),
        ("an empty user handle", json!({"user_handle": ""})),
        ("another type of credential", json!({"credential_type": "password"})),
    ];
    let before = site.row_counts();
    for (what, change) in &changes {
        let (ticket, options) = site.passkey_challenge(ChallengePurpose::SignIn);
        let forged = authenticator.get(device, &options, change);
        let answer = site.enter_by_passkey(ticket, &forged);
        assert!(passkey_refused(&answer), "{what}: {:?}", answer.map(|_| "in"));
    }
    for nonsense in ["", "{}", "null", "[", &"9".repeat(20_000)] {
        let (ticket, _) = site.passkey_challenge(ChallengePurpose::SignIn);
        assert!(passkey_refused(&site.enter_by_passkey_with(ticket, nonsense.into())));
    }
    assert_eq!(site.row_counts(), before);
    assert_eq!(site.events_named("auth.passkey_refused"), changes.len() as i64 + 5);
    // Each response was refused because of its forged field: the same authenticator signs in with a right response.
    let (ticket, options) = site.passkey_challenge(ChallengePurpose::SignIn);
    site.enter_by_passkey(ticket, &authenticator.get(device, &options, &json!({}))).unwrap();
}

#[test]
fn w1_a_registration_that_is_wrong_in_one_field_is_refused() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let mut authenticator = Authenticator::at(ORIGIN);
    let before = site.row_counts();
    for (what, change) in [
        ("type", json!({"type": "webauthn.get"})),
        ("challenge", json!({"challenge": "flipped"})),
        ("origin", json!({"origin": "http://localhost:8601"})),
        ("in a frame of another site", json!({"cross_origin": true})),
        ("rpIdHash", json!({"rp_id": "evil.example"})),
        ("user presence missing", json!({"clear": 0x01})),
        ("user verification missing", json!({"clear": 0x04})),
        ("no credential", json!({"clear": 0x40})),
        ("backed up and not eligible", json!({"set": 0x10})),
        ("an algorithm that was not offered", json!({"alg": "eddsa"})),
        ("a key that says another algorithm", json!({"alg": "renamed"})),
        ("a point that is not on the curve", json!({"key": "off_curve"})),
        ("another credential id outside", json!({"raw_id": "x"})),
        ("authenticator data truncated", json!({"cut": 60})),
        ("attestation truncated", json!({"attestation_bytes": 40})),
        ("huge CBOR", json!({"attestation_more": 200_000})),
        ("an attestation that was not requested", json!({"fmt": "packed"})),
        ("another type of credential", json!({"credential_type": "password"})),
    ] {
        let (ticket, options) = site.passkey_challenge(ChallengePurpose::Registration(ada.account.id));
        let (_, forged) = authenticator.create(&options, &change);
        let answer = site.add_passkey(&ada, ticket, &forged);
        assert!(matches!(answer, Err(FactorError::PasskeyRefused(_))), "{what}: {answer:?}");
    }
    assert_eq!(site.row_counts(), before);
    site.new_passkey(&ada, &mut authenticator);
}

#[test]
fn w1_a_challenge_is_long_random_for_one_purpose_and_answered_once_within_five_minutes() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let bob = site.person("bob-bob");
    let mut authenticator = Authenticator::at(ORIGIN);
    let (device, _) = site.new_passkey(&ada, &mut authenticator);
    let (ticket, options) = site.passkey_challenge(ChallengePurpose::SignIn);
    let challenge = options["publicKey"]["challenge"].as_str().unwrap();
    assert!(challenge.len() >= 22, "at least 16 bytes: {challenge}");
    assert_ne!(
        options["publicKey"]["challenge"],
        site.passkey_challenge(ChallengePurpose::SignIn).1["publicKey"]["challenge"]
    );
    assert_eq!(options["publicKey"]["userVerification"], "required");

    let answer = authenticator.get(device, &options, &json!({}));
    site.enter_by_passkey(ticket.clone(), &answer).unwrap();
    assert!(passkey_refused(&site.enter_by_passkey(ticket, &answer)), "answered once");
    // A wrong answer uses it up as well.
    let (ticket, options) = site.passkey_challenge(ChallengePurpose::SignIn);
    let forged = authenticator.get(device, &options, &json!({"clear": 4}));
    assert!(passkey_refused(&site.enter_by_passkey(ticket.clone(), &forged)));
    assert!(passkey_refused(&site.enter_by_passkey(ticket, &authenticator.get(device, &options, &json!({})))));

    let (ticket, options) = site.passkey_challenge(ChallengePurpose::SignIn);
    site.clock.advance(minutes(5));
    assert!(
        passkey_refused(&site.enter_by_passkey(ticket, &authenticator.get(device, &options, &json!({})))),
        "too late"
    );
    for other in [
        ChallengePurpose::Factor(ada.account.id),
        ChallengePurpose::StepUp(ada.account.id),
        ChallengePurpose::Registration(ada.account.id),
    ] {
        let (ticket, options) = site.passkey_challenge(other);
        let mut options = options;
        options["publicKey"]["rpId"] = json!("localhost");
        assert!(
            passkey_refused(&site.enter_by_passkey(ticket, &authenticator.get(device, &options, &json!({})))),
            "{other:?}"
        );
    }
    // The challenge of one person cannot be answered by the passkey of another.
    site.new_passkey(&bob, &mut authenticator);
    let (ticket, options) = site.passkey_challenge(ChallengePurpose::StepUp(bob.account.id));
    let credential = authenticator.get(device, &options, &json!({})).to_string();
    let answer = site.prove_again(&bob, StepUp::Factor(FactorInput::Passkey(Assertion { ticket, credential })));
    assert!(passkey_refused(&answer));
}

#[test]
fn w1_a_credential_belongs_to_one_person_and_a_handle_is_random() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let bob = site.person("bob-bob");
    let mut authenticator = Authenticator::at(ORIGIN);
    let (ticket, options) = site.passkey_challenge(ChallengePurpose::Registration(ada.account.id));
    let handle = options["publicKey"]["user"]["id"].as_str().unwrap().to_owned();
    assert_eq!(handle.len(), 22, "16 random bytes");
    assert_eq!(options["publicKey"]["authenticatorSelection"]["residentKey"], "required");
    let (_, made) = authenticator.create(&options, &json!({}));
    site.add_passkey(&ada, ticket, &made).unwrap();

    for person in [&bob, &ada] {
        let before = site.row_counts();
        let (ticket, options) = site.passkey_challenge(ChallengePurpose::Registration(person.account.id));
        let (_, copy) = authenticator.create(&options, &json!({"credential_id": made["rawId"]}));
        let refused = site.add_passkey(person, ticket, &copy);
        assert!(matches!(refused, Err(FactorError::PasskeyKnown | FactorError::PasskeyRefused(_))), "{refused:?}");
        assert_eq!(site.row_counts(), before);
    }
    let (_, options) = site.passkey_challenge(ChallengePurpose::Registration(bob.account.id));
    assert_ne!(options["publicKey"]["user"]["id"].as_str().unwrap(), handle);
}

#[test]
fn w1_an_id_of_a_credential_has_one_to_1023_bytes() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let mut authenticator = Authenticator::at(ORIGIN);
    for (bytes, is_accepted) in [(0, false), (1024, false), (2000, false), (1023, true)] {
        let (ticket, options) = site.passkey_challenge(ChallengePurpose::Registration(ada.account.id));
        let id = URL_SAFE_NO_PAD.encode(vec![7; bytes]);
        let (_, made) = authenticator.create(&options, &json!({"credential_id": id}));

        let answer = site.add_passkey(&ada, ticket, &made);

        assert_eq!(answer.is_ok(), is_accepted, "{bytes}: {answer:?}");
        assert!(is_accepted || matches!(answer, Err(FactorError::PasskeyRefused(_))), "{bytes}: {answer:?}");
    }
}

#[test]
fn w2_a_counter_that_does_not_rise_is_refused_and_recorded() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let mut authenticator = Authenticator::at(ORIGIN);
    let (device, _) = site.new_passkey(&ada, &mut authenticator);
    let count_at = |authenticator: &mut Authenticator, count: u32| {
        let (ticket, options) = site.passkey_challenge(ChallengePurpose::SignIn);
        site.enter_by_passkey(ticket, &authenticator.get(device, &options, &json!({"sign_count": count})))
    };
    let stored = || site.read(|view| factors::passkeys(view, ada.account.id).unwrap())[0].sign_count;
    count_at(&mut authenticator, 0).unwrap();
    count_at(&mut authenticator, 0).unwrap();
    count_at(&mut authenticator, 7).unwrap();
    for lower in [7, 6, 0] {
        let before = site.row_counts();
        let refused = count_at(&mut authenticator, lower);
        assert!(matches!(refused, Err(SigninError::Factor(FactorError::PasskeyCopied))), "{lower}");
        assert_eq!((stored(), site.row_counts()), (7, before), "never silently updated");
    }
    let denied = "select count(*) from audit_event where event = 'auth.passkey_refused' and outcome = 'denied'";
    assert_eq!(site.number(denied), 3);
    count_at(&mut authenticator, 8).unwrap();
}

#[test]
fn w2_of_two_concurrent_assertions_with_the_same_counter_one_is_accepted() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let mut authenticator = Authenticator::at(ORIGIN);
    let (device, _) = site.new_passkey(&ada, &mut authenticator);
    let signed = |authenticator: &mut Authenticator| {
        let (ticket, options) = site.passkey_challenge(ChallengePurpose::StepUp(ada.account.id));
        let credential = authenticator.get(device, &options, &json!({"sign_count": 5})).to_string();
        let signed = Assertion { ticket, credential };
        let actor = Actor::Anonymous(visitor());
        let purpose = ChallengePurpose::StepUp(ada.account.id);
        site.block_on(factors::flows::check_assertion(&site.app, &actor, purpose, signed)).unwrap()
    };
    // Both signatures are right, and both were checked before either was accepted.
    let (one, other) = (signed(&mut authenticator), signed(&mut authenticator));
    let prove = |asserted| {
        let (actor, account) = (ada.by_browser(), ada.account.id);
        let proof = factors::FactorProof::Passkey(asserted);
        site.write_deciding(move |tx| factors::prove(tx, &actor, account, &proof))
    };
    assert!(prove(one).is_ok());
    assert!(matches!(prove(other), Err(FactorError::PasskeyCopied)));
}

#[test]
fn w3_the_only_sign_in_method_and_a_required_factor_are_not_removed() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let mut authenticator = Authenticator::at(ORIGIN);
    let (_, first) = site.new_passkey(&ada, &mut authenticator);
    let (_, second) = site.new_passkey(&ada, &mut authenticator);
    let id = ada.account.id;
    let forget_password = "delete from password where account_id = :id";
    site.write(move |tx| tx.execute(forget_password, rusqlite::named_params! {":id": id})).unwrap();
    site.remove_passkey_of(&ada, first).unwrap();
    site.message("ada-ada@example.org", "A passkey was removed");

    let before = site.row_counts();
    let refused = site.remove_passkey_of(&ada, second).unwrap_err();
    assert!(matches!(refused, FactorError::LastSignInMethod));
    assert_eq!((Problem::from(refused).status, site.row_counts()), (409, before));
    // An app alone cannot sign in.
    site.enrol(&ada);
    assert!(matches!(site.remove_passkey_of(&ada, second), Err(FactorError::LastSignInMethod)));
    let (actor, account) = (ada.by_browser(), ada.account.id);
    site.write(move |tx| accounts::set_password(tx, &actor, account, "$argon2id$some")).unwrap();
    site.remove_passkey_of(&ada, second).unwrap();
    assert!(matches!(site.remove_passkey_of(&ada, second), Err(FactorError::NotFound)));
    let bob = site.person("bob-bob");
    let (_, bobs) = site.new_passkey(&bob, &mut authenticator);
    assert!(matches!(site.remove_passkey_of(&ada, bobs), Err(FactorError::NotFound)));

    let site = TestApp::with(|config| config.factors.required = FactorsRequired::Everybody);
    let ada = site.person("ada-ada");
    let (_, only) = site.new_passkey(&ada, &mut authenticator);
    assert!(matches!(site.remove_passkey_of(&ada, only), Err(FactorError::Required)));
}

#[test]
fn row66_a_passkey_signs_in_at_the_first_try_whatever_attackers_did() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let mut authenticator = Authenticator::at(ORIGIN);
    let (device, _) = site.new_passkey(&ada, &mut authenticator);
    site.enrol(&ada);
    for _ in 0..12 {
        let _ = site.second_step(&site.pending_sign_in("ada-ada"), "000000");
    }
    for _ in 0..12 {
        let _ = site.sign_in("ada-ada", "not the password at all");
    }
    let (ticket, options) = site.passkey_challenge(ChallengePurpose::SignIn);
    site.enter_by_passkey(ticket, &authenticator.get(device, &options, &json!({}))).unwrap();
}

#[test]
fn a_site_without_a_host_name_has_no_passkeys() {
    let site = TestApp::with(|config| config.public_url = "http://127.0.0.1:8600".into());
    let refused = site.write(|tx| factors::challenge(tx, ChallengePurpose::SignIn)).err().unwrap();
    assert!(matches!(refused, FactorError::NoPasskeysHere));
}
