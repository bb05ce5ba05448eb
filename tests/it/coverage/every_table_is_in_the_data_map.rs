//! Every table and column is declared, with what an export has of it and what an erasure does to it.

use std::collections::{BTreeMap, BTreeSet};

use domicile::db::{self, Erasure, Export};
use domicile::privacy::PARTS;
use domicile::privacy::data_map::{ACTIVITY_PART, SLICES, tables};
use rusqlite::Connection;

fn names(connection: &Connection, sql: &str) -> BTreeSet<String> {
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn every_table_and_column_is_declared() {
    let connection = db::in_memory().unwrap();
    let stored = names(&connection, "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'");

    let declared: BTreeSet<String> = tables().map(|table| table.name.to_owned()).collect();
    assert_eq!(
        stored, declared,
        "declare the table in the tables.rs of its slice, in TABLES too; a new slice also in src/privacy/data_map.rs"
    );
    assert_eq!(tables().count(), declared.len(), "a table is declared twice");

    for (slice, table) in SLICES.iter().flat_map(|(slice, tables)| tables.iter().map(move |table| (slice, table))) {
        let stored = names(&connection, &format!("select name from pragma_table_info('{}')", table.name));
        let declared: BTreeSet<String> = table.columns.iter().map(|column| column.name.to_owned()).collect();
        assert_eq!(table.columns.len(), declared.len(), "{}: a column is declared twice", table.name);
        let (missing, gone): (Vec<_>, Vec<_>) =
            (stored.difference(&declared).collect(), declared.difference(&stored).collect());
        assert!(
            missing.is_empty() && gone.is_empty(),
            "{}: src/{slice}/tables.rs does not declare {missing:?}, and declares {gone:?}, which no migration has",
            table.name
        );
    }
}

#[test]
fn the_tags_of_columns_are_consistent() {
    let connection = db::in_memory().unwrap();

    for table in tables() {
        let name = table.name;
        let nullable = |column: &str| {
            let sql = "select \"notnull\" = 0 or dflt_value is not null from pragma_table_info(?1) where name = ?2";
            connection.query_row(sql, [name, column], |row| row.get::<_, bool>(0)).unwrap()
        };
        assert_eq!(
            table.part.is_some(),
            table.exported().count() > 0,
            "{name}: a part and exported columns go together"
        );
        if let Some(part) = table.part {
            let exists = part == ACTIVITY_PART || PARTS.iter().any(|known| known.path == part);
            assert!(exists, "{name}: the archive has no part {part}");
        }
        for column in table.columns {
            let full = format!("{name}.{}", column.name);
            if let Export::LeftOut(reason) = column.export {
                assert!(!reason.is_empty(), "{full} is left out without a reason");
            }
            assert!(column.purpose.is_none_or(|purpose| !purpose.is_empty()), "{full}: what is the personal data for?");
            assert!(!column.is_set_later || nullable(column.name), "{full} is set_later() and has no default");
            match table.erasure {
                Erasure::Empties(_) => assert_eq!(column.is_emptied, column.purpose.is_some(), "{full}"),
                Erasure::Keeps(_) | Erasure::NothingPersonal => {
                    assert!(
                        column.purpose.is_none() && !column.is_emptied,
                        "{full} has personal data, which is never erased"
                    )
                }
                Erasure::Deletes => assert!(!column.is_emptied, "{full}: the whole row is deleted"),
            }
        }
        if let Erasure::Keeps(reason) | Erasure::Empties(reason) = table.erasure {
            assert!(reason.contains("Art."), "{name} is kept, and no article of law says why");
        }
    }
    for part in PARTS {
        assert!(tables().any(|table| table.part == Some(part.path)), "no table is in the part {}", part.path);
        for table in part.tables {
            assert_eq!(table.part, Some(part.path), "{} is declared for another part", table.name);
        }
        let mut columns = BTreeMap::new();
        part.columns().for_each(|(name, _)| *columns.entry(name).or_insert(0) += 1);
        assert!(columns.values().all(|count| *count == 1), "{} has two columns with one name: {columns:?}", part.path);
    }
    let selected: BTreeSet<_> = PARTS.iter().flat_map(|part| part.tables).map(|table| table.name).collect();
    for table in tables().filter(|table| table.part.is_some_and(|part| part != ACTIVITY_PART)) {
        assert!(selected.contains(table.name), "{}: no part of src/privacy/archive/store selects it", table.name);
    }
}

/// Columns without a check, from before migration 18. This list may only shrink.
const UNCHECKED: &[(&str, &[&str])] = &[
    ("account", &["id", "username", "display_name", "company", "use_case", "bio", "region", "skeleton"]),
    ("account_email", &["id", "address", "folded"]),
    ("api_key", &["id", "name", "display", "scopes", "predecessor_id", "family_id", "networks"]),
    ("api_key_caller", &["address", "agent"]),
    ("api_key_right_use", &["right_name"]),
    ("api_key_spend", &["family_id", "period"]),
    ("api_key_use", &["last_address", "last_agent"]),
    ("audit_event", &["id", "event", "workspace_id", "actor_id", "target_id", "data_json", "commitments_json"]),
    ("audit_private", &["subject_id"]),
    ("credential_change", &["subject_id"]),
    ("credit_lot", &["id", "workspace_id"]),
    ("data_request", &["id", "account_id", "artifact_id", "step", "problem"]),
    ("email_change", &["id", "from_id", "to_id"]),
    ("export_artifact", &["id", "account_id", "file_name"]),
    ("export_link", &["account_id"]),
    ("half_session", &["method"]),
    ("identity", &["id", "provider", "issuer", "subject", "label", "email"]),
    ("invitation", &["id", "address", "folded"]),
    ("job", &["id", "name", "payload_json", "subject_id", "unique_key", "last_error"]),
    ("jwt_key", &["kid"]),
    ("kept_answer", &["actor_id", "route", "key", "body"]),
    ("ledger_account", &["id", "code"]),
    ("ledger_tx", &["id", "workspace_id", "idem_key", "actor_kind", "actor_id", "key_id"]),
    ("mail_outbox", &["id", "account_id", "recipient", "subject", "body_text", "body_html", "last_error"]),
    ("oauth_flow", &["provider"]),
    ("one_time_link", &["about"]),
    ("passkey", &["id", "credential_json", "name"]),
    ("passkey_challenge", &["state_json"]),
    ("password", &["phc"]),
    ("picture", &["name"]),
    ("preference", &["language", "time_zone"]),
    ("profile_link", &["value"]),
    ("revocation", &["subject_id"]),
    ("session", &["id", "address", "agent", "method"]),
    ("site", &["site_id"]),
    ("snapshot_stamp", &["engine_version", "keyring_id"]),
    ("statement_line", &["workspace_id", "kind"]),
    ("subject_key", &["subject_id"]),
    ("usage_event", &["source", "id", "service_id", "workspace_id", "key_id", "sku", "tx_id"]),
    ("usage_meter", &["workspace_id", "sku"]),
    ("workspace", &["id", "slug", "name", "plan", "region"]),
];

/// The conditions of the checks in a `create table`.
fn checks(sql: &str) -> Vec<&str> {
    let mut checks = Vec::new();
    for (start, word) in sql.match_indices("check (") {
        let body = &sql[start + word.len()..];
        let mut depth = 1;
        let end = body.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        checks.push(&body[..end.unwrap()]);
    }
    checks
}

#[test]
fn every_text_column_of_a_new_migration_has_a_check() {
    let connection = db::in_memory().unwrap();
    let mut breaches = Vec::new();
    for table in tables() {
        let sql: String = connection
            .query_row("select sql from sqlite_schema where type = 'table' and name = ?1", [table.name], |row| {
                row.get(0)
            })
            .unwrap();
        let is_checked = |column: &String| {
            let mentions =
                |check: &&str| check.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == column);
            checks(&sql).iter().any(mentions)
        };
        let texts =
            names(&connection, &format!("select name from pragma_table_info('{}') where type = 'TEXT'", table.name));
        // A foreign key is a check.
        let keys = names(&connection, &format!("select \"from\" from pragma_foreign_key_list('{}')", table.name));
        let old = UNCHECKED.iter().find(|(name, _)| *name == table.name).map_or(&[][..], |(_, columns)| columns);
        let unchecked: BTreeSet<&str> =
            texts.difference(&keys).filter(|column| !is_checked(column)).map(String::as_str).collect();
        breaches.extend(
            unchecked
                .iter()
                .filter(|name| !old.contains(name))
                .map(|name| format!("{}.{name} has no check (..) in its migration in src/db/migrations", table.name)),
        );
        breaches.extend(
            old.iter()
                .filter(|name| !unchecked.contains(*name))
                .map(|name| format!("{}.{name} has a check now: remove it from UNCHECKED", table.name)),
        );
    }
    assert!(
        breaches.is_empty(),
        "\n{}\n\nWhy: a value that no code expects must not be stored\nFix: list the values with `check (x in (..))`, or limit \
         the length with `check (length(x) between 1 and 64)`\n",
        breaches.join("\n")
    );
}
