//! Sign-in with another provider by a person who has a second factor here.

use domicile::accounts;
use domicile::base::{AccountId, Secret, minutes};
use domicile::factors::{self, Assertion, ChallengePurpose, FactorError, PasskeyName};
use domicile::sessions;
use domicile::signin::oauth::{CallbackOutcome, OauthError, Purpose};
use domicile::signin::{self, FactorInput, SignInOutcome, flows};
use serde_json::json;

use super::{ProviderTest, TestBrowser, describe, provider, rows};
use crate::support::{Authenticator, oath_code, visitor};

impl ProviderTest {
    /// Sets up an authenticator app: its secret.
    fn enrol_app(&mut self, who: TestBrowser<'_>) -> String {
        let (account, session) = who.session.unwrap();
        let actor = self.by(account, session);
        let own = actor.clone();
        self.test.write(move |tx| factors::start_totp_setup(tx, &own, account)).unwrap();
        let set_up = self.test.read(|view| factors::totp_setup(view, account).unwrap().unwrap());
        let secret = set_up.seed.base32().expose().clone();
        let code = oath_code(&secret, self.now());
        self.test.write(move |tx| factors::confirm_totp(tx, &actor, account, &code)).unwrap();
        self.test.clock.advance(minutes(1));
        self.answers(json!({"claims": {"sub": "1"}}));
        secret
    }

    fn enrol_passkey(&self, who: TestBrowser<'_>) -> domicile::base::PasskeyId {
        let (account, session) = who.session.unwrap();
        let actor = self.by(account, session);
        let given = self.test.write(move |tx| factors::challenge(tx, ChallengePurpose::Registration(account))).unwrap();
        let (_, made) = Authenticator::at("http://localhost:8600").create(&given.options, &json!({}));
        let made = Assertion { ticket: given.ticket.expose().clone(), credential: made.to_string() };
        let made = self.test.block_on(factors::flows::check_registration(&self.test.app, account, made)).unwrap();
        let name = PasskeyName::parse("Phone").unwrap();
        self.test.write(move |tx| factors::add_passkey(tx, &actor, account, &name, &made)).unwrap().0
    }

    fn live_sessions(&self, account: AccountId) -> usize {
        self.test.read(|view| sessions::list(view, account).unwrap()).len()
    }
}

#[test]
fn a_second_factor_is_required_whatever_the_provider_says() {
    let mut world = ProviderTest::new();
    let ada = world.signed_up("1", "ada@example.net", "ada-l");
    let at_home = world.signed_in();
    let secret = world.enrol_app(at_home);
    let before = world.live_sessions(ada);

    let pending = match world.sign_in() {
        Ok(CallbackOutcome::SignedIn(SignInOutcome::MfaPending(pending))) => pending,
        other => panic!("no second factor was required: {}", describe(&other)),
    };
    assert_eq!(world.live_sessions(ada), before, "no session before the second step");
    assert!(world.test.read(|view| sessions::current(view, pending.expose()).unwrap()).is_none(), "it gives no access");

    let prove = |typed: String| {
        let input = FactorInput::Typed(Secret::new(typed));
        world.test.block_on(flows::prove_factor(&world.test.app, visitor(), pending.expose().clone(), input))
    };
    assert!(prove("000000".into()).is_err());
    let Ok(SignInOutcome::Session { token, .. }) = prove(oath_code(&secret, world.now())) else {
        panic!("the right code was refused")
    };
    let (_, session) = world.session_of(&token);
    let listed = world.test.read(|view| sessions::list(view, ada).unwrap());
    let method = &listed.iter().find(|one| one.id == session).unwrap().method;
    assert!(method.starts_with("oauth:corp+"), "{method}");
}

#[test]
fn a_sign_in_at_the_provider_is_no_step_up_once_there_is_a_second_factor() {
    let mut world = ProviderTest::new();
    world.signed_up("1", "ada@example.net", "ada-l");
    let at_home = world.signed_in();
    // The request was started before the factor was enrolled.
    let url = world.start("corp", Purpose::StepUp, at_home).unwrap();
    world.enrol_app(at_home);
    let now = world.now();
    world.answers(json!({"claims": {"sub": "1", "auth_time": now}}));
    let before = rows(&world.test);
    let late = world.finish("corp", world.follow(&url), at_home);
    assert!(matches!(late, Err(OauthError::StrongerProofRequired)), "{}", describe(&late));
    assert!(matches!(world.start("corp", Purpose::StepUp, at_home), Err(OauthError::StrongerProofRequired)));
    assert_eq!(rows(&world.test), before);
}

#[test]
fn w3_a_passkey_and_a_connected_account_count_as_sign_in_methods_for_each_other() {
    let mut world = ProviderTest::with(|issuer| vec![provider("corp", issuer)]);
    let ada = world.signed_up("1", "ada@example.net", "ada-l");
    let at_home = world.signed_in();
    let passkey = world.enrol_passkey(at_home);
    assert!(world.test.read(|view| accounts::password_hash(view, ada).unwrap()).is_none());
    let identity = world.identities(ada).remove(0);
    let actor = world.by(ada, at_home.session.unwrap().1);
    let remove = |world: &ProviderTest| {
        let actor = actor.clone();
        world.test.write(move |tx| signin::remove_passkey(tx, &actor, ada, passkey))
    };

    // Without the connected account the passkey is the last sign-in method, and vice versa.
    assert_eq!(world.offers(ada), ([true].into(), Vec::<String>::new()));
    world.disconnect(&at_home, &identity).unwrap();
    assert_eq!(world.offers(ada), (Vec::new(), vec!["corp".to_owned()]));
    assert!(matches!(remove(&world), Err(FactorError::LastSignInMethod)));
    world.answers_as("1", "ada@example.net");
    assert!(matches!(world.round_trip("corp", Purpose::Connect, at_home), Ok(CallbackOutcome::ConfirmationRequired)));
    world.connect(at_home).unwrap();
    remove(&world).unwrap();
    assert_eq!(world.offers(ada), ([false].into(), Vec::<String>::new()));
    let identity = world.identities(ada).remove(0);
    assert!(matches!(world.disconnect(&at_home, &identity), Err(OauthError::LastSignInMethod)));
}
