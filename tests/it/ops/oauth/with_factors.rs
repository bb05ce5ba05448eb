//! Somebody from elsewhere who has a second factor here: asked for it like everybody.

use domicile::accounts;
use domicile::base::{AccountId, Secret, minutes};
use domicile::factors::{self, Assertion, ChallengeFor, FactorError, PasskeyName};
use domicile::sessions;
use domicile::signin::oauth::{Arrived, OauthError, Purpose};
use domicile::signin::{self, Presented, Started, flows};
use serde_json::json;

use super::{Somebody, World, provider, rows, told};
use crate::support::{Authenticator, oath_code, visitor};

impl World {
    /// Sets up an authenticator app: its secret.
    fn enrol_app(&mut self, who: Somebody<'_>) -> String {
        let (account, session) = who.session.unwrap();
        let actor = self.by(account, session);
        let own = actor.clone();
        self.test.write(move |tx| factors::set_up(tx, &own, account)).unwrap();
        let set_up = self.test.read(|view| factors::set_up_under_way(view, account).unwrap().unwrap());
        let secret = set_up.seed.base32().expose().clone();
        let code = oath_code(&secret, self.now());
        self.test.write(move |tx| factors::confirm_totp(tx, &actor, account, &code)).unwrap();
        self.test.clock.advance(minutes(1));
        self.says(json!({"claims": {"sub": "1"}}));
        secret
    }

    fn enrol_passkey(&self, who: Somebody<'_>) -> domicile::base::PasskeyId {
        let (account, session) = who.session.unwrap();
        let actor = self.by(account, session);
        let given = self.test.write(move |tx| factors::challenge(tx, ChallengeFor::Adding(account))).unwrap();
        let (_, made) = Authenticator::at("http://localhost:8600").create(&given.options, &json!({}));
        let made = Assertion { ticket: given.ticket.expose().clone(), credential: made.to_string() };
        let made = self.test.block_on(factors::flows::check_made(&self.test.app, account, made)).unwrap();
        let name = PasskeyName::parse("Phone").unwrap();
        self.test.write(move |tx| factors::add_passkey(tx, &actor, account, &name, &made)).unwrap().0
    }

    fn live_sessions(&self, account: AccountId) -> usize {
        self.test.read(|view| sessions::list(view, account).unwrap()).len()
    }
}

#[test]
fn somebody_with_a_second_factor_is_asked_for_it_whatever_the_provider_says() {
    let mut world = World::new();
    let ada = world.newcomer("1", "ada@example.net", "ada-l");
    let at_home = world.came_in();
    let secret = world.enrol_app(at_home);
    let before = world.live_sessions(ada);

    let half = match world.sign_in() {
        Ok(Arrived::Entered(Started::MustProve(half))) => half,
        other => panic!("the provider's word was enough: {}", told(&other)),
    };
    assert_eq!(world.live_sessions(ada), before, "no session before the second step");
    assert!(world.test.read(|view| sessions::current(view, half.expose()).unwrap()).is_none(), "it opens nothing");

    let prove = |typed: String| {
        let presented = Presented::Typed(Secret::new(typed));
        world.test.block_on(flows::prove_half(&world.test.app, visitor(), half.expose().clone(), presented))
    };
    assert!(prove("000000".into()).is_err());
    let Ok(Started::Session { token, .. }) = prove(oath_code(&secret, world.now())) else { panic!("the right code") };
    let (_, session) = world.whose(&token);
    let listed = world.test.read(|view| sessions::list(view, ada).unwrap());
    let method = &listed.iter().find(|one| one.id == session).unwrap().method;
    assert!(method.starts_with("oauth:corp+"), "{method}");
}

#[test]
fn a_sign_in_elsewhere_is_no_proof_once_there_is_a_second_factor() {
    let mut world = World::new();
    world.newcomer("1", "ada@example.net", "ada-l");
    let at_home = world.came_in();
    // The way was begun before the factor was there.
    let url = world.leave("corp", Purpose::StepUp, at_home).unwrap();
    world.enrol_app(at_home);
    let now = world.now();
    world.says(json!({"claims": {"sub": "1", "auth_time": now}}));
    let before = rows(&world.test);
    let late = world.finish("corp", world.answer(&url), at_home);
    assert!(matches!(late, Err(OauthError::HasBetterProof)), "{}", told(&late));
    assert!(matches!(world.leave("corp", Purpose::StepUp, at_home), Err(OauthError::HasBetterProof)));
    assert_eq!(rows(&world.test), before);
}

#[test]
fn w3_a_passkey_and_a_connected_account_are_ways_in_for_each_other() {
    let mut world = World::with(|issuer| vec![provider("corp", issuer)]);
    let ada = world.newcomer("1", "ada@example.net", "ada-l");
    let at_home = world.came_in();
    let passkey = world.enrol_passkey(at_home);
    assert!(world.test.read(|view| accounts::password_hash(view, ada).unwrap()).is_none());
    let identity = world.identities(ada).remove(0);
    let actor = world.by(ada, at_home.session.unwrap().1);
    let remove = |world: &World| {
        let actor = actor.clone();
        world.test.write(move |tx| signin::remove_passkey(tx, &actor, ada, passkey))
    };

    // Without the connected account the passkey is the last way in, and the other way round.
    world.disconnect(&at_home, &identity).unwrap();
    assert!(matches!(remove(&world), Err(FactorError::LastWayIn)));
    world.says_who("1", "ada@example.net");
    assert!(matches!(world.come("corp", Purpose::Connect, at_home), Ok(Arrived::MustConfirm)));
    world.connect(at_home).unwrap();
    remove(&world).unwrap();
    let identity = world.identities(ada).remove(0);
    assert!(matches!(world.disconnect(&at_home, &identity), Err(OauthError::LastWayIn)));
}
