//! The types of resources that the reference's client knows in the trash, and their scopes.

use crate::config::LimitKey;

/// The kind of a resource that can be in the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// A project with its models.
    Project,
    /// A dataset.
    Dataset,
    /// A model.
    Model,
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Project, Self::Dataset, Self::Model];

    /// The name of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Dataset => "dataset",
            Self::Model => "model",
        }
    }

    /// Whether models belong to it.
    pub const fn has_models(self) -> bool {
        matches!(self, Self::Project)
    }

    /// Parses the name of the API. `None`: it is unknown.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The limit that it counts for.
    pub const fn limit(self) -> LimitKey {
        match self {
            Self::Project => LimitKey::Projects,
            Self::Dataset => LimitKey::Datasets,
            Self::Model => LimitKey::Models,
        }
    }

    /// The scope that lets a key see this kind.
    pub const fn read_scope(self) -> &'static str {
        match self {
            Self::Project => "projects:read",
            Self::Dataset => "datasets:read",
            Self::Model => "models:read",
        }
    }

    /// The scope that lets a key change this kind.
    pub const fn write_scope(self) -> &'static str {
        match self {
            Self::Project => "projects:write",
            Self::Dataset => "datasets:write",
            Self::Model => "models:write",
        }
    }
}

/// The number of bytes that means "no limit" where the API needs a number: the largest integer that JSON parsers read
/// exactly (RFC 8259 §6).
pub const NO_LIMIT: u64 = (1 << 53) - 1;
