//! Scopes: what an API key may do.
//!
//! A scope is a name; behind it stand *rights*, one bit each. Asking "may this key?" is one AND over two words.

/// The rights that one key holds, or one request wants: a bit per right of the [`ScopeTable`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Scopes(u128);

impl Scopes {
    /// No right at all.
    pub const NONE: Self = Self(0);

    /// Whether every right in `wanted` is held. Wanting nothing is granted to everybody.
    pub const fn grant(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// The rights that are in both.
    pub const fn cut(self, limit: Self) -> Self {
        Self(self.0 & limit.0)
    }

    /// The rights of both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it is no right at all.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// One scope that can be given to a key.
#[derive(Clone, Debug)]
pub struct ScopeEntry {
    /// As written in requests: `models:read`.
    pub name: String,
    /// For the person who ticks the box.
    pub description: String,
    /// The heading it stands under on the page.
    pub group: &'static str,
    rights: Scopes,
}

/// Every scope of this appliance: the built-in ones and the admin's `[[scopes]]`.
#[derive(Clone, Debug)]
pub struct ScopeTable {
    entries: Vec<ScopeEntry>,
    /// What each single right is called.
    names: Vec<(Scopes, String)>,
}

/// Resources whose keys have levels (contract section 8).
const RESOURCES: [&str; 4] = ["models", "datasets", "deployments", "projects"];
const BUNDLES: &str = "Bundles";
const RESOURCE_GROUP: &str = "Resources";
const ACCOUNT_GROUP: &str = "Account";
const SITE_GROUP: &str = "This site";
/// Bits of [`Scopes`] less the built-in rights, rounded down: more own scopes than any site has named.
const CUSTOM_MAX: usize = 64;

impl ScopeTable {
    /// The built-in scopes and `custom` (name, description) ones.
    ///
    /// # Errors
    /// A sentence when a custom name repeats another scope's, has letters that a scope may not have
    /// (RFC 6749 §3.3 allows more; we keep to `a-z 0-9 : . - _`), or when there are more than 64.
    pub fn new(custom: &[(String, String)]) -> Result<Self, String> {
        let mut table = Self::built_in();
        if custom.len() > CUSTOM_MAX {
            return Err(format!("there are {} scopes; at most {CUSTOM_MAX} can be defined", custom.len()));
        }
        for (number, (name, description)) in custom.iter().enumerate() {
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b":.-_".contains(&b);
            if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
                return Err(format!(
                    "the scope \"{name}\" must be 1 to 64 of a-z, 0-9, colon, dot, hyphen, underscore"
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
        // `read` inside a custom resource's `write` would be a guess about the admin's words; only `admin` covers them.
        let everything = table.entries.iter().fold(Scopes::NONE, |all, entry| all.and(entry.rights));
        if let Some(admin) = table.entries.iter_mut().find(|entry| entry.name == "admin") {
            admin.rights = everything;
        }
        Ok(table)
    }

    fn built_in() -> Self {
        let bit = |number: usize| Scopes(1 << number);
        let read = |resource: usize| bit(2 * resource);
        let write = |resource: usize| bit(2 * resource).and(bit(2 * resource + 1));
        let account = bit(16);
        let billing = bit(17);
        let usage = bit(18);
        let training_start = bit(19);
        let metrics_write = bit(20);
        let all = |level: &dyn Fn(usize) -> Scopes| (0..RESOURCES.len()).fold(Scopes::NONE, |sum, r| sum.and(level(r)));
        let entry = |name: &str, group, description: &str, rights| ScopeEntry {
            name: name.to_owned(),
            description: description.to_owned(),
            group,
            rights,
        };

        let training = read(0).and(read(1)).and(training_start).and(metrics_write);
        let mut entries = vec![
            entry("training", BUNDLES, "Start training and stream its metrics; reads models and datasets.", training),
            entry("models", BUNDLES, "Everything on models.", write(0)),
            entry("datasets", BUNDLES, "Everything on datasets.", write(1)),
            entry("deployments", BUNDLES, "Everything on deployments.", write(2)),
            entry(
                "read",
                BUNDLES,
                "Read every resource, the account, billing and usage.",
                all(&read).and(account).and(billing).and(usage),
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

    /// What the single rights are called, in the order of their bits.
    pub fn names_of(&self, rights: Scopes) -> Vec<&str> {
        self.names.iter().filter(|(right, _)| rights.grant(*right)).map(|(_, name)| name.as_str()).collect()
    }

    /// The single right of this name. `None`: there is none.
    pub fn rights_named(&self, name: &str) -> Option<Scopes> {
        self.names.iter().find(|(_, known)| known == name).map(|(right, _)| *right)
    }

    /// The single rights behind a scope, by name. Nothing: there is no such scope.
    pub fn implied_by(&self, name: &str) -> Vec<&str> {
        self.rights(name).map(|rights| self.names_of(rights)).unwrap_or_default()
    }

    /// What each scope implies, as the documentation prints it: a table in Markdown, made from nothing but this table.
    pub fn markdown(&self) -> String {
        let line = |entry: &ScopeEntry| {
            let rights =
                self.names_of(entry.rights).iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ");
            format!("| `{}` | {rights} |\n", entry.name)
        };
        self.entries.iter().fold("| scope | rights |\n|---|---|\n".to_owned(), |table, entry| table + &line(entry))
    }

    /// All scopes in the order of the page.
    pub fn entries(&self) -> &[ScopeEntry] {
        &self.entries
    }

    /// The rights behind one name. `None`: there is no such scope.
    pub fn rights(&self, name: &str) -> Option<Scopes> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| entry.rights)
    }

    /// The rights behind names separated by spaces (RFC 6749 §3.3); names nobody knows any more give nothing.
    pub fn rights_of(&self, names: &str) -> Scopes {
        names.split(' ').filter_map(|name| self.rights(name)).fold(Scopes::NONE, Scopes::and)
    }

    /// Every scope that lies within `rights`, written out, separated by spaces.
    pub fn names_within(&self, rights: Scopes) -> String {
        let held = self.entries.iter().filter(|entry| entry.rights != Scopes::NONE && rights.grant(entry.rights));
        held.map(|entry| entry.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The rights that a request wants, names separated by spaces. `None`: a name is unknown, so nobody can hold it.
    pub fn wanted(&self, names: &str) -> Option<Scopes> {
        names
            .split(' ')
            .filter(|name| !name.is_empty())
            .try_fold(Scopes::NONE, |sum, name| Some(sum.and(self.rights(name)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ScopeTable {
        ScopeTable::new(&[("reports:read".into(), "Read reports".into())]).unwrap()
    }

    #[test]
    fn bundles_hold_what_the_contract_says() {
        let table = table();
        let holds = |held: &str, wanted: &str| table.rights_of(held).grant(table.wanted(wanted).unwrap());

        assert!(holds("training", "models:read datasets:read training:start metrics:write"));
        assert!(!holds("training", "models:write"));
        assert!(holds("models", "models:write") && holds("models:write", "models:read"));
        assert!(holds("read", "account:read billing:read usage:read deployments:read"));
        assert!(!holds("read", "models:write") && !holds("write", "billing:read"));
        assert!(holds("admin", "reports:read") && !holds("read", "reports:read"));
        assert!(holds("reports:read", "reports:read"));
    }

    #[test]
    fn a_bundle_is_written_out_and_what_is_cut_is_not() {
        let table = table();
        let of = |names: &str| table.names_within(table.rights_of(names));

        assert_eq!(of("models:read"), "models:read");
        assert_eq!(of("models:write"), "models models:read models:write");
        assert_eq!(of("training"), "training models:read datasets:read training:start metrics:write");
        assert_eq!(of("nobody-knows"), "");
        assert_eq!(of("admin").split(' ').count(), table.entries().len());
    }

    #[test]
    fn the_documentation_prints_the_table_that_decides() {
        let readme = include_str!("../../README.md");
        let table = ScopeTable::new(&[]).unwrap().markdown();

        assert!(readme.contains(&table), "README.md should have this table:\n{table}");
    }

    #[test]
    fn an_unknown_scope_is_held_by_nobody() {
        assert_eq!(table().wanted("models:read flying"), None);
        assert_eq!(table().rights_of("flying"), Scopes::NONE);
        assert!(ScopeTable::new(&[("models".into(), String::new())]).is_err());
        assert!(ScopeTable::new(&[("a b".into(), String::new())]).is_err());
    }
}
