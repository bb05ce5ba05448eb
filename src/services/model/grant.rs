//! What a service may do: its scopes, and the workspaces that it may touch.

use crate::base::WorkspaceId;

/// Workspaces that can be listed for one service. The list must fit into a line of the journal.
pub const WORKSPACES_MAX: usize = 500;

/// What a service can be allowed to do. Its own inbox and its own manifest need no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceScope {
    /// Verifies keys and tokens, exchanges keys, and reads the feed of revocations.
    KeysVerify,
    /// Reports usage.
    UsageWrite,
    /// Registers and changes its resources, and asks about limits.
    ResourcesWrite,
}

impl ServiceScope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::KeysVerify, Self::UsageWrite, Self::ResourcesWrite];

    /// The name, as it is stored, sent and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeysVerify => "keys:verify",
            Self::UsageWrite => "usage:write",
            Self::ResourcesWrite => "resources:write",
        }
    }

    /// What it allows, for people.
    pub const fn description(self) -> &'static str {
        match self {
            Self::KeysVerify => "Verify keys and tokens",
            Self::UsageWrite => "Report usage",
            Self::ResourcesWrite => "Register resources",
        }
    }

    /// Reads the form of [`ServiceScope::as_str`]. `None`: there is no such scope.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of [`ServiceScope`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceScopes(u8);

impl ServiceScopes {
    /// Every scope.
    pub fn all() -> Self {
        ServiceScope::ALL.into_iter().collect()
    }

    /// The set with these names, separated by spaces. `None`: a name is unknown.
    pub fn parse(names: &str) -> Option<Self> {
        names.split_ascii_whitespace().map(ServiceScope::parse).collect()
    }

    /// Whether the scope is in the set.
    pub const fn contains(self, scope: ServiceScope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether every scope of `other` is in the set.
    pub const fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The scopes that are in both sets.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The scopes of the set.
    pub fn iter(self) -> impl Iterator<Item = ServiceScope> {
        ServiceScope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }

    /// The names, separated by spaces.
    pub fn names(self) -> String {
        self.iter().map(ServiceScope::as_str).collect::<Vec<_>>().join(" ")
    }
}

impl FromIterator<ServiceScope> for ServiceScopes {
    fn from_iter<I: IntoIterator<Item = ServiceScope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | scope.bit()))
    }
}

/// The workspaces that a service may touch. Others do not exist for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkspaceGrant {
    /// All, also those that are created later.
    All,
    /// These, in order.
    Only(Box<[WorkspaceId]>),
}

impl WorkspaceGrant {
    /// These workspaces. `None`: more than [`WORKSPACES_MAX`].
    pub fn only(mut workspaces: Vec<WorkspaceId>) -> Option<Self> {
        workspaces.sort_unstable();
        workspaces.dedup();
        (workspaces.len() <= WORKSPACES_MAX).then(|| Self::Only(workspaces.into()))
    }

    /// The listed workspaces, in order. `None`: all.
    pub fn listed(&self) -> Option<&[WorkspaceId]> {
        match self {
            Self::All => None,
            Self::Only(workspaces) => Some(workspaces),
        }
    }

    /// Whether the service may touch the workspace.
    pub fn contains(&self, workspace: WorkspaceId) -> bool {
        self.listed().is_none_or(|listed| listed.binary_search(&workspace).is_ok())
    }

    /// Whether it has every workspace of `other`.
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Only(_), Self::All) => false,
            (Self::Only(_), Self::Only(others)) => others.iter().all(|workspace| self.contains(*workspace)),
        }
    }

    /// The workspaces that are in both.
    pub fn intersection(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, both) | (both, Self::All) => both.clone(),
            (Self::Only(own), Self::Only(_)) => {
                Self::Only(own.iter().copied().filter(|workspace| other.contains(*workspace)).collect())
            }
        }
    }
}

/// What a service may do, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Grant {
    pub scopes: ServiceScopes,
    pub workspaces: WorkspaceGrant,
}

impl Default for Grant {
    /// Everything in all workspaces.
    fn default() -> Self {
        Self { scopes: ServiceScopes::all(), workspaces: WorkspaceGrant::All }
    }
}

impl Grant {
    /// The grant with other scopes and workspaces. `None`: as they are.
    pub fn with(self, scopes: Option<ServiceScopes>, workspaces: Option<WorkspaceGrant>) -> Self {
        Self { scopes: scopes.unwrap_or(self.scopes), workspaces: workspaces.unwrap_or(self.workspaces) }
    }

    /// Whether it allows everything that `other` allows.
    pub fn includes(&self, other: &Self) -> bool {
        self.scopes.includes(other.scopes) && self.workspaces.includes(&other.workspaces)
    }

    /// What both allow.
    pub fn intersection(&self, other: &Self) -> Self {
        Self {
            scopes: self.scopes.intersection(other.scopes),
            workspaces: self.workspaces.intersection(&other.workspaces),
        }
    }

    /// The form of the journal: the names of the scopes, a semicolon, and `*` or the ids of the workspaces.
    pub(in crate::services) fn to_text(&self) -> String {
        let workspaces = match self.workspaces.listed() {
            None => "*".to_owned(),
            Some(listed) => listed.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        };
        format!("{};{workspaces}", self.scopes.names())
    }

    /// Reads the form of [`Grant::to_text`]. `None`: it is another text.
    pub(in crate::services) fn parse(text: &str) -> Option<Self> {
        let (scopes, workspaces) = text.split_once(';')?;
        let workspaces = match workspaces {
            "*" => WorkspaceGrant::All,
            listed => {
                let listed: Option<Vec<_>> = listed.split_ascii_whitespace().map(WorkspaceId::parse).collect();
                WorkspaceGrant::only(listed?)?
            }
        };
        Some(Self { scopes: ServiceScopes::parse(scopes)?, workspaces })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(numbers: &[u128]) -> WorkspaceGrant {
        WorkspaceGrant::only(numbers.iter().copied().map(WorkspaceId::from_u128).collect()).unwrap()
    }

    #[test]
    fn a_grant_includes_what_it_allows_and_survives_the_journal() {
        let everything = Grant::default();
        let verify = ServiceScopes::parse("keys:verify").unwrap();
        let narrow = Grant { scopes: verify, workspaces: only(&[2, 1, 2]) };
        let other = Grant { scopes: ServiceScopes::all(), workspaces: only(&[2, 3]) };

        assert!(everything.includes(&narrow) && !narrow.includes(&everything));
        assert!(!narrow.includes(&other) && !other.includes(&narrow));
        assert_eq!(narrow.intersection(&other), Grant { scopes: verify, workspaces: only(&[2]) });
        assert_eq!(everything.intersection(&other), other);
        for grant in [&everything, &narrow, &Grant { scopes: ServiceScopes::default(), workspaces: only(&[]) }] {
            assert_eq!(Grant::parse(&grant.to_text()).as_ref(), Some(grant));
        }
        assert_eq!(
            (Grant::parse("keys:verify"), Grant::parse("keys;*"), Grant::parse("keys:verify;x")),
            (None, None, None)
        );
    }

    #[test]
    fn a_list_of_workspaces_has_an_end() {
        let listed = |count: usize| (0..count as u128).map(WorkspaceId::from_u128).collect();
        assert!(WorkspaceGrant::only(listed(WORKSPACES_MAX)).is_some());
        assert!(WorkspaceGrant::only(listed(WORKSPACES_MAX + 1)).is_none());
        let longest = Grant { workspaces: WorkspaceGrant::only(listed(WORKSPACES_MAX)).unwrap(), ..Grant::default() };
        assert!(longest.to_text().len() <= 20_000, "a line of the journal takes no more");
    }
}
