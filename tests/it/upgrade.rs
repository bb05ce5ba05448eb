//! Databases of earlier releases are upgraded by the program of today: nothing in them is lost, and what they prove still
//! holds.

use std::path::{Path, PathBuf};

use domicile::base::{Timestamp, hours};
use domicile::billing::ledger;
use domicile::db;
use domicile::journal::Extent;
use domicile::signin::SignInOutcome;
use domicile::verification::Verifier;
use domicile::{accounts, audit, snapshots, workspaces};
use serde_json::Value;

use crate::support::TestApp;

/// The first schema that has a fixture.
const FIRST: usize = 17;

/// The folders with the database of one schema each, the oldest first.
fn fixtures() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures");
    let folders = std::fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let mut folders: Vec<PathBuf> = folders.collect();
    folders.sort();
    folders
}

/// What is known about the database in `folder`.
fn known(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("known.json"));
    serde_json::from_str(&text.unwrap_or_else(|error| panic!("{}: {error}", folder.display()))).unwrap()
}

#[test]
fn every_landed_schema_has_a_fixture() {
    let schemas: Vec<u64> = fixtures().iter().map(|folder| known(folder)["schema"].as_u64().unwrap()).collect();
    for schema in FIRST..db::MIGRATIONS_COUNT {
        assert!(
            schemas.contains(&u64::try_from(schema).unwrap()),
            "schema {schema} was landed and has no database in tests/it/fixtures. Build the last commit that had it, and \
             run: ./dev fixture PROGRAM (tests/it/fixtures/README.md)"
        );
    }
}

#[test]
fn a_database_of_an_earlier_schema_opens_and_loses_nothing() {
    for folder in fixtures() {
        let (known, place) = (known(&folder), folder.file_name().unwrap().to_string_lossy().into_owned());
        let text = |member: &str| known[member].as_str().unwrap();
        let made_at = Timestamp::parse(text("made_at")).unwrap();
        let app = TestApp::from_snapshot(&folder, &made_at.plus(hours(1)).rfc3339());

        let (person, balance, events) = app.read(|view| {
            ledger::check(view).unwrap_or_else(|damage| panic!("{place}: the ledger: {damage:?}"));
            let verified = audit::verify(view).unwrap_or_else(|damage| panic!("{place}: the audit: {damage:?}"));
            let person = accounts::find_by_name(view, text("person")).unwrap().unwrap();
            let workspace = workspaces::personal(view, person.id).unwrap().unwrap();
            (person, ledger::balance(view, workspace.id).unwrap(), verified.events)
        });
        assert!(events > 0 && balance.micro() != 0, "{place}: {events} events, balance {balance:?}");
        assert_eq!(person.username.as_str(), text("person"));

        let verifier = Verifier::new(app.app.clone());
        let verified = verifier.verify(text("key")).unwrap().into_result();
        assert!(verified.is_ok(), "{place}: the key is refused: {verified:?}");
        let sign_in = |name: &str| app.sign_in(name, text("password"));
        assert!(matches!(sign_in(text("person")), Ok(SignInOutcome::Session { .. })), "{place}");
        if let Some(revoked) = known["revoked_key"].as_str() {
            assert!(verifier.verify(revoked).unwrap().into_result().is_err(), "{place}: a revoked key is good");
            for name in ["suspended", "erased"] {
                assert!(sign_in(text(name)).is_err(), "{place}: {name} can sign in");
            }
        }
        app.app.verify_journal(Extent::Whole).unwrap_or_else(|damage| panic!("{place}: the journal: {damage:?}"));
        app.app.write_journal().unwrap();
        snapshots::publish(&app.app).unwrap_or_else(|error| panic!("{place}: {error}"));
    }
}
