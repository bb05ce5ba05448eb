//! Scopes: what an API key may do.
//!
//! A scope is a name for a set of *rights*, one bit each. Whether a key may do something is one AND of two 128-bit
//! numbers.

/// A set of rights, one bit for each right of the [`ScopeTable`]: those of a key, or those that a request needs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Scopes(u128);

impl Scopes {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Whether this set contains every right of `other`. Every set contains the empty set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The rights that are in both sets.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The rights that are in at least one of both sets.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the set is empty.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// A scope that a key can have.
#[derive(Clone, Debug)]
pub struct ScopeEntry {
    /// The name in requests: `models:read`.
    pub name: String,
    /// The description next to the checkbox.
    pub description: String,
    /// The heading on the page.
    pub group: &'static str,
    rights: Scopes,
}

impl ScopeEntry {
    /// Whether it is a name for several scopes.
    pub fn is_bundle(&self) -> bool {
        self.group == BUNDLES
    }

    /// Whether the admin defined it. Such scopes are independent of each other, whatever their names are.
    pub fn is_custom(&self) -> bool {
        self.group == SITE_GROUP
    }
}

/// Every scope of this appliance: the built-in ones and the admin's `[[scopes]]`.
#[derive(Clone, Debug)]
pub struct ScopeTable {
    entries: Vec<ScopeEntry>,
    /// The name of each single right.
    names: Vec<(Scopes, String)>,
}

/// The resources that have the levels `read` and `write` (contract section 8).
const RESOURCES: [&str; 4] = ["models", "datasets", "deployments", "projects"];
const BUNDLES: &str = "Bundles";
const RESOURCE_GROUP: &str = "Resources";
const ACCOUNT_GROUP: &str = "Account";
const SITE_GROUP: &str = "This site";
/// The number of custom scopes: the bits of [`Scopes`] that the built-in rights leave, rounded down.
const CUSTOM_MAX: usize = 64;

impl ScopeTable {
    /// The built-in scopes and the `custom` ones (name, description).
    ///
    /// # Errors
    /// A sentence if a custom name is the name of another scope, if it has characters other than `a-z 0-9 : . - _` (RFC
    /// 6749 §3.3 allows more), or if there are more than 64.
    pub fn new(custom: &[(String, String)]) -> Result<Self, String> {
        let mut table = Self::built_in();
        if custom.len() > CUSTOM_MAX {
            return Err(format!("there are {} scopes; at most {CUSTOM_MAX} can be defined", custom.len()));
        }
        for (number, (name, description)) in custom.iter().enumerate() {
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b":.-_".contains(&b);
            if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
                return Err(format!(
                    "the scope \"{name}\" must have 1 to 64 of the characters a-z, 0-9, colon, dot, hyphen, underscore"
                ));
            }
            if table.entries.iter().any(|entry| entry.name == *name) {
                return Err(format!("the scope \"{name}\" exists already; choose another name"));
            }
            table.names.push((Scopes(1 << (64 + number)), name.clone()));
            table.entries.push(ScopeEntry {
                name: name.clone(),
                description: description.clone(),
                group: SITE_GROUP,
                rights: Scopes(1 << (64 + number)),
            });
        }
        // Only `admin` includes the custom scopes: whether a custom `write` includes a custom `read` would be a guess.
        let everything = table.entries.iter().fold(Scopes::NONE, |all, entry| all.union(entry.rights));
        if let Some(admin) = table.entries.iter_mut().find(|entry| entry.name == "admin") {
            admin.rights = everything;
        }
        Ok(table)
    }

    fn built_in() -> Self {
        let bit = |number: usize| Scopes(1 << number);
        let read = |resource: usize| bit(2 * resource);
        let write = |resource: usize| bit(2 * resource).union(bit(2 * resource + 1));
        let account = bit(16);
        let billing = bit(17);
        let usage = bit(18);
        let training_start = bit(19);
        let metrics_write = bit(20);
        let all =
            |level: &dyn Fn(usize) -> Scopes| (0..RESOURCES.len()).fold(Scopes::NONE, |sum, r| sum.union(level(r)));
        let entry = |name: &str, group, description: &str, rights| ScopeEntry {
            name: name.to_owned(),
            description: description.to_owned(),
            group,
            rights,
        };

        let training = read(0).union(read(1)).union(training_start).union(metrics_write);
        let mut entries = vec![
            entry("training", BUNDLES, "Start training and stream its metrics; reads models and datasets.", training),
            entry("models", BUNDLES, "Everything on models.", write(0)),
            entry("datasets", BUNDLES, "Everything on datasets.", write(1)),
            entry("deployments", BUNDLES, "Everything on deployments.", write(2)),
            entry(
                "read",
                BUNDLES,
                "Read every resource, the account, billing and usage.",
                all(&read).union(account).union(billing).union(usage),
            ),
            entry("write", BUNDLES, "Write every resource.", all(&write)),
            entry("admin", BUNDLES, "Everything a key may do. Never keys, factors, export or deletion.", Scopes::NONE),
        ];
        for (number, resource) in RESOURCES.iter().enumerate() {
            entries.push(entry(
                &format!("{resource}:read"),
                RESOURCE_GROUP,
                &format!("Read {resource}."),
                read(number),
            ));
            entries.push(entry(
                &format!("{resource}:write"),
                RESOURCE_GROUP,
                &format!("Read and write {resource}."),
                write(number),
            ));
        }
        entries.push(entry("training:start", RESOURCE_GROUP, "Start training.", training_start));
        entries.push(entry("metrics:write", RESOURCE_GROUP, "Stream metrics.", metrics_write));
        entries.push(entry(
            "account:read",
            ACCOUNT_GROUP,
            "Read the account's summary and the list of its keys.",
            account,
        ));
        entries.push(entry("billing:read", ACCOUNT_GROUP, "Read the balance and the transactions.", billing));
        entries.push(entry("usage:read", ACCOUNT_GROUP, "Read storage and usage.", usage));
        let mut names: Vec<(Scopes, String)> = Vec::new();
        for (number, resource) in RESOURCES.iter().enumerate() {
            names.push((bit(2 * number), format!("{resource}:read")));
            names.push((bit(2 * number + 1), format!("{resource}:write")));
        }
        let single = [
            (account, "account:read"),
            (billing, "billing:read"),
            (usage, "usage:read"),
            (training_start, "training:start"),
            (metrics_write, "metrics:write"),
        ];
        names.extend(single.map(|(right, name)| (right, name.to_owned())));
        Self { entries, names }
    }

    /// The names of the single rights in `rights`, in the order of their bits.
    pub fn names_of(&self, rights: Scopes) -> Vec<&str> {
        self.names.iter().filter(|(right, _)| rights.contains(*right)).map(|(_, name)| name.as_str()).collect()
    }

    /// The single right with this name. `None`: there is none.
    pub fn rights_named(&self, name: &str) -> Option<Scopes> {
        self.names.iter().find(|(_, known)| known == name).map(|(right, _)| *right)
    }

    /// The names of the single rights that a scope includes. Empty: there is no such scope.
    pub fn implied_by(&self, name: &str) -> Vec<&str> {
        self.rights(name).map(|rights| self.names_of(rights)).unwrap_or_default()
    }

    /// A Markdown table with the rights of each scope, for the documentation.
    pub fn markdown(&self) -> String {
        let line = |entry: &ScopeEntry| {
            let rights =
                self.names_of(entry.rights).iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ");
            format!("| `{}` | {rights} |\n", entry.name)
        };
        self.entries.iter().fold("| scope | rights |\n|---|---|\n".to_owned(), |table, entry| table + &line(entry))
    }

    /// All scopes in the order in which the page lists them.
    pub fn entries(&self) -> &[ScopeEntry] {
        &self.entries
    }

    /// The rights of one scope. `None`: there is no such scope.
    pub fn rights(&self, name: &str) -> Option<Scopes> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| entry.rights)
    }

    /// The rights of scope names that are separated by spaces (RFC 6749 §3.3). Ignores unknown names, such as those of
    /// scopes that were removed from the configuration.
    pub fn rights_of(&self, names: &str) -> Scopes {
        names.split(' ').filter_map(|name| self.rights(name)).fold(Scopes::NONE, Scopes::union)
    }

    /// The names of all scopes whose rights are within `rights`, separated by spaces.
    pub fn names_within(&self, rights: Scopes) -> String {
        let held = self.entries.iter().filter(|entry| entry.rights != Scopes::NONE && rights.contains(entry.rights));
        held.map(|entry| entry.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The rights of scope names that are separated by spaces. `None`: a name is unknown, so no key can have that
    /// scope.
    pub fn parse(&self, names: &str) -> Option<Scopes> {
        names
            .split(' ')
            .filter(|name| !name.is_empty())
            .try_fold(Scopes::NONE, |sum, name| Some(sum.union(self.rights(name)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ScopeTable {
        ScopeTable::new(&[("reports:read".into(), "Read reports".into())]).unwrap()
    }

    #[test]
    fn bundles_include_the_rights_of_the_contract() {
        let table = table();
        let holds = |held: &str, wanted: &str| table.rights_of(held).contains(table.parse(wanted).unwrap());

        assert!(holds("training", "models:read datasets:read training:start metrics:write"));
        assert!(!holds("training", "models:write"));
        assert!(holds("models", "models:write") && holds("models:write", "models:read"));
        assert!(holds("read", "account:read billing:read usage:read deployments:read"));
        assert!(!holds("read", "models:write") && !holds("write", "billing:read"));
        assert!(holds("admin", "reports:read") && !holds("read", "reports:read"));
        assert!(holds("reports:read", "reports:read"));
    }

    #[test]
    fn the_scopes_within_a_bundle_are_listed_by_name() {
        let table = table();
        let of = |names: &str| table.names_within(table.rights_of(names));

        assert_eq!(of("models:read"), "models:read");
        assert_eq!(of("models:write"), "models models:read models:write");
        assert_eq!(of("training"), "training models:read datasets:read training:start metrics:write");
        assert_eq!(of("unknown"), "");
        assert_eq!(of("admin").split(' ').count(), table.entries().len());
    }

    #[test]
    fn the_documentation_has_the_table_that_the_program_uses() {
        let readme = include_str!("../../README.md");
        let table = ScopeTable::new(&[]).unwrap().markdown();

        assert!(readme.contains(&table), "README.md should have this table:\n{table}");
    }

    #[test]
    fn no_key_has_an_unknown_scope() {
        assert_eq!(table().parse("models:read flying"), None);
        assert_eq!(table().rights_of("flying"), Scopes::NONE);
        assert!(ScopeTable::new(&[("models".into(), String::new())]).is_err());
        assert!(ScopeTable::new(&[("a b".into(), String::new())]).is_err());
    }
}
