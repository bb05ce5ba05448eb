//! Every SQL statement of every store compiles with the migrated schema, so that an error is found here and not in
//! production.

use domicile::{
    accounts, api_keys, audit, billing, db, factors, idempotency, invitations, jobs, mail, people, privacy, services,
    sessions, signin, snapshots, tokens, verification, workspaces,
};

const STORES: [(&str, &[&str]); 24] = [
    ("db::site", db::STATEMENTS),
    ("db::epoch", db::CHANGE_STATEMENTS),
    ("jobs", jobs::STATEMENTS),
    ("idempotency", idempotency::STATEMENTS),
    ("mail", mail::STATEMENTS),
    ("audit", audit::STATEMENTS),
    ("accounts", accounts::STATEMENTS),
    ("accounts::addresses", accounts::addresses::STATEMENTS),
    ("people", people::STATEMENTS),
    ("invitations", invitations::STATEMENTS),
    ("workspaces", workspaces::STATEMENTS),
    ("sessions", sessions::STATEMENTS),
    ("signin::oauth", signin::oauth::STATEMENTS),
    ("api_keys", api_keys::STATEMENTS),
    ("verification", verification::STATEMENTS),
    ("tokens", tokens::STATEMENTS),
    ("api_keys::uses", api_keys::USE_STATEMENTS),
    ("factors", factors::STATEMENTS),
    ("services", services::STATEMENTS),
    ("billing::ledger", billing::ledger::STATEMENTS),
    ("billing::usage", billing::usage::STATEMENTS),
    ("privacy", privacy::STATEMENTS),
    ("privacy::archive", privacy::ARCHIVE_STATEMENTS),
    ("snapshots", snapshots::STATEMENTS),
];

#[test]
fn every_statement_prepares() {
    let connection = db::in_memory().unwrap();

    for (store, statements) in STORES {
        assert!(!statements.is_empty(), "{store} lists no statement");
        for statement in statements {
            connection.prepare(statement).unwrap_or_else(|error| panic!("{store}: {error} in{statement}"));
        }
    }
}

#[test]
fn a_connection_caches_every_statement() {
    let all: usize = STORES.iter().map(|(_, statements)| statements.len()).sum();

    assert!(
        all < db::STATEMENTS_KEPT,
        "there are {all} statements: raise STATEMENTS_KEPT, or they are compiled again and again"
    );
}

#[test]
fn every_statement_is_listed() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let listed: Vec<&str> = STORES.iter().flat_map(|(_, statements)| statements.iter().copied()).collect();

    for file in
        super::super::architecture::files_under(&source, "rs").into_iter().filter(|file| file.ends_with("store.rs"))
    {
        let text = std::fs::read_to_string(&file).unwrap();
        for constant in text.split("\nconst ").skip(1).filter(|constant| constant.contains(": &str =")) {
            let (name, rest) = constant.split_once(": &str =").unwrap();
            let Some((_, literal)) = rest.split_once('"') else { continue };
            let body = literal.split("\";").next().unwrap_or_default();
            let is_sql = ["select ", "insert ", "update ", "delete ", "with "]
                .iter()
                .any(|verb| body.trim_start().starts_with(verb));
            let is_listed = listed.iter().any(|statement| statement.trim() == body.trim());
            assert!(
                !is_sql || is_listed,
                "{} has the statement {name}, which STATEMENTS does not list",
                file.display()
            );
        }
    }
}
