//! Databases of earlier releases open with the program of today: nothing in them is lost, and what they prove still holds.

use std::path::{Path, PathBuf};

use domicile::billing::ledger;
use domicile::db;
use domicile::signin::SignInOutcome;
use domicile::verification::Verifier;
use domicile::{accounts, audit, workspaces};

use crate::support::TestApp;

/// A database of an earlier schema, with what is known about it.
struct Fixture {
    folder: &'static str,
    schema: usize,
    /// A moment after it was made and before its keys end.
    now: &'static str,
    person: &'static str,
    password: &'static str,
    key: &'static str,
}

/// One for each schema that was landed. A new migration adds the database of the schema before it.
const FIXTURES: [Fixture; 3] = [
    Fixture {
        folder: "schema-17",
        schema: 17,
        now: "2026-11-30T09:00:00Z",
        person: "ada-l",
        password: "a walk by the river",
        key: "dok_4190467e9687184bb15ea9c9e1010c89f606cd28",
    },
    Fixture {
        folder: "schema-18",
        schema: 18,
        now: "2026-11-30T09:00:00Z",
        person: "ada-l",
        password: "a walk by the river",
        key: "dok_08423aacdac9024d0a0c8d22ca88eef358cc9f69",
    },
    Fixture {
        folder: "schema-19",
        schema: 19,
        now: "2026-11-30T09:00:00Z",
        person: "ada-l",
        password: "a walk by the river",
        key: "dok_bb623b236068104b9b7831e057258e6ee807d1fd",
    },
];

fn folder_of(fixture: &Fixture) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures").join(fixture.folder)
}

#[test]
fn every_landed_schema_has_a_fixture() {
    let newest = db::MIGRATIONS_COUNT;
    for schema in 17..newest {
        assert!(
            FIXTURES.iter().any(|fixture| fixture.schema == schema),
            "schema {schema} was landed and has no database in tests/it/fixtures: make one with the program before your \
             migration (tests/it/fixtures/README.md says how) and add it to FIXTURES in tests/it/upgrade.rs"
        );
    }
}

#[test]
fn a_database_of_an_earlier_schema_opens_and_loses_nothing() {
    for fixture in &FIXTURES {
        let app = TestApp::from_snapshot(&folder_of(fixture), fixture.now);
        let place = fixture.folder;

        let (person, balance, events) = app.read(|view| {
            ledger::check(view).unwrap_or_else(|damage| panic!("{place}: the ledger: {damage:?}"));
            let verified = audit::verify(view).unwrap_or_else(|damage| panic!("{place}: the audit: {damage:?}"));
            let person = accounts::find_by_name(view, fixture.person).unwrap().unwrap();
            let workspace = workspaces::personal(view, person.id).unwrap().unwrap();
            (person, ledger::balance(view, workspace.id).unwrap(), verified.events)
        });
        assert!(events > 0 && balance.micro() != 0, "{place}: {events} events, balance {balance:?}");
        assert_eq!(person.username.as_str(), fixture.person);

        let verified = Verifier::new(app.app.clone()).verify(fixture.key).unwrap().into_result();
        assert!(verified.is_ok(), "{place}: the key is refused: {verified:?}");
        assert!(matches!(app.sign_in(fixture.person, fixture.password), Ok(SignInOutcome::Session { .. })), "{place}");
    }
}
