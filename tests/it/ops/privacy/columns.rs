//! Every column that the data map exports is in a real archive, with its values and under its name.

use std::collections::BTreeSet;

use domicile::privacy::PARTS;
use domicile::privacy::data_map::ACTIVITY_PART;

use super::*;

/// What the person's data leaves empty or at its default. Every exported column gets a value, and columns of one part get
/// different ones.
const FILL: [&str; 19] = [
    "update account set is_operator = 1, keys_locked_at = 1777000200001",
    "update email_change set closed_at = 1777000200002",
    "update device set is_trusted = 0, has_signed_in = 0, first_seen_at = 1777000200003",
    "update passkey set last_used_at = 1777000200004",
    "update recovery_code set used_at = 1777000200005",
    "insert into data_request (id, account_id, artifact_id, kind, state, recipient_kind, requested_at, finished_at, problem)
     select 'dsr_00000000000000000000000000', id, 'art_00000000000000000000000000', 'export', 'failed', 'passphrase',
            1777000200006, 1777000200007, 'a canary problem'
     from account",
    "update session set created_at = 1777000200008, last_seen_at = 1777000200009, proved_at = 1777000200010",
    "update api_key_caller set first_at = 1777000200011",
    "update api_key set revoked_at = 1777000200012, state = 'revoked', ended_as = 'asked', sealed = null
     where name = 'canary-key'",
    "update api_key set spent_until = 1777000200013, expires_at = 1777000200014 where name = 'canary-replaced'",
    "update api_key set state_at = 1777000200015 where state <> 'revoked'",
    "update api_key_use set uses = 778 where uses < 10",
    "update workspace set plan = 'canary-plan'",
    "update ledger_tx set key_id = (select max(id) from api_key)",
    "update credit_lot set expires_at = 1777000200016",
    "update statement_line set occurred_at = 1777000200017",
    "update statement_line set category = 'annotation'",
    "update usage_event set authorization_id = 'hold_canary', corrects = 'canary first', quantity_micro = -7778000,
       charge_micro = -7779",
    "insert into usage_authorization (id, service_id, workspace_id, key_id, sku, unit, category, quantity_micro, price_micro,
       amount_micro, charged_micro, state, created_at, expires_at, closed_at)
     select 'hold_00000000000000000000000000', 'svc_canary', id, 'key_canary', 'gpu.canary', 'canary hour', 'deployment', 7780000,
            7781, 7782, 7783, 'settled', 1777000200018, 1777000200019, 1777000200020
     from workspace",
];

impl TestApp {
    fn fill_every_exported_column(&self) {
        // Triggers of the ledger refuse four of these updates.
        let triggers = "select name from sqlite_schema where type = 'trigger' and tbl_name in ('ledger_tx', 'credit_lot', 'statement_line')";
        self.write(|tx| {
            for trigger in tx.list(triggers, [], |row| row.get::<_, String>(0))? {
                tx.execute(&format!("drop trigger {trigger}"), [])?;
            }
            FILL.iter().try_for_each(|statement| tx.execute(statement, []).map(drop))
        })
        .unwrap();
    }

    /// The stored values of a column, as the archive writes them. Nulls and empty texts are left out.
    fn stored(&self, table: &Table, name: &str, cell: Cell) -> BTreeSet<String> {
        let values = self.read(|view| match table.name {
            // The other ledger accounts belong to the site.
            "ledger_balance" => {
                let lots = "select balance_micro from ledger_balance join credit_lot using (account_id)";
                view.list(lots, [], |row| row.get(0)).unwrap()
            }
            // What was deleted for good is not the person's any more.
            "resource" => {
                let sql =
                    format!("select distinct {name} from resource where {name} is not null and state <> 'purged'");
                view.list(&sql, [], |row| row.get(0)).unwrap()
            }
            _ => column(view, table.name, name),
        });
        values.into_iter().map(|value| written(cell, value)).filter(|text| !text.is_empty()).collect()
    }

    /// Whether every stored value is the default of the schema.
    fn is_default(&self, table: &Table, name: &str) -> bool {
        let default = format!("select dflt_value from pragma_table_info('{}') where name = '{name}'", table.name);
        let default: Option<String> = self.read(|view| view.one(&default, [], |row| row.get(0)).unwrap());
        let values = self.read(|view| column(view, table.name, name));
        let is_default = |value: &Value| match value {
            Value::Integer(number) => default.as_deref() == Some(number.to_string().as_str()),
            Value::Text(text) => text.is_empty() || default == Some(format!("'{text}'")),
            _ => false,
        };
        values.iter().all(is_default)
    }
}

/// How a stored value is written in the archive.
fn written(cell: Cell, value: Value) -> String {
    match (cell, value) {
        (Cell::Text | Cell::Words, Value::Text(text)) => text,
        (Cell::Time, Value::Integer(millis)) => Timestamp::from_millis(millis).rfc3339(),
        (Cell::Day, Value::Integer(day)) => Timestamp::from_day_number(day).rfc3339(),
        (Cell::Credits, Value::Integer(micro)) => Credits::from_micro(micro).unwrap().to_string(),
        (Cell::Balance, Value::Integer(micro)) => Credits::from_micro(-micro).unwrap().to_string(),
        (Cell::Quantity, Value::Integer(micro)) => {
            format!("{}{}", if micro < 0 { "-" } else { "" }, Quantity::from_micro(micro.abs()).unwrap())
        }
        (Cell::Flag, Value::Integer(flag)) => (flag == 1).to_string(),
        (Cell::Number, Value::Integer(number)) => number.to_string(),
        (cell, other) => panic!("{other:?} is not a {cell:?}"),
    }
}

/// The rows of a file of the archive: the members of JSON objects, or the cells under the header of a CSV file.
fn rows_of(path: &str, bytes: &[u8]) -> Vec<BTreeMap<String, String>> {
    if path.ends_with(".csv") {
        let mut table = csv::Reader::from_reader(bytes);
        return table.deserialize().map(Result::unwrap).collect();
    }
    let text = |value: serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text,
        serde_json::Value::Array(words) => words.iter().filter_map(|word| word.as_str()).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    let members = |row: serde_json::Value| match row {
        serde_json::Value::Object(members) => members.into_iter().map(|(name, value)| (name, text(value))).collect(),
        other => panic!("{path}: {other} is not an object"),
    };
    match serde_json::from_slice(bytes).unwrap() {
        serde_json::Value::Array(rows) => rows.into_iter().map(members).collect(),
        row => vec![members(row)],
    }
}

/// The paths of a part in the archive of a person who is in one workspace only.
fn paths_of(part: &str, ada: &Person) -> [String; 2] {
    let path = part.replace("{workspace}", &ada.workspace.to_string());
    [format!("{path}.json"), format!("{path}.csv")]
}

#[test]
fn an_archive_has_exactly_the_columns_and_values_of_the_data_map() {
    let site = TestApp::new();
    let ada = site.person_with_all_data();
    site.second_factors(ada.account.id);
    site.fill_every_exported_column();

    let files = site.exported(&ada);

    let mut faults = Vec::new();
    for part in PARTS {
        let paths: Vec<_> = paths_of(part.path, &ada).into_iter().filter(|path| files.contains_key(path)).collect();
        assert_eq!(paths.len(), part.formats.len(), "{} is not in the archive", part.path);
        let of_part = || tables().filter(|table| table.part == Some(part.path));
        let mut expected: BTreeSet<&str> = of_part().flat_map(|table| table.exported()).map(|(name, _)| name).collect();
        // Other members appear as every member of the workspace sees them.
        expected.extend(part.others.iter().map(|(name, _)| *name));
        for path in &paths {
            let rows = rows_of(path, &files[path]);
            assert!(!rows.is_empty(), "{path} is empty, which proves nothing");
            for row in &rows {
                let names: BTreeSet<&str> = row.keys().map(String::as_str).collect();
                assert_eq!(names, expected, "{path} has other columns than the tables.rs of its tables declare");
            }
            for table in of_part() {
                for column in table.columns {
                    let ColumnExport::As(name, cell) = column.export else { continue };
                    let full = format!("{}.{}", table.name, column.name);
                    let found: BTreeSet<String> =
                        rows.iter().map(|row| row[name].clone()).filter(|text| !text.is_empty()).collect();
                    // The export was in progress when it was written: its own row changed afterwards.
                    let is_later = table.name == "data_request" && ["state", "finished_at"].contains(&column.name);
                    if found.is_empty() || site.is_default(table, column.name) {
                        faults.push(format!("{full} is empty or has its default: give it a value in FILL"));
                    } else if !is_later && found != site.stored(table, column.name, cell) {
                        faults.push(format!("{full}: {path} has {found:?} under {name}"));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn an_archive_has_no_file_that_the_data_map_does_not_know() {
    let site = TestApp::new();
    let ada = site.person_with_all_data();

    let files = site.exported(&ada);

    let mut known: BTreeSet<String> = PARTS.iter().flat_map(|part| paths_of(part.path, &ada)).collect();
    let others =
        ["activity/activity.jsonl", "activity/activity.csv", "account/picture.jpg", "index.html", "manifest.json"];
    known.extend(others.map(str::to_owned));
    let unknown: Vec<_> = files.keys().filter(|path| !known.contains(*path)).collect();
    assert_eq!(unknown, Vec::<&String>::new());
    let line = std::str::from_utf8(&files["activity/activity.jsonl"]).unwrap().lines().next().unwrap();
    let event: BTreeMap<String, serde_json::Value> = serde_json::from_str(line).unwrap();
    let mut names: BTreeSet<String> = event.keys().filter(|name| *name != "actor").cloned().collect();
    names.extend(event["actor"].as_object().unwrap().keys().map(|name| format!("actor.{name}")));
    let of_audit = tables().filter(|table| table.part == Some(ACTIVITY_PART)).flat_map(|table| table.exported());
    assert_eq!(names, of_audit.map(|(name, _)| name.to_owned()).collect());
}

#[test]
fn what_a_person_entered_is_in_personal_columns_only() {
    let site = TestApp::new();
    let ada = site.person_with_all_data();
    site.second_factors(ada.account.id);

    let personal: BTreeSet<String> = tables()
        .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
        .filter(|(_, column)| column.purpose.is_some())
        .map(|(table, column)| format!("{}.{}", table.name, column.name))
        .collect();
    for trace in CANARIES {
        for column in site.columns_with(trace) {
            assert!(personal.contains(&column), "{column} contains {trace:?}: tag it as personal(..) in tables.rs");
        }
    }
}
