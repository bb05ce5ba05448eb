//! Access tokens: which key signs, how long a token is valid, and the revocation feed.

use domicile::accounts;
use domicile::api_keys::{self, CreatedApiKey, Limits};
use domicile::base::{Actor, CredentialAdmin, Secret, days, hours, minutes, seconds};
use domicile::crypto::Keyring;
use domicile::db;
use domicile::privacy;
use domicile::signin;
use domicile::tokens::{self, Audience, Claims, ExchangeRequest, IssuedToken, TokenError, flows};
use domicile::verification::Verifier;
use ed25519_dalek::SigningKey;

use crate::support::{KeyBuilder, Person, TestApp, holds, rounds, stored_values};

/// A key of this person with these scopes and this expiry.
fn key(app: &TestApp, owner: &Person, scopes: &[&str], expiry: &str) -> CreatedApiKey {
    let new = KeyBuilder::named("ci").scopes(scopes).expires(expiry).build();
    let (admin, account, workspace) = (owner.credential_admin(), owner.account.id, owner.workspace);
    app.write(move |tx| api_keys::create(tx, &admin, account, workspace, &new)).unwrap()
}

fn exchange(app: &TestApp, key: &str, scope: Option<&str>) -> Result<IssuedToken, TokenError> {
    let request = ExchangeRequest {
        key: Secret::new(key.to_owned()),
        audience: Audience::parse("inference").unwrap(),
        scope: scope.map(str::to_owned),
        address: None,
        agent: String::new(),
        workspaces: None,
    };
    app.block_on(flows::exchange(&app.app, &Verifier::new(app.app.clone()), request))
}

fn token(app: &TestApp, key: &CreatedApiKey) -> String {
    exchange(app, key.secret.expose(), None).unwrap().token.expose().clone()
}

fn examine(app: &TestApp, token: &str, audience: &str) -> Option<Claims> {
    app.read(|view| tokens::examine(view, token, &[audience]).unwrap())
}

/// The ids of the published keys, the newest first.
fn kids(app: &TestApp) -> Vec<String> {
    app.read(|view| tokens::published(view).unwrap()).into_iter().map(|key| key.kid).collect()
}

/// The id of the key that signed a token, from its header.
fn signer(token: &str) -> String {
    use base64::Engine;
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<serde_json::Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

fn rotate(app: &TestApp) {
    app.write(tokens::rotate_when_due).unwrap();
}

fn feed(app: &TestApp, after: i64) -> Vec<(String, String)> {
    let page = app.read(|view| tokens::feed_page(view, after, 1_000).unwrap()).unwrap();
    page.revocations.into_iter().map(|row| (row.kind, row.id)).collect()
}

#[test]
fn o7_a_key_is_published_from_a_day_before_it_signs_until_its_last_token_has_expired() {
    let app = TestApp::new();
    let ada = app.person("ada-ada");
    let key = key(&app, &ada, &["models:read"], "never");
    let first = signer(&token(&app, &key));
    assert_eq!(kids(&app), [first.as_str()]);

    // By default a key signs for a quarter. Nothing happens before the last day.
    app.clock.advance(days(89).saturating_sub(seconds(1)));
    rotate(&app);
    assert_eq!(kids(&app), [first.as_str()]);
    app.clock.advance(seconds(1));
    rotate(&app);
    let published = kids(&app);
    assert_eq!(published.len(), 2, "a day before");
    let next = published[0].clone();
    app.clock.advance(hours(24).saturating_sub(seconds(1)));
    let last = token(&app, &key);
    assert_eq!(signer(&last), first);
    app.clock.advance(seconds(1));
    assert_eq!(signer(&token(&app, &key)), next);

    // The private key is deleted when it no longer signs. The public key is kept as long as a token can be valid.
    rotate(&app);
    assert_eq!(app.number("select count(*) from jwt_key where sealed_secret is not null"), 1);
    app.clock.advance(minutes(4));
    assert!(examine(&app, &last, "inference").is_some());
    app.clock.advance(minutes(16));
    assert_eq!(kids(&app), [next]);
    rotate(&app);
    assert_eq!(app.number("select count(*) from jwt_key"), 1);
}

#[test]
fn o7_an_appliance_that_was_off_for_months_publishes_a_key_a_day_before_it_signs() {
    let app = TestApp::new();
    let ada = app.person("ada-ada");
    let key = key(&app, &ada, &["models:read"], "never");
    let first = signer(&token(&app, &key));
    app.clock.advance(days(200));

    assert_eq!(signer(&token(&app, &key)), first);
    assert_eq!(kids(&app).len(), 2);
    app.clock.advance(hours(24).saturating_sub(seconds(1)));
    assert_eq!(signer(&token(&app, &key)), first);
    app.clock.advance(seconds(1));
    assert_ne!(signer(&token(&app, &key)), first);
}

#[test]
fn o7_a_token_is_valid_for_five_minutes_or_as_configured_and_never_longer_than_its_key() {
    for (life, seconds_of_life) in [(None, 300), (Some(minutes(15)), 900), (Some(hours(1)), 900)] {
        let app = TestApp::with(|config| config.tokens.lifetime = life.unwrap_or(config.tokens.lifetime));
        let ada = app.person("ada-ada");
        let lasting = key(&app, &ada, &["models:read"], "never");
        let ending = key(&app, &ada, &["models:read"], "30d");

        let issued = exchange(&app, lasting.secret.expose(), None).unwrap();
        assert_eq!(issued.expires_in_seconds, seconds_of_life);
        let claims = examine(&app, issued.token.expose(), "inference").unwrap();
        assert_eq!((claims.exp - claims.iat, claims.nbf), (seconds_of_life, claims.iat));

        app.clock.advance(days(30).saturating_sub(seconds(100)));
        let issued = exchange(&app, ending.secret.expose(), None).unwrap();
        assert_eq!(issued.expires_in_seconds, 100);
        app.clock.advance(seconds(99));
        assert!(examine(&app, issued.token.expose(), "inference").is_some());
        app.clock.advance(seconds(1));
        assert!(examine(&app, issued.token.expose(), "inference").is_none());
        assert!(matches!(exchange(&app, ending.secret.expose(), None), Err(TokenError::BadKey(_))));
    }
}

#[test]
fn o7_signing_keys_are_sealed_at_rest() {
    let app = TestApp::new();
    app.write(tokens::rotate_when_due).unwrap();
    let public = app.read(|view| tokens::published(view).unwrap())[0].public_key;

    // No 32 bytes that are stored anywhere are the private key.
    let mut windows = 0;
    for (place, value) in app.read(stored_values) {
        for window in value.windows(32) {
            windows += 1;
            let seed: [u8; 32] = window.try_into().unwrap();
            assert_ne!(SigningKey::from_bytes(&seed).verifying_key().to_bytes(), public, "{place}");
        }
        let has_text = |text: &str| holds(&value, text.as_bytes());
        assert!(!has_text("PRIVATE KEY") && !has_text("\"d\":"), "{place}");
    }
    assert!(windows > 60, "the sealed secret was searched");
    // The stored value cannot be decrypted with another keyring.
    let sealed: Vec<u8> = app.read(|view| view.one("select sealed_secret from jwt_key", [], |row| row.get(0)).unwrap());
    let kid = kids(&app)[0].clone();
    let place = format!("jwt_key|sealed_secret|{kid}");
    let other = Keyring::generate(&mut domicile::base::Rng::seeded(99), app.clock.now());
    assert!(domicile::crypto::seal::open(&other, &place, &sealed).is_err());
    assert!(domicile::crypto::seal::open(app.app.keyring(), "jwt_key|sealed_secret|another", &sealed).is_err());
    assert!(domicile::crypto::seal::open(app.app.keyring(), &place, &sealed).is_ok());
}

#[test]
fn only_the_operator_and_the_system_change_signing_keys() {
    let app = TestApp::new();
    let ada = app.person("ada-ada");
    app.write(tokens::rotate_when_due).unwrap();
    let (before, footprint) = (kids(&app), app.footprint());

    for change in [tokens::rotate, tokens::replace_compromised] {
        for actor in [ada.by_browser(), Actor::Anonymous(app.visitor())] {
            let refused = app.write(move |tx| change(tx, &actor));
            assert!(matches!(refused, Err(TokenError::NotAllowed)));
        }
    }

    assert_eq!((kids(&app), app.footprint()), (before, footprint));
}

#[test]
fn a_compromised_signing_key_is_withdrawn_with_every_token_that_it_signed() {
    let app = TestApp::new();
    let ada = app.person("ada-ada");
    let key = key(&app, &ada, &["models:read"], "never");
    let made = token(&app, &key);

    let fresh = app.write(|tx| tokens::replace_compromised(tx, &Actor::Operator)).unwrap();

    assert_eq!(kids(&app), [fresh.kid.as_str()]);
    assert!(examine(&app, &made, "inference").is_none());
    assert_eq!(signer(&token(&app, &key)), fresh.kid);
}

#[test]
fn a_token_never_has_more_scopes_than_its_key() {
    let app = TestApp::new();
    let ada = app.person("ada-ada");
    let key = key(&app, &ada, &["models", "billing:read"], "never");
    let text = key.secret.expose().clone();
    app.write(tokens::rotate_when_due).unwrap();
    let before = app.footprint();

    assert_eq!(exchange(&app, &text, None).unwrap().scope, "models models:read models:write billing:read");
    assert_eq!(exchange(&app, &text, Some("models:read")).unwrap().scope, "models:read");
    for more in ["datasets:read", "admin", "models:read flying", "models:read datasets:read"] {
        assert!(matches!(exchange(&app, &text, Some(more)), Err(TokenError::Scope)), "{more}");
    }
    for bad in ["", "dok_nonsense", "ey.ey.ey", &text[..text.len() - 1]] {
        assert!(matches!(exchange(&app, bad, None), Err(TokenError::BadKey(_))), "{bad}");
    }
    assert_eq!(app.footprint(), before, "an exchange writes nothing");

    // A viewer gets only tokens that read.
    app.write(|tx| tx.execute("update membership set role = 'viewer'", [])).unwrap();
    assert_eq!(exchange(&app, &text, None).unwrap().scope, "models:read billing:read");
    assert!(matches!(exchange(&app, &text, Some("models:write")), Err(TokenError::Scope)));
}

#[test]
fn a_token_is_valid_only_for_its_audience() {
    let app = TestApp::new();
    let ada = app.person("ada-ada");
    let made = token(&app, &key(&app, &ada, &["models:read"], "never"));

    assert!(examine(&app, &made, "inference").is_some());
    assert!(examine(&app, &made, "Inference").is_some(), "names of services are compared without regard to case");
    for other in ["storage", "", "inference "] {
        assert!(examine(&app, &made, other).is_none(), "{other}");
    }
}

#[test]
fn a_revocation_is_in_the_feed_and_ends_the_tokens_of_the_key_or_account_only() {
    type Ends = fn(&mut db::Tx<'_>, &Person, &CreatedApiKey) -> (&'static str, String);
    let ends: [(&str, Ends); 10] = [
        ("revoke", |tx, _, key| {
            api_keys::revoke(tx, &CredentialAdmin::operator(), key.key.id).unwrap();
            ("key", key.key.id.to_string())
        }),
        ("disable", |tx, _, key| {
            api_keys::disable(tx, &CredentialAdmin::operator(), key.key.id).unwrap();
            ("key", key.key.id.to_string())
        }),
        ("fewer networks", |tx, _, key| {
            let limits = Limits::parse("192.0.2.0/24", "", "", "").unwrap();
            let change = KeyBuilder::named("ci").limits(limits).change();
            api_keys::change(tx, &CredentialAdmin::operator(), key.key.id, &change).unwrap();
            ("key", key.key.id.to_string())
        }),
        ("a budget that is spent", |tx, _, key| {
            let id = key.key.id.to_string();
            tx.execute("update api_key set spent_until = 9000000000000 where id = :id", &[(":id", &id)]).unwrap();
            ("key", id)
        }),
        ("fewer scopes", |tx, _, key| {
            let id = key.key.id.to_string();
            tx.execute("update api_key set scopes = 'billing:read' where id = :id", &[(":id", &id)]).unwrap();
            ("key", id)
        }),
        ("suspend", |tx, person, _| {
            signin::suspend(tx, &Actor::Operator, person.account.id, "").unwrap();
            ("subject", person.account.id.to_string())
        }),
        ("keys that are locked", |tx, person, _| {
            accounts::lock_keys(tx, &Actor::Operator, person.account.id).unwrap();
            ("subject", person.account.id.to_string())
        }),
        ("another role", |tx, person, _| {
            let id = person.account.id.to_string();
            tx.execute("update membership set role = 'viewer' where account_id = :id", &[(":id", &id)]).unwrap();
            ("subject", id)
        }),
        ("no member any more", |tx, person, _| {
            let id = person.account.id.to_string();
            tx.execute("delete from membership where account_id = :id", &[(":id", &id)]).unwrap();
            ("subject", id)
        }),
        ("erase", |tx, person, _| {
            privacy::erase(tx, &Actor::Operator, person.account.id).unwrap();
            ("subject", person.account.id.to_string())
        }),
    ];
    for (what, ends) in ends {
        let app = TestApp::new();
        let (ada, grace) = (app.person("ada-ada"), app.person("grace-h"));
        let (of_ada, of_grace) =
            (key(&app, &ada, &["models:read"], "never"), key(&app, &grace, &["models:read"], "never"));
        let (ended, other) = (token(&app, &of_ada), token(&app, &of_grace));
        assert!(feed(&app, 0).is_empty(), "creating keys and tokens revokes nothing");

        let (kind, id) = app.write(move |tx| Ok::<_, db::Error>(ends(tx, &ada, &of_ada))).unwrap();

        let rows = feed(&app, 0);
        assert!(rows.contains(&(kind.to_owned(), id)), "{what}: {rows:?}");
        assert!(examine(&app, &ended, "inference").is_none(), "{what}");
        assert!(examine(&app, &other, "inference").is_some(), "{what} ended the token of another person");
    }
}

#[test]
fn using_a_key_revokes_nothing_and_a_token_issued_after_a_revocation_is_valid() {
    let app = TestApp::new();
    let ada = app.person("ada-ada");
    let (first, second) = (key(&app, &ada, &["models:read"], "never"), key(&app, &ada, &["models:read"], "never"));
    let id = first.key.id;
    app.write(move |tx| api_keys::revoke(tx, &CredentialAdmin::operator(), id)).unwrap();
    let account = ada.account.id;
    app.write(move |tx| signin::suspend(tx, &Actor::Operator, account, "")).unwrap();
    app.write(move |tx| signin::reactivate(tx, &Actor::Operator, account)).unwrap();
    let before = feed(&app, 0).len();

    let made = token(&app, &second);

    assert!(examine(&app, &made, "inference").is_some(), "it was issued after the revocations");
    assert_eq!(feed(&app, 0).len(), before);
}

#[test]
fn the_feed_keeps_rows_for_a_day_and_never_reuses_numbers() {
    let app = TestApp::new();
    let ada = app.person("ada-ada");
    let ids: Vec<_> = (0..3).map(|_| key(&app, &ada, &["models:read"], "never").key.id).collect();
    for id in ids {
        app.write(move |tx| api_keys::revoke(tx, &CredentialAdmin::operator(), id)).unwrap();
    }
    let page = |after, limit| app.read(|view| tokens::feed_page(view, after, limit).unwrap());
    let first = page(0, 2).unwrap();
    assert_eq!((first.revocations.len(), first.next), (2, 2));
    assert_eq!(page(first.next, 2).unwrap().revocations.len(), 1);
    assert!(page(4, 2).is_none(), "the feed never reached this number: a backup was restored");

    app.write(tokens::purge_old).unwrap();
    app.clock.advance(hours(24).saturating_sub(seconds(1)));
    app.write(tokens::purge_old).unwrap();
    assert_eq!(feed(&app, 0).len(), 3, "rows are kept for a day");
    app.clock.advance(seconds(1));
    app.write(tokens::purge_old).unwrap();

    assert_eq!(page(0, 2).map(|page| (page.revocations.len(), page.next)), Some((0, 0)));
    assert_eq!(page(3, 2).map(|page| page.next), Some(3), "a reader that was up to date continues");
    let id = key(&app, &ada, &["models:read"], "never").key.id;
    app.write(move |tx| api_keys::revoke(tx, &CredentialAdmin::operator(), id)).unwrap();
    assert_eq!(page(3, 2).unwrap().revocations[0].seq, 4);
}

#[test]
fn a_token_from_after_a_backup_is_refused_once_the_backup_is_restored() {
    let app = TestApp::new();
    let ada = app.person("ada-ada");
    let (ended, lasting) = (key(&app, &ada, &["models:read"], "never"), key(&app, &ada, &["models:read"], "never"));
    let early = token(&app, &lasting);
    let id = ended.key.id;
    app.write(move |tx| api_keys::revoke(tx, &CredentialAdmin::operator(), id)).unwrap();
    let late = token(&app, &lasting);
    assert!(examine(&app, &late, "inference").is_some());

    // As after a restore of a backup from before the revocation: later revocations are unknown.
    app.write(|tx| {
        tx.execute("delete from revocation", [])?;
        tx.execute("update sqlite_sequence set seq = 0 where name = 'revocation'", [])
    })
    .unwrap();

    assert!(examine(&app, &late, "inference").is_none());
    assert!(examine(&app, &early, "inference").is_some());
}

#[test]
fn o9_keys_and_their_tokens_are_stored_nowhere() {
    let app = TestApp::new();
    let ada = app.person("ada-ada");
    let verifier = Verifier::new(app.app.clone());
    let mut secrets = std::collections::HashSet::new();
    let keys = rounds(100, 1_000);
    for _ in 0..keys {
        let key = key(&app, &ada, &["models:read"], "30d");
        let text = key.secret.expose();
        assert!(verifier.verify(text).unwrap().into_result().is_ok());
        let token = token(&app, &key);
        // The secret part of a key is what lists do not show. The secret part of a token is its signature.
        secrets.insert(text.as_bytes()[text.len() - NEEDLE..].to_vec());
        secrets.insert(token.as_bytes()[token.len() - NEEDLE..].to_vec());
    }
    assert_eq!(secrets.len(), 2 * keys);
    let found = |bytes: &[u8]| bytes.windows(NEEDLE).any(|window| secrets.contains(window));
    let planted = secrets.iter().next().unwrap().clone();
    assert!(found(&[b"before".as_slice(), &planted, b"after"].concat()), "a stored secret would be found");

    let places: Vec<_> = app.read(stored_values).into_iter().filter(|(_, value)| found(value)).collect();
    assert!(places.is_empty(), "in the database: {:?}", places.iter().map(|(place, _)| place).collect::<Vec<_>>());
    let mut open = vec![app.folder().to_path_buf()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            assert!(!found(&std::fs::read(&path).unwrap()), "in {}", path.display());
        }
    }
}

/// The number of characters to search for: 64 random bits of a key and its checksum, or 144 bits of a signature.
const NEEDLE: usize = 24;
