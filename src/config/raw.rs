//! The settings as written, each with its origin, before they are interpreted.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use toml_edit::{Document, Item, TableLike, Value as Toml};

use super::ConfigError;
use super::links::is_service_link;

/// Where a setting is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A line of the file. 0: the file as a whole.
    Line(usize),
    /// An environment variable.
    Variable(String),
}

/// A value as written.
#[derive(Clone, Debug)]
pub(super) enum RawValue {
    Text(String),
    Number(i64),
    Bool(bool),
    List(Vec<String>),
    /// A type that no setting has: a number with a decimal point, a date, a table in place of a value.
    Other,
}

/// A value as written, and its origin.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub value: RawValue,
    pub origin: Origin,
}

/// One entry of a list of tables, such as `[[prices]]`.
pub(super) type Entry = (Origin, BTreeMap<String, Setting>);

/// All settings as written.
pub(super) struct Raw {
    pub name: String,
    pub settings: BTreeMap<String, Setting>,
    pub lists: BTreeMap<String, Vec<Entry>>,
    /// Variables that are no settings.
    pub ignored: Vec<String>,
}

impl Raw {
    pub(super) fn from_text(text: &str, name: &str) -> Result<Self, ConfigError> {
        let document = Document::parse(text.to_owned()).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            let what = error.message().lines().next().unwrap_or("this is not TOML");
            let key = error.span().and_then(|span| text.get(span)).map(str::trim).unwrap_or_default();
            let fault = match what {
                "duplicate key" => format!("{name}:{line}: {key} is set twice. Keep one of the two."),
                _ => format!("{name}:{line}: {what}. Write it as TOML: key = \"value\"."),
            };
            ConfigError { faults: vec![fault] }
        })?;
        let mut raw =
            Self { name: name.to_owned(), settings: BTreeMap::new(), lists: BTreeMap::new(), ignored: Vec::new() };
        raw.take_table("", document.as_table(), text);
        Ok(raw)
    }

    fn take_table(&mut self, prefix: &str, table: &dyn TableLike, text: &str) {
        for (key, item) in table.iter() {
            let path = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
            let key_span = table.get_key_value(key).and_then(|(key, _)| key.span());
            let at = Origin::Line(line_of(text, key_span.or(item.span()).map_or(0, |span| span.start)));
            match item {
                Item::ArrayOfTables(entries) => {
                    let entries = entries.iter().map(|entry| {
                        let line = line_of(text, entry.span().map_or(0, |span| span.start));
                        (Origin::Line(line), flatten(entry, text))
                    });
                    self.lists.insert(path, entries.collect());
                }
                Item::Table(inner) => self.take_table(&path, inner, text),
                Item::Value(Toml::InlineTable(inner)) => self.take_table(&path, inner, text),
                item => {
                    self.settings.insert(path, Setting { value: raw_value(item), origin: at });
                }
            }
        }
    }

    /// A digest of each setting, without its place in the file. It tells whether a setting was changed, and nothing else.
    pub(super) fn digests(&self) -> BTreeMap<String, u64> {
        let digest = |text: &str| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            hasher.finish()
        };
        let single = self.settings.iter().map(|(key, setting)| (key.clone(), digest(&format!("{:?}", setting.value))));
        let lists = self.lists.iter().map(|(key, entries)| {
            let members = |entry: &BTreeMap<String, Setting>| -> Vec<String> {
                entry.iter().map(|(key, setting)| format!("{key} {:?}", setting.value)).collect()
            };
            let all: Vec<_> = entries.iter().map(|(_, entry)| members(entry)).collect();
            (key.clone(), digest(&format!("{all:?}")))
        });
        single.chain(lists).collect()
    }

    /// Overrides settings with `DOMICILE_<SECTION>__<KEY>`. `DOMICILE_CONFIG` is not a setting; the command line reads
    /// it.
    pub(super) fn apply_environment(&mut self, environment: &[(String, String)]) {
        for (variable, value) in environment {
            let Some(name) = variable.strip_prefix("DOMICILE_").filter(|name| *name != "CONFIG") else { continue };
            if is_service_link(variable, value) {
                self.ignored.push(variable.clone());
                continue;
            }
            let path = name.to_ascii_lowercase().replace("__", ".");
            let setting = Setting { value: RawValue::Text(value.clone()), origin: Origin::Variable(variable.clone()) };
            self.settings.insert(path, setting);
        }
    }
}

fn flatten(table: &dyn TableLike, text: &str) -> BTreeMap<String, Setting> {
    let at = |key: &str| table.get_key_value(key).and_then(|(key, _)| key.span()).map_or(0, |span| span.start);
    table
        .iter()
        .map(|(key, item)| {
            let origin = Origin::Line(line_of(text, at(key)));
            (key.to_owned(), Setting { value: raw_value(item), origin })
        })
        .collect()
}

fn raw_value(item: &Item) -> RawValue {
    match item.as_value() {
        Some(Toml::String(text)) => RawValue::Text(text.value().clone()),
        Some(Toml::Integer(number)) => RawValue::Number(*number.value()),
        Some(Toml::Boolean(truth)) => RawValue::Bool(*truth.value()),
        Some(Toml::Array(entries)) => {
            let texts: Option<Vec<String>> = entries.iter().map(|entry| entry.as_str().map(str::to_owned)).collect();
            texts.map_or(RawValue::Other, RawValue::List)
        }
        Some(Toml::Float(_) | Toml::Datetime(_) | Toml::InlineTable(_)) | None => RawValue::Other,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}
