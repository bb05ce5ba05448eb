//! The stored text of a key, and rotations of the keyring.

use domicile::config::Reveal;
use domicile::crypto::{Keyring, seal};

use super::*;

fn keeping() -> TestApp {
    TestApp::with(|config| config.api_keys.reveal = Reveal::Owner)
}

impl TestApp {
    fn reveal(&self, admin: CredentialAdmin, id: ApiKeyId) -> Result<String, ApiKeyError> {
        self.write(move |tx| api_keys::reveal(tx, &admin, id).map(|text| text.expose().clone()))
    }

    /// Does what `domicile keyring rotate` and the next start of the server do.
    fn with_a_newer_keyring(self) -> Self {
        Keyring::rotate(&self.app.config().keyring, &mut Rng::seeded(77)).unwrap();
        let site = self.reopen();
        assert!(site.app.use_newest_keys().unwrap().is_some());
        site
    }
}

#[test]
fn a_text_is_stored_only_if_the_site_allows_it_and_revealing_it_is_audited() {
    let site = keeping();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    assert!(site.key(key.key.id).is_kept);
    let secret = &key.secret.expose()[key.key.display.len()..];
    assert_eq!(site.columns_with(secret), Vec::<String>::new(), "it is sealed");

    assert_eq!(&site.reveal(ada.credential_admin(), key.key.id).unwrap(), key.secret.expose());
    assert_eq!(site.number("select count(*) from audit_event where event = 'api_key.revealed'"), 1);
    site.do_key(ada.credential_admin(), key.key.id, api_keys::revoke).unwrap();
    assert!(matches!(site.reveal(ada.credential_admin(), key.key.id), Err(ApiKeyError::NotStored)));

    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");
    assert!(!site.key(key.key.id).is_kept);
    let before = site.footprint();
    assert!(matches!(site.reveal(ada.credential_admin(), key.key.id), Err(ApiKeyError::NotStored)));
    assert_eq!((site.number("select count(*) from api_key where sealed is not null"), site.footprint()), (0, before));
}

#[test]
fn a_sealed_text_can_only_be_decrypted_in_its_own_row() {
    let site = keeping();
    let ada = site.person("ada-ada");
    let (first, second) = (site.api_key(&ada, "first"), site.api_key(&ada, "second"));
    let (from, to) = (first.key.id, second.key.id);

    site.write(move |tx| {
        let moved = rusqlite::named_params! {":source": from, ":target": to};
        tx.execute(
            "update api_key set sealed = (select sealed from api_key where id = :source) where id = :target",
            moved,
        )
    })
    .unwrap();

    let refused = site.reveal(ada.credential_admin(), to);
    assert!(matches!(refused, Err(ApiKeyError::DoesNotOpen(_))));
    assert_eq!(&site.reveal(ada.credential_admin(), from).unwrap(), first.secret.expose());
}

#[test]
fn c4_keys_stay_good_under_a_newer_pepper_and_move_to_it_when_used() {
    let site = TestApp::new();
    assert!(site.app.use_newest_keys().unwrap().is_none(), "the first start has nothing newer to use");
    let ada = site.person("ada-ada");
    let (used, unused) = (site.api_key(&ada, "used"), site.api_key(&ada, "unused"));

    let site = site.with_a_newer_keyring();
    let verifier = site.verifier();
    let peppers = |site: &TestApp| {
        site.number(
            "select max(iif(name = 'used', 10 * pepper_id, 0)) + max(iif(name = 'used', 0, pepper_id)) from api_key",
        )
    };
    assert_eq!(peppers(&site), 11);
    for verifier in [&verifier, &site.verifier()] {
        for _ in 0..2 {
            assert_eq!(verdict(verifier, used.secret.expose()), Ok(used.key.id));
        }
    }
    site.record(&verifier);
    assert_eq!(peppers(&site), 21);
    for verifier in [&verifier, &site.verifier()] {
        assert_eq!(verdict(verifier, used.secret.expose()), Ok(used.key.id));
        assert_eq!(verdict(verifier, unused.secret.expose()), Ok(unused.key.id));
    }
    // Also after a preload; and the revocation of a key that was found under the older pepper is seen.
    let ahead = site.verifier();
    assert_eq!(ahead.preload().unwrap(), 2);
    assert_eq!(verdict(&ahead, unused.secret.expose()), Ok(unused.key.id));
    site.do_key(ada.credential_admin(), unused.key.id, api_keys::revoke).unwrap();
    site.record(&ahead);
    assert_eq!(verdict(&ahead, unused.secret.expose()), Err(Refusal::Unknown));
    assert_eq!(peppers(&site), 20, "a key that was revoked meanwhile keeps its dead digest");
}

#[test]
fn c4_one_use_moves_a_key_whether_it_is_in_memory_or_not() {
    let site = TestApp::new();
    site.app.use_newest_keys().unwrap();
    let ada = site.person("ada-ada");
    let (one, two) = (site.api_key(&ada, "one"), site.api_key(&ada, "two"));
    let site = site.with_a_newer_keyring();
    let of_the_older_pepper = || site.number("select count(*) from api_key where pepper_id = 1");
    assert_eq!(of_the_older_pepper(), 2);

    let verifier = site.verifier();
    assert_eq!(verdict(&verifier, one.secret.expose()), Ok(one.key.id));
    site.record(&verifier);
    assert_eq!(of_the_older_pepper(), 1);

    let ahead = site.verifier();
    assert_eq!(ahead.preload().unwrap(), 2);
    assert_eq!(verdict(&ahead, two.secret.expose()), Ok(two.key.id));
    site.record(&ahead);
    assert_eq!(of_the_older_pepper(), 0);
}

#[test]
fn c4_sealed_texts_stay_readable_and_move_to_the_newest_data_key() {
    let site = keeping();
    site.app.use_newest_keys().unwrap();
    let ada = site.person("ada-ada");
    let key = site.api_key(&ada, "ci");

    let site = site.with_a_newer_keyring();
    let under = |site: &TestApp| site.number("select distinct hex(substr(sealed, 2, 4)) + 0 from api_key");
    assert_eq!((under(&site), &site.reveal(ada.credential_admin(), key.key.id).unwrap()), (1, key.secret.expose()));
    site.job(api_keys::RESEAL);

    assert_eq!((under(&site), &site.reveal(ada.credential_admin(), key.key.id).unwrap()), (2, key.secret.expose()));
    let place = format!("api_key|sealed|{}", key.key.id);
    let sealed: Vec<u8> = site.read(|view| view.one("select sealed from api_key", [], |row| row.get(0)).unwrap());
    assert_eq!(seal::open(site.app.keyring(), &place, &sealed).unwrap().expose(), key.secret.expose().as_bytes());
}

#[test]
fn c4_a_server_with_an_older_keyring_accepts_a_key_created_by_another_process() {
    let site = TestApp::new();
    site.app.use_newest_keys().unwrap();
    let ada = site.person("ada-ada");
    let verifier = site.verifier();
    Keyring::rotate(&site.app.config().keyring, &mut Rng::seeded(77)).unwrap();

    // The command has the newer keyring, the running server does not.
    let command = site.another();
    let (admin, account, workspace) = (ada.credential_admin(), ada.account.id, ada.workspace);
    let created = command
        .store()
        .write_blocking(move |tx| api_keys::create(tx, &admin, account, workspace, &new_key(&["read"], "1d")))
        .unwrap();

    assert_eq!(verdict(&verifier, created.secret.expose()), Ok(created.key.id));
}
