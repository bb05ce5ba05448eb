//! Every SQL statement of every store compiles with the migrated schema, so that an error is found here and not in
//! production.

use domicile::privacy::data_map::tables;
use domicile::{
    accounts, api_keys, audit, billing, db, factors, idempotency, inbox, invitations, jobs, journal, mail, maintenance,
    people, privacy, resources, services, sessions, signin, snapshots, tokens, verification, workspaces,
};

pub const STORES: [(&str, &[&str]); 52] = [
    ("db::site", db::STATEMENTS),
    ("db::clock", db::CLOCK_STATEMENTS),
    ("db::epoch", db::CHANGE_STATEMENTS),
    ("journal", journal::STATEMENTS),
    ("jobs", jobs::STATEMENTS),
    ("idempotency", idempotency::STATEMENTS),
    ("mail", mail::STATEMENTS),
    ("audit", audit::STATEMENTS),
    ("accounts", accounts::STATEMENTS),
    ("accounts::codes", accounts::CODE_STATEMENTS),
    ("accounts::links", accounts::LINK_STATEMENTS),
    ("accounts::passwords", accounts::PASSWORD_STATEMENTS),
    ("accounts::addresses", accounts::addresses::STATEMENTS),
    ("accounts::names", accounts::names::STATEMENTS),
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
    ("factors::passkeys", factors::PASSKEY_STATEMENTS),
    ("factors::unfinished", factors::UNFINISHED_STATEMENTS),
    ("services", services::STATEMENTS),
    ("inbox", inbox::COMMAND_STATEMENTS),
    ("inbox", inbox::WEBHOOK_STATEMENTS),
    ("resources::rows", resources::ROW_STATEMENTS),
    ("resources::lists", resources::LIST_STATEMENTS),
    ("resources::purging", resources::PURGING_STATEMENTS),
    ("resources::sync", resources::SYNC_STATEMENTS),
    ("resources::trash", resources::TRASH_STATEMENTS),
    ("resources::counts", resources::COUNT_STATEMENTS),
    ("resources::leases", resources::LEASE_STATEMENTS),
    ("billing::ledger", billing::ledger::STATEMENTS),
    ("billing::ledger::check", billing::ledger::CHECK_STATEMENTS),
    ("billing::ledger::holds", billing::ledger::holds::STATEMENTS),
    ("billing::ledger::statement", billing::ledger::statement::STATEMENTS),
    ("billing::usage", billing::usage::STATEMENTS),
    ("billing::usage::authorizations", billing::usage::authorizations::STATEMENTS),
    ("billing::allowances", billing::allowances::STATEMENTS),
    ("billing::notices", billing::notices::STATEMENTS),
    ("billing::spending", billing::spending::STATEMENTS),
    ("billing::vouchers", billing::vouchers::STATEMENTS),
    ("privacy", privacy::STATEMENTS),
    ("privacy::erasures", privacy::ERASURE_STATEMENTS),
    ("privacy::archive", privacy::ARCHIVE_STATEMENTS),
    ("privacy::archive::parts", privacy::PART_STATEMENTS),
    ("snapshots", snapshots::STATEMENTS),
    ("maintenance", maintenance::STATEMENTS),
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

/// A constant of a store: the file, its name and its value as it is written.
struct Constant {
    file: String,
    name: String,
    value: String,
}

/// The files with SQL, each with its text.
fn stores() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = super::super::architecture::files_under(&root.join("src"), "rs");
    let is_store = |file: &std::path::PathBuf| {
        file.ends_with("store.rs") || file.parent().unwrap().ends_with("store") || file.ends_with("db/site.rs")
    };
    let read = |file: std::path::PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        (file.strip_prefix(root).unwrap().display().to_string(), text)
    };
    files.into_iter().filter(is_store).map(read).collect()
}

/// The texts among the constants of stores.
fn constants() -> Vec<Constant> {
    let mut constants = Vec::new();
    for (file, text) in stores() {
        for constant in text.split("const ").skip(1) {
            let Some((name, rest)) = constant.split_once(": &str =") else { continue };
            let value = rest.split_once(";\n").map_or(rest, |(value, _)| value).trim().to_owned();
            constants.push(Constant { file: file.clone(), name: name.to_owned(), value });
        }
    }
    assert!(constants.len() > 200, "{}", constants.len());
    constants
}

#[test]
fn every_statement_is_listed() {
    let stores = stores();
    for constant in constants() {
        let (_, text) = stores.iter().find(|(file, _)| *file == constant.file).unwrap();
        let list = text.split_once("pub const STATEMENTS").map_or("", |(_, list)| list);
        let list = list.split_once("];").map_or(list, |(list, _)| list);
        let words = |text: &str| -> Vec<String> {
            text.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect()
        };
        let verbs = ["select ", "insert ", "update ", "delete "];
        let literal = constant.value.trim_start_matches("sql!(").trim().trim_start_matches('"').trim();
        let is_statement = verbs.iter().any(|verb| literal.starts_with(verb))
            || constant.value.starts_with("insert!")
            || literal.starts_with("insert!");
        let is_listed = words(list).contains(&constant.name);
        // A beginning that several statements share is in a statement that is listed.
        let is_shared = constants().iter().any(|other| {
            other.file == constant.file && other.name != constant.name && words(&other.value).contains(&constant.name)
        });
        assert!(
            !is_statement || is_listed || is_shared,
            "{} has the statement {}, which STATEMENTS does not list",
            constant.file,
            constant.name
        );
    }
}

#[test]
fn columns_are_read_by_name() {
    let mut breaches = Vec::new();
    for (file, text) in stores() {
        for (number, line) in text.lines().enumerate() {
            let by_position = ["row.get(", "row.get::<", "row.get_ref("].iter().any(|call| line.contains(call));
            if by_position && !file.starts_with("src/db/") {
                breaches.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(
        breaches.is_empty(),
        "\n{}\n\nWhy: a position is wrong as soon as a column is added before it\nFix: bind the columns with by_name!, or read the \
         only column with `only`\n",
        breaches.join("\n")
    );
}

#[test]
fn every_insert_gives_a_value_to_every_column() {
    for (slice, statements) in STORES {
        for statement in statements {
            let words: Vec<&str> = statement.split_whitespace().collect();
            let Some(into) = words.iter().position(|word| *word == "into") else { continue };
            if !words[0].starts_with("insert") {
                continue;
            }
            let table = tables().find(|table| table.name == words[into + 1]).unwrap();
            let columns = statement.split_once('(').unwrap().1.split_once(')').unwrap().0;
            let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
            for column in table.columns {
                assert_eq!(
                    columns.contains(&column.name),
                    !column.is_set_later,
                    "an insert in the store of {slice}: {}.{} must be in it, or be declared as set_later() in tables.rs; write \
                     insert!({})",
                    table.name,
                    column.name,
                    table.name.to_uppercase()
                );
            }
        }
    }
}

#[test]
fn a_column_that_is_set_later_is_set_by_a_statement() {
    let all: Vec<&str> = STORES.iter().flat_map(|(_, statements)| statements.iter().copied()).collect();
    for table in tables() {
        for column in table.columns.iter().filter(|column| column.is_set_later) {
            // Triggers of the ledger set the first one. Corrections of transactions do not exist yet.
            let by_trigger = [("credit_lot", "exhausted"), ("ledger_tx", "reverses_tx_id")];
            let sets = |statement: &&str| {
                let is_about = statement.contains(&format!("update {} ", table.name))
                    || statement.contains(&format!("update {}\n", table.name))
                    || statement.contains(&format!("into {} ", table.name));
                is_about && statement.contains(&format!("{} = ", column.name))
            };
            assert!(
                by_trigger.contains(&(table.name, column.name)) || all.iter().any(sets),
                "{}.{} is declared as set_later() in tables.rs, and no statement sets it",
                table.name,
                column.name
            );
        }
    }
}
