//! Scopes as a table: a row for each resource with the levels None, Read and Write. Bundles and scopes that are neither are
//! checkboxes.

use crate::base::{ScopeEntry, ScopeTable, Scopes};
use crate::http::Form;

/// The field of the checkboxes. A row has a field of its own, which begins with this.
const FIELD: &str = "scope";

/// A level of a row.
pub(super) struct Level {
    pub scope: String,
    /// What it allows.
    pub about: String,
    pub is_chosen: bool,
}

/// A resource.
pub(super) struct Row {
    /// The name of the field.
    pub field: String,
    pub resource: String,
    pub label: String,
    pub read: Option<Level>,
    /// Write, or what the scope calls it, such as `start`.
    pub write: Option<Level>,
}

impl Row {
    /// Whether no level is chosen.
    pub fn is_none(&self) -> bool {
        [&self.read, &self.write].into_iter().flatten().all(|level| !level.is_chosen)
    }

    /// The chosen level in words.
    pub fn words(&self) -> &'static str {
        let is_chosen = |level: &Option<Level>| level.as_ref().is_some_and(|level| level.is_chosen);
        match (is_chosen(&self.read), is_chosen(&self.write)) {
            (_, true) if self.read.is_none() => "Yes",
            (_, true) => "Read and write",
            (true, false) => "Read",
            (false, false) => "None",
        }
    }
}

/// A checkbox.
pub(super) struct Tick {
    pub scope: String,
    pub about: String,
    pub is_chosen: bool,
    /// The scopes of the table that it includes, separated by spaces.
    pub includes: String,
}

/// The table and the checkboxes of a form.
#[derive(Default)]
pub(super) struct ScopeChoices {
    pub rows: Vec<Row>,
    pub bundles: Vec<Tick>,
    pub others: Vec<Tick>,
}

impl ScopeChoices {
    /// All scopes of the site; `chosen` are ticked.
    pub fn new(table: &ScopeTable, chosen: &[String]) -> Self {
        Self::with(table, |entry| chosen.contains(&entry.name) || is_equal_to_chosen(table, entry, chosen), |_| true)
    }

    /// The scopes that a key has, with those that its bundles include, to choose which ones it keeps. `chosen`: those of a
    /// refused form.
    pub fn held(table: &ScopeTable, scopes: &str, chosen: Option<&[String]>) -> Self {
        let held = table.rights_of(scopes);
        let rights = |entry: &ScopeEntry| table.rights(&entry.name).unwrap_or(Scopes::NONE);
        let choices = Self::with(
            table,
            |entry| chosen.map_or_else(|| held.contains(rights(entry)), |chosen| chosen.contains(&entry.name)),
            |entry| held.contains(rights(entry)),
        );
        Self { bundles: Vec::new(), ..choices }
    }

    fn with(
        table: &ScopeTable,
        is_chosen: impl Fn(&ScopeEntry) -> bool,
        is_offered: impl Fn(&ScopeEntry) -> bool,
    ) -> Self {
        let mut choices = Self::default();
        for entry in table.entries().iter().filter(|entry| is_offered(entry)) {
            let rights = table.implied_by(&entry.name);
            let tick = || Tick {
                scope: entry.name.clone(),
                about: entry.description.clone(),
                is_chosen: is_chosen(entry),
                includes: rights.join(" "),
            };
            let level =
                || Level { scope: entry.name.clone(), about: entry.description.clone(), is_chosen: is_chosen(entry) };
            match entry.name.split_once(':') {
                // `models` is the same as `models:write`, which is in the table.
                None if table.entries().iter().any(|other| is_level(other) && is_same(table, entry, other)) => {}
                None if entry.is_bundle() => choices.bundles.push(tick()),
                // `reports:write` of the admin does not include `reports:read`: a key can have both, or either.
                _ if entry.is_custom() => choices.others.push(tick()),
                None => choices.others.push(tick()),
                Some((resource, verb)) => {
                    let row = match choices.rows.iter_mut().position(|row| row.resource == resource) {
                        Some(known) => &mut choices.rows[known],
                        None => {
                            choices.rows.push(Row::new(resource));
                            let last = choices.rows.len() - 1;
                            &mut choices.rows[last]
                        }
                    };
                    let place = if verb == "read" { &mut row.read } else { &mut row.write };
                    match place {
                        None => *place = Some(level()),
                        Some(_) => choices.others.push(tick()),
                    }
                }
            }
        }
        choices
    }

    /// The scopes of a form.
    pub fn chosen(table: &ScopeTable, form: &Form) -> Vec<String> {
        let mut chosen = form.all(FIELD);
        for row in Self::new(table, &[]).rows {
            chosen.extend(form.all(&row.field).into_iter().filter(|scope| !scope.is_empty()));
        }
        chosen
    }
}

impl Row {
    fn new(resource: &str) -> Self {
        let mut letters = resource.chars();
        let label = letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect());
        Self {
            field: format!("{FIELD}-{resource}"),
            resource: resource.to_owned(),
            label: label.replace(['-', '_', '.'], " "),
            read: None,
            write: None,
        }
    }
}

fn is_level(entry: &ScopeEntry) -> bool {
    entry.name.contains(':')
}

fn is_same(table: &ScopeTable, one: &ScopeEntry, other: &ScopeEntry) -> bool {
    table.rights(&one.name) == table.rights(&other.name)
}

/// Whether a chosen bundle is the same as this level.
fn is_equal_to_chosen(table: &ScopeTable, entry: &ScopeEntry, chosen: &[String]) -> bool {
    is_level(entry) && chosen.iter().any(|name| table.rights(name) == table.rights(&entry.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ScopeTable {
        ScopeTable::new(&[("reports:read".into(), "Read reports".into()), ("fly".into(), "Fly".into())]).unwrap()
    }

    #[test]
    fn every_scope_is_offered_once_and_equal_ones_are_one() {
        let choices = ScopeChoices::new(&table(), &["models".into(), "usage:read".into(), "read".into()]);
        let words: Vec<_> = choices.rows.iter().map(|row| format!("{}: {}", row.label, row.words())).collect();
        assert_eq!(
            words,
            [
                "Models: Read and write",
                "Datasets: None",
                "Deployments: None",
                "Projects: None",
                "Training: None",
                "Metrics: None",
                "Account: None",
                "Billing: None",
                "Usage: Read"
            ]
        );
        let names = |ticks: &[Tick]| ticks.iter().map(|tick| tick.scope.clone()).collect::<Vec<_>>();
        assert_eq!(names(&choices.bundles), ["training", "read", "write", "admin"]);
        assert_eq!(names(&choices.others), ["reports:read", "fly"]);
        assert!(choices.bundles[1].is_chosen && choices.bundles[1].includes.contains("deployments:read"));
    }

    #[test]
    fn what_a_key_holds_is_shown_without_its_bundles() {
        let held = ScopeChoices::held(&table(), "training fly", None);
        let words: Vec<_> = held.rows.iter().map(|row| format!("{}: {}", row.label, row.words())).collect();
        assert_eq!(words, ["Models: Read", "Datasets: Read", "Training: Yes", "Metrics: Yes"]);
        assert!(held.bundles.is_empty() && held.others[0].is_chosen);
        let kept = ScopeChoices::held(&table(), "training fly", Some(&["models:read".into()]));
        assert_eq!(kept.rows.iter().filter(|row| !row.is_none()).count(), 1);
    }
}
