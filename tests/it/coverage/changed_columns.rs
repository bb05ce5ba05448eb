//! What a person entered can be changed: an update sets each personal column, or this file says why none does.

use std::collections::BTreeSet;

use domicile::privacy::data_map::SLICES;

use super::every_statement_prepares::STORES;

/// Personal columns that no update sets, each with the reason.
const WRITTEN_ONCE: [(&str, &str); 14] = [
    ("account_email.address", "another address is another row"),
    ("account_email.folded", "it belongs to the address"),
    ("audit_private.sealed", "the audit only grows, and shrinks by erasures"),
    ("export_artifact.file_name", "it is made with the file"),
    ("identity.subject", "the key of the account at the other provider"),
    ("invitation.address", "another address is another invitation"),
    ("invitation.folded", "it belongs to the address"),
    ("mail_outbox.recipient", "a mail is written once"),
    ("mail_outbox.subject", "a mail is written once"),
    ("oauth_flow.sealed", "the secrets of one sign-in"),
    ("profile_link.value", "all links are deleted and inserted again"),
    ("session.address", "where the sign-in came from"),
    ("session.agent", "where the sign-in came from"),
    ("webhook_delivery.answer", "an attempt is written once"),
];

/// The columns that a statement sets in `table`: those before ` =` between `set` and the condition, also of an upsert.
fn columns_set(statement: &str, table: &str) -> BTreeSet<String> {
    let text = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_update = text.contains(&format!("update {table} set "));
    let is_upsert = text.contains(&format!("into {table} (")) && text.contains("do update set ");
    if !is_update && !is_upsert {
        return BTreeSet::new();
    }
    let set = text.split_once(" set ").map_or("", |(_, rest)| rest);
    let words: Vec<&str> = set.split([' ', ',', '(']).filter(|word| !word.is_empty()).collect();
    words.windows(2).filter(|pair| pair[1] == "=").map(|pair| pair[0].to_owned()).collect()
}

#[test]
fn every_personal_column_is_set_by_an_update_or_written_once() {
    let statements: Vec<&str> = STORES.iter().flat_map(|(_, statements)| statements.iter().copied()).collect();
    let mut faults = Vec::new();
    for (slice, table) in SLICES.iter().flat_map(|(slice, tables)| tables.iter().map(move |table| (slice, table))) {
        let is_replaced = |statement: &&str| statement.contains(&format!("insert or replace into {} (", table.name));
        let set: BTreeSet<String> = statements.iter().flat_map(|text| columns_set(text, table.name)).collect();
        for column in table.columns.iter().filter(|column| column.purpose.is_some()) {
            let full = format!("{}.{}", table.name, column.name);
            let is_set = set.contains(column.name) || statements.iter().any(&is_replaced);
            let is_known = WRITTEN_ONCE.iter().any(|(name, _)| *name == full);
            match (is_set, is_known) {
                (true, false) | (false, true) => {}
                (false, false) => faults.push(format!(
                    "src/{slice}/store.rs: no update sets {full}. Add it to the update of what a person changes, or say in \
                     WRITTEN_ONCE (tests/it/coverage/changed_columns.rs) why nobody changes it"
                )),
                (true, true) => faults.push(format!("{full} is set by an update: remove it from WRITTEN_ONCE")),
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
