//! The text of a key at rest, and the keyring under it.

use domicile::config::Reveal;
use domicile::crypto::{Keyring, seal};

use super::*;

fn keeping() -> TestApp {
    TestApp::with(|config| config.api_keys.reveal = Reveal::Owner)
}

impl TestApp {
    fn reveal(&self, governor: Governor, id: ApiKeyId) -> Result<String, ApiKeyError> {
        self.write(move |tx| api_keys::reveal(tx, &governor, id).map(|text| text.expose().clone()))
    }

    /// As `domicile keyring rotate`, and the next start of the server.
    fn with_a_newer_keyring(self) -> Self {
        Keyring::rotate(&self.app.config().keyring, &mut Chance::seeded(77)).unwrap();
        let house = self.reopen();
        assert!(house.app.use_newest_keys().unwrap().is_some());
        house
    }
}

#[test]
fn a_text_is_kept_only_where_the_site_says_so_and_shown_to_its_owner_with_a_record() {
    let house = keeping();
    let ada = house.person("ada-ada");
    let key = house.api_key(&ada, "ci");
    assert!(house.key(key.key.id).is_kept);
    let secret = &key.secret.expose()[key.key.display.len()..];
    assert_eq!(house.places_of(secret), Vec::<String>::new(), "it is sealed");

    assert_eq!(&house.reveal(ada.in_person(), key.key.id).unwrap(), key.secret.expose());
    assert_eq!(house.number("select count(*) from audit_event where event = 'api_key.revealed'"), 1);
    house.do_key(ada.in_person(), key.key.id, api_keys::revoke).unwrap();
    assert!(matches!(house.reveal(ada.in_person(), key.key.id), Err(ApiKeyError::NotKept)));

    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let key = house.api_key(&ada, "ci");
    assert!(!house.key(key.key.id).is_kept);
    let before = house.footprint();
    assert!(matches!(house.reveal(ada.in_person(), key.key.id), Err(ApiKeyError::NotKept)));
    assert_eq!((house.number("select count(*) from api_key where sealed is not null"), house.footprint()), (0, before));
}

#[test]
fn a_sealed_text_opens_nowhere_but_in_its_own_row() {
    let house = keeping();
    let ada = house.person("ada-ada");
    let (first, second) = (house.api_key(&ada, "first"), house.api_key(&ada, "second"));
    let (from, to) = (first.key.id, second.key.id);

    house
        .write(move |tx| {
            let moved = rusqlite::named_params! {":source": from, ":target": to};
            tx.execute(
                "update api_key set sealed = (select sealed from api_key where id = :source) where id = :target",
                moved,
            )
        })
        .unwrap();

    let refused = house.reveal(ada.in_person(), to);
    assert!(matches!(refused, Err(ApiKeyError::DoesNotOpen(_))));
    assert_eq!(&house.reveal(ada.in_person(), from).unwrap(), first.secret.expose());
}

#[test]
fn c4_a_newer_pepper_kills_no_key_and_what_is_used_moves_to_it() {
    let house = TestApp::new();
    assert!(house.app.use_newest_keys().unwrap().is_none(), "the first start takes nothing else into use");
    let ada = house.person("ada-ada");
    let (used, unused) = (house.api_key(&ada, "used"), house.api_key(&ada, "unused"));

    let house = house.with_a_newer_keyring();
    let verifier = house.verifier();
    let peppers = |house: &TestApp| {
        house.number(
            "select max(iif(name = 'used', 10 * pepper_id, 0)) + max(iif(name = 'used', 0, pepper_id)) from api_key",
        )
    };
    assert_eq!(peppers(&house), 11);
    for verifier in [&verifier, &house.verifier()] {
        for _ in 0..2 {
            assert_eq!(verdict(verifier, used.secret.expose()), Ok(used.key.id));
        }
    }
    house.record(&verifier);
    assert_eq!(peppers(&house), 21);
    for verifier in [&verifier, &house.verifier()] {
        assert_eq!(verdict(verifier, used.secret.expose()), Ok(used.key.id));
        assert_eq!(verdict(verifier, unused.secret.expose()), Ok(unused.key.id));
    }
    // Also read ahead, and a revocation of what was found under the older one is seen.
    let ahead = house.verifier();
    assert_eq!(ahead.read_ahead().unwrap(), 2);
    assert_eq!(verdict(&ahead, unused.secret.expose()), Ok(unused.key.id));
    house.do_key(ada.in_person(), unused.key.id, api_keys::revoke).unwrap();
    house.record(&ahead);
    assert_eq!(verdict(&ahead, unused.secret.expose()), Err(Refusal::Unknown));
    assert_eq!(peppers(&house), 20, "what was revoked meanwhile keeps the digest that no text has");
}

#[test]
fn c4_sealed_texts_outlive_their_data_key_and_move_to_the_newest() {
    let house = keeping();
    house.app.use_newest_keys().unwrap();
    let ada = house.person("ada-ada");
    let key = house.api_key(&ada, "ci");

    let house = house.with_a_newer_keyring();
    let under = |house: &TestApp| house.number("select distinct hex(substr(sealed, 2, 4)) + 0 from api_key");
    assert_eq!((under(&house), &house.reveal(ada.in_person(), key.key.id).unwrap()), (1, key.secret.expose()));
    house.job(api_keys::RESEAL);

    assert_eq!((under(&house), &house.reveal(ada.in_person(), key.key.id).unwrap()), (2, key.secret.expose()));
    let place = format!("api_key|sealed|{}", key.key.id);
    let sealed: Vec<u8> = house.look(|view| view.one("select sealed from api_key", [], |row| row.get(0)).unwrap());
    assert_eq!(seal::open(house.app.keyring(), &place, &sealed).unwrap().expose(), key.secret.expose().as_bytes());
}

#[test]
fn c4_a_key_made_beside_a_server_that_knows_no_newer_pepper_is_good_for_it() {
    let house = TestApp::new();
    house.app.use_newest_keys().unwrap();
    let ada = house.person("ada-ada");
    let verifier = house.verifier();
    Keyring::rotate(&house.app.config().keyring, &mut Chance::seeded(77)).unwrap();

    // The command has the newer keyring, the server that runs has not.
    let command = house.another();
    let (governor, account, workspace) = (ada.in_person(), ada.account.id, ada.workspace);
    let made = command
        .store()
        .write_and_wait(move |tx| api_keys::create(tx, &governor, account, workspace, &new(&["read"], "1d")))
        .unwrap();

    assert_eq!(verdict(&verifier, made.secret.expose()), Ok(made.key.id));
}
